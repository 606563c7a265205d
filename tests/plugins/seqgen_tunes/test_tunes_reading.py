"""From text to events."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("seqgen_tunes")
from seqgen_tunes.barlines import read_barline
from seqgen_tunes.keys import read_key
from seqgen_tunes.lexer import lex, split_token
from seqgen_tunes.metres import WHOLE, read_length, read_metre
from seqgen_tunes.parser import read_tune
from seqgen_tunes.pitch_names import key_name, pitch_name


def tune(body, metre="none", length="1/8", key="C"):
    return read_tune(f"M:{metre}\nL:{length}\nK:{key}\n{body}")


def pitches(body, key="C"):
    return [note.pitches[0] if note.pitches else None for note in tune(body, key=key).notes]


def duration(note):
    """In whole notes."""
    return Fraction(note.ticks, WHOLE)


def durations(body, **header):
    """In units of L:1/8."""
    return [duration(note) * 8 for note in tune(body, **header).notes]


@given(st.text())
def test_the_words_of_any_text_are_the_text(text):
    found = list(lex(text))
    assert "".join(word for _, word, _ in found) == text
    assert all(text[at : at + len(word)] == word for _, word, at in found)
    assert all("".join(split_token(kind, word)) == word for kind, word, _ in found)


def test_words():
    found = [word for _, word, _ in lex('M:6/8\nK:D\n|:^f\'3/2 [Ac]2>{g}z|1(3abc:|2"Am"!trill!~d-|d [K:G]C::')]
    assert found == [
        "M:6/8\n", "K:D\n", "|:", "^f'3/2", " ", "[Ac]2", ">", "{g}", "z", "|1", "(3", "a", "b", "c", ":|2", '"Am"',
        "!trill!", "~", "d", "-", "|", "d", " ", "[K:G]", "C", "::",
    ]  # fmt: skip


def test_pitches():
    assert pitches("C, C B c b c'") == [48, 60, 71, 72, 83, 84]
    assert pitches("F C G B", key="D") == [66, 61, 67, 71]
    assert pitches("B E A", key="Cm") == [70, 63, 68]
    assert pitches("^C _D =F ^^G __A") == [61, 61, 65, 69, 67]


def test_an_accidental_holds_to_the_bar_line_and_in_all_octaves():
    assert pitches("^C C c|C", key="C") == [61, 61, 73, 60]
    assert pitches("=F F|F", key="G") == [65, 65, 66]


def test_a_tie_carries_an_accidental_over_the_bar_line():
    read = tune("^C2-|C2 C2|")
    assert [note.pitches for note in read.notes] == [(61,), (61,), (60,)]
    assert [(note.pitches, duration(note)) for note in read.sounding()] == [
        ((61,), Fraction(1, 2)),
        ((60,), Fraction(1, 4)),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "A A2 A/ A/2 A3/2 A// A3/",
            [1, 2, Fraction(1, 2), Fraction(1, 2), Fraction(3, 2), Fraction(1, 4), Fraction(3, 2)],
        ),
        ("A>B c<d", [Fraction(3, 2), Fraction(1, 2), Fraction(1, 2), Fraction(3, 2)]),
        ("A2>>B2", [Fraction(7, 2), Fraction(1, 2)]),
        ("A>{c}B", [Fraction(3, 2), Fraction(1, 2)]),
        ("(3ABc d", [Fraction(2, 3)] * 3 + [1]),
        ("(3:2:2 A2B d", [Fraction(4, 3), Fraction(2, 3), 1]),
        ("(2AB (4ABcd", [Fraction(3, 2)] * 2 + [Fraction(3, 4)] * 4),
        ("[CE]2 [C2E2]2 z3", [2, 4, 3]),
        ("{cde}A2", [2]),
    ],
)
def test_durations(body, expected):
    read = tune(body)
    assert not read.problems
    assert durations(body) == expected
    starts = [Fraction(note.at, WHOLE) for note in read.notes]
    assert starts == [sum(expected[:i]) / Fraction(8) for i in range(len(expected))]


def test_five_notes_take_the_time_of_three_in_compound_metre_and_of_two_else():
    assert durations("(5ABcde", metre="6/8")[0] == Fraction(3, 5)
    assert durations("(5ABcde", metre="2/4")[0] == Fraction(2, 5)


def test_metre_unit_and_key_may_change():
    read = tune("C2|[L:1/4]C[K:D]F|\nM:3/4\nCCC|", metre="2/4", key="C")
    assert [bar.metre.text for bar in read.bars] == ["2/4", "2/4", "3/4"]
    assert [note.pitches[0] for note in read.notes] == [60, 60, 66, 61, 61, 61]
    assert duration(read.notes[1]) == Fraction(1, 4)
    assert read.canonical.endswith("C2|[L:1/4]C[K:D]F|[M:3/4]CCC|")


def test_bars_are_numbered_as_musicians_count():
    read = tune("A|ABc def|ABc de:|f|ABc def|ABc de:|", metre="6/8")
    assert [bar.number for bar in read.bars] == [0, 1, 2, 2, 3, 4]
    assert [bar.full for bar in read.bars] == [False, True, False, False, True, False]


def test_a_rest_of_bars_fills_them():
    read = tune("Z2|ABcd|", metre="2/4")
    assert not read.problems and [bar.full for bar in read.bars] == [True] * 3


@pytest.mark.parametrize(
    ("text", "short", "fifths", "tonic", "name"),
    [
        ("G", "G", 1, 7, "G major"), ("E Minor", "Em", 1, 4, "E minor"), ("A Mixolydian", "Amix", 2, 9, "A mixolydian"),
        ("DDor", "Ddor", 0, 2, "D dorian"), ("F#m", "F#m", 3, 6, "F# minor"), ("Bb", "Bb", -2, 10, "Bb major"),
        ("C ionian", "C", 0, 0, "C major"), ("G clef=treble", "G", 1, 7, "G major"), ("G treble", "G", 1, 7, "G major"),
        ("Gm clef=bass", "Gm", -2, 7, "G minor"), ("G octave=-1", "G", 1, 7, "G major"),
        ("A Mix stafflines=4 transpose=-2", "Amix", 2, 9, "A mixolydian"), ("none clef=perc", "none", 0, None, "none"),
        ("D =c alto1-8\tmiddle=d,", "D =c", 2, 2, "D =c"), ("Hp clef=none", "Hp", 2, 9, "Hp"),
        ("D =c", "D =c", 2, 2, "D =c"), ("Hp", "Hp", 2, 9, "Hp"),
    ],
)  # fmt: skip
def test_keys(text, short, fifths, tonic, name):
    key = read_key(text)
    assert (key.text, key.fifths, key.tonic, key_name(key)) == (short, fifths, tonic, name)
    assert read_key(key.text) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "H",
        "G#",
        "Fb",
        "Am7",
        "D mi",
        "EM",
        "g",
        "D ^h",
        "\x1b",
        "D exp _b",
        "Gtreble",
        "G clef=",
        "G trebles",
        "clef=bass",
    ],
)
def test_what_is_no_key(text):
    assert read_key(text) is None


def test_metres_and_lengths():
    assert [read_metre(text).ticks for text in ("6/8", "C", "C|", "2+3/8")] == [
        WHOLE * 3 // 4, WHOLE, WHOLE, WHOLE * 5 // 8,
    ]  # fmt: skip
    assert read_metre("none").ticks is None
    assert not any(map(read_metre, ("", "6/7", "0/4", "(3/4", "three")))
    assert [read_length(text) for text in ("", "2", "/", "//", "3/2", "3/", "/0")] == [
        (1, 1), (2, 1), (1, 2), (1, 4), (3, 2), (3, 2), (0, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("|", "|"), (":||:", "::"), (":|:", "::"), ("||:", "|:"), ("|[1", "|1"), (":|[2", ":|2"), ("|||", "||"),
     ("[|", "|]"), ("||1", "||[1"), ("[1", "[1"), (":|]", ":|"), ("[|]", "|"), ("|1,3", "|1,3")],
)  # fmt: skip
def test_barlines_have_one_spelling(text, spelled):
    assert str(read_barline(text)) == spelled
    assert str(read_barline(spelled)) == spelled


def test_names():
    assert pitch_name(61, read_key("D")) == "C#4" and pitch_name(61, read_key("Ab")) == "Db4"
