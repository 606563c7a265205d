"""The baselines against counts by hand, and the distances of lengths and characters."""

from __future__ import annotations

import lzma
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import WORDS
from seqgen.counting import leave_out_by_order, records_of_texts
from seqgen.evaluation import baseline_bits_per_char, kneser_ney_bits_per_char, ppmd_bits_per_char
from seqgen.evaluation.baselines import Grams, xz_bits_per_char
from seqgen.evaluation.distance import distances, length_distance, symbol_distance

BEGIN, STOP = "<", ">"  # of the slow way; the texts below have neither
TEXTS = st.lists(st.text("abc", max_size=6), min_size=1, max_size=8)


def slow_kneser_ney(train, order, alphabet, ends):
    """The equations of the module word for word, with dictionaries: gives p(symbol | context)."""
    n_symbols = len(alphabet) + ends
    seen = defaultdict(Counter)  # by order: grams at the places of targets
    for text in train:
        framed = BEGIN * (order - 1) + text + STOP * ends
        for at in range(order - 1, len(framed)):
            for k in range(1, order + 1):
                seen[k][framed[at - k + 1 : at + 1]] += 1

    def count(gram):
        k = len(gram)
        if k == order or gram[0] == BEGIN:
            return seen[k][gram]
        return sum(1 for longer in seen[k + 1] if longer[1:] == gram)

    def share(symbol, context):
        k = len(context) + 1
        lower = 1 / n_symbols if k == 1 else share(symbol, context[1:])
        following = {gram[-1]: count(gram) for gram in seen[k] if gram[:-1] == context}
        total = sum(following.values())
        if not total:
            return lower
        counts = [count(gram) for gram in seen[k]]
        n_1, n_2 = counts.count(1), counts.count(2)
        discount = n_1 / (n_1 + 2 * n_2) if n_1 and n_2 else 0.5
        return max(following.get(symbol, 0) - discount, 0) / total + discount * len(following) / total * lower

    return share


@given(TEXTS, TEXTS, st.integers(1, 4), st.booleans())
def test_probabilities_match_the_equations(train, test, order, ends):
    grams = Grams(train, test, "abc", order, ends=ends)
    share = slow_kneser_ney(train, order, "abc", ends)
    expected = []
    for text in test:
        framed = BEGIN * (order - 1) + text + STOP * ends
        expected += [share(framed[at], framed[at - order + 1 : at]) for at in range(order - 1, len(framed))]
    assert grams.probabilities(order) == pytest.approx(expected)


@given(TEXTS, st.text("abc", max_size=5), st.sampled_from([1, 2, 5]))
def test_probabilities_of_all_next_symbols_sum_to_one(train, context, order):
    """Also where characters never occurred in training; none has probability 0."""
    alphabet = "abcdé"
    test = [context + symbol for symbol in alphabet] + [context]
    shares = Grams(train, test, alphabet, order).probabilities(order)
    ends = np.cumsum([len(text) + 1 for text in test])
    following = [shares[end - 2] for end in ends[:-1]] + [shares[ends[-1] - 1]]
    assert sum(following) == pytest.approx(1) and min(following) > 0


def test_values_of_a_tiny_corpus_by_hand():
    values = baseline_bits_per_char(["ab", "ab"], ["ab"], "ab")
    assert values["uniform"] == pytest.approx(math.log2(3))
    # a, b and the stop were seen twice each: no gram was seen once, so D = 1/2, and a third of it goes to each.
    assert values["unigram"] == pytest.approx(math.log2(3))
    # After each context one symbol, seen twice: (2 - 1/2) / 2 + 1/4 * p_1; each has one left neighbour: p_1 = 1/3.
    assert values["bigram"] == pytest.approx(-math.log2(3 / 4 + 1 / 4 * 1 / 3))
    assert list(values) == ["uniform", "unigram", "bigram", "5gram", "xz"]
    long = baseline_bits_per_char(["ab"], ["b"], "ab", ends=False)
    assert long["uniform"] == 1 and long["unigram"] == 1


