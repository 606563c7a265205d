"""A planned training run: its corpus read, its settings known, and nothing written until it is trained."""

from __future__ import annotations

import random

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
    with pytest.raises(seqgen.UsageError, match=r"it was trained with train\.seed 0, not with train\.seed 3"):
        planned.with_seed(3).check_run(run)


def word_list(path, n_records, length=6):
    letters = random.Random(0)
    texts = {"".join(letters.choices("abcdefgh", k=length)) for _ in range(3 * n_records)}
    path.write_text("\n".join(sorted(texts)[:n_records]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("n_records", "length", "expected"),
    [
        (200, 6, (256, 0.5, 32, 300)),
        (1000, 6, (256, 0.5, 32, 25 * 902 // 32)),
        (4000, 12, (256, 0.3, 64, 25 * 3604 // 64)),
        (8000, 20, (256, 0.2, 128, 25 * 7195 // 128)),
        (12_000, 6, (256, 0.3, 128, 2000)),
    ],
)
def test_the_sizes_of_a_run_suit_its_list(tmp_path, n_records, length, expected):
    plan = seqgen.plan(word_list(tmp_path / "list.txt", n_records, length), warn=lambda line: None)
    settings = plan.settings
    options, train = settings.model.options, settings.train
    found = options["hidden"], options["dropout"], train.batch_size, train.steps
    n_train = settings.corpus.parts["train"]
    steps = min(max(25 * n_train // train.batch_size, 300), 2000)
    assert found == (*expected[:3], steps) and steps == pytest.approx(expected[3], rel=0.02)


@pytest.mark.parametrize(
    ("n_chars", "expected"),
    [(10_000, (128, 0.0, 2000)), (40_000, (256, 0.3, 300)), (300_000, (256, 0.2, 25 * 270_000 // 128 // 32))],
)
def test_the_sizes_of_a_run_suit_its_text(tmp_path, n_chars, expected):
    path = tmp_path / "text.txt"
    path.write_text("".join(random.Random(0).choices("abcdefgh ", k=n_chars)), encoding="utf-8")
    settings = seqgen.plan(path, layout="stream", warn=lambda line: None).settings
    options, train = settings.model.options, settings.train
    assert (options["hidden"], options["dropout"], train.batch_size) == (*expected[:2], 32)
    assert train.steps == pytest.approx(expected[2], rel=0.02)
    given = seqgen.plan(path, layout="stream", hidden=8, steps=3, warn=lambda line: None).settings
    assert (given.model.options["hidden"], given.train.steps) == (8, 3)


def test_what_is_said_wins_over_the_sizes_of_a_list(tmp_path):
    path = word_list(tmp_path / "list.txt", 400)
    settings = seqgen.plan(path, hidden=16, dropout=0.1, steps=7, batch_size=9, warn=lambda line: None).settings
    assert (settings.model.options["hidden"], settings.model.options["dropout"]) == (16, 0.1)
    assert (settings.train.steps, settings.train.batch_size) == (7, 9)
    timed = seqgen.plan(path, time="9s", warn=lambda line: None).settings.train
    assert timed.steps is None and timed.time_s == 9 and timed.batch_size == 32
    passes = seqgen.plan(path, epochs=2, warn=lambda line: None).settings.train
    assert passes.steps is None and passes.epochs == 2
    (tmp_path / "run.toml").write_text("[model]\nhidden = 24\n[train]\nsteps = 5\n")
    told = seqgen.plan(path, config=tmp_path / "run.toml", warn=lambda line: None).settings
    assert (told.model.options["hidden"], told.train.steps, told.train.batch_size) == (24, 5, 32)
    assert (
        seqgen.plan("pokemon").settings.train.batch_size == 128
    )  # a corpus that recommends some has the other defaults
    few = seqgen.plan(word_list(tmp_path / "few.txt", 199), warn=lambda line: None).settings
    assert (few.model.options["hidden"], few.model.options["dropout"]) == (128, 0.0)
    assert (few.train.batch_size, few.train.steps) == (128, 2000)
    text = seqgen.plan(path, layout="stream", warn=lambda line: None).settings
    assert (text.model.options["hidden"], text.train.steps) == (128, 2000)
    counting = seqgen.plan(path, model="ngram", warn=lambda line: None).settings
    assert "hidden" not in counting.model.options and counting.train.batch_size == 128
