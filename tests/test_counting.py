"""Kneser-Ney counts and their graph against an implementation with dictionaries, straight from the formulas."""

from __future__ import annotations

import collections
import itertools
import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from torch import nn

from conftest import one_in
from seqgen.batches import Encoded, Stream, encode, encode_stream
from seqgen.corpus import Record, Splitter
from seqgen.counting import (
    MAX_ORDER,
    Blend,
    Counts,
    by_frequency,
    count_part,
    dump_counts,
    kneser_ney,
    load_counts,
    records_of_texts,
    sparse_table,
    thinned,
)
from seqgen.counting.graph import build_graph, count_occurrences, dense_table
from seqgen.counting.kneser_ney import choose_order
from seqgen.counting.records import records_of_part
from seqgen.errors import CheckpointError
from seqgen.tokenizers import BOS, EOS, PAD, CharTokenizer, Vocabulary

ALL = Splitter((1.0, 0.0, 0.0))


class KneserNey:
    """Interpolated modified Kneser-Ney as the formulas have it.

    Args:
        rows: the ids of each record with its mark, or of one text; and each id's group.
        order: n.
        n_symbols: V.
        mark: the id of the mark; None: one text without marks.
        without: the group whose ids are not counted.
        discounts: D_k(r) as {k: {r: value}}; None: estimated.
    """

    def __init__(self, rows, order, n_symbols, mark, *, without=None, discounts=None):
        self.order, self.n_symbols = order, n_symbols
        occurs = {k: collections.Counter() for k in range(1, order + 2)}
        for ids, groups in rows:
            for end, group in enumerate(groups):
                for k in occurs:
                    if end + 1 >= k and ids[end] != mark and group != without:
                        occurs[k][tuple(ids[end + 1 - k : end + 1])] += 1
        self.counts = {order: occurs[order]}
        for k in range(1, order):
            before = collections.defaultdict(set)
            for first, *rest in occurs[k + 1]:
                before[tuple(rest)].add(first)
            self.counts[k] = {
                gram: times if gram[0] == mark else len(before[gram]) for gram, times in occurs[k].items()
            }
        self.discounts = discounts or {k: self.estimate(k) for k in self.counts}

    def estimate(self, k):
        n = collections.Counter(self.counts[k].values())
        found = {0: 0.0}
        for r in (1, 2, 3):
            found[r] = r / 2
            if n[1] and n[2] and n[r]:
                y = n[1] / (n[1] + 2 * n[2])
                value = r - (r + 1) * y * n[r + 1] / n[r]
                found[r] = value if 0 < value < r else r / 2
        return found

    def probability(self, history, symbol):
        """Return p(symbol | history), where the history begins with the mark or with the text."""
        below = 1 / self.n_symbols
        for k in range(1, min(self.order, len(history) + 1) + 1):
            context = tuple(history[len(history) - k + 1 :])
            of_symbol = {gram[-1]: times for gram, times in self.counts[k].items() if gram[:-1] == context}
            total = sum(of_symbol.values())
            if total:
                discount = self.discounts[k]
                mass = sum(discount[min(times, 3)] for times in of_symbol.values())
                own = of_symbol.get(symbol, 0)
                below = (max(own - discount[min(own, 3)], 0) + mass * below) / total
        return below


