"""Confidence intervals have their stated coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqgen.evaluation import ratio_interval, share_interval
from seqgen.evaluation.intervals import binomial_tail, difference, length_strata


def test_the_interval_of_a_ratio_has_its_coverage():
    """Losses of records of random length, correlated with it; the true ratio is 2 nats per character."""
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        chars_N = random.integers(1, 12, 150)
        nats_N = 2.0 * chars_N + random.normal(0, 1, 150) * chars_N
        low, high = ratio_interval(nats_N, chars_N, seed=trial, n_resamples=400)
        covered += low <= 2.0 <= high
    assert 180 <= covered <= 199, f"{covered} of 200, about 190 expected"


@pytest.mark.full
def test_many_records_are_resampled_in_groups_with_the_same_result():
    random = np.random.default_rng(1)
    chars_N = random.integers(1, 10, 40_000)
    nats_N = chars_N * 1.5 + random.normal(0, 2, 40_000)
    low, high = ratio_interval(nats_N, chars_N)
    error = np.sqrt(((nats_N - 1.5 * chars_N) ** 2).sum()) / chars_N.sum()  # of a ratio estimator, by linearisation
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.06)
    assert low < nats_N.sum() / chars_N.sum() < high


def test_intervals_depend_on_the_seed_only_and_handle_degenerate_input():
    values, ones = np.arange(50.0), np.ones(50)
    assert ratio_interval(values, ones, seed=3) == ratio_interval(values, ones, seed=3)
    assert ratio_interval(values, ones, seed=3) != ratio_interval(values, ones, seed=4)
    assert all(map(math.isnan, ratio_interval(np.empty(0), np.empty(0))))
    assert all(map(math.isnan, ratio_interval(np.array([3.0]), np.array([2.0])))), "one does not tell how they vary"
    assert ratio_interval(np.array([3.0, 3.0]), np.array([2.0, 2.0])) == (1.5, 1.5)
    one, all_same = np.zeros(1, dtype=int), np.zeros(50, dtype=int)
    assert all(map(math.isnan, difference(values, np.ones(1), (all_same, one))[1]))
    assert all(map(math.isnan, difference(np.ones(1), values, (one, all_same))[1]))


@pytest.mark.parametrize("n", [1, 12, 150])
def test_copies_of_records_narrow_no_interval(n):
    random = np.random.default_rng(n)
    chars_N = random.integers(2, 9, n)
    nats_N, texts_N = chars_N * random.gamma(4, 0.5, n), 100 - np.arange(n)
    once = ratio_interval(nats_N, chars_N)
    assert ratio_interval(nats_N, chars_N, groups_N=texts_N) == pytest.approx(once, rel=0, abs=0, nan_ok=True)
    thrice_N = np.arange(3 * n) % n
    found = ratio_interval(nats_N[thrice_N], chars_N[thrice_N], groups_N=texts_N[thrice_N])
    assert found == pytest.approx(once, nan_ok=True)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 30])
def test_the_interval_of_a_ratio_of_few_has_its_coverage(n):
    """Losses of records of random length; the true ratio is 2 nats per character."""
    random = np.random.default_rng(n)
    covered = 0
    for _ in range(1000):
        chars_N = random.integers(4, 12, n)
        nats_N = 2.0 * chars_N + random.normal(0, 1, n) * chars_N
        low, high = ratio_interval(nats_N, chars_N)
        covered += low <= 2.0 <= high
    assert 0.93 <= covered / 1000 <= 0.97


def test_a_difference_of_means():
    random = np.random.default_rng(2)
    first, second = random.normal(1, 1, 400), random.normal(0, 2, 300)
    value, (low, high) = difference(first, second, (np.zeros(400, dtype=int), np.zeros(300, dtype=int)))
    assert value == pytest.approx(first.mean() - second.mean()) and low < value < high
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(first.var() / 400 + second.var() / 300), rel=0.1)


def test_the_interval_of_a_loss_is_positive_and_that_of_a_difference_need_not_be():
    low, high = ratio_interval(np.array([10.0, 30.0]), np.array([10.0, 10.0]))
    assert 0 < low < 2 < high
    low, high = ratio_interval(np.array([-1.0, 3.0, 2.0]), np.ones(3))
    assert low < 0 < high
    low, high = ratio_interval(np.array([1.0, 3.0]), np.ones(2), signed=True)
    assert low < 0 < high, "both gaps are positive by chance in half of all pairs without a difference"


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_interval_of_a_difference_of_few_has_its_coverage(n):
    """Gaps between two models, of mean 0: about one of twenty intervals is without 0."""
    random = np.random.default_rng(n)
    covered = 0
    for _ in range(1000):
        low, high = ratio_interval(random.normal(0, 1, n), np.ones(n), signed=True)
        covered += low <= 0 <= high
    assert 0.93 <= covered / 1000 <= 0.97


@pytest.mark.full
@pytest.mark.parametrize(("n", "m"), [(200, 10), (12, 12), (200, 200)])
def test_a_difference_of_few_has_its_coverage(n, m):
    random, larger = np.random.default_rng(m), 0
    for _ in range(150):
        first, second = random.normal(0, 1, n), random.normal(0, 1, m)
        _, (low, _) = difference(first, second, (np.zeros(n, dtype=int), np.zeros(m, dtype=int)))
        larger += low > 0
    assert larger <= 9, "of 150, 3.75 are expected"


@pytest.mark.full
def test_a_difference_at_equal_lengths_has_its_coverage():
    """What grows with the length is the same in both kinds, of which one is longer."""
    random, covered, values = np.random.default_rng(3), 0, []
    for _ in range(100):
        lengths = random.integers(6, 12, 200), random.integers(3, 12, 300)
        first, second = (0.5 * length + random.normal(0, 1, len(length)) for length in lengths)
        value, (low, high) = difference(first, second, length_strata(*lengths, 15))
        values.append(value)
        covered += low <= 0 <= high
    assert covered >= 90 and abs(np.mean(values)) < 0.05


def _share_above(n_trials, measured):
    """The share of intervals of a difference that exclude 0 from above, though the difference is 0."""
    return sum(difference(*measured())[1][0] > 0 for _ in range(n_trials)) / n_trials


def test_a_difference_of_which_few_texts_carry_the_weight_has_its_coverage():
    """Samples are long, as 10 of 100 held-out records are: 4.5% if the hundred count; 2.5% are expected."""
    random, lengths = np.random.default_rng(4), (np.full(200, 12), np.repeat([5, 12], [90, 10]))
    strata = length_strata(*lengths, 10)
    assert _share_above(1500, lambda: (random.normal(0, 1, 200), random.normal(0, 1, 100), strata)) < 0.035


def test_a_difference_of_pieces_resamples_what_they_are_pieces_of():
    """Twelve samples of forty pieces each, which are alike: a third if each piece counts; 2.5% are expected."""
    random, sources_N, parts_N = np.random.default_rng(5), np.repeat(np.arange(12), 40), np.repeat(np.arange(32), 10)
    strata = np.zeros(480, dtype=int), np.zeros(320, dtype=int)

    def measured():
        first_N = random.normal(0, 1, 12)[sources_N] + random.normal(0, 0.5, 480)
        second_N = random.normal(0, 1, 32)[parts_N] + random.normal(0, 0.5, 320)
        return first_N, second_N, strata, (sources_N, parts_N)

    assert _share_above(1000, measured) < 0.04
    assert all(map(math.isnan, difference(*measured()[:3], (np.zeros(480, dtype=int), parts_N))[1])), "one sample"


def test_strata_of_lengths_have_enough_texts():
    lengths = np.array([9, 1, 1, 1, 2, 5, 5, 5, 5, 7, 7, 30])
    first, second = length_strata(np.array([1, 3, 5, 6, 40]), lengths, 3)
    assert first.tolist() == [0, 1, 1, 1, 2] and np.bincount(second).tolist() == [3, 5, 4]
    assert not any(map(np.any, length_strata(np.array([1, 9]), lengths, 7)))


def test_no_or_all_hits_have_exact_ends():
    assert all(share_interval(0, n)[0] == 0 and share_interval(n, n)[1] == 1 for n in range(1, 500))


def test_intervals_of_proportions_are_wilsons():
    assert share_interval(0, 0) == (0.0, 1.0)
    low, high = share_interval(5, 50)  # by hand: Wilson 1927 with z = 1.96
    assert (low, high) == (pytest.approx(0.0435, abs=1e-4), pytest.approx(0.2136, abs=1e-4))
    assert share_interval(0, 20)[0] == 0 and share_interval(20, 20)[1] == 1


def test_the_tail_of_a_binomial_is_its_sum():
    for hits in range(7):
        direct = sum(math.comb(6, k) * 0.7**k * 0.3 ** (6 - k) for k in range(hits, 7))
        assert binomial_tail(hits, 6, 0.7) == pytest.approx(direct)
    assert [binomial_tail(hits, 3, 1.0) for hits in (0, 3, 4)] == [1, 1, 0]
    assert [binomial_tail(hits, 3, 0.0) for hits in (0, 1)] == [1, 0]
    assert binomial_tail(480, 500, 0.9) < 1e-5 and binomial_tail(450, 500, 0.9) > 0.4
