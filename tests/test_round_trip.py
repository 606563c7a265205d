"""Tokenizers, corpora and augmentations that do not round-trip are refused before training."""

import sys

import pytest

import seqgen
from conftest import one_in

TOKENIZER = """
import seqgen


class Letters(seqgen.Tokenizer):
    def __init__(self, symbols):
        self.symbols = symbols

    @property
    def n_symbols(self):
        return len(self.symbols)

    @classmethod
    def fit(cls, texts):
        return cls(sorted(set("".join(texts))))

    def encode(self, text):
        return [self.symbols.index(character) for character in text]

    def decode(self, ids):
        return "".join(self.symbols[index] for index in ids)

    def to_json(self):
        return {"symbols": self.symbols}

    @classmethod
    def from_json(cls, data):
        return cls(data["symbols"])


@seqgen.hookimpl
def register_tokenizers(register):
    register(seqgen.TokenizerSpec(name="letters", summary="s", load=Letters))
"""
ENCODE = "return [self.symbols.index(character) for character in text]"
DECODE = 'return "".join(self.symbols[index] for index in ids)'
REFUSED = {
    "n_symbols without property": ("    @property\n", "", "mark it with @property (n_symbols, line 9 of"),
    "fit gives nothing": ("return cls(sorted", "cls(sorted", "fit gave None, which has no n_symbols (fit, line 13 of"),
    "encode gives nothing": (ENCODE, "pass", "gave None, not ids (encode, line 17 of"),
    "encode gives no ids": (ENCODE, "return []", "encode gives no ids, of 'anna' too (encode, line 17 of"),
    "encode gives letters": (ENCODE, "return list(text)", "gave 'a' as an id, which is not a whole number (encode,"),
    "encode counts from 1": (ENCODE, ENCODE.replace(") for", ") + 1 for"), "encode gave the ids "),
    "decode gives nothing": (DECODE, "pass", "decode gave None, not a text (decode, line 20 of"),
    "to_json with a set": (
        '{"symbols": self.symbols}',
        '{"symbols": set(self.symbols)}',
        "what is no JSON: Object of type set",
    ),
    "to_json with NaN": ('{"symbols": self.symbols}', '{"symbols": float("nan")}', "to_json gave what is no JSON"),
    "to_json gives nothing": ('return {"symbols": self.symbols}', "pass", "TypeError: 'NoneType'"),
    "from_json asks for another name": (
        'data["symbols"]',
        'data["symbol"]',
        "from_json cannot load what to_json gave: KeyError: 'symbol' (from_json,",
    ),
    "from_json gives nothing": ('return cls(data["symbols"])', "pass", "from_json gave None, which has no n_symbols"),
    "from_json in another order": ('cls(data["symbols"])', 'cls(data["symbols"][::-1])', "has other ids"),
    "from_json with fewer": ('cls(data["symbols"])', 'cls(data["symbols"][1:])', "makes of to_json has "),
    "keys that are numbers": (
        '{"symbols": self.symbols}',
        '{"symbols": dict(enumerate(self.symbols))}',
        "after to_json and from_json 'anna' raises AttributeError",
    ),
    "encode_many of its own": (
        "    def decode",
        "    def encode_many(self, texts):\n        return [], []\n\n    def decode",
        "encode_many gives something else than encode, text by text (encode_many, line 20 of",
    ),
}


@pytest.fixture
def train(cli, words, in_tmp):
    def call(source, *chosen, out="run"):
        (in_tmp / "oddity.py").write_text(source)
        try:
            return cli("train", "--steps", 2, "--hidden", 4, "--out", out, "-q", "--plugin", "oddity.py", *chosen)
        finally:
            sys.modules.pop("oddity", None)

    return call


@pytest.fixture
def refused(train, in_tmp):
    def call(source, *chosen):
        result = train(source, *chosen)
        assert result.code == 5 and result.err.count("\n") == 1 and not (in_tmp / "run").exists(), result.err
        assert "oddity (oddity.py " in result.err and "report" not in result.err
        return result.err

    return call


@pytest.mark.parametrize("slip", one_in(4, REFUSED))
def test_a_tokenizer_whose_run_could_not_be_opened_is_refused(slip, refused, words):
    before, after, says = REFUSED[slip]
    assert before in TOKENIZER
    line = refused(TOKENIZER.replace(before, after), "--corpus", words, "--tokenizer", "letters")
    assert line.startswith("seqgen: tokenizer letters of oddity (oddity.py "), line
    assert says in line, line


@pytest.mark.parametrize("layout", ["lines", "stream"])
def test_a_tokenizer_that_is_right_passes_in_silence(layout, train, words, in_tmp):
    assert train(TOKENIZER, "--corpus", words, "--tokenizer", "letters", "--layout", layout).err == ""


def test_texts_that_come_back_as_others_are_warned_about(train, words, in_tmp):
    lossy = TOKENIZER.replace(DECODE, DECODE.replace("return ", "return 'x' + "))
    result = train(lossy, "--corpus", words, "--tokenizer", "letters")
    assert result.code == 0 and result.err.count("\n") == 1, result.err
    assert "tokenizer letters of oddity (oddity.py " in result.err and "of the first 40 records" in result.err
    assert "'anna' to 'xanna'; samples will be changed so too (decode, line 20 of oddity.py)" in result.err


CORPUS = """
import random
import seqgen

ORDERS = random.Random(1)  # seeded: by chance the first record would stay first in one run of 300


class Shuffled:
    def __iter__(self):
        words = [f"word{{n}}" for n in range(300)]
        {shuffle}
        return (seqgen.Record(word) for word in words)


@seqgen.hookimpl
def register_corpora(register):
    register(seqgen.CorpusSpec(name="shuffled", summary="s", licence="l", load=Shuffled))
"""


def test_a_corpus_in_another_order_each_time_is_refused(refused, train):
    line = refused(CORPUS.format(shuffle="ORDERS.shuffle(words)"), "--corpus", "shuffled")
    assert line.startswith("seqgen: corpus shuffled of oddity (oddity.py ") and "iterated again: record 1 is " in line
    assert "give the same order each time (__iter__, line 9 of oddity.py)" in line
    assert train(CORPUS.format(shuffle="random.Random(1).shuffle(words)"), "--corpus", "shuffled").err == ""


def test_an_empty_augmentation_is_refused(refused, words):
    source = """
import seqgen

def load():
    def augment(text, random):
        return text[1:] if text.startswith("b") else ""
    return augment

@seqgen.hookimpl
def register_augmentations(register):
    register(seqgen.AugmentationSpec(name="shorter", summary="s", load=load))
"""
    line = refused(source, "--corpus", words, "--augment", "shorter")
    assert "augmentation shorter of oddity" in line
    assert "returned '', not a non-empty string (augment, line 5 of oddity.py)" in line


@pytest.mark.parametrize("tokenizer", ["byte", "word", "bpe"])
def test_tokenizers_of_other_kinds_pass_in_silence(tokenizer, words, in_tmp):
    if tokenizer == "bpe":
        pytest.importorskip("tokenizers")
    warned = []
    seqgen.train(words, tokenizer=tokenizer, steps=1, hidden=4, out="run", warn=warned.append)
    assert warned == []
