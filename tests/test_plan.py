"""A planned training run: its corpus read, its settings known, and nothing written until it is trained."""

from __future__ import annotations

import pytest

import seqgen

TINY = {"cell": "vanilla", "hidden": 4, "embedding": 4, "steps": 3, "split": "80/10/10"}


def weights(run):
    return (sorted((run.path / "checkpoints").iterdir())[-1] / "model.safetensors").read_bytes()


def test_a_plan_knows_every_setting_and_writes_nothing(words, in_tmp):
    before = sorted(in_tmp.iterdir())
    planned = seqgen.plan(words, params="2k", **{name: value for name, value in TINY.items() if name != "hidden"})
    assert planned.settings.train.steps == 3 and planned.settings.corpus.n_records == 40
    assert planned.settings.model.options["hidden"] > 4 and 0 < planned.n_parameters <= 2000
    assert sorted(in_tmp.iterdir()) == before


def test_a_plan_trains_to_the_bytes_of_train(words, in_tmp):
    trained = seqgen.train(words, **TINY, seed=7, out="trained")
    planned = seqgen.plan(words, **TINY)
    run = planned.with_seed(7).train("planned")
    assert run.settings.train.seed == 7 and run.settings.n_parameters == planned.n_parameters
    assert weights(run) == weights(trained)
    other = planned.train("other")
    assert other.settings.train.seed == 0 and weights(other) != weights(trained)


def test_out_of_the_settings_is_where_a_plan_trains(words, in_tmp):
    assert seqgen.plan(words, **TINY, out="here").train().path.name == "here"


def test_plans_that_share_a_cache_read_a_corpus_once(words, in_tmp):
    cache = {}
    first = seqgen.plan(words, cache=cache, **TINY)
    second = seqgen.plan(words, cache=cache, **(TINY | {"cell": "gru"}))
    assert second.data is first.data and len(cache) == 1
    other = seqgen.plan(words, cache=cache, **(TINY | {"split": "60/20/20"}))
    assert other.data is not first.data and len(cache) == 2


def test_a_run_of_other_settings_is_refused(words, in_tmp):
    planned = seqgen.plan(words, **TINY)
    run = planned.train("run")
    planned.check_run(run)
    with pytest.raises(seqgen.UsageError, match=r"it was trained with train\.seed 0, not 3"):
        planned.with_seed(3).check_run(run)
