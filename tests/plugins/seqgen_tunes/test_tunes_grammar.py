"""The grammar of tunes in ABC notation accepts what the validator does."""

import pytest

from seqgen.sampling.text_automata import accepts
from seqgen_tunes.grammar import AbcGrammar
from seqgen_tunes.validator import AbcValidator

HEAD = "M:6/8\nL:1/8\nK:G\n"
GOOD_BODIES = [
    "GAB dBG|", "G3 G2:|", "(3GAB d2 e2|", "G>A B2 (cd)|", "G|GAB dBG|\nG3 d2||", "GA{c}B d3|GAB d3/2e/d|",
    "|:GAB dBG:|", "GABdBG|1GABdBG:|2GABdBG|]", "GAB\\\ndBG|", '"Am"GAB(3"x(>|"dBG d|"D7"', "!trill!GAB(!f!d.!4!BG)|",
    "G1AB d1B1G1|", "(3G1A1B1 d2 e2|", "GAB\tdBG|",
]  # fmt: skip
BAD_BODIES = [
    "GAB dBGA|", "GAB dBG|GAB dB|GAB dBG|", "(GAB dBG|", "GAB) dBG|", "(3GA|", "GAB dBG>|", "GAB d]",
    '"GAB dBG|', '"\n"GAB dBG|', "GAB\\dBG|", "GAB dBG|\\", "!trill GAB dBG|", "!!GAB dBG|",
    "!a|!GAB dBG|", "GAB dBG|!x", "G12AB dBG|",
]  # fmt: skip


@pytest.mark.parametrize(("bodies", "expected"), [(GOOD_BODIES, True), (BAD_BODIES, False)])
def test_the_grammar_of_tunes_agrees_with_the_validator(bodies, expected):
    for body in bodies:
        assert AbcValidator().validate(HEAD + body).ok == accepts(AbcGrammar(), HEAD + body) == expected, body


@pytest.mark.parametrize("head", ["", "M:6/8\n", "L:1/8\nK:G\n", "M:6/8\nL:1/8\n", "M:5/8\nL:1/8\nK:G\n"])
def test_the_grammar_of_tunes_needs_a_header(head):
    assert not accepts(AbcGrammar(), head + "GAB dBG|")
    for tune in ("T:a title\n" + HEAD + "GAB dBG|", HEAD.replace("\n", "\r\n") + "GAB\r\ndBG|"):
        assert AbcValidator().validate(tune).ok and accepts(AbcGrammar(), tune)
