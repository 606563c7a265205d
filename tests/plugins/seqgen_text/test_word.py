from __future__ import annotations

import itertools
import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_text")
from seqgen_text.word import WordTokenizer
from seqgen_text.word_split import WordSplitter

TEXTS = st.lists(st.text() | st.text("ab'’é\u0301 1\r\n\t_.\ud800") | st.text(st.characters()), max_size=6)
PATTERNS = [
    None,
    "",
    r"\w+",
    r"\w*",
    r"(?i)AB",
    r"(?x) a # a comment",
    "(a)(b)?",
    "(?=a)|b",
    r"\b",
    "a??",
    r"(?s).*",
    "$",
]


@given(st.text() | st.text("ab'1 \n"), st.sampled_from(PATTERNS))
def test_pieces_join_to_the_text(text, pattern):
    pieces = WordSplitter(pattern)(text)
    assert "".join(pieces) == text and "" not in pieces


def test_words_numbers_marks_and_blanks():
    text = "Don't  'quote' x_1 H2O rock'n'roll l’été 42%\r\n\te\u0301te\u0301 हिन्दी"
    assert WordSplitter()(text) == [
        "Don't", " ", " ", "'", "quote", "'", " ", "x", "_", "1", " ", "H", "2", "O", " ", "rock'n'roll", " ", "l’été",
        " ", "42", "%", "\r", "\n", "\t", "e\u0301te\u0301", " ", "हिन्दी",
    ]  # fmt: skip


def test_a_pattern_of_ones_own():
    assert WordSplitter("[A-Z][a-z]?|[0-9]+")("C10NaCl(=x)") == ["C", "10", "Na", "Cl", "(", "=", "x", ")"]
    assert WordSplitter("(?:ab)+")("xababab") == ["x", "ababab"]


@pytest.mark.parametrize("pattern", ["(", "[a", "a{99999999999999999999}", "*", "(?P<n>a)(?P<n>b)", "a)|(b"])
def test_what_is_no_pattern_costs_one_line(pattern):
    with pytest.raises(seqgen.BadOption, match=r"^option 'pattern' of tokenizer word: .+") as caught:
        WordTokenizer.fit(["a"], pattern=pattern)
    assert "\n" not in str(caught.value)


@given(TEXTS, TEXTS, st.integers(1, 3), st.integers(0, 3), st.sampled_from(PATTERNS))
def test_decode_undoes_encode(texts, others, min_count, max_words, pattern):
    tokenizer = WordTokenizer.fit(iter([*texts, *others]), min_count=min_count, max_words=max_words, pattern=pattern)
    again = WordTokenizer.from_json(json.loads(json.dumps(tokenizer.to_json())))
    shuffled = ["".join(random.Random(0).sample(text, len(text))) for text in texts]
    for text in [*texts, *shuffled, "".join(others + texts)]:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert again.encode(text) == ids
    flat, lengths = tokenizer.encode_many(texts)
    assert (flat.dtype, lengths.dtype) == ("int32", "int64")
    assert flat.tolist() == [index for text in texts for index in tokenizer.encode(text)]
    assert lengths.tolist() == [len(tokenizer.encode(text)) for text in texts]
    assert tokenizer.decode_many(flat, lengths) == texts


@given(TEXTS, TEXTS)
def test_words_are_those_of_the_training_part(training, held_out):
    """An equal training part gives the same words, whatever is held out; characters come from everywhere."""
    alone = WordTokenizer.fit(training)
    both = WordTokenizer.fit_parts(iter([*training, *held_out]), iter(training))
    assert [word for word in both.symbols if len(word) > 1] == [word for word in alone.symbols if len(word) > 1]
    assert {symbol for symbol in both.symbols if len(symbol) == 1} == set("".join(training + held_out))
    assert WordTokenizer.fit_parts(training, training).to_json() == alone.to_json()
    assert [both.decode(both.encode(text)) for text in held_out] == held_out


def test_the_frequent_are_symbols_and_the_rest_is_spelled():
    texts = ["the cat", "the dog", "the dog 10"]
    assert WordTokenizer.fit(texts).symbols == [*sorted(set("".join(texts))), "dog", "the"]
    assert WordTokenizer.fit(texts, max_words=1).symbols[-1] == "the"
    assert WordTokenizer.fit(texts, min_count=1, max_words=3).symbols[-3:] == [
        "10",
        "dog",
        "the",
    ]  # ties
    tokenizer = WordTokenizer.fit(texts)
    assert [tokenizer.symbols[index] for index in tokenizer.encode("the cat dog")] == ["the", " ", *"cat", " ", "dog"]


@given(st.lists(st.text("ab "), min_size=1), st.text("ab c"))
def test_unknown_characters_are_named_with_their_place(texts, before):
    tokenizer = WordTokenizer.fit([*texts, "abc ", "ab"])
    for encode in (tokenizer.encode, lambda text: tokenizer.encode_many([before, "ab", text])):
        with pytest.raises(seqgen.UnknownSymbol) as caught:
            encode(before + "Ж☃")
        assert (caught.value.symbol, caught.value.position) == ("Ж", len(before))


@given(st.lists(st.text(), min_size=1), st.randoms(use_true_random=False))
def test_any_ids_are_a_text_of_known_characters(texts, chance):
    tokenizer = WordTokenizer.fit(texts)
    drawn = [chance.randrange(tokenizer.n_symbols) for _ in range(20)] if tokenizer.n_symbols else []
    text = tokenizer.decode(drawn)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.full
def test_contract(plugins):
    spec = plugins.registry.get("tokenizer", "word").spec
    for options in ({}, {"min_count": 1}, {"max_words": 0}, {"pattern": r"\S+"}):
        testing.check_tokenizer(spec, **options)


def test_a_run(words, in_tmp, cli):
    lines = words.read_text().split()
    words.write_text("\n".join(f"{a} and {b}" for a, b in itertools.pairwise(lines)) + "\n")
    common = ("--hidden", 8, "--cell", "vanilla", "--steps", 4)
    made = cli("train", "--corpus", words, "--tokenizer", "word", "-o", "tokenizer.min_count=3", *common)
    assert made.code == 0, made.err
    assert "and" in json.loads((in_tmp / "runs/words-vanilla-001/tokenizer.json").read_text())["data"]["symbols"]
    sampled = cli("sample", "-n", 3, "--prefix", "an")
    assert sampled.code == 0 and all(line.startswith("an") for line in sampled.out.splitlines())
    refused = cli("train", "--corpus", words, "--tokenizer", "word", "-o", "tokenizer.pattern=(", *common)
    assert refused.code == 2 and re.fullmatch(r"seqgen: option 'pattern' of tokenizer word: .*\n", refused.err)
