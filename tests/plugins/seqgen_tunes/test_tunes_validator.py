"""Verdicts of the ABC validator."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("seqgen_tunes")
from seqgen_tunes.validator import AbcValidator

validate = AbcValidator().validate
JIG = "M:6/8\nL:1/8\nK:G\n{}"
REEL = "M:4/4\nL:1/8\nK:Am\n{}"

GOOD = [
    JIG.format("GAB cde|fga bag|"),
    JIG.format("D|GAB cde|fga ba:|"),
    JIG.format("D|GAB cde|fga ba:|\nd|gfe dcB|A3 G2:|"),
    JIG.format("D|GAB cde|fga b2||d|gfe dcB|A3 G2|]"),
    JIG.format("|:D|GAB cde|1fga ba:|2fga b2||"),
    JIG.format("G3-G2A|(Bc)d {e}d>cB|[GB]3 z3|"),
    JIG.format("Z2|GAB cde|"),
    REEL.format("(3ABc A2 A>BA<B|[L:1/4]cdef|[M:2/4]cd|"),
    REEL.format('"Am"A2~B2 !trill!c4|\nT:words\nuAvA z6|'),
    "M:C|\nL:1/8\nK:D dorian\nABcd efga|",
    "M:none\nL:1/4\nK:none\nABc|A|ABcdefg|",
    "X:1\nT:a title\nM:3/4\nL:1/4\nK:C\nABc|",
    "L:1/4\nM:3/4\nK:C\nA B c",
]

BAD = [
    # a beat too many, a beat too few, in the middle
    (JIG.format("GAB cde|fga bagg|GAB cde|"), "bar 2 lasts 7/8, more than the 3/4"),
    (JIG.format("GAB cde|fga ba|GAB cde|"), "bar 2 lasts 5/8, less than the 3/4"),
    (REEL.format("A|ABcd efg|ABcd efga|ABcd efg|"), "bar 1 lasts 7/8, less than the 1 "),
    (REEL.format("ABcd efga|ABcd (3efg a|ABcd efga|"), "bar 2 lasts 7/8, less than the 1 "),
    (JIG.format("|:D|GAB cde|1fga bag:|2fga b||"), "bar 3 lasts 1/2, less than the 3/4 of its metre, and no pick-up"),
    (REEL.format("A2>B2 c>d e2 f|"), "bar 1 lasts 9/8, more than the 1 "),
    # at the seams
    (JIG.format("GAB cde|fga ba:|"), "bar 2 lasts 5/8, less than the 3/4 of its metre, and no pick-up"),
    (JIG.format("D|GAB cde|fga b:|"), "bar 2 lasts 1/2, less than the 3/4 of its metre, and no pick-up"),
    (
        JIG.format("D|GAB cde|fga ba||de|gfe dcB|A3 G2|]"),
        "the two parts of bar 2 last 5/8 and 1/4, together not the 3/4",
    ),
    (JIG.format("D|GAB cde|fga b||d|gfe dcB|A3 G2|]"), "the two parts of bar 2 last 1/2 and 1/8, together not the 3/4"),
    (JIG.format("D|GAB cde|fga bag||d|gfe dcB|A3 G|]"), "bar 5 lasts 1/2"),
    # header
    ("", "field M: is missing from the header"),
    ("L:1/8\nK:G\nGAB|", "field M: is missing"),
    ("M:6/8\nK:G\nGAB|", "field L: is missing"),
    ("M:6/8\nL:1/8\nGAB|", "field K: is missing"),
    ("M:6/7\nL:1/8\nK:G\nGAB|", "'M:6/7' is not a legal metre"),
    ("M:6/8\nL:1/7\nK:G\nGAB|", "'L:1/7' is not a legal unit note length"),
    ("M:6/8\nL:1/8\nK:H\nGAB|", "'K:H' is not a legal key"),
    ("V:1\nM:6/8\nL:1/8\nK:G\nGAB|", "unsupported header field V:"),
    # body
    (JIG.format(""), "no notes"),
    (JIG.format("z6|"), "no notes"),
    (JIG.format("GAB cde|fg% bag|"), "'%' has no meaning in ABC, at character 26"),
    (JIG.format("(3GA|B cde|"), "a tuplet lacks 1 of its notes, at character"),
    (JIG.format("(3G(3AB"), "tuplet (3 within a tuplet"),
    (JIG.format(">GAB"), "> without a note before it"),
    (JIG.format("GAB cd>|ega bag|"), "a broken rhythm without its second note"),
    (JIG.format("G3-A3|"), "a tie between different notes"),
    (JIG.format("G6-|Z|G6|"), "a tie between different notes"),
    (JIG.format("G6-"), "a tie without its second note"),
    (JIG.format("z3-G3|"), "a tie without a note before it"),
    (JIG.format("(GAB cde|"), "a slur that is not ended"),
    (JIG.format("GAB) cde|"), "the end of a slur that was not started"),
    (JIG.format("()GAB cde|"), "a slur around no notes"),
    (JIG.format("{}GAB cde|"), "'{}' are not grace notes"),
    (JIG.format("GAB : cde|"), ": is not a bar line"),
    (JIG.format("GAB cde|1:|"), "an ending without notes"),
    (JIG.format(":|GAB cde|"), "the end of a repeat without notes"),
    (JIG.format("GAB [V:2] cde|"), "illegal field 'V:2'"),
    (JIG.format("GAB [K:X] cde|"), "illegal field 'K:X'"),
    (JIG.format("G0 GAB cde|"), "an impossible note length"),
    (JIG.format("G,,,,,,6|"), "a note beyond the range of MIDI"),
]


@pytest.mark.parametrize("text", GOOD)
def test_tunes(text):
    verdict = validate(text)
    assert verdict.ok, verdict.reason


@pytest.mark.parametrize(("text", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_what_is_no_tune(text, reason):
    verdict = validate(text)
    assert not verdict.ok
    assert reason in verdict.reason


def test_layout_and_spelling_do_not_matter():
    texts = [
        "M:6/8\nL:1/8\nK:E minor\nE>GE GEG | B/2B/A2 e2 f |\n| [Eg]3 (3 abc z :|]",
        "T:x\nL: 1/8\nM: 6/8\nK:Em\n| E>GEGEG|B/2B/2A2e2f[|][Eg]3(3abcz:|",
        "M:6/8\nL:1/8\nK:EMin\nE > GE G`E`G|B/B/A2 e2f|\nP:B\n[Eg]3 (3abc z1:|",
    ]
    canonical = {validate(text).canonical for text in texts}
    assert canonical == {"M:6/8\nL:1/8\nK:Em\nE>GEGEG|B/B/A2e2f|[Eg]3(3abcz:|"}
    clef = texts[0].replace("E minor", "E minor clef=bass octave=-1")
    assert {validate(clef).canonical} == canonical
    assert validate(texts[0].replace("GEG", "GEF")).canonical not in canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("M:C\nL:1/8\nK:G\nGABc dedB", "M:C\nL:1/8\nK:G\nGABc dedB|]"),
        ("M:C\nL:1/8\nK:G\n(3GABc6|", "M:C\nL:1/8\nK:G\n(3:2:3GABc6|"),
        ("M:C\nL:1/8\nK:G\n[CE]8|", "M:C\nL:1/8\nK:G\n[EC]8|"),
        ("M:C\nL:1/8\nK:G\nA>Bc6|", "M:C\nL:1/8\nK:G\nA3/2B/c6|"),
        ("M:C\nL:1/8\nK:G\nG8|", 'M:C\nL:1/8\nK:G\n"G"G8|'),
        ("M:C\nL:1/8\nK:G\nG8|", "M:C\nL:1/4\nK:G\nG4|"),
    ],
)
def test_other_ways_to_write_the_same_music_have_their_own_form(one, other):
    forms = [validate(text).canonical for text in (one, other)]
    assert None not in forms and forms[0] != forms[1]


WORDS = [
    "A", "B2", "c/", "^d", "=e3/2", "z", "z2", "x", "Z", "|", "||", "|:", ":|", "::", "|]", "[|", "[|]", "|1", ":|2",
    "[1", " ", "\n", "`", "y", "(", ")", "-", ">", "<<", "(3", "(3:2:2", "{c}", "[CE]", "[C-E-]2", "[K:D]", "[M:2/4]",
    "\nK:Am\n", "\nT:x\n", '"Am"', "!trill!", "~", "T", ":", "[", "]", "1", "2", "/", ",", "'", "\\\n", "%", "[P:A]",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(["none", "2/4"]))
def test_the_canonical_form_is_final(body, metre):
    verdict = validate(f"M:{metre}\nL:1/4\nK:D minor\n" + "".join(body))
    assert verdict.ok or verdict.reason
    if verdict.ok:
        again = validate(verdict.canonical)
        assert again.ok and again.canonical == verdict.canonical


@given(st.text())
def test_nothing_raises(text):
    assert not validate(text).ok
    assert isinstance(validate(JIG.format(text)).reason, str)


def test_reasons_hold_no_control_characters():
    for text in ("M:\x1b[31m\nL:1/8\nK:G\n", "\x1b", JIG.format("\x07"), JIG.format("{\x1b}"), JIG.format("[K:\x1b]")):
        assert validate(text).reason.isprintable()
