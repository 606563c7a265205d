"""Tunes as transcribers left them, written in one way; and the corpus of them."""

from __future__ import annotations

import importlib.metadata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen

pytest.importorskip("seqgen_tunes")
from seqgen_tunes.abc_files import source_tunes
from seqgen_tunes.corpus import LABELS, load
from seqgen_tunes.normalization import normalize
from seqgen_tunes.parser import read_tune

SOURCE = """% a file
%%scale 0.7

X: 7
T:A title
R: Double Jig
M:6/8
Z:somebody
K:G Major
u("4"D)|GAB !trill!c``d"Segno"e|~f>ga `.b(3((abc)):|\\
vd|\t(gfe) dc-B | % a comment
w: la la la
| A3-A2 Hx||
P:B
M:2/4
|: =|
A2 B2 |[1 c4 :|[2 c4 |]

X:8
T:two voices
M:C
K:C
V:1
CDEF|
V:2
C,4|

X:9
K:C
"""


def test_a_file_is_cut_into_tunes():
    first, second, third = source_tunes(SOURCE.splitlines())
    assert first.fields == {
        "X": "7", "T": "A title", "R": "Double Jig", "M": "6/8", "Z": "somebody", "K": "G Major",
    }  # fmt: skip
    assert len(first.lines) == 4 and not first.voices
    assert first.lines[2] == "[M:2/4]|: =|"
    assert second.voices and not third.lines


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ('u("4"D)|~G.AB', "(D)|GAB"),
        ("A2 B2  |  c2\td2 |\n| e4 :|", "A2 B2|c2 d2|\ne4:|"),
        ("A``B`c (3 ABc", "ABc (3ABc"),
        ("AB|\n|:cd:|\n|: ef :||", "AB\n|:cd::\nef:|"),
        ("d-c c-c|c2-|c2 ^c-=c", "dc c-c|c2-|c2 ^c=c"),  # ties of different notes were meant as slurs
        ("A) (BC (()d)", "A BC (d)"),  # slurs that do not pair, or hold nothing
        ("((3ABc) (3(ABc) (AB)", "(3ABc (3ABc (AB)"),  # slurs of a tuplet say nothing
        ("A > B A/2 B1 B3/ c//", "A>B A/ B B3/2 c/4"),
        ("A {~c d} B y2 x2", "A {cd}B z2"),
        ('^"4"c !D.C.! A !\nB', "^c A\nB"),
        ("|A2 |[1 B2 :|[2 c2 |]", "A2|1B2:|2c2|]"),
        ("[P:A]A[K:D]B", "A[K:D]B"),
        ("A[K:D clef=bass]B[K:Am]", "A[K:D]B[K:Am]"),
    ],
)
def test_normalize(music, expected):
    assert normalize(music) == expected
    assert normalize(expected) == expected


@given(st.text() | st.text("AaBbc,'^=/234>-()[]|: \n`~\"!{}z"))
def test_tidy_takes_any_text(music):
    assert normalize(normalize(music)) == normalize(music) or read_tune(f"M:none\nL:1/8\nK:C\n{music}").problems


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of the same layout with a few tunes."""
    path = tmp_path_factory.mktemp("wheel") / "music21-1-py3-none-any.whl"
    jig = "X:{}\nM:6/8\nR:{}\nK:G\n{}\n\n"
    with zipfile.ZipFile(path, "w") as archive:
        tunes = jig.format(1, "double jig", "D|GAB cde|fga b2:|") + jig.format(1, "jig", "D|GAB cde|fga a2:|")
        tunes += jig.format(2, "waltz", "GAB cde | fga bag|") + jig.format(3, "", "GAB cde|fga ba|")
        archive.writestr("music21/corpus/oneills1850/1.abc", tunes)
        tunes = jig.format(1, "reel", "(GAB) cde|fga bag|") + jig.format(2, "reel", "GABcde|fgabag|")
        archive.writestr("music21/corpus/airdsAirs/1.abc", tunes + "X:3\nV:1\nM:C\nK:C\nC8|\n\nX:4\nK:C\nC8|\n")
        archive.writestr("music21/corpus/ryansMammoth/1.abc", jig.format(1, "Slipjig", f"GAB %\n{'GAB cde|' * 200}"))
    return path


def test_what_becomes_a_record_and_what_does_not(wheel):
    tunes = load(path=str(wheel))
    head = "M:6/8\nL:1/8\nK:G\n"
    assert [(record.text.removeprefix(head), record.label) for record in tunes] == [
        ("D|GAB cde|fga b2:|", "jig"),
        ("GAB cde|fga bag|", None),
        ("(GAB) cde|fga bag|", "reel"),
    ]
    assert next(iter(tunes)).fields == {"metre": "6/8", "key": "G", "length": "1/8"}
    assert dict(tunes.dropped) == {
        ("oneill", "a second transcription of a tune"): 1,
        ("oneill", "bars that do not fill the metre"): 1,
        ("aird", "the same music as an earlier tune"): 1,
        ("aird", "several voices"): 1,
        ("aird", "no legal metre, key or unit note length"): 1,
        ("ryan", "longer than 1,500 characters"): 1,
    }
    assert [record.label for record in load(collection="aird", path=str(wheel))] == ["reel", "reel"]


def test_a_wheel_that_is_not_there(tmp_path):
    with pytest.raises(seqgen.UsageError, match="no such file"):
        list(load(path=str(tmp_path / "music21.whl")))


@pytest.mark.full
def test_the_corpus():
    try:
        importlib.metadata.version("music21")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("music21 is not installed: it comes with the extra 'music'")
    tunes = load()
    records = list(tunes)
    assert len(records) + sum(tunes.dropped.values()) == 4248
    assert len(records) > 3600
    assert {record.label for record in records} == {*LABELS, None}
    assert all(sum(record.label == label for record in records) >= 50 for label in LABELS)
    assert all(record.text.startswith("M:") and "\n\n" not in record.text for record in records)
    assert all(record.text == record.text.strip() and len(record.text) <= 1500 for record in records)
    assert not any(character in record.text for record in records for character in '"!~.%\\`\t')
    assert not any(problem for record in records[::7] if (problem := read_tune(record.text).problems))


def test_fields_at_the_beginning_of_a_file_are_those_of_every_tune():
    book = "%abc-2.1\nL:1/4\nC:Trad \\% one % a comment\n\nX:1\nM:none\nK:C\nCDEF|\n\n"
    book += "X:2\nM:2/4\nL:1/8\nK:G\nw:words\n+:more\nGABc|\n"
    first, second = source_tunes(book.splitlines())
    assert first.fields["L"] == "1/4" and first.fields["C"] == second.fields["C"] == "Trad % one"
    assert second.fields["L"] == "1/8" and second.lines == ["GABc|"]
    (alone,) = source_tunes("X:1\nT:one\nM:2/4\nK:C\nCDEF|".splitlines())
    assert set(alone.fields) == {"X", "T", "M", "K"}
