"""Constraints without --exact: rejection sampling where the model often satisfies them, guided sampling elsewhere."""

import itertools

from seqgen.api import sample as sampling


def sample(run, n, **wanted):
    warned = []
    return [row.text for row in run.sample(n, warn=warned.append, **wanted)], warned


def test_frequent_rows_are_sampled_from_the_model(tiny_run):
    for wanted in ({"length": "3-6"}, {"contains": "a", "unique": True}):
        found, warned = sample(tiny_run, 100, **wanted)
        assert found == [row.text for row in tiny_run.sample(100, exact=True, **wanted)] and warned == []


def test_rare_rows_are_guided_and_their_share_is_reported(tiny_run):
    found, warned = sample(tiny_run, 50, contains="xwxw", length="5-12")
    assert all("xwxw" in text and 5 <= len(text) <= 12 for text in found)
    assert warned[0].startswith(
        "constraint --contains 'xwxw' and --length 5-12: 0 of 1,000 trial rows satisfy it (0.0%)"
    )
    assert "--exact keeps the model's distribution" in warned[0]


def test_the_longest_rows_that_a_length_allows_are_counted(tiny_run):
    _, warned = sample(tiny_run, 50, contains="xwxw", length="4-6", max_length=30)
    assert len(warned) == 2 and "rows nearly reach the limit of 6 characters" in warned[1]
    _, warned = sample(tiny_run, 50, contains="xwxw", length="6", max_length=30)
    assert len(warned) == 1  # all have six, as asked


def test_rows_do_not_depend_on_how_many_are_sampled(tiny_run):
    for wanted in ({"contains": "an"}, {"contains": "xw"}, {"length": "3-5", "novel": True}):
        many, _ = sample(tiny_run, 120, seed=3, **wanted)
        assert sample(tiny_run, 10, seed=3, **wanted)[0] == many[:10]
        for size in (32, 100):
            assert sample(tiny_run, 60, seed=3, batch_size=size, **wanted)[0] == many[:60]
        assert sample(tiny_run, 60, seed=4, **wanted)[0] != many[:60]


def test_the_trial_has_a_fixed_seed_and_needs_a_constraint(tiny_run, monkeypatch):
    warned = [sample(tiny_run, 5, seed=seed, contains="xwxw", length="6")[1] for seed in range(4)]
    assert all(lines == warned[0] and len(lines) == 1 for lines in warned)
    monkeypatch.setattr(sampling, "constrained_rows", None)
    assert len(list(itertools.islice(tiny_run.iter_samples(5), 9))) == 5
