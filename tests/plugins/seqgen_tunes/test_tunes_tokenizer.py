"""Symbols of tunes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen

pytest.importorskip("seqgen_tunes")
from seqgen_tunes.tokenizer import AbcTokenizer

TUNES = [
    "M:6/8\nL:1/8\nK:G\nD|GAB c>de|(3fga [GB]2{c}b:|",
    "M:6/8\nL:1/8\nK:G\n|:D|GAB ^c'3/2d/ e2|1(3fga [GB]2{d}b:|2z6|]",
    'M:C|\nL:1/8\nK:Am\n[K:A]A-A "Am"B!trill!c || _B,,4 (ABc) <',
]
CHARACTERS = sorted(set("".join(TUNES)))
TOKENIZER = AbcTokenizer.fit(TUNES)


def lex(text, tokenizer=TOKENIZER):
    return [tokenizer.symbols[index] for index in tokenizer.encode(text)]


def test_words_are_symbols():
    assert lex("M:6/8\nL:1/8\nK:G\nGAB|(3fga [GB]2|") == [
        "M:6/8\n", "L:1/8\n", "K:G\n", "G", "A", "B", "|", "(3", "f", "g", "a", " ", "[GB]2", "|",
    ]  # fmt: skip


def test_rare_words_are_spelled_by_their_parts():
    every = AbcTokenizer.fit([*TUNES, "c'", "c'", "3/2", "3/2", "A4", "C4", "4", "^c", "^c"])
    assert lex("^c'3/2", every) == ["^", "c'", *"3/2"]
    assert lex("[AB]", every) == ["[", "A", "B", "]"]
    assert lex("M:C|\n", every) == list("M:C|\n")
    assert lex("_B,,4", TOKENIZER) == list("_B,,4")


@given(st.text(CHARACTERS))
def test_every_text_of_known_characters_comes_back(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.lists(st.sampled_from([*TUNES, "\n", " ", "|:", "^", "3/2", "[", "M:", "\nK:"]), max_size=8))
def test_tunes_come_back(parts):
    text = "".join(parts)
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.text())
def test_any_text_comes_back_or_is_refused_where_it_is_unknown(text):
    unknown = [(at, character) for at, character in enumerate(text) if character not in CHARACTERS]
    try:
        assert TOKENIZER.decode(TOKENIZER.encode(text)) == text
        assert not unknown
    except seqgen.UnknownSymbol as error:
        assert (error.position, error.symbol) == unknown[0]


def test_an_unknown_character_inside_a_word():
    with pytest.raises(seqgen.UnknownSymbol, match=r"'Q' .*at position 8"):
        TOKENIZER.encode("K:G\nGAB\nQ:1\n")


def test_fewer_symbols_where_more_is_asked_of_them():
    sizes = [AbcTokenizer.fit(TUNES, min_count=count).n_symbols for count in (1, 2, 3)]
    assert sizes[0] > sizes[1] > sizes[2] >= len(CHARACTERS)


def test_characters_come_from_all_texts_and_words_from_the_training_part():
    tokenizer = AbcTokenizer.fit_parts(iter(TUNES), TUNES[:1] * 2)
    assert "[GB]2" in tokenizer.symbols and ":|2" not in tokenizer.symbols
    assert tokenizer.decode(tokenizer.encode(TUNES[2])) == TUNES[2]
    assert AbcTokenizer.fit_parts(TUNES, TUNES).symbols == TOKENIZER.symbols == AbcTokenizer.fit(iter(TUNES)).symbols


def test_json():
    again = AbcTokenizer.from_json(json.loads(json.dumps(TOKENIZER.to_json())))
    assert [again.encode(text) for text in TUNES] == [TOKENIZER.encode(text) for text in TUNES]
    assert again.symbols == TOKENIZER.symbols


def test_frequent_tokens_come_first_and_those_of_the_same_frequency_by_code_point():
    symbols = AbcTokenizer.fit(["M:4/4\nL:1/8\nK:C\nE2GGGG|E2GG|E2|"]).symbols
    assert symbols[:5] == ["G", "\n", ":", "E2", "|"] and symbols[-5:] == ["C", "E", "K", "L", "M"]
