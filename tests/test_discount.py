"""Training records whose probability a blend lowers, against the formulas of whole records."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgen.counting import Blend, Counts, dump_counts, fit_factor, is_first, load_counts, record_keys
from seqgen.counting.discount import likely_records
from seqgen.errors import CheckpointError
from seqgen.model import make_stepper
from seqgen.tokenizers import BOS, EOS, PAD
from test_blend import forward, gate, network
from test_counting import encoded, graph_of

FACTORS = st.floats(0.02, 1)


def discounted(texts, factor, seed=0, order=3, alphabet="ab"):
    """Return a blend with the discount of its records, the same without it, and the vocabulary."""
    part, vocabulary = encoded(texts, alphabet)
    blends = []
    for _ in range(2):
        records = likely_records(part, vocabulary.size)
        blend = Blend(network(vocabulary.size, seed=seed), graph_of(part, vocabulary, order), records).eval()
        blend.set_gate(gate(seed))
        blends.append(blend)
    blends[0].set_discount(factor)
    return *blends, vocabulary


def log_prob(model, vocabulary, text):
    """Return the log probability of a record, nats."""
    ids = [BOS, *vocabulary.encode(text).tolist(), EOS]
    logits_BTV, _ = forward(model, torch.tensor([ids[:-1]]))
    log_probs_TV = torch.log_softmax(logits_BTV[0].double(), -1)
    return float(log_probs_TV.gather(1, torch.tensor(ids[1:])[:, None]).sum())


@pytest.mark.full
@given(st.lists(st.text("ab", max_size=5), min_size=1, max_size=8), FACTORS, st.integers(0, 99))
@settings(max_examples=40)
def test_training_records_lose_and_all_others_gain(texts, factor, seed):
    """p'(x) = c p(x) / Z of a training record and p(x) / Z of another."""
    blend, plain, vocabulary = discounted(texts, factor, seed)
    before = {text: log_prob(plain, vocabulary, text) for text in {*texts, "", "b", "bb", "abba", "aaaaaa"}}
    total = 1 - (1 - factor) * sum(math.exp(before[text]) for text in set(texts))
    for text, nats in before.items():
        share = factor if text in texts else 1
        assert log_prob(blend, vocabulary, text) == pytest.approx(nats + math.log(share / total), abs=1e-4), text


@given(st.lists(st.text("ab", max_size=5), min_size=1, max_size=8), FACTORS, st.integers(0, 99))
@settings(max_examples=30)
def test_probabilities_sum_to_one_after_any_ids(texts, factor, seed):
    blend, _, vocabulary = discounted(texts, factor, seed)
    ids_BT = torch.from_numpy(np.random.default_rng(seed).integers(EOS, vocabulary.size, (12, 8)))
    ids_BT[:, 0] = BOS
    probs_BTV = forward(blend, ids_BT)[0].double().exp()
    torch.testing.assert_close(probs_BTV.sum(-1), torch.ones(12, 8, dtype=torch.float64), atol=2e-5, rtol=0)
    step, state = make_stepper(blend), blend.initial_state(12)
    with torch.inference_mode():
        for t in range(8):
            logits_BV, state = step(ids_BT[:, t], state)
            torch.testing.assert_close(logits_BV.double().exp(), probs_BTV[:, t], atol=1e-5, rtol=1e-4)


def test_padding_leaves_a_prefix_as_it_is():
    blend, _, vocabulary = discounted(["ab", "abb", "ba"], 0.1)
    a, b = vocabulary.encode("ab").tolist()
    padded_BTV, _ = forward(blend, torch.tensor([[BOS, a, b]]))
    changes = []
    for ids in ([BOS, PAD, a, PAD, PAD, b], [b, a, BOS, a, b]):
        prefix = torch.zeros(1, dtype=torch.int64)
        for read in ids:
            prefix = blend._longer(torch.tensor([read]), prefix)
        changes.append(prefix.item())
    assert changes[0] == changes[1] and padded_BTV.isfinite().all()
    assert blend.change_IV[changes[0]].abs().max() > 0.1


