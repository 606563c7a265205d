from __future__ import annotations

import math

import pytest
import torch

from seqgen.batches import encode
from seqgen.corpus import Record, Splitter
from seqgen.errors import UnknownSymbol
from seqgen.evaluation import bits_per_char, count_samples, held_out_loss, membership, score
from seqgen.protocols import Verdict
from seqgen.tokenizers import ByteTokenizer, CharTokenizer, Vocabulary

WORDS = ["anna", "otto", "ben", "karla", "a"]


class Uniform(torch.nn.Module):
    """Every id is as likely as any other."""

    def __init__(self, n_symbols):
        super().__init__()
        self.zero_V = torch.nn.Parameter(torch.zeros(n_symbols))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 0)

    def forward(self, ids_BT, state):
        return self.zero_V.expand(*ids_BT.shape, -1), state


def uniform(tokenizer):
    vocabulary = Vocabulary(tokenizer)
    return Uniform(vocabulary.size), vocabulary


def test_the_loss_of_a_uniform_model_is_known(monkeypatch):
    """A uniform model needs ln(symbols + stop) per target; padding and begin do not count."""
    model, vocabulary = uniform(CharTokenizer.fit(WORDS))
    part = encode([Record(word) for word in WORDS], vocabulary, Splitter((1, 0, 0)))["train"]
    penalty = torch.zeros(vocabulary.size).masked_fill(~torch.from_numpy(vocabulary.allowed_V()), -torch.inf)
    for batch_size in (1, 2, 256):
        monkeypatch.setattr("seqgen.batches.feed.EVALUATION_BATCH", batch_size)
        result = held_out_loss(model, part, penalty)
        assert result.loss_nats == pytest.approx(math.log(vocabulary.tokenizer.n_symbols + 1), rel=1e-5)
        assert result.bits_per_char == pytest.approx(math.log2(vocabulary.tokenizer.n_symbols + 1), rel=1e-5)
    assert held_out_loss(model, part, penalty, most=2).n_records == 2


def test_bits_per_char_do_not_depend_on_the_tokenizer():
    """The bits of a text are independent of its segmentation, here three bytes per character instead of one symbol."""
    text = "日本語"
    by_char, by_byte = uniform(CharTokenizer.fit([text])), uniform(ByteTokenizer())
    (char,), (byte,) = (score(*pair, [text]) for pair in (by_char, by_byte))
    assert char.bits_per_char == pytest.approx(4 * math.log2(4) / 4)
    assert byte.bits_per_char == pytest.approx(10 * math.log2(257) / 4, rel=1e-5)
    assert len(char.nats_per_symbol) == 4 and len(byte.nats_per_symbol) == 10


def test_scores_sum_to_the_loss(tiny_run):
    texts = ["anna", "otto", "b", ""]
    scores = tiny_run.score(texts)
    assert [one.text for one in scores] == texts
    for one in scores:
        assert one.nats == pytest.approx(sum(one.nats_per_symbol)) and len(one.nats_per_symbol) == len(one.text) + 1
        assert one.bits_per_char == pytest.approx(bits_per_char(one.nats, len(one.text), 1))
        assert tiny_run.score([one.text])[0].nats == pytest.approx(one.nats, rel=1e-5), (
            "a score depends on its text only"
        )
    with pytest.raises(UnknownSymbol):
        tiny_run.score(["Ärger"])


def test_probabilities_of_all_short_texts_sum_to_one():
    """All texts of at most three symbols, plus the mass of longer ones, from the scores of a trained model."""
    model, vocabulary = uniform(CharTokenizer("ab"))
    texts = [a + b + c for a in ["", "a", "b"] for b in ["", "a", "b"] for c in ["", "a", "b"]]
    mass = sum(math.exp(-one.nats) for one in score(model, vocabulary, sorted(set(texts))))
    assert mass == pytest.approx(1 - (2 / 3) ** 4, rel=1e-5)


RECORDS = [
    Record("anna", split="train"),
    Record("Otto", split="test"),
    Record("ben", split="valid"),
    Record("ANNA", split="test"),
]


def test_membership_by_canonical_form():
    where = membership(["anna", "otto", "eve", "ben"], RECORDS, Splitter(), str.lower)
    assert where == {"anna": "train", "otto": "test", "eve": "new", "ben": "valid"}


@pytest.mark.parametrize("parts", [("valid", "train", "test"), ("train", "test", "valid")])
def test_a_text_of_several_parts_belongs_to_training_wherever_it_stands(parts):
    records = [Record("anna", split=part) for part in parts]
    assert membership(["anna"], records, Splitter(), str.lower) == {"anna": "train"}


class LowerCase:
    def validate(self, text):
        return Verdict(
            text.isalpha(), "" if text.isalpha() else "not letters", text.lower() if text.isalpha() else None
        )


def test_counts_of_valid_unique_and_novel_samples():
    judged = count_samples(["Anna", "anna", "eve", "x1"], RECORDS, Splitter(), LowerCase())
    assert (judged.n, judged.valid, judged.unique, judged.novel) == (4, 0.75, pytest.approx(2 / 3), 0.5)
    empty = count_samples([], RECORDS, Splitter(), None)
    assert (empty.n, empty.valid, empty.unique, empty.novel) == (0, 0, 0, 0)