def test_longer_contexts_help_and_every_baseline_beats_uniform():
    values = baseline_bits_per_char(WORDS * 3, WORDS[:10], set("".join(WORDS)))
    assert values["uniform"] > values["unigram"] > values["bigram"] > values["5gram"]


def test_an_alphabet_too_large_to_pack_grams_into_words():
    train = ["".join(chr(0x4E00 + 7 * (i * j) % 9000) for j in range(20)) for i in range(300)]
    shares = Grams(train, train[:3], set("".join(train)), 5).probabilities(5)
    assert len(shares) == 63 and ((shares > 0) & (shares <= 1)).all()


def test_xz_matches_lzma():
    train, test = [*["the cat sat on the mat"] * 20, *WORDS], ["the dog sat", "on the log"]
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 24}]

    def size(texts):
        return len(lzma.compress("".join(f"{text}\n" for text in texts).encode(), lzma.FORMAT_RAW, filters=filters))

    bits = 8 * (size(train + test) - size(train)) / (len("".join(test)) + 2)
    assert xz_bits_per_char(train, test) == bits and 1 < bits < 8
    assert xz_bits_per_char(["ab" * 500], ["ab" * 500], ends=False) < 0.05


# -- modified Kneser-Ney and PPMd


def slow_modified(train, order, alphabet, ends):
    """The equations of ``seqgen.counting.kneser_ney`` word for word, with dictionaries: gives p(symbol | context)."""
    n_symbols = len(alphabet) + ends
    seen = defaultdict(Counter)
    for text in train:
        framed = BEGIN + text + STOP * ends
        for at in range(1, len(framed)):
            for k in range(1, min(order, at + 1) + 1):
                seen[k][framed[at - k + 1 : at + 1]] += 1

    def count(gram):
        if len(gram) == order or gram[0] == BEGIN:
            return seen[len(gram)][gram]
        return sum(1 for longer in seen[len(gram) + 1] if longer[1:] == gram)

    def discounts(k):
        counts = [count(gram) for gram in seen[k]]
        n = [counts.count(r) for r in range(5)]
        y = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else None
        found = [0]
        for r in (1, 2, 3):
            value = r - (r + 1) * y * n[r + 1] / n[r] if y and n[r] else -1
            found.append(value if 0 < value < r else r / 2)
        return found

    def share(symbol, context):
        k = len(context) + 1
        lower = 1 / n_symbols if k == 1 else share(symbol, context[1:])
        following = {gram[-1]: count(gram) for gram in seen[k] if gram[:-1] == context}
        total = sum(following.values())
        if not total:
            return lower
        taken = discounts(k)
        mass = sum(taken[min(n, 3)] for n in following.values())
        own = following.get(symbol, 0)
        return (max(own - taken[min(own, 3)], 0) + mass * lower) / total

    return share


@pytest.mark.full
@given(TEXTS, TEXTS, st.booleans())
def test_every_order_of_modified_kneser_ney_matches_the_equations(train, test, ends):
    found = kneser_ney_bits_per_char(train, test, "abc", ends=ends) if any(test) or ends else None
    for order in (1, 2, 4) if found else ():
        share, bits = slow_modified(train, order, "abc", ends), []
        for text in test:
            framed = BEGIN + text + STOP * ends
            bits += [-math.log2(share(framed[at], framed[max(0, at - order + 1) : at])) for at in range(1, len(framed))]
        assert found.by_order[order - 1] == pytest.approx(np.mean(bits))


def test_the_order_is_that_of_the_training_texts_alone():
    random = np.random.default_rng(1)
    train = [*WORDS, *("".join(random.choice(list("abcd"), random.integers(2, 9))) for _ in range(60))]
    by_order = leave_out_by_order(records_of_texts(train, "".join(train), ends=True))
    losses = [-np.log(probs_N).mean() for probs_N in by_order]
    for test in (WORDS[:3], ["zzzz", "abab"]):
        found = kneser_ney_bits_per_char(train, test, "".join(train))
        assert found.order == 1 + int(np.argmin(losses)) and len(found.by_order) == 12
    assert found.by_order[0] != kneser_ney_bits_per_char(train, WORDS[:3], "".join(train)).by_order[0]


