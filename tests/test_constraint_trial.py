"""Constraints without --exact: sampled freely where rows often satisfy them, else with look-ahead or guided."""

import itertools
import re

import pytest

import seqgen
from seqgen.api import sample as sampling


def sample(run, n, **wanted):
    warned = []
    return [row.text for row in run.sample(n, warn=warned.append, **wanted)], warned


def test_frequent_rows_are_sampled_from_the_model(tiny_run):
    for wanted in ({"length": "3-6"}, {"contains": "a", "unique": True}):
        found, warned = sample(tiny_run, 100, **wanted)
        assert found == [row.text for row in tiny_run.sample(100, exact=True, **wanted)] and warned == []


def test_rare_rows_are_sampled_with_look_ahead_and_their_share_is_estimated(tiny_run):
    found, warned = sample(tiny_run, 50, contains="xw", length="5-12")
    assert all("xw" in text and 5 <= len(text) <= 12 for text in found)
    assert len(warned) == 1
    start, share, end = re.split(r"about 1 in ([\d,]+) of", warned[0])
    assert start == "constraint --contains 'xw' and --length 5-12: "
    assert end.startswith(" the model's rows satisfy it; sampled with look-ahead, and corrected by keeping ")
    exact, _ = sample(tiny_run, 20, contains="xw", length="5-12", exact=True)
    assert len(exact) == 20
    rows = tiny_run.sample(40_000)
    satisfying = sum("xw" in row.text and 5 <= len(row.text) <= 12 and not row.cut for row in rows)
    assert 0.7 < satisfying / len(rows) * int(share.replace(",", "")) < 1.4


def test_fast_rows_are_guided_without_a_trial(tiny_run, monkeypatch):
    monkeypatch.setattr(sampling, "describe_bound", None)
    found, warned = sample(tiny_run, 50, contains="xw", length="5-", max_length=20, fast=True)
    assert all("xw" in text for text in found)
    assert len(warned) == 1 and "rows nearly reach the limit of 20 symbols" in warned[0]


def test_rows_of_bytes_are_as_long_as_their_bytes(in_tmp):
    (in_tmp / "list.txt").write_text("\n".join(["\u5c71\u7530", "\u7530\u4e2d", "\u4e2d\u5c71"] * 20), encoding="utf-8")
    run = seqgen.train("list.txt", cell="gru", hidden=16, steps=100, tokenizer="byte", split="none")
    said = []
    rows = run.sample(20, contains="\u5c71", length="9-", max_length=30, fast=True, warn=said.append)
    assert all("\u5c71" in row.text and len(row.text) < 27 for row in rows)
    assert any("rows nearly reach the limit of 30 symbols" in line for line in said)


@pytest.mark.full
def test_rows_are_guided_where_no_other_way_yields_enough(tiny_run):
    found, warned = sample(tiny_run, 50, contains="xwxw", length="5-12", top_k=1)
    assert all("xwxw" in text and 5 <= len(text) <= 12 for text in found)
    assert warned[0].startswith(
        "constraint --contains 'xwxw' and --length 5-12: 0 of 1,000 trial rows satisfy it (0.0%), so rows are guided"
    )
    assert "--exact keeps the model's distribution" in warned[0]


def test_the_longest_rows_that_a_length_allows_are_counted(tiny_run):
    _, warned = sample(tiny_run, 50, contains="xwxw", length="4-6", max_length=30, fast=True)
    assert len(warned) == 1 and "rows nearly reach the limit of 6 characters" in warned[0]
    _, warned = sample(tiny_run, 50, contains="xwxw", length="6", max_length=30, fast=True)
    assert warned == []  # all have six, as asked


@pytest.mark.full
def test_rows_do_not_depend_on_how_many_are_sampled(tiny_run):
    for wanted in ({"contains": "an"}, {"contains": "xw"}, {"length": "3-5", "novel": True}):
        many, _ = sample(tiny_run, 120, seed=3, **wanted)
        assert sample(tiny_run, 10, seed=3, **wanted)[0] == many[:10]
        for size in (32, 100):
            assert sample(tiny_run, 60, seed=3, batch_size=size, **wanted)[0] == many[:60]
        assert sample(tiny_run, 60, seed=4, **wanted)[0] != many[:60]


@pytest.mark.full
def test_the_trial_has_a_fixed_seed_and_needs_a_constraint(tiny_run, monkeypatch):
    warned = [sample(tiny_run, 5, seed=seed, contains="xwxw", length="6")[1] for seed in range(4)]
    assert all(lines == warned[0] and len(lines) == 1 for lines in warned)
    monkeypatch.setattr(sampling, "constrained_rows", None)
    assert len(list(itertools.islice(tiny_run.iter_samples(5), 9))) == 5
