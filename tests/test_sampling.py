from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from conftest import one_in
from seqgen.config import SampleConfig
from seqgen.errors import BadOption, Diverged, TooFewRows, UnknownSymbol
from seqgen.protocols import Verdict
from seqgen.sampling import RowFilter, Sample, Sampler, filter_rows
from seqgen.sampling.categorical import BLOCK, Uniforms, sample_ids
from seqgen.sampling.processors import build_processors, min_p, temperature, top_k, top_p
from seqgen.tokenizers import BOS, EOS, PAD, CharTokenizer, Vocabulary

VOCABULARY = Vocabulary(CharTokenizer("abcde"))


class Chain(nn.Module):
    """The next symbol depends on the last one only: known probabilities, no training."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.logits_VV = nn.Parameter(torch.randn(VOCABULARY.size, VOCABULARY.size, generator=generator))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 0)

    def forward(self, ids_BT, state):
        return self.logits_VV[ids_BT], state


def sampler(model=None, **options):
    return Sampler(model or Chain(), VOCABULARY, SampleConfig(**{"max_length": 12, **options}))


def texts(rows):
    return [row.text for row in rows]


# -- draws


@given(st.integers(0, 2**31), st.integers(0, 60))
def test_uniforms_depend_on_seed_and_row_only(seed, start):
    whole, part = Uniforms(seed, 0, BLOCK), Uniforms(seed, start, 32)
    for _ in range(3):
        assert torch.equal(whole.next()[start : start + 32], part.next())


def test_sampling_inverts_the_cumulative_distribution():
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().expand(5, 4)
    assert sample_ids(logits, torch.tensor([0.0, 0.0999, 0.1001, 0.5999, 0.9999])).tolist() == [0, 0, 1, 2, 3]


@given(st.integers(0, 9), st.floats(0, 1, exclude_max=True, width=32))
def test_a_forbidden_id_is_never_sampled(only, uniform):
    logits = torch.full((1, 10), -torch.inf)
    logits[0, only] = -50.0
    almost_one = np.nextafter(np.float32(1), np.float32(0))
    for value in (uniform, float(almost_one)):
        assert sample_ids(logits, torch.tensor([value])).tolist() == [only]


def test_symbols_meet_where_their_probabilities_do():
    """A sum in float32 would move a tenth of these boundaries, and another program could not choose the same."""
    n = 458
    below = torch.floor(torch.arange(1, n) / n * 2**24) / 2**24
    uniform = torch.cat([below, below + 2**-24])
    expected = torch.floor(uniform.double() * n).long()
    assert torch.equal(sample_ids(torch.zeros(len(uniform), n), uniform), expected)


def test_frequencies_are_those_of_the_model():
    model = Chain()
    first = [row.text[:1] for row in sampler(model).take(20_000)]
    allowed = torch.from_numpy(VOCABULARY.allowed_V())
    expected = torch.softmax(model.logits_VV[1].detach().masked_fill(~allowed, -torch.inf), 0)
    for index, symbol in enumerate(["", *"abcde"]):
        share = first.count(symbol) / 20_000
        assert abs(share - expected[[2, 3, 4, 5, 6, 7][index]].item()) < 0.015


# -- the promise: a row depends on the seed and its number only


@pytest.mark.parametrize(
    "options", one_in(4, [{}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.8}, {"prefix": "ab"}])
)
@pytest.mark.parametrize("name", ["chain", "run"])
def test_rows_do_not_depend_on_how_many_are_sampled(tiny_run, options, name):
    if name == "chain":
        make = lambda **more: sampler(**options, **more)  # noqa: E731
    else:
        options = options if "prefix" not in options else {"prefix": "an"}

        def make(**more):
            settings = SampleConfig(**{"max_length": 20, **options, **more})
            return Sampler(tiny_run.model, tiny_run.vocabulary, settings)

    many = list(make().take(2100))
    assert [row.number for row in many] == list(range(2100))
    for n in (0, 1, 10, 33, 1000, 1025):
        assert list(make().take(n)) == many[:n]
    for batch_size in (1, 32, 100, 500):
        assert list(make(batch_size=batch_size).take(1100)) == many[:1100]
    stream = make().rows()
    assert [next(stream) for _ in range(1500)] == many[:1500]
    assert texts(make(seed=1).take(50)) != texts(many[:50])


def test_prefix_and_length():
    rows = list(sampler(prefix="bad", max_length=6).take(200))
    assert all(row.text.startswith("bad") and len(row.text) <= 6 for row in rows)
    assert any(row.cut for row in rows) and all(row.cut == (len(row.text) == 6) or not row.cut for row in rows)
    with pytest.raises(UnknownSymbol) as caught:
        sampler(prefix="baz")
    assert caught.value.symbol == "z" and caught.value.position == 2


def test_a_prefix_as_long_as_the_limit():
    assert texts(sampler(prefix="abc", max_length=3).take(5)) == ["abc"] * 5


def test_greedy_is_always_the_same():
    assert len(set(texts(sampler(temperature=0).take(40)))) == 1


def test_line_ends_are_not_sampled_in_single_line_records():
    vocabulary = Vocabulary(CharTokenizer("a\n"))

    class Flat(nn.Module):
        def initial_state(self, batch_size):
            return torch.zeros(batch_size, 0)

        def forward(self, ids_BT, state):
            return torch.zeros(*ids_BT.shape, vocabulary.size), state

    settings = SampleConfig(max_length=20)
    assert not any("\n" in text for text in texts(Sampler(Flat(), vocabulary, settings).take(200)))
    assert any("\n" in text for text in texts(Sampler(Flat(), vocabulary, settings, multiline=True).take(200)))


def test_the_mode_of_the_model_is_restored():
    model = Chain().train()
    list(sampler(model).take(3))
    assert model.training


def test_equal_rows_are_computed_once():
    seen = []

    class Counting(Chain):
        def forward(self, ids_BT, state):
            seen.append(len(ids_BT))
            return super().forward(ids_BT, state)

    rows = list(sampler(Counting(), batch_size=4096).take(4000))
    assert seen[0] == 32 and all(width % 32 == 0 for width in seen) and sum(seen) < 0.5 * 4000 * len(seen)
    assert rows == list(sampler(Chain(), batch_size=4096).take(4000))


@pytest.mark.parametrize(("grows", "n_chunks"), [(False, 1), (True, 2)])
def test_very_many_rows_are_sampled_together_unless_their_state_grows(grows, n_chunks):
    begun = []

    class Counting(Chain):
        def forward(self, ids_BT, state):
            begun.append(len(ids_BT) == 32 and bool((ids_BT == BOS).all()))
            return super().forward(ids_BT, torch.cat((state, ids_BT.float()), 1) if grows else state)

    rows = list(sampler(Counting()).take(5000))
    assert sum(begun) == n_chunks
    assert rows == list(sampler(Chain(), batch_size=1024).take(5000))


def test_processors_see_a_row_up_to_its_end_only():
    def watch(logits_BV, ids_BT):
        after_end = ((ids_BT == EOS).cumsum(1) - (ids_BT == EOS).long()) > 0
        assert (ids_BT[after_end] == PAD).all()
        return logits_BV

    assert len(list(Sampler(Chain(), VOCABULARY, SampleConfig(max_length=12), processors=[watch]).take(500))) == 500


def test_rows_that_have_ended_may_have_no_symbol_left():
    def stop(logits_BV, ids_BT):
        ended = (ids_BT == EOS).any(1)
        return logits_BV.masked_fill(ended[:, None], -torch.inf)

    rows = Sampler(Chain(), VOCABULARY, SampleConfig(max_length=12), processors=[stop]).take(500)
    assert list(rows) == list(sampler().take(500))


# -- processors

LOGITS = torch.tensor([[0.0, 1.0, 2.0, 3.0], [3.0, 3.0, 0.0, 0.0]])
NONE = torch.zeros(2, 0)


def kept(logits):
    return [[i for i in range(4) if row[i] > -torch.inf] for row in logits]


def test_top_k():
    assert kept(top_k(2)(LOGITS, NONE)) == [[2, 3], [0, 1]]
    assert kept(top_k(99)(LOGITS, NONE)) == [[0, 1, 2, 3]] * 2


def test_top_p_keeps_the_smallest_set_that_reaches_the_share():
    probs = torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()
    for share, n in ((0.01, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.8, 3), (1.0, 4)):
        assert kept(top_p(share)(probs, NONE[:1])) == [list(range(n))], share


def test_min_p():
    probs = torch.tensor([[0.5, 0.26, 0.14, 0.1]]).log()
    assert kept(min_p(0.5)(probs, NONE[:1])) == [[0, 1]]
    assert kept(min_p(0.0)(probs, NONE[:1])) == [[0, 1, 2, 3]]


def test_temperature():
    halved = torch.softmax(temperature(2.0)(LOGITS, NONE), -1)
    assert torch.allclose(halved, torch.softmax(LOGITS / 2, -1))
    for tiny in (1e-45, 1e-20, 1e-3):
        assert torch.softmax(temperature(tiny)(LOGITS, NONE), -1)[0].tolist() == [0, 0, 0, 1]
    assert kept(temperature(0)(LOGITS, NONE))[0] == [3]


def test_defaults_change_nothing():
    assert build_processors(SampleConfig()) == []


def test_further_processors_see_the_sampled_ids():
    seen = []

    def no_repeats(logits_BV, ids_BT):
        seen.append(ids_BT.shape[1])
        return logits_BV.scatter(-1, ids_BT, -1e9) if ids_BT.shape[1] else logits_BV

    rows = list(Sampler(Chain(), VOCABULARY, SampleConfig(max_length=4), processors=[no_repeats]).take(64))
    assert all(len(set(row.text)) == len(row.text) for row in rows) and seen[0] == 0


# -- filters


def unique(canonical):
    return RowFilter(lambda text: Verdict(True, canonical=canonical(text)), unique=True)


def test_unique_rows_are_the_first_of_their_kind():
    rows = [Sample(number, text, False) for number, text in enumerate(["a", "A", "b", "a", "c"])]
    assert texts(filter_rows(rows, 3, unique(str.lower))) == ["a", "b", "c"]
    assert texts(filter_rows(rows, 0, unique(str.lower))) == []


def test_too_few_unique_rows_are_yielded_before_the_error():
    found = []
    with pytest.raises(TooFewRows, match="cannot find 3 different rows: only 2 among"):
        for row in filter_rows((Sample(n, "ab"[n % 2], False) for n in range(10**9)), 3, unique(str)):
            found.append(row.text)
    assert found == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "returns logits that are not a number"),
        (float("inf"), "returns logits that are plus infinity"),
        (-float("inf"), "leaves no symbol"),
    ],
)
def test_logits_without_a_possible_id_are_an_error(value, says):
    def spoil(logits_BV, ids_BT):
        return torch.full_like(logits_BV, value)

    with pytest.raises(Diverged, match=rf"cannot sample symbol 0 of a row: decoding step .*spoil {says}"):
        list(Sampler(Chain(), VOCABULARY, SampleConfig(max_length=4), processors=[spoil]).take(2))
    broken = Chain()
    with torch.no_grad():
        broken.logits_VV.fill_(value)
    with pytest.raises(Diverged, match="not finite"):
        list(sampler(broken).take(2))


def test_a_prefix_must_fit():
    with pytest.raises(BadOption, match="3 symbols: --max-length is 2"):
        sampler(prefix="abc", max_length=2)
    vocabulary = Vocabulary(CharTokenizer("a\n"))
    with pytest.raises(BadOption, match="line end"):
        Sampler(Chain(), vocabulary, SampleConfig(max_length=9, prefix="a\na"))