def test_frequent_texts_count_as_often_for_the_order_as_for_the_loss():
    """Words are predicted best by a high order; random texts, if they are most of the text, by a low one."""
    random = np.random.default_rng(1)
    noise = ["".join(random.choice(list("abcdefghijkl"), 5)) for _ in range(60)]
    words = [first + second for first in WORDS[:20] for second in WORDS[:20]]
    orders = [kneser_ney_bits_per_char(words + noise * times, WORDS, "").order for times in (1, 100)]
    assert orders[0] >= 4 and orders[1] <= 2


def test_a_long_text_is_left_out_by_blocks():
    """A text that repeats itself is predicted best by a high order, one of random symbols by a low one."""
    random = np.random.default_rng(2)
    noise = "".join(random.choice(list("abcdefgh"), 6000))
    assert kneser_ney_bits_per_char([noise], [noise[:500]], "", ends=False).order <= 2
    assert kneser_ney_bits_per_char([noise[:300] * 20], [noise[:300]], "", ends=False).order >= 4


@pytest.mark.parametrize("n", [1, 2, 9, 10, 25])
def test_the_order_of_ppmd_is_chosen_by_training_texts_however_few(n):
    pytest.importorskip("pyppmd", reason="needs the extra 'evaluate'")
    line = "the quick brown fox jumps over the lazy dog while the other dogs sleep in the sun "
    texts = [line * (10 if n == 1 else 1)] * n
    assert ppmd_bits_per_char(texts, [line])[0] > 2


def test_ppmd_adds_the_bits_of_the_test_part():
    pyppmd = pytest.importorskip("pyppmd", reason="needs the extra 'evaluate'")
    train, test = [*["the cat sat on the mat"] * 20, *WORDS], ["the dog sat", "on the log"]
    order, bits = ppmd_bits_per_char(train, test)

    def size(texts):
        encoder = pyppmd.Ppmd7Encoder(order, 1 << 26)
        return len(encoder.encode("".join(f"{text}\n" for text in texts).encode()) + encoder.flush())

    assert 2 <= order <= 8 and bits == 8 * (size(train + test) - size(train)) / (len("".join(test)) + 2)
    assert 0 < bits < 6 and ppmd_bits_per_char(["ab" * 500], ["ab" * 500], ends=False)[1] < 0.1


# -- lengths and characters


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_the_length_distance_is_the_optimal_transport_cost(first, second):
    """In one dimension the cheapest way moves the sorted ones; repeated to the same number."""
    one, other = np.sort(np.repeat(first, len(second))), np.sort(np.repeat(second, len(first)))
    found = length_distance(["x" * n for n in first], ["x" * n for n in second])
    assert found == pytest.approx(float(np.abs(one - other).mean()))


def test_the_distance_of_characters():
    assert symbol_distance(["ab", "b"], ["bab"]) == 0
    assert symbol_distance(["aa"], ["b"]) == 1
    assert symbol_distance(["ab"], ["ac"]) == pytest.approx(0.5)
    assert symbol_distance([""], ["a"]) == pytest.approx(0.5)  # no characters at all are as far as they can be


def test_training_records_give_the_chance_level():
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("abcd"), random.integers(2, 9))) for _ in range(600)]
    same = distances(texts[:200], texts[200:400], texts[400:])
    other = distances(["zz"] * 200, texts[200:400], texts[400:])
    assert same["symbol_distance"] < 3 * same["symbol_distance_chance"] < 0.2
    assert other["symbol_distance"] == 1 and other["length_distance_chars"] > 2
    assert other["length_distance_chars_chance"] == same["length_distance_chars_chance"] < 0.5
    assert not any("length" in name for name in distances(["a"], ["b"], ["c"], lengths=False))
