from __future__ import annotations

from pathlib import Path

import pytest

import seqgen

pytest.importorskip("seqgen_tunes")
from seqgen_tunes.tune_book import TuneBookReader, is_tune_book
from seqgen_tunes.validator import AbcValidator

BOOK = """%abc-2.1
T:a book

X:1
T:The First
R:Reel
C:Trad.
M:C
L:1/8
K:G
"G"GABc !trill!dedB|dedB dedB:|  % a comment
w:la la

X:2
T:Voices
M:C
K:G
V:1
GABc|
V:2
G,4|

X:3
T:Short
M:6/8
K:D
DED F2A|
X:4
M:2/4
K:C
CDEFGABcdefg|GA|
"""


def read(**options):
    reader = TuneBookReader(**options)
    return list(reader.read(BOOK.split("\n"))), dict(reader.counts)


def test_tunes_are_written_as_those_of_the_corpus():
    (first, third), counts = read()
    assert (first.text, first.label) == ("M:C\nL:1/8\nK:G\nGABc dedB|dedB dedB:|", "reel")
    assert (first.fields["title"], first.fields["composer"], first.fields["metre"]) == ("The First", "Trad.", "C")
    assert third.fields["title"] == "Short"
    assert all(AbcValidator().validate(tune.text).ok for tune in (first, third))
    skipped = "tunes skipped: several voices", "tunes skipped: bars that do not fill the metre"
    assert counts == dict.fromkeys(skipped, 1)


def test_a_clef_after_the_key_is_no_part_of_a_record():
    text = "X:1\nM:2/4\nL:1/8\nK:Gm clef=bass transpose=-12\nGABc|\nK:D octave=1\ndefg|\n"
    (tune,) = TuneBookReader().read(text.split("\n"))
    assert tune.text == "M:2/4\nL:1/8\nK:Gm\nGABc|\n[K:D]defg|" and tune.fields["key"] == "Gm"


def test_the_first_title_is_the_title():
    text = "X:1\nT:\nT:First\nT:Also Known As\nM:2/4\nL:1/8\nK:G\nGABc|\nT:Second Part\ndefg|\n"
    (tune,) = TuneBookReader().read(text.split("\n"))
    assert tune.fields["title"] == "First"


@pytest.mark.parametrize("name", ["A&B", "[V:1]"])
def test_quoted_text_makes_no_voices(name):
    head = "X:1\nM:C\nL:1/8\nK:G\n"
    (tune,) = TuneBookReader().read([*head.split("\n")[:-1], f'"{name}"GABc "^x"dedB|'])
    assert tune.text == "M:C\nL:1/8\nK:G\nGABc dedB|"
    reader = TuneBookReader()
    assert not list(reader.read([*head.split("\n")[:-1], '"A"GABc & dedB "B"|']))
    assert reader.counts == {"tunes skipped: several voices": 1}


HEAD = "X:1\nM:4/4\nL:1/8\nK:G\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}V:1\nGABc dedB|\ndedB dedB|\n",
        HEAD.replace("K:", 'V:T1 clef=treble name="A B"\nK:') + "V:T1\nGABc dedB|\nV: T1\ndedB dedB|\n",
        f"{HEAD}[V:1]GABc dedB|\n[V:1 clef=treble] dedB dedB|\n",
        f"{HEAD}[V:1]\nGABc dedB|\n[V:1]\ndedB dedB|\n",
        f'{HEAD}GABc dedB|\nV:1 name="A & B"\ndedB dedB|\n',
        f'{HEAD}[V:1 name=A&B]"[V:2]"GABc dedB|\ndedB [I:a&b]dedB|\n',
    ],
)
def test_a_tune_of_one_named_voice_is_read(text):
    reader = TuneBookReader()
    (tune,) = reader.read(text.split("\n"))
    assert tune.text == f"{HEAD.removeprefix('X:1' + chr(10))}GABc dedB|\ndedB dedB|" and not reader.counts


@pytest.mark.parametrize(
    "music",
    [
        "V:1\nGABc dedB|\nV:2\ndedB dedB|\n",
        "[V:1]GABc dedB|\n[V:2]dedB dedB|\n",
        "V:T\nGABc dedB|[V:B]dedB dedB|\n",
        "GABc dedB|\nV:2\ndedB dedB|\n",
        "GABc dedB|[V:2]dedB dedB|\n",
        "V:1\nGABc dedB & G8|\n",
    ],
)
def test_a_tune_of_several_voices_is_skipped(music):
    reader = TuneBookReader()
    assert not list(reader.read((HEAD + music).split("\n")))
    assert reader.counts == {"tunes skipped: several voices": 1}


def test_tunes_may_be_read_as_they_are():
    tunes, counts = read(normalize=False)
    assert [tune.text.split("\n")[0] for tune in tunes] == ["X:1", "X:2", "X:3", "X:4"] and not counts
    assert tunes[3].text == "X:4\nM:2/4\nK:C\nCDEFGABcdefg|GA|"


def test_a_run_learns_from_a_tune_book(cli, in_tmp):
    assert is_tune_book("x", BOOK.encode()[BOOK.index("X:") :]) and not is_tune_book("x", b"X: 10\nY: 20\n")
    Path("book.abc").write_text(BOOK)
    tiny = ("--cell", "vanilla", "--hidden", 4, "--steps", 5, "--split", "none", "-o", "samples=1")
    trained = cli("train", "--corpus", "book.abc", *tiny, "--out", "run")
    assert trained.code == 0 and "(domain: abc)" in trained.err and "1 tune skipped: several voices" in trained.err
    assert seqgen.load("run").settings.corpus.multiline