def rows_of(part):
    """Return the rows that KneserNey takes of an encoded part, equal records in one group; a text in 64 blocks."""
    if isinstance(part, Stream):
        size = len(part)
        return [(part.flat_S.tolist(), [position * 64 // size for position in range(size)])]
    flat, groups, rows = part.flat.tolist(), {}, []
    for start, length in zip(part.starts_N.tolist(), part.lengths_N.tolist(), strict=True):
        ids = flat[start : start + length]
        rows.append((ids, [groups.setdefault(tuple(ids), len(groups))] * length))
    return rows


def encoded(texts, alphabet="abc", conditions=()):
    vocabulary = Vocabulary(CharTokenizer("".join(alphabet)), conditions)
    return encode([Record(text) for text in texts], vocabulary, ALL)["train"], vocabulary


def streamed(text, alphabet="abc"):
    vocabulary = Vocabulary(CharTokenizer("".join(alphabet)), ends=False)
    return encode_stream([Record(text)], len(text), vocabulary, ALL)["train"], vocabulary


def brute_force(part, vocabulary, order, **rest):
    mark = None if isinstance(part, Stream) else BOS
    return KneserNey(rows_of(part), order, int(vocabulary.allowed_V().sum()), mark, **rest)


def count(records, order):
    """Return the grams and counts of an order, whether or not ``choose_order`` would choose it."""
    grams = list(itertools.islice(kneser_ney.number_grams(records), order + 1))
    above = [*grams[2:], None]
    return grams, [kneser_ney.count_order(records, *some) for some in zip(grams[:-1], grams[1:], above, strict=True)]


def graph_of(part, vocabulary, order):
    records, allowed_V = records_of_part(part, vocabulary), vocabulary.allowed_V()
    return build_graph(records, *count(records, order), allowed_V / allowed_V.sum())


def predict_left_out(records, order):
    """Return the predictions of each target without its group, from the arrays."""
    grams, counts = count(records, order)
    found = np.full(len(records.targets_N), 1 / records.n_symbols)
    for below, here, counted in zip(grams, grams[1:], counts, strict=False):
        contexts = kneser_ney.number_contexts(records, below, here)
        found = kneser_ney.leave_out(records, below, here, counted, found, contexts)
    return found


def after(blend, history):
    """Return the node after a history, read id by id."""
    nothing_B = torch.zeros(1, dtype=torch.int64)
    node_BT, _ = blend.path(torch.tensor([history], dtype=torch.int64), nothing_B, nothing_B)
    return int(node_BT[0, -1])


def all_distributions(graph):
    return dense_table(graph, graph.n_nodes)[0]


def check_graph(part, vocabulary, order, histories):
    """Compare distributions after all histories, and of all contexts of the part, with the formulas."""
    graph, exact = graph_of(part, vocabulary, order), brute_force(part, vocabulary, order)
    probs_RV = all_distributions(graph)
    allowed = np.flatnonzero(vocabulary.allowed_V())
    assert probs_RV.shape == (graph.n_nodes, vocabulary.size)
    assert probs_RV.sum(1) == pytest.approx(np.ones(graph.n_nodes), abs=1e-5)
    assert not np.delete(probs_RV, allowed, axis=1).any() and (probs_RV[:, allowed] > 0).all()
    entropy = -(probs_RV * np.log(np.where(probs_RV > 0, probs_RV, 1))).sum(1)
    assert graph.entropy_R == pytest.approx(entropy, abs=1e-5)
    seen = {tuple(ids[:end]) for ids, _ in rows_of(part) for end in range(ids[0] == BOS, len(ids))}
    blend = Blend(nn.Identity(), graph)
    for history in {*histories, *seen}:
        read = history if history[:1] == (BOS,) else (BOS, *history)
        expected = [exact.probability(history, symbol) for symbol in allowed.tolist()]
        assert probs_RV[after(blend, read), allowed] == pytest.approx(expected, abs=1e-6), history


TEXTS = st.lists(st.text("abc", max_size=6), min_size=1, max_size=9)
HISTORIES = st.lists(st.lists(st.sampled_from([3, 4, 5]), max_size=9).map(tuple), min_size=1, max_size=5)
DEGENERATE = {
    "one-record": ["abcab"],
    "one-symbol": ["aaaa", "aa", "a"],
    "one-empty-record": [""],
    "empty-records": ["", "", "ab"],
    "short-records": ["a", "b", "c", "b"],
    "duplicates": ["abc"] * 5 + ["ab"] * 2,
    "many-duplicates": ["ab"] * 300 + ["b", "b", "ba"],
    "all-different": ["a", "bb", "ccc"],
    "a-long-record": ["abcabcaab" * 6],
}
LONG = {
    "one-symbol": "a",
    "two-symbols": "ab",
    "one-repeated": "a" * 80,
    "a-beginning-that-never-returns": "cbabababababababababababababa" * 1,
    "fewer-symbols-than-blocks": "abcacb" * 3,
    "more-symbols-than-blocks": "abacabbc" * 20,
}


# -- probabilities


@given(TEXTS, st.integers(1, MAX_ORDER), HISTORIES)
def test_probabilities_after_every_history_are_those_of_the_formulas(texts, order, histories):
    check_graph(*encoded(texts), order, {(BOS, *history) for history in histories})


@pytest.mark.parametrize("texts", DEGENERATE.values(), ids=DEGENERATE)
def test_small_corpora_without_some_counts(texts):
    for order in range(1, MAX_ORDER + 1):
        check_graph(*encoded(texts), order, {(BOS,), (BOS, 3), (BOS, 5, 5, 4), (BOS, 3, EOS), (BOS, *[4] * 9)})


@given(st.text("abc", min_size=1, max_size=90), st.integers(1, MAX_ORDER), HISTORIES)
def test_probabilities_in_a_text_are_those_of_the_formulas(text, order, histories):
    check_graph(*streamed(text), order, set(histories))


@pytest.mark.full
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_short_texts_and_uniform_ones(text):
    for order in range(1, MAX_ORDER + 1):
        check_graph(*streamed(text), order, {(), (3,), (5, 5, 4)})


@pytest.mark.full
def test_probabilities_of_many_names():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcd"), rng.integers(1, 7), p=[0.4, 0.3, 0.2, 0.1])) for _ in range(300)]
    for order in (1, 3, 5, 8):
        check_graph(*encoded(texts, "abcd"), order, {(BOS, 3, 3, 4, 5, 6)})


def test_discounts_are_those_of_chen_and_goodman():
    counts = np.array([1] * 10 + [2] * 5 + [3] * 3 + [4] * 2 + [9, 0, 0])
    y = 10 / 20
    expected = [0, 1 - 2 * y * 5 / 10, 2 - 3 * y * 3 / 5, 3 - 4 * y * 2 / 3]
    assert kneser_ney.estimate_discounts(counts) == pytest.approx(expected)
    assert kneser_ney.estimate_discounts(np.array([1, 1, 3, 3])).tolist() == [0, 0.5, 1, 1.5]  # n_2 = 0
    assert kneser_ney.estimate_discounts(np.array([2, 2, 3, 4])).tolist() == [0, 0.5, 1, 1.5]  # n_1 = 0
    few = kneser_ney.estimate_discounts(np.array([1] * 4 + [2] + [3] * 9))  # 2 - 3 Y n_3 / n_2 is below zero
    assert few[2] == 1 and 0 < few[1] < 1


def test_texts_are_records_of_characters():
    texts = ["abc", "", "ab", "abc"]
    for ends in (True, False):
        records = records_of_texts(texts, "abc", ends=ends)
        assert records.n_symbols == 3 + ends and records.n_ids == 5
        stop = [1] if ends else []
        assert records.ids_S.tolist() == [0, 2, 3, 4, *stop, 0, *stop, 0, 2, 3, *stop]
        assert records.weight_S[0] == 2 and records.weight_S[-1] == 1
        assert len(records.targets_N) == 5 + 3 * ends
    exact = KneserNey(rows_of(encoded(texts)[0]), 4, 4, BOS)
    found = predict_left_out(records_of_texts(texts, "abc", ends=True), 4)
    same = predict_left_out(records_of_part(*encoded(texts)), 4)
    assert found == pytest.approx(same) and exact.order == 4


@pytest.mark.parametrize("times", [127, 128, 129, 32_767, 32_768])
def test_equal_records_may_be_as_many_as_fill_an_integer(times):
    records = records_of_texts(["ab"] * times + ["b"], "ab", ends=True)
    assert records.weight_S.tolist() == [times] * 4 + [1] * 3


def test_a_gram_may_occur_more_often_than_an_integer_of_32_bits_can_say():
    records = records_of_texts(["aa"], "a", ends=True)
    many = replace(records, weight_S=np.full(4, 1 << 30, dtype=np.int32))
    _, letters = itertools.islice(kneser_ney.number_grams(many), 2)
    assert sorted(letters.raw_G.tolist()) == [0, 1 << 30, 1 << 31]  # of the mark, the end and "a"
    for more in (0, 1):  # as few bytes as all occurrences need
        weights = np.array([(1 << 31) - 4, 1, 1, 1 + more])
        assert replace(records, weight_S=weights).count_type == (np.int64 if more else np.int32)


def test_conditions_are_not_counted():
    records = [Record("ab", {"kind": "x"}), Record("ab", {"kind": "y"}), Record("ba", {"kind": "x"})]
    vocabulary = Vocabulary(CharTokenizer("abc"), ("kind=x", "kind=y"))
    part = encode(records, vocabulary, ALL)["train"]
    found = records_of_part(part, vocabulary)
    assert found.ids_S.tolist() == [BOS, 5, 6, EOS, BOS, 6, 5, EOS]
    assert found.weight_S.tolist() == [2] * 4 + [1] * 4 and found.n_symbols == 4
    check_graph(part, vocabulary, 3, {(BOS, 5), (BOS, 7, 7)})


# -- leaving records out


def check_left_out(part, vocabulary, order):
    """Compare each prediction with that of a recount without the records of the same text, discounts of all kept."""
    full = brute_force(part, vocabulary, order)
    expected, seen = [], set()
    for ids, groups in rows_of(part):
        if not isinstance(part, Stream) and groups[0] in seen:
            continue
        seen.add(groups[0])
        for end, group in enumerate(groups):
            if ids[end] == BOS:
                continue
            if not end or groups[end - 1] != group or len(seen) > 1 or end == 1:
                less = brute_force(part, vocabulary, order, without=group, discounts=full.discounts)
            expected.append(less.probability(tuple(ids[:end]), ids[end]))
    assert predict_left_out(records_of_part(part, vocabulary), order) == pytest.approx(expected, abs=1e-6)


@given(TEXTS, st.integers(1, MAX_ORDER))
@settings(max_examples=30)
def test_leaving_a_record_out_is_a_recount(texts, order):
    check_left_out(*encoded(texts), order)


@pytest.mark.parametrize("texts", DEGENERATE.values(), ids=DEGENERATE)
def test_leaving_out_all_there_is(texts):
    for order in (1, 2, 3, MAX_ORDER):
        check_left_out(*encoded(texts), order)


@pytest.mark.parametrize("text", one_in(3, LONG.values()))
def test_leaving_a_block_of_a_text_out_is_a_recount(text):
    for order in (1, 2, 4):
        check_left_out(*streamed(text), order)


def test_duplicates_are_left_out_together():
    """A record that occurs twice says nothing of itself: its rare symbols are as unknown as with one."""
    texts = ["ab"] * 4 + ["ba"] * 3 + ["bb", "aa"]
    part, vocabulary = encoded([*texts, "cc", "cc"])
    records = records_of_part(part, vocabulary)
    of_c = records.ids_S[records.targets_N] == 5
    left_out = predict_left_out(records, 3)
    assert of_c.sum() == 2
    # After one of three discounts, the symbol has at most its share of all that is left to unknown ones.
    assert (left_out[of_c] <= 1 / records.n_symbols).all()
    exact = brute_force(part, vocabulary, 3)
    assert exact.probability((BOS, 5), 5) > 0.5


def test_a_text_has_64_blocks():
    part, vocabulary = streamed("abc" * 1000)
    groups_S = records_of_part(part, vocabulary).group_S
    sizes = np.bincount(groups_S)
    assert len(sizes) == 64 and (np.diff(groups_S) >= 0).all() and sizes.min() >= 46 and sizes.max() <= 47


# -- the order


@pytest.mark.full
@given(TEXTS)
@settings(max_examples=25)
def test_the_order_is_the_first_before_one_that_predicts_left_out_records_worse(texts):
    part, vocabulary = encoded(texts)
    records = records_of_part(part, vocabulary)
    grams, counts, losses = choose_order(records)
    expected = [-np.log(predict_left_out(records, order)).mean() for order in range(1, MAX_ORDER + 1)]
    assert losses == pytest.approx(expected[: len(losses)])
    gains = [1.0] * 8 + [0.975] * 4
    worse = [k for k in range(1, MAX_ORDER) if losses[k : k + 1] and losses[k] >= gains[k] * losses[k - 1]]
    chosen = worse[0] if worse else MAX_ORDER
    assert len(counts) == chosen and len(grams) == chosen + 1 and len(losses) == min(chosen + 1, MAX_ORDER)
    graph = count_part(part, vocabulary).graph
    same = graph_of(part, vocabulary, chosen)
    assert graph.order == chosen
    for name in ("keys_A", "probs_A", "next_A", "shorter_R", "mass_R", "total_R", "entropy_R"):
        assert np.array_equal(getattr(graph, name), getattr(same, name)), name


LOOPS = ["abcdefghijklmnopqrst" * 3, "tsrqponmlkjihgfedcba" * 3, "abababababab" * 4]


@pytest.mark.parametrize(("more", "order"), [(-1, 8), (0, 9), (10, 9), (500, 12)])
def test_orders_above_eight_are_tried_as_long_as_grams_are_few(monkeypatch, more, order):
    records = records_of_part(
        *encoded([f"{n}{text}" for n in range(6) for text in LOOPS], "abcdefghijklmnopqrst012345")
    )
    monkeypatch.setattr("seqgen.counting.kneser_ney._LEAST_GAIN", -1.0)  # each is tried, however bad
    _, counted, losses = choose_order(records)
    sizes = np.cumsum([len(each.used_G) for each in counted])
    assert len(sizes) == MAX_ORDER and sizes[8] - sizes[7] > 10
    monkeypatch.setattr("seqgen.counting.kneser_ney._MOST_GRAMS", int(sizes[7]) + more)
    assert len(choose_order(records)[1]) == order
    monkeypatch.setattr("seqgen.counting.kneser_ney._LEAST_GAIN", 0.025)
    assert losses[8] > 0.975 * losses[7] and len(choose_order(records)[1]) == 8


@given(st.lists(st.text("abc", max_size=6), min_size=2, max_size=12), st.integers(1, 60))
@settings(max_examples=25)
def test_of_many_records_some_are_left_out(texts, most):
    part, vocabulary = encoded(texts)
    records = records_of_part(part, vocabulary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen.counting.kneser_ney._MAX_PROBED", most)
        grams, counts, losses = choose_order(records)
        graph = count_part(part, vocabulary).graph
    stride = -(-len(records.ids_S) // most)
    probed_N = records.group_S[records.targets_N] % stride == 0
    for order, loss in enumerate(losses, 1):
        probs_N = predict_left_out(records, order)
        assert loss == pytest.approx(-np.log(probs_N[probed_N]).mean())
    same = graph_of(part, vocabulary, graph.order)
    assert len(counts) == graph.order and dump_graph(graph) == dump_graph(same)
    assert [order.k for order in grams] == list(range(graph.order + 1))


@given(
    st.lists(st.text("abc", max_size=7), min_size=1, max_size=9) | st.text("abc", min_size=1, max_size=60),
    st.integers(1, 8),
    st.integers(1, 9),
    st.integers(1, 9),
)
@settings(max_examples=60)
def test_pieces_of_a_large_part_are_counted_as_a_small_one(corpus, order, piece, arcs):
    part, vocabulary = streamed(corpus) if isinstance(corpus, str) else encoded(corpus)
    whole = graph_of(part, vocabulary, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen.counting.kneser_ney._PIECE", piece)
        patch.setattr("seqgen.counting.graph._ARCS", arcs)
        pieces = graph_of(part, vocabulary, order)
    assert pieces.entropy_R == pytest.approx(whole.entropy_R, abs=1e-6)
    pieces.entropy_R[:] = whole.entropy_R
    assert dump_graph(pieces) == dump_graph(whole)


@pytest.mark.full
def test_half_a_million_symbols_are_counted():
    rng = np.random.default_rng(0)
    lengths = rng.integers(20, 60, 14_000)
    ids = rng.choice(list("abcdefgh"), int(lengths.sum()), p=np.arange(8, 0, -1) / 36)
    texts = ["".join(some) for some in np.split(ids, np.cumsum(lengths)[:-1])]
    part, vocabulary = encoded(texts, "abcdefgh")
    graph = count_part(part, vocabulary).graph
    assert len(ids) > 500_000 and graph.order <= 3
    text, letters = streamed("".join(texts), "abcdefgh")
    assert count_part(text, letters).graph.order <= 3


def test_long_contexts_are_chosen_where_they_predict():
    rng = np.random.default_rng(0)
    words = ["abcd", "acbd", "bdca", "dacb"]
    regular = ["".join(rng.choice(words, 5)) for _ in range(60)]
    random = ["".join(rng.choice(list("abcd"), 20)) for _ in range(60)]
    assert count_part(*encoded(regular, "abcd")).graph.order >= 3
    assert count_part(*encoded(random, "abcd")).graph.order == 1


@given(st.lists(st.text("abc", max_size=7), min_size=1, max_size=30), st.integers(1, 120))
def test_of_too_many_records_some_from_all_over_are_counted(texts, most):
    part, vocabulary = encoded(texts)
    some = thinned(part, most)
    if len(part.flat) <= most:
        assert some is part
        return
    kept, rows = max(1, len(texts) * most // len(part.flat)), [tuple(ids) for ids, _ in rows_of(part)]
    found = [tuple(ids) for ids, _ in rows_of(some)]
    assert 0 < len(found) <= kept and all(len(ids) <= max(most // 4, len(found[0])) for ids in found)
    remaining = iter(rows)
    assert all(ids in remaining for ids in found)  # in their order
    assert some.chars_N.sum() == len(some.flat) - 2 * len(found)
    counts = count_part(part, vocabulary, most)
    assert dump_graph(counts.graph) == dump_graph(count_part(some, vocabulary).graph) and counts.records is None


@pytest.mark.parametrize("every", [2, 3, 8])
def test_records_that_come_in_turns_are_counted_alike(every):
    part, _ = encoded([f"{'a' * 30 if n % every else 'b' * 3}" for n in range(6000)])
    for most in (len(part.flat) // 2, len(part.flat) // every):
        some = thinned(part, most)
        short = (some.chars_N == 3).mean()
        assert abs(short - 1 / every) < 0.06 and 0.85 < len(some.flat) / most < 1.15


def test_a_giant_record_is_not_all_that_is_counted():
    part, _ = encoded(["a" * 100_000, *["abc"] * 2000])
    some = thinned(part, 2000)
    assert 20 < len(some.flat) < 2500 and some.chars_N.max() == 3


@given(st.text("abc", min_size=1, max_size=900), st.integers(64, 900))
def test_of_too_long_a_text_pieces_from_all_over_are_counted(text, most):
    part, vocabulary = streamed(text)
    some = thinned(part, most)
    if len(text) <= most:
        assert some is part
        return
    size = most // 64
    pieces = [part.flat_S[len(text) * block // 64 :][:size] for block in range(64)]
    assert some.flat_S.tolist() == np.concatenate(pieces).tolist()
    assert dump_counts(count_part(part, vocabulary, most)) == dump_counts(count_part(some, vocabulary))


def occurrences(rows, marked, most):
    """How often each context of at most so many ids stands before an id that is predicted."""
    times = collections.Counter()
    for ids, _ in rows:
        for at in range(marked, len(ids)):
            for length in range(min(at, most) + 1):
                times[tuple(ids[at - length : at])] += 1
    return times


def contexts_of(graph):
    """The ids of each node, by following arcs from the empty context and from the mark."""
    found = {0: ()}
    if graph.begin:
        found[graph.begin] = (BOS,)
    for key, after in zip(graph.keys_A.tolist(), graph.next_A.tolist(), strict=True):  # by length
        node, id_ = divmod(key, graph.n_ids)
        if after not in found and graph.length_R[after] == graph.length_R[node] + 1:
            found[after] = (*found[node], id_)
    return [found[node] for node in range(graph.n_nodes)]


@given(TEXTS, st.integers(1, 6))
@settings(max_examples=40)
def test_occurrences_of_contexts_are_those_in_the_records(texts, order):
    part, vocabulary = encoded(texts)
    graph = graph_of(part, vocabulary, order)
    times = occurrences(rows_of(part), 1, order - 1)
    assert count_occurrences(graph).tolist() == [times[context] for context in contexts_of(graph)]


@given(st.text("abc", min_size=2, max_size=60), st.integers(1, 6))
@settings(max_examples=40)
def test_the_beginning_of_a_long_text_is_no_occurrence(text, order):
    part, vocabulary = streamed(text)
    graph = graph_of(part, vocabulary, order)
    times = occurrences(rows_of(part), 0, order - 1)
    beginnings = {tuple(part.flat_S[:length].tolist()) for length in range(order - 1)}
    for found, context in zip(count_occurrences(graph).tolist(), contexts_of(graph), strict=True):
        assert times[context] - sum(1 for one in beginnings if one[len(one) - len(context) :] == context) <= found
        assert found <= times[context]


@given(TEXTS, st.integers(1, 6), st.integers(1, 40))
@settings(max_examples=40)
def test_of_some_contexts_the_longest_is_followed(texts, order, size):
    part, vocabulary = encoded(texts)
    graph = graph_of(part, vocabulary, order)
    dense_DV, after_DV = dense_table(graph, graph.n_nodes)
    probs_DV, following_DV = sparse_table(graph, np.arange(graph.n_nodes))
    assert np.array_equal(probs_DV, dense_DV) and np.array_equal(following_DV, after_DV)
    nodes_D = np.sort(by_frequency(graph)[:size])
    probs_DV, following_DV = sparse_table(graph, nodes_D)
    assert np.array_equal(probs_DV, dense_DV[nodes_D])
    contexts = contexts_of(graph)
    kept = {contexts[node]: place for place, node in enumerate(nodes_D.tolist())}
    for node in nodes_D.tolist():
        for id_ in np.flatnonzero(graph.base_V).tolist():
            after = (*contexts[node], id_)
            longest = next(after[at:] for at in range(len(after) + 1) if after[at:] in kept)
            assert following_DV[kept[contexts[node]], id_] == kept[longest]
    frequent = by_frequency(graph, 3)
    assert (count_occurrences(graph)[frequent[1:]] >= 3).all() and frequent[0] == 0


# -- the graph and its file


def dump_graph(graph):
    return dump_counts(Counts(graph))


@given(TEXTS, st.integers(1, 5), st.lists(st.sampled_from([PAD, BOS, EOS, 3, 4, 5, 6, 7]), max_size=20))
def test_any_ids_lead_to_the_longest_context_that_occurred(texts, order, ids):
    """Conditions (3 and 4) and padding change nothing; a mark begins anew."""
    part, vocabulary = encoded(texts, conditions=("kind=x", "kind=y"))
    assert vocabulary.symbol_offset == 5
    graph, exact = graph_of(part, vocabulary, order), brute_force(part, vocabulary, order)
    history = [BOS, *ids]
    history = history[len(history) - 1 - history[::-1].index(BOS) :]
    history = tuple(read for read in history if read not in (PAD, 3, 4))
    contexts = {gram[:-1] for k in exact.counts for gram in exact.counts[k]}
    longest = next(k for k in range(min(order - 1, len(history)), -1, -1) if history[len(history) - k :] in contexts)
    node = after(Blend(nn.Identity(), graph), [BOS, *ids])
    assert graph.length_R[node] == longest
    expected = [exact.probability(history, symbol) for symbol in (EOS, 5, 6, 7)]
    assert all_distributions(graph)[node][[EOS, 5, 6, 7]] == pytest.approx(expected, abs=1e-6)


@given(TEXTS, st.integers(1, 5))
@settings(max_examples=10)
def test_a_graph_is_stored_and_read_again(texts, order):
    part, vocabulary = encoded(texts)
    graph = graph_of(part, vocabulary, order)
    again = load_counts(dump_graph(graph), vocabulary.size).graph
    for name, value in vars(graph).items():
        found = getattr(again, name)
        assert np.array_equal(found, value) and getattr(found, "dtype", None) == getattr(value, "dtype", None), name
    assert dump_graph(again) == dump_graph(graph)


GRAPH = graph_of(*encoded(["abc", "ab", "cab", "bab"]), 3)
N_IDS = GRAPH.n_ids


def damaged(**changes):
    """Return the bytes of a graph after some of its arrays are changed."""
    arrays = load(dump_graph(GRAPH))
    for name, change in changes.items():
        changed = change(arrays[name].copy())
        if changed is None:
            del arrays[name]
        else:
            arrays[name] = changed
    return save(arrays)


def put(at, value):
    def change(array):
        array[at] = value
        return array

    return change


DAMAGE = {
    "shorter-below": {"shorter_R": put(2, -1)},
    "shorter-not-shorter": {"shorter_R": put(2, 2)},
    "shorter-beyond": {"shorter_R": put(1, 10_000)},
    "shorter-of-the-root": {"shorter_R": put(0, 1)},
    "next-below": {"next_A": put(0, -1)},
    "next-beyond": {"next_A": put(-1, GRAPH.n_nodes)},
    "keys-below": {"keys_A": put(0, -1)},
    "keys-beyond": {"keys_A": put(-1, GRAPH.n_nodes * N_IDS)},
    "keys-unsorted": {"keys_A": lambda array: array[::-1].copy()},
    "keys-doubled": {"keys_A": put(1, int(GRAPH.keys_A[0]))},
    "lengths-unsorted": {"length_R": lambda array: array[::-1].copy()},
    "lengths-beyond": {"length_R": put(-1, 200)},
    "root-of-a-length": {"length_R": lambda array: np.maximum(array, 1)},
    "shorter-skips-a-length": {"shorter_R": lambda array: np.zeros_like(array)},
    "begin-beyond": {"begin_and_order": put(0, GRAPH.n_nodes)},
    "begin-below": {"begin_and_order": put(0, -1)},
    "order-zero": {"begin_and_order": put(1, 0)},
    "order-beyond": {"begin_and_order": put(1, 99)},
    "order-too-low": {"begin_and_order": put(1, 2)},
    "three-numbers": {"begin_and_order": lambda array: np.append(array, 3)},
    "no-numbers": {"begin_and_order": lambda array: array[:0]},
    "one-number": {"begin_and_order": lambda array: np.array(array[0])},
    "fractions": {"begin_and_order": lambda array: array + 0.5},
    "short": {"mass_R": lambda array: array[:-1]},
    "long": {"probs_A": lambda array: np.append(array, array[-1:])},
    "two-dimensions": {"next_A": lambda array: array[:, None]},
    "a-scalar": {"mass_R": lambda array: np.array(array[0])},
    "another-float": {"probs_A": lambda array: array.astype(np.float64)},
    "another-integer": {"keys_A": lambda array: array.astype(np.int32)},
    "integers-for-floats": {"mass_R": lambda array: array.astype(np.int32)},
    "missing": {"entropy_R": lambda array: None},
    "no-base": {"base_V": lambda array: None},
    "base-of-another-type": {"base_V": lambda array: array.astype(np.int64)},
    "base-of-two-dimensions": {"base_V": lambda array: np.stack([array, array], 1)},
    "base-without-symbols": {"base_V": lambda array: np.zeros_like(array)},
    "base-is-no-distribution": {"base_V": lambda array: array * 3},
    "base-not-a-number": {"base_V": put(3, np.nan)},
    "mass-not-a-number": {"mass_R": put(1, np.nan)},
    "mass-below": {"mass_R": put(1, -0.5)},
    "mass-above": {"mass_R": put(1, 7.0)},
    "probs-not-a-number": {"probs_A": put(1, np.nan)},
    "probs-infinite": {"probs_A": put(1, np.inf)},
    "probs-of-a-larger-sum": {"probs_A": lambda array: array * 1.1},
    "probs-below": {"probs_A": put(1, -1.0)},
    "total-below": {"total_R": put(1, -5.0)},
    "entropy-not-a-number": {"entropy_R": put(1, np.nan)},
    "no-nodes": {
        name: (lambda array: array[:0]) for name in ("shorter_R", "mass_R", "total_R", "entropy_R", "length_R")
    },
    "no-arcs": {name: (lambda array: array[:0]) for name in ("keys_A", "probs_A", "next_A")},
}  # fmt: skip


@pytest.mark.parametrize("changes", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_graph_is_refused(changes):
    with pytest.raises(CheckpointError, match=r"ngram\.safetensors") as caught:
        load_counts(damaged(**changes), N_IDS)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_graph_is_refused():
    data = dump_graph(GRAPH)
    extra = save({**load(data), "more": np.zeros(2, dtype=np.float32)})
    for other in (b"", b"abc", data[:-1], data[: len(data) // 2], data[:9], b"\xff" * 100, extra):
        with pytest.raises(CheckpointError, match=r"ngram\.safetensors is damaged: \S"):
            load_counts(other, N_IDS)
    with pytest.raises(CheckpointError, match=rf"ngram\.safetensors has {N_IDS} ids, the run {N_IDS + 1}"):
        load_counts(data, N_IDS + 1)


@given(st.data())
@settings(max_examples=200)
def test_a_changed_byte_of_a_graph_is_refused_or_leaves_it_usable(data):
    whole = bytearray(dump_graph(GRAPH))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        graph = load_counts(bytes(whole), N_IDS).graph
    except CheckpointError:
        return
    probs_RV = all_distributions(graph)
    assert np.isfinite(probs_RV).all()
    for history in ((BOS,), (BOS, 3, 4, 5), (BOS, 5, 5, 5, 5)):
        assert 0 <= after(Blend(nn.Identity(), graph), history) < graph.n_nodes


def test_many_symbols_take_no_memory_of_their_own():
    """Of 20,000 symbols, the distributions of all contexts would take gigabytes."""
    rng = np.random.default_rng(0)
    texts = ["".join(map(chr, 0x4E00 + rng.integers(0, 20_000, 12))) for _ in range(4000)]
    part, vocabulary = encoded(texts, map(chr, range(0x4E00, 0x4E00 + 20_000)))
    tracemalloc.start()
    try:
        graph = graph_of(part, vocabulary, 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert graph.n_nodes > 40_000 and peak < 100e6
    some = np.arange(0, graph.level(1).stop, 1000)
    for node, row_V in zip(some, sparse_table(graph, some)[0].astype(np.float64), strict=True):
        probs_V = row_V[row_V > 0]
        assert graph.entropy_R[node] == pytest.approx(-(probs_V * np.log(probs_V)).sum(), rel=1e-4)


def test_the_file_grows_with_the_distinct_contexts():
    """About 20 bytes a node and 16 an arc, and a header."""
    assert len(dump_graph(GRAPH)) < 17 * GRAPH.n_nodes + 16 * len(GRAPH.keys_A) + 4 * N_IDS + 1000
    assert math.isfinite(float(GRAPH.entropy_R.max()))


def test_an_encoded_part_of_wide_ids_is_counted_alike():
    part, vocabulary = encoded(["abc", "ab", "abc"])
    wide = Encoded(part.flat.astype(np.int32), part.starts_N, part.lengths_N, part.chars_N)
    assert dump_counts(count_part(wide, vocabulary)) == dump_counts(count_part(part, vocabulary))