def test_all_rows_sum_to_one():
    """What training records lose goes to the others, so that the sum stays; short rows are most of it."""
    blend, plain, vocabulary = discounted(["a", "ab", "ba", "bb"], 0.05, order=2)
    ids = vocabulary.encode("ab").tolist()
    totals = []
    for model in (blend, plain):
        total = 0.0
        for length in range(13):
            rows = torch.tensor([[BOS, *row] for row in itertools.product(ids, repeat=length)])
            log_probs_BTV, _ = forward(model, rows)
            log_probs_BTV = torch.log_softmax(log_probs_BTV.double(), -1)
            targets_BT = torch.cat([rows[:, 1:], torch.full((len(rows), 1), EOS)], 1)
            total += float(log_probs_BTV.gather(2, targets_BT[..., None]).sum((1, 2)).exp().sum())
        totals.append(total)
    assert 0.9 < totals[1] < 1 + 1e-6
    known = sum(math.exp(log_prob(plain, vocabulary, text)) for text in ("a", "ab", "ba", "bb"))
    assert totals[0] == pytest.approx((totals[1] - 0.95 * known) / (1 - 0.95 * known), abs=1e-5)


def test_a_gate_that_is_set_anew_has_no_discount():
    blend, plain, vocabulary = discounted(["ab", "b"], 0.1)
    assert log_prob(blend, vocabulary, "ab") < log_prob(plain, vocabulary, "ab") - 1
    blend.set_gate(blend.gate_EF)
    assert log_prob(blend, vocabulary, "ab") == log_prob(plain, vocabulary, "ab")


def test_without_records_nothing_is_lowered():
    part, vocabulary = encoded(["ab", "b"], "ab")
    for records in (None, likely_records(part, 1 << 30)):
        blend = Blend(network(vocabulary.size), graph_of(part, vocabulary, 2), records).eval()
        before = log_prob(blend, vocabulary, "ab")
        blend.set_discount(0.1)
        assert log_prob(blend, vocabulary, "ab") == before


# -- which records, and how far


def test_equal_records_are_taken_once():
    part, vocabulary = encoded(["ab", "b", "ab", "a", "b", ""], "ab")
    assert is_first(part).tolist() == [True, True, False, True, False, True]
    others, _ = encoded(["b", "ab", "bb"], "ab")
    assert np.isin(record_keys(part), record_keys(others)).tolist() == [True, True, True, False, True, False]
    records = likely_records(part, vocabulary.size)
    assert sorted(records.lengths_N.tolist()) == [2, 3, 3, 4] and len(records.flat) == 12


def test_of_many_records_the_shortest_are_taken(monkeypatch):
    part, vocabulary = encoded(["abab", "b", "ab", "aaa", "ba"], "ab")
    monkeypatch.setattr("seqgen.counting.discount._MAX_TABLE", 12 * vocabulary.size)
    assert likely_records(part, vocabulary.size).lengths_N.tolist() == [3, 4, 4]
    monkeypatch.setattr("seqgen.counting.discount._MAX_TABLE", 2 * vocabulary.size)
    assert len(likely_records(part, vocabulary.size)) == 0


def test_the_share_is_what_makes_training_records_as_likely_as_new_ones():
    assert fit_factor(0.4, 0.1) == 0.25
    assert fit_factor(0.4, 0.0) == 0.02  # a training record stays possible
    assert fit_factor(0.4, 0.5) is None and fit_factor(0.0, 0.1) is None  # nothing is copied
    assert fit_factor(0.0009, 0.0) is None and fit_factor(0.01, 0.002) == 0.2


# -- the file


def stored(**changes):
    from safetensors.numpy import load, save

    part, vocabulary = encoded(["ab", "b", "ab", "abb"], "ab")
    data = dump_counts(Counts(graph_of(part, vocabulary, 2), likely_records(part, vocabulary.size)))
    return save({**load(data), **changes}), vocabulary.size


def test_records_are_stored_and_read_again():
    data, n_ids = stored()
    records = load_counts(data, n_ids).records
    assert records.lengths_N.tolist() == [4, 3, 5] and records.starts_N.tolist() == [0, 4, 7]
    assert [records.flat[start] for start in records.starts_N] == [BOS] * 3 and records.flat[3] == EOS
    assert dump_counts(load_counts(data, n_ids)) == data


@pytest.mark.parametrize(
    "changes",
    [
        {"lengths_N": np.array([4, 3, 6])},
        {"lengths_N": np.array([4, 3])},
        {"lengths_N": np.array([12, 0, 0])},
        {"lengths_N": np.array([4, 3, 5], dtype=np.int32)},
        {"lengths_N": np.array([[4, 3, 5]])},
        {"records": np.full(12, 9, dtype=np.int32)},
        {"records": np.full(12, -1, dtype=np.int32)},
        {"records": np.full(12, BOS, dtype=np.int32)},
        {"records": np.zeros(12, dtype=np.int32)},
    ],
)
def test_damaged_records_are_refused(changes):
    data, n_ids = stored(**changes)
    with pytest.raises(CheckpointError, match=r"ngram\.safetensors is damaged: its records are not "):
        load_counts(data, n_ids)
