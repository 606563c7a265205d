from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqgen.batches import count_batches, derive_seed, encode, epoch_batches, evaluation_batches, feed
from seqgen.batches import encoded as encoded_module
from seqgen.corpus import PARTS, Record, Splitter
from seqgen.tokenizers import BOS, EOS, PAD, CharTokenizer, Vocabulary

ALL = Splitter((1.0, 0.0, 0.0))


def encoded(texts):
    return encode([Record(text) for text in texts], Vocabulary(CharTokenizer.fit(texts)), ALL)["train"]


@given(st.lists(st.text("abcd", max_size=9), min_size=1, max_size=30))
def test_batches_hold_the_records(texts):
    part = encoded(texts)
    vocabulary = Vocabulary(CharTokenizer.fit(texts))
    batch = part.take(np.arange(len(texts)))
    assert batch.ids_BT.shape == (len(texts), max(map(len, texts)) + 1)
    for text, ids, targets in zip(texts, batch.ids_BT.tolist(), batch.targets_BT.tolist(), strict=True):
        assert ids[0] == BOS and targets[len(text)] == EOS
        assert vocabulary.decode(ids[1 : len(text) + 1]) == text == vocabulary.decode(targets[: len(text)])
        assert set(targets[len(text) + 1 :]) <= {PAD}
    assert batch.n_targets == sum(map(len, texts)) + len(texts) == int((batch.targets_BT != PAD).sum())
    assert (batch.n_chars, batch.n_records) == (sum(map(len, texts)), len(texts))


@given(st.lists(st.text("abcd", max_size=9), min_size=1, max_size=30), st.integers(1, 7), st.sampled_from([8, 1 << 18]))
def test_batches_made_together_are_those_made_one_by_one(texts, size, most):
    part = encoded(texts)
    cuts = [np.arange(len(texts))[::-1][start : start + size] for start in range(0, len(texts), size)]
    for pad in (None, lambda steps: -(-steps // 8) * 8):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encoded_module, "_MAX_TOGETHER", most)
            together = part.take_many(cuts, pad)
        for one, other in zip((part.take(rows_B, pad) for rows_B in cuts), together, strict=True):
            assert torch.equal(one.ids_BT, other.ids_BT) and torch.equal(one.targets_BT, other.targets_BT)
            places = [None if batch.at_N is None else batch.at_N.tolist() for batch in (one, other)]
            assert places[0] == places[1]
            assert (one.n_targets, one.n_chars, one.n_records) == (other.n_targets, other.n_chars, other.n_records)


@given(st.lists(st.text("abcd", max_size=9), min_size=1, max_size=30), st.integers(1, 7), st.integers(0, 2))
def test_batches_of_padded_records_are_those_of_the_flat_ones(texts, size, n_slots):
    """Small parts are kept padded; conditions, and steps beyond the longest record, are the same."""
    conditions = np.random.default_rng(0).integers(3, 5, (len(texts), n_slots), dtype=np.uint8) if n_slots else None
    padded, flat = (replace(encoded(texts), conditions_NC=conditions) for _ in range(2))
    rows = np.random.default_rng(1).permutation(len(texts))[:size]
    for pad in (None, lambda steps: -(-steps // 8) * 8):
        one = padded.take(rows, pad)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encoded_module, "_MAX_PADDED", 0)
            other = flat.take(rows, pad)
        assert padded._padded_TN is not None and flat._padded_TN is None
        assert torch.equal(one.ids_BT, other.ids_BT) and torch.equal(one.targets_BT, other.targets_BT)
        assert (one.at_N is None) == (other.at_N is None)
        assert one.at_N is None or torch.equal(one.at_N, other.at_N)


@given(st.integers(1, 700), st.integers(1, 40), st.integers(0, 9), st.integers(0, 3))
def test_an_epoch_sees_every_record_once(n, batch_size, seed, epoch):
    lengths = np.arange(n) % 17
    cuts = list(epoch_batches(lengths, batch_size, seed, epoch))
    assert len(cuts) == count_batches(n, batch_size)
    assert sorted(np.concatenate(cuts).tolist()) == list(range(n))
    again = epoch_batches(lengths, batch_size, seed, epoch)
    assert all(np.array_equal(one, other) for one, other in zip(cuts, again, strict=True))


def test_order_depends_on_seed_and_epoch_and_lengths_are_alike():
    lengths = np.random.default_rng(0).integers(1, 40, 5000)
    first = list(epoch_batches(lengths, 32, 0, 0))
    assert not np.array_equal(first[0], next(epoch_batches(lengths, 32, 0, 1)))
    assert not np.array_equal(first[0], next(epoch_batches(lengths, 32, 1, 0)))
    padding = sum(lengths[batch].max() * len(batch) for batch in first) / lengths.sum()
    assert padding < 1.05


def test_a_sorted_corpus_is_mixed_well():
    """Every stretch of an epoch is like the whole, also of a corpus that is sorted."""
    n = 400_000
    order = np.concatenate(list(epoch_batches(np.ones(n, dtype=np.int64), 128, 0, 0)))
    means = [stretch.mean() / n for stretch in np.split(order, 20)]
    assert max(abs(mean - 0.5) for mean in means) < 0.03
    assert sorted(order.tolist()) == list(range(n))


def test_blocks_of_a_large_corpus_come_whole():
    cuts = list(epoch_batches(np.zeros(150_000, dtype=np.int64), 65_536, 0, 0))
    assert sorted(np.concatenate(cuts).tolist()) == list(range(150_000))


@given(st.integers(1, 300), st.integers(1, 300))
def test_evaluation_looks_at_most_so_many_evenly(n, most):
    with mock.patch.object(feed, "EVALUATION_BATCH", 16):
        rows = np.concatenate(list(evaluation_batches(np.arange(n) % 5, most)))
    assert len(rows) <= most and len(set(rows.tolist())) == len(rows)
    assert n > most or len(rows) == n


@given(
    st.lists(st.tuples(st.text(max_size=4), st.sampled_from([None, None, "train", "valid", "test"]))), st.integers(0, 9)
)
def test_the_parts_of_many_records_are_those_of_each(given_records, seed):
    records = [Record(text, split=split) for text, split in given_records]
    splitter = Splitter((0.4, 0.3, 0.3), seed)
    assert [PARTS[index] for index in splitter.parts(records)] == [splitter.part(record) for record in records]


@pytest.mark.parametrize("longest", [9, 2**16 + 5])
def test_records_of_like_length_are_put_together_stably(longest):
    lengths = np.random.default_rng(0).integers(1, longest, 500)
    rows = np.concatenate(list(evaluation_batches(lengths, 500)))
    assert rows.tolist() == sorted(range(500), key=lambda row: lengths[row])


def test_parts_are_kept_apart():
    records = [Record(f"r{n}") for n in range(300)]
    parts = encode(records, Vocabulary(CharTokenizer.fit(r.text for r in records)), Splitter())
    assert sum(map(len, parts.values())) == 300 and all(len(part) for part in parts.values())


def test_seeds_differ_by_purpose_and_number():
    seeds = {derive_seed(purpose, number) for purpose in ("a", "b") for number in range(50)}
    assert len(seeds) == 100 and all(0 <= seed < 2**63 for seed in seeds)
