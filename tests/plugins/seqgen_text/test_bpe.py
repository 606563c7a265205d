from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_text")
pytest.importorskip("tokenizers", reason="tokenizers is not installed: it comes with the extra 'bpe'")
from seqgen_text.bpe import BPETokenizer

TEXTS = st.lists(st.text() | st.text("ab'’é\u0301 1\r\n\t_.\x00ﬁ\u212b👩‍🔬"), max_size=6)
SPLITS = st.sampled_from(["words", "blanks", "none"])


@settings(max_examples=150)
@given(TEXTS, st.integers(1, 60), st.integers(1, 3), SPLITS)
def test_decode_undoes_encode(texts, vocab_size, min_frequency, split):
    tokenizer = BPETokenizer.fit(iter(texts * 2), vocab_size=vocab_size, min_frequency=min_frequency, split=split)
    again = BPETokenizer.from_json(json.loads(json.dumps(tokenizer.to_json())))
    for text in [*texts, *("".join(random.Random(0).sample(text, len(text))) for text in texts), "".join(texts)]:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert again.encode(text) == ids
    flat, lengths = tokenizer.encode_many(texts)
    assert (flat.dtype, lengths.dtype) == ("int32", "int64")
    assert flat.tolist() == [index for text in texts for index in tokenizer.encode(text)]
    assert lengths.tolist() == [len(tokenizer.encode(text)) for text in texts]
    assert tokenizer.decode_many(flat, lengths) == texts


@given(st.lists(st.text(min_size=1), min_size=1), SPLITS, st.randoms(use_true_random=False))
def test_any_ids_are_a_text_of_known_characters(texts, split, chance):
    tokenizer = BPETokenizer.fit(texts * 3, split=split)
    text = tokenizer.decode([chance.randrange(tokenizer.n_symbols) for _ in range(20)])
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(TEXTS, TEXTS, SPLITS)
def test_merges_are_those_of_the_training_part(training, held_out, split):
    """Characters come from all texts, and one pass over the same texts gives what two would."""
    both = BPETokenizer.fit_parts(iter([*held_out, *training]), iter(training), vocab_size=10_000, split=split)
    characters = sorted(set("".join(training + held_out)))
    assert both.symbols[: len(characters)] == characters
    assert both.merges == BPETokenizer.fit(training, vocab_size=10_000, split=split).merges
    assert [both.decode(both.encode(text)) for text in held_out] == held_out
    once = BPETokenizer.fit(training, split=split)
    assert BPETokenizer.fit_parts(training, training, split=split).to_json() == once.to_json()


def test_merges():
    tokenizer = BPETokenizer.fit(["low lower lowest"] * 5, vocab_size=12)
    assert tokenizer.n_symbols == 12 and tokenizer.merges[:2] == [["l", "o"], ["lo", "w"]]
    assert [tokenizer.symbols[index] for index in tokenizer.encode("low")] == ["low"]
    assert BPETokenizer.fit(["low lower lowest"] * 5, vocab_size=1).symbols == sorted(set("low lower lowest"))
    assert BPETokenizer.fit(["low lower lowest"] * 5, min_frequency=99).merges == []


def test_where_nothing_is_merged_across():
    texts = ["ab-12  ab-12\nab"] * 9

    def longest(split):
        return sorted(BPETokenizer.fit(texts, split=split).symbols, key=len)[-1]

    assert longest("words") == " ab" and longest("blanks") == " ab-12" and longest("none") == texts[0]


@given(st.text("ab "))
def test_unknown_characters_are_named_with_their_place(before):
    tokenizer = BPETokenizer.fit(["abab ab"])
    for unknown in ("☃", "\ud800", "\u0301"):
        for encode in (tokenizer.encode, lambda text: tokenizer.encode_many([before, "ab", text])):
            with pytest.raises(seqgen.UnknownSymbol) as caught:
                encode(before + unknown + "Ж")
            assert (caught.value.symbol, caught.value.position) == (unknown, len(before))


def test_half_a_surrogate_pair_is_refused():
    for learn in (BPETokenizer.fit, lambda texts: BPETokenizer.fit_parts(texts, [])):
        with pytest.raises(seqgen.CorpusError, match=r"'\\ud800'"):
            learn(["a", "b\ud800"])


def test_what_fails_while_a_corpus_is_read_passes_through():
    def texts():
        yield "a"
        raise seqgen.CorpusError("line 2 is damaged")

    with pytest.raises(seqgen.CorpusError, match="line 2"):
        BPETokenizer.fit(texts())


@pytest.mark.full
def test_two_processes_learn_the_same():
    code = (
        "import json, random; from seqgen_text.bpe import BPETokenizer; chance = random.Random(1)\n"
        "texts = [''.join(chance.choice('abcde \u0301') for _ in range(20)) for _ in range(500)]\n"
        "print(json.dumps(BPETokenizer.fit(texts, vocab_size=400).to_json()))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout and len(json.loads(runs[0].stdout)["symbols"]) == 400


def test_without_the_library(monkeypatch):
    tokenizer = BPETokenizer.from_json(BPETokenizer.fit(["abab"]).to_json())
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert tokenizer.decode([0, 1]) == "ab"  # decoding does without
    for use in (lambda: tokenizer.encode("ab"), lambda: BPETokenizer.fit(["ab"])):
        with pytest.raises(seqgen.MissingExtra, match=r"tokenizer bpe needs the extra 'bpe'"):
            use()


@pytest.mark.full
def test_contract(plugins):
    spec = plugins.registry.get("tokenizer", "bpe").spec
    for options in ({}, {"split": "none", "min_frequency": 1}, {"split": "blanks", "vocab_size": 40}):
        testing.check_tokenizer(spec, **options)


def test_a_run(words, in_tmp, cli):
    common = ("--hidden", 8, "--cell", "vanilla", "--steps", 4)
    made = cli("train", "--corpus", words, "--tokenizer", "bpe", "-o", "tokenizer.vocab_size=30", *common)
    assert made.code == 0, made.err
    assert len(json.loads((in_tmp / "runs/words-vanilla-001/tokenizer.json").read_text())["data"]["symbols"]) == 30
    sampled = cli("sample", "-n", 3, "--prefix", "an")
    assert sampled.code == 0 and all(line.startswith("an") for line in sampled.out.splitlines())
