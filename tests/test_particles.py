"""Attempts of several particles: their weights, their choice, and when they are used."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from seqgen.api.sample import describe_bound
from seqgen.config import SampleConfig
from seqgen.sampling import Sampler, conditional, find_way
from seqgen.sampling import trial as trials
from seqgen.sampling.bound import MAX_ABOVE, Bound
from seqgen.sampling.corrected import LookAheadSampler
from seqgen.sampling.particles import Particles, follow_back
from seqgen.sampling.row_batch import RowBatch
from seqgen.sampling.trial import Trial, best_bound
from test_look_ahead import CONSTRAINTS, letters, noise, target, too_rare, variation, with_look_ahead

CPU = torch.device("cpu")
assert letters  # a fixture of these tests too


def uneven(of, n_particles, **wanted):
    """Attempts whose look-ahead takes one letter to be far rarer than it is, so that particles are resampled."""
    return with_look_ahead(of, too_rare(of[1], 0.02), **wanted).with_particles(n_particles)


def noted_replacements(monkeypatch):
    """A list to which the number of particles that take the place of others is added."""
    found, replace = [], RowBatch.replace

    def noted(self, ancestor_W):
        found.append(int((ancestor_W != torch.arange(len(ancestor_W))).sum()))
        return replace(self, ancestor_W)

    monkeypatch.setattr(RowBatch, "replace", noted)
    return found


# -- the weights of attempts, and the particle that each chooses


@pytest.mark.parametrize("name", ["contains", "two texts", "ends and length", "avoid"])
@pytest.mark.parametrize("n_particles", [8, 32])
def test_chosen_particles_with_their_weights_are_the_models_rows(letters, name, n_particles, monkeypatch):
    of, shares, _ = letters
    wanted, shares, total = target(shares, name)
    replaced = noted_replacements(monkeypatch)
    one = uneven(of, n_particles, **wanted).reseeded(7)
    n_attempts = 60_000 // n_particles
    log_weights, _, rows = one.weighted(0, n_attempts)
    weights = np.exp(log_weights)
    assert sum(replaced) > 100
    error = weights.std() / math.sqrt(n_attempts)
    assert abs(weights.mean() - total) < 4 * error
    by_text = Counter()
    for row, weight in zip(rows, weights, strict=True):
        by_text[row.text] += weight / weights.sum()
    effective = int(weights.sum() ** 2 / (weights * weights).sum())
    assert sum(abs(by_text[text] - shares.get(text, 0)) for text in by_text | shares) / 2 < noise(shares, effective)


def test_more_particles_make_weights_more_equal(letters):
    of, _, _ = letters
    effective = []
    for n_particles in (1, 8, 32):
        weights = np.exp(uneven(of, n_particles, ends="cc", length="4-6").weighted(0, 1000)[0])
        effective.append(weights.sum() ** 2 / (weights * weights).sum() / 1000)
    assert effective[1] > 2 * effective[0]
    assert effective[2] > 1.5 * effective[1]


@pytest.mark.parametrize(
    "name", [name if name == "avoid" else pytest.param(name, marks=pytest.mark.full) for name in CONSTRAINTS]
)
def test_kept_attempts_follow_the_conditional_distribution(letters, name):
    of, shares, _ = letters
    wanted, shares, _ = target(shares, name)
    one = uneven(of, 8, **wanted)
    bound = Trial(one, conditional.PILOT_SEED).bound()
    texts = [row.text for row in itertools.islice(one.kept_rows(bound), 5000)]
    assert variation(texts, shares) < noise(shares, 5000) + max(bound.above, MAX_ABOVE)


@pytest.mark.full
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_total_variation_of_many_attempts_is_small(letters, name):
    of, shares, graph = letters
    wanted, shares, _ = target(shares, name)
    one = with_look_ahead(of, graph, **wanted).with_particles(8)
    bound = Trial(one, conditional.PILOT_SEED).bound()
    texts = [row.text for row in itertools.islice(one.kept_rows(bound), 200_000)]
    assert variation(texts, shares) <= 0.02


@pytest.mark.parametrize("wanted", [{"contains": "bcb"}, {"prefix": "ab", "ends": "cc", "repetition_penalty": 1.3}])
def test_attempt_i_is_the_same_for_every_batch_size(letters, wanted, monkeypatch):
    of, _, _ = letters
    replaced = noted_replacements(monkeypatch)
    one = uneven(of, 8, **wanted)
    bound = Trial(one, conditional.PILOT_SEED).bound()
    found = []
    for size in (32, 96, 1024):
        other = one.reseeded(3)
        other._width = size
        n_before = len(replaced)
        found.append([*itertools.takewhile(lambda row: row.number < 400, other.kept_rows(bound))])
        assert len(replaced) > n_before
    assert len(found[0]) > 5
    assert found[0] == found[1] == found[2]


def test_attempts_that_are_given_up_would_have_been_rejected(letters):
    of, _, _ = letters
    one = uneven(of, 8, contains="bcb")
    bound = Trial(one, conditional.PILOT_SEED).bound()

    def numbers(bound):
        return {row.number for row in itertools.takewhile(lambda row: row.number < 3000, one.kept_rows(bound))}

    patient, found = numbers(bound._replace(recovery=math.inf)), numbers(bound)
    assert found <= patient
    assert len(found) >= 0.99 * len(patient)
    assert len(numbers(bound._replace(recovery=-2.0))) < len(found)


def test_a_dead_end_of_all_particles_has_no_weight(letters):
    of, _, graph = letters
    one = with_look_ahead(of, graph, contains="bcb").with_particles(4)
    one._look_ahead._log_h = [torch.full_like(log_h, -torch.inf) for log_h in one._look_ahead._log_h]
    log_weights, _, rows = one.weighted(0, 8)
    assert (log_weights == -math.inf).all() and len(rows) == 8
    assert Trial(one, 1).bound() is None


# -- resampling


def test_the_expected_number_of_offspring_is_by_weight():
    n, weights = 4000, torch.tensor([4.0, 1.0, 0.0, 0.0])
    particles = Particles(4, 1, 0, n, CPU)
    particles.log_weight_W = weights.log().double().repeat(n)
    ancestor_W = particles.resample(torch.ones(4 * n, dtype=torch.bool))
    offspring = torch.bincount(ancestor_W % 4, minlength=4) / n
    assert offspring.tolist() == pytest.approx([3.2, 0.8, 0, 0], abs=0.05)
    assert (ancestor_W // 4 == torch.arange(4 * n) // 4).all()  # none is of another attempt
    assert particles.log_weight_W.exp().tolist() == pytest.approx([1.25] * 4 * n)


def test_particles_that_have_ended_stay_and_keep_their_weight():
    particles = Particles(4, 1, 0, 1, CPU)
    particles.log_weight_W = torch.tensor([8.0, 1e-3, 1.0, 1e-3], dtype=torch.double).log()
    before = float(particles.log_mean_G().exp())
    ancestor_W = particles.resample(torch.tensor([False, True, True, True]))
    assert ancestor_W[0] == 0 and set(ancestor_W[1:].tolist()) == {2}
    assert float(particles.log_weight_W[0].exp()) == pytest.approx(8)
    assert float(particles.log_mean_G().exp()) == pytest.approx(before)


def test_equal_weights_are_not_resampled():
    assert Particles(8, 1, 0, 3, CPU).resample(torch.ones(24, dtype=torch.bool)) is None


def test_ids_are_those_of_the_ancestors():
    ids_TW = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    replaced = [(1, torch.tensor([2, 1, 2])), (2, torch.tensor([1, 0, 0]))]
    # Place 2 took that of 0 before position 2, which had taken that of 2 before position 1.
    assert follow_back(ids_TW, replaced, torch.tensor([2, 0])).T.tolist() == [[3, 4, 9], [2, 5, 7]]


# -- when particles are used


def loose(of):
    """Look-ahead with one pair of powers, which leaves too much above the bound of single rows."""
    one = uneven(of, 1, ends="cc", length="4-6")
    one._look_ahead.powers = (one._look_ahead.powers[0],)
    return one


def test_particles_are_used_where_single_rows_are_too_unequal(letters, monkeypatch):
    of, _, graph = letters
    even = with_look_ahead(of, graph, contains="bcb")
    assert best_bound(even, 1, lambda bound: True)[1].n_particles == 1
    with monkeypatch.context() as patched:
        patched.setattr(trials, "PARTICLES", ())
        _, single = best_bound(loose(of), 1, lambda bound: True)
    assert single.n_particles == 1 and not single.is_tight
    _, bound = best_bound(loose(of), 1, lambda bound: True)
    assert bound.n_particles in trials.PARTICLES
    assert bound.above < single.above
    assert bound.kept_of_all == bound.kept / bound.n_particles
    assert best_bound(loose(of), 1, lambda bound: bound.n_particles == 1)[1] == single


@pytest.mark.parametrize(("above", "kept", "chosen"), [(0.019, 0.13, 1), (0.006, 0.13, 8), (0.011, 0.4, 8)])
def test_particles_must_lessen_the_error_by_what_they_cost(letters, monkeypatch, above, kept, chosen):
    """Half the error is worth four times the cost of a kept row."""
    single = Bound(0.0, 0.01, 0.05, 0.022, 0.1)
    found = {1: single, 8: single._replace(n_particles=8, above=above, kept=kept), 32: None}
    monkeypatch.setattr(Trial, "bound", lambda trial, *_, **__: found[trial._sampler.n_particles])
    assert best_bound(loose(letters[0]), 1, lambda bound: True)[1].n_particles == chosen


def test_the_loss_of_a_bound():
    bound = Bound(0.0, 0.01, 0.05, 0.02, 0.1)
    assert bound._replace(above=0.01, kept=0.05 / 4).loss == pytest.approx(bound.loss)
    eight = bound._replace(n_particles=8, kept=0.4)
    assert eight.kept_of_all == bound.kept_of_all and eight.loss == pytest.approx(eight.cost_of_row * bound.loss)


@pytest.mark.parametrize(("least", "worth_trying"), [(0.0, {8, 32}), (1 / 12, {8}), (1 / 4, set())])
def test_particles_of_which_too_few_would_be_kept_are_not_tried(letters, monkeypatch, least, worth_trying):
    """Of 8 or 32 sampled rows one is kept at most."""
    one, tried, with_particles = loose(letters[0]), [], LookAheadSampler.with_particles
    monkeypatch.setattr(LookAheadSampler, "with_particles", lambda one, n: tried.append(n) or with_particles(one, n))
    best_bound(one, 1, lambda bound: bound.kept_of_all >= least)
    assert set(tried) == worth_trying


def test_particles_are_tried_where_single_rows_may_have_missed_some(letters, monkeypatch):
    one, tried, with_particles = loose(letters[0]), [], LookAheadSampler.with_particles
    monkeypatch.setattr(LookAheadSampler, "with_particles", lambda one, n: tried.append(n) or with_particles(one, n))
    best_bound(one, 1, lambda bound: False)
    assert set(tried) == {8, 32}


def test_longer_rows_and_particles_must_keep_more(letters, monkeypatch):
    """What is kept of all sampled rows, over what free sampling keeps, is compared with what a row costs."""
    of, _, graph = letters
    found = []
    monkeypatch.setattr(
        conditional, "best_bound", lambda proposal, seed, worth: found.append(worth) or ((1.0, 0.0), None)
    )
    one = Sampler(*of, SampleConfig(max_length=6, ends="cc", length="4-6"))
    assert find_way(one, graph).bound is None
    free = np.mean([len(row.text) for row in one.as_rejection_sampler(conditional.PILOT_SEED).take(200)])

    def is_worth(times, n_particles=1, longer=1.0):
        kept = 0.02 * times * n_particles
        return found[0](Bound(0.0, 0.02, kept, 0.0, 1.0, n_particles=n_particles, n_chars=longer * free))

    assert is_worth(2.1) and not is_worth(1.9)
    assert is_worth(3.1, n_particles=8) and not is_worth(2.9, n_particles=8)
    assert is_worth(5.1, longer=5) and not is_worth(4.9, longer=5)
    assert is_worth(5.1, n_particles=8, longer=5) and not is_worth(4.9, n_particles=8, longer=5)


def test_rows_of_particles_are_remembered_and_told(letters, monkeypatch):
    of, _, graph = letters
    monkeypatch.setattr(conditional, "_look_ahead", lambda *_: loose(of))
    monkeypatch.setattr(conditional, "_COST", 0)  # of such short rows, free ones cost less
    monkeypatch.setattr(conditional, "LEAST_KEPT", 0)
    kept = {}

    def remember(kind, find):
        if kind not in kept:
            kept[kind] = find()
        return kept[kind]

    one = Sampler(*of, SampleConfig(max_length=6, ends="cc", length="4-6"))
    first, again = (find_way(one, graph, remember=remember) for _ in range(2))
    assert first.bound == again.bound and first.bound.n_particles > 1
    assert [*itertools.islice(first.rows, 50)] == [*itertools.islice(again.rows, 50)]
    assert f"each sample is chosen among {first.bound.n_particles} particles" in describe_bound(first.bound)


def test_single_rows_are_told_as_before():
    assert "particles" not in describe_bound(Bound(0.0, 0.1, 0.5, 0.001, 0.6))
