"""Refits: a finished run trained anew on its held-out records too."""

from __future__ import annotations

import importlib
import json
import math
import os
import random
import shutil

import pytest

import seqgen
from resuming import SMALL, Stopper, digests
from seqgen.corpus import Record, Splitter
from seqgen.errors import BadOption, CheckpointError, Interrupted, UsageError
from seqgen.measure import read_corpus
from seqgen.training import Report

RESUMING = importlib.import_module("seqgen.api.resume")  # the package has a function of this name
LETTERS = "abcdefghij"


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """240 words of one form."""
    letters = random.Random(0)
    path = tmp_path_factory.mktemp("refit") / "words.txt"
    texts = {"".join(letters.choices(LETTERS, k=3)) + "an" for _ in range(400)}
    path.write_text("\n".join(sorted(texts)[:240]) + "\n", encoding="utf-8")
    return path


def train(words, out, **settings):
    given = {
        **SMALL,
        "cell": "vanilla",
        "steps": 40,
        "options": {"eval_every": 10, "samples": 1},
        "warn": lambda line: None,
    }
    return seqgen.train(words, out=out, **{**given, **settings})


@pytest.fixture(scope="module")
def pair(words, tmp_path_factory):
    """A run of 40 steps, and its refit."""
    folder = tmp_path_factory.mktemp("pair")
    return train(words, folder / "run"), seqgen.refit(folder / "run", warn=lambda line: None)


def texts_of(run, part):
    return sorted(record.text for record in run.records(part))


# -- what it learns from


def test_a_refit_learns_from_validation_records_and_never_from_test_records(pair):
    run, refit = pair
    assert refit.path == run.path.with_name("run-refit")
    assert texts_of(refit, "train") == sorted(texts_of(run, "train") + texts_of(run, "valid"))
    assert texts_of(refit, "valid") == [] and texts_of(refit, "test") == texts_of(run, "test") != []
    parts = {name: len(encoded) for name, encoded in read_corpus(refit).encoded.items()}
    assert parts == refit.settings.corpus.parts and parts["valid"] == 0


def test_a_folder_that_is_there_is_refused_before_the_corpus_is_read(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(seqgen.api.resume, "read_again", pytest.fail)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    for out in (tmp_path / "full", None):
        with pytest.raises(seqgen.UsageError, match="it exists; pass another --out"):
            seqgen.refit(pair[0].path, out=out)


def test_its_steps_pass_over_the_records_as_often(pair):
    run, refit = pair
    parts, more = refit.settings.corpus.parts["train"], run.settings.corpus.parts["train"]
    best, more = run.state["best_step"], parts / more
    assert refit.settings.refit.step == best and refit.settings.refit.run == str(run.path) and more > 1
    assert refit.state["step"] == refit.settings.refit.steps == round(best * more)
    assert refit.settings.train.steps == round(40 * more)  # over which its rate falls


def test_copies_are_counted_to_choose_the_best_step_and_not_in_a_refit(words, tmp_path):
    options = {"eval_every": 10, "samples": 0, "best_by": "copies"}
    run = train(words, tmp_path / "run", steps=10, blend="none", options=options)
    refit = seqgen.refit(run.path, warn=lambda line: None)
    assert run.settings.train.best_by == "copies" and "expected_copies" in run.metrics[-1]
    assert refit.settings.train.best_by == "loss" and "expected_copies" not in refit.metrics[-1]


def test_its_steps_are_rounded_to_the_nearest_number(pair):
    run = pair[0]
    parts = run.settings.corpus.parts
    more = (parts["train"] + parts["valid"]) / parts["train"]
    best, whole = [number for number in range(3, 40) if number * more % 1 > 0.5][:2]
    train = run.settings.train.model_copy(update={"steps": whole})
    settings = run.settings.model_copy(update={"train": train})
    state = {"best_step": best, "step": whole, "elapsed_s": 1.0}
    found = RESUMING._refit_settings(settings, state, state, "run")
    assert found.refit.steps == math.ceil(best * more) and found.train.steps == math.ceil(whole * more)


@pytest.mark.parametrize(("elapsed_s", "whole"), [(5.0, 80), (10.0, 40), (12.0, 40)])
def test_its_rate_falls_over_the_steps_that_the_run_had_time_for(pair, elapsed_s, whole):
    """One that ended early, by patience, would have taken more steps; one whose last evaluation was late, no fewer."""
    train = pair[0].settings.train.model_copy(update={"steps": None, "time_s": 10.0})
    assert RESUMING._whole_steps(train, 5, {"step": 40, "elapsed_s": elapsed_s}) == whole


def test_its_rate_falls_over_whole_batches_as_that_of_the_run_did(words, tmp_path):
    """An epoch of 16 records is a batch, though there is room for 32 in it."""
    few = tmp_path / "few.txt"
    few.write_text("\n".join(words.read_text().split()[:20]))
    options = {"eval_every": 20, "best_by": "loss", "patience": 0, "samples": 0}
    given = {"split": "80/20/0", "batch_size": 32, "blend": "none", "options": options}
    run = train(few, tmp_path / "run", steps=None, epochs=40, **given)
    assert run.folder.latest_state()["step"] == 40
    parts = run.settings.corpus.parts
    refit = seqgen.refit(run.path, warn=lambda line: None).settings
    assert refit.train.steps == round(40 * (parts["train"] + parts["valid"]) / parts["train"])


@pytest.mark.full
@pytest.mark.parametrize("end", [{"steps": 300}, {"epochs": 12.5, "steps": None}])
def test_its_rate_falls_as_that_of_the_run_did(words, tmp_path, end):
    """A best step that came early was learned at a high rate."""
    options = {"eval_every": 10, "samples": 0, "patience": 3}
    fast = {"lr": 0.05, "hidden": 64, "dropout": 0.0, "blend": "none"}  # it soon knows its records by heart
    run = train(words, tmp_path / "run", options=options, **fast, **end)
    refit = seqgen.refit(run.path, warn=lambda line: None)
    best = next(row for row in run.metrics if row["step"] == run.state["best_step"])
    assert best["step"] < run.metrics[-1]["step"] < 290 and best["lr"] > 0.02
    assert refit.metrics[-1]["step"] == refit.settings.refit.steps
    assert refit.metrics[-1]["lr"] == pytest.approx(best["lr"], rel=0.05)


def test_its_gate_is_the_one_that_held_out_records_chose(pair, words, tmp_path):
    run, refit = pair
    assert run.state["gate"] is not None and refit.state["gate"] == run.state["gate"]
    assert refit.state["kept_share"] == run.state["kept_share"]
    assert len(refit.model.records) > len(run.model.records)  # it counts more of them
    alone = train(words, tmp_path / "alone", blend="none", steps=10)
    again = seqgen.refit(alone.path, warn=lambda line: None)
    assert again.state["gate"] is None and again.settings.train.blend == "none"


def test_novelty_and_copies_count_both_parts(pair):
    run, refit = pair
    held_out = texts_of(run, "valid")
    assert set(refit.where(held_out).values()) == {"train"}
    rows = refit.describe(refit.sample(400))
    where = {row["text"]: row["where"] for row in rows}
    assert "valid" not in where.values()
    assert all(where[text] == "train" for text in held_out if text in where)
    assert not {row.text for row in refit.sample(100, novel=True)} & {*held_out, *texts_of(run, "train")}
    figures = refit.evaluate(50)
    assert "test_bits_per_char" in figures and "validation_bits_per_char" not in figures


# -- how it is asked for


def test_a_run_that_is_stopped_before_its_refit_is_not_complete(words, tmp_path):
    def stopping(folder, event):
        if isinstance(event, Report) and event.metrics["step"] == 10:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="stopped at step 10, saved; continue with: seqgen resume"):
        train(words, tmp_path / "run", steps=10, refit=True, listener=stopping)
    assert not (tmp_path / "run-refit").exists()
    assert seqgen.resume(tmp_path / "run").path == tmp_path / "run-refit"


def test_what_follows_from_a_refit_is_no_difference_of_settings(pair):
    found = seqgen.measure.settings_diff(dict(zip(["run", "refit"], pair, strict=True)))
    assert found["refit.run"] == {"run": None, "refit": str(pair[0].path)}
    assert not any(name.startswith("train.") for name in found), found


def test_training_with_refit_ends_with_the_refit(pair, words, tmp_path, cli):
    run, refit = pair
    both = train(words, tmp_path / "run", refit=True)
    assert both.path == tmp_path / "run-refit"
    assert digests(tmp_path / "run") == digests(run.path) and digests(both.path) == digests(refit.path)
    result = cli(
        "train",
        "--corpus",
        words,
        "--refit",
        "--cell",
        "vanilla",
        "--hidden",
        6,
        "--steps",
        5,
        "--out",
        tmp_path / "cli",
    )
    assert result.code == 0 and (tmp_path / "cli-refit").exists()
    assert "refit of cli: its best step, 5, corresponds to " in result.out + result.err
    shown = cli("show", "run", tmp_path / "cli-refit")
    assert (
        "refit of" in shown.out
        and json.loads(cli("show", "run", tmp_path / "cli-refit", "--json").out)["refit of"] == "cli"
    )


@pytest.mark.full
@pytest.mark.parametrize("damaged", ["model.safetensors", "state.json"])
def test_a_refit_is_that_of_the_best_step_though_its_checkpoint_is_damaged(words, tmp_path, damaged):
    settings = {"refit": True, "lr": 0.3, "options": {"eval_every": 5, "samples": 0, "warmup_steps": 0}}
    refitted = train(words, tmp_path / "run", blend="ngram", steps=40, **settings)
    run, warned = seqgen.load(tmp_path / "run"), []
    best, latest = run.state, run.folder.latest_state()
    assert best["step"] < latest["step"] and best["gate"] != latest["gate"]
    path = run.folder.checkpoint(best["step"]) / damaged
    path.write_bytes(path.read_bytes()[:-1])
    assert seqgen.resume(run.path, warn=warned.append).path == refitted.path
    again = seqgen.refit(run.path, out=tmp_path / "again", warn=warned.append)
    assert (again.settings.refit.gate == best["gate"]) == (damaged != "state.json") == (warned == [])
    assert again.settings.refit.steps == refitted.settings.refit.steps


@pytest.mark.full
@pytest.mark.parametrize("how", [["-o", "refit=true"], ["--config", "run.toml"]])
def test_every_layer_can_ask_for_it(words, in_tmp, how, cli):
    (in_tmp / "run.toml").write_text("[train]\nrefit = true\n")
    small = ["--cell", "vanilla", "--hidden", 6, "--steps", 3]
    assert cli("train", "--corpus", words, *small, "--out", "run", *how).code == 0 and (in_tmp / "run-refit").exists()
    refused = cli("train", "--corpus", words, *small, "--out", "other", "-o", "train.refit=maybe")
    assert refused.code == 2 and "refit" in refused.err and not (in_tmp / "other").exists()


@pytest.mark.full
def test_the_refit_of_another_run_is_not_taken(words, in_tmp, cli):
    small = ["--corpus", words, "--refit", "--cell", "vanilla", "--hidden", 6, "--steps", 3]
    assert cli("train", *small).code == 0
    (name,) = (path.name for path in (in_tmp / "runs").iterdir() if not path.name.endswith("-refit"))
    shutil.move(in_tmp / "runs" / name, in_tmp / "away")
    assert cli("train", *small, "--seed", 2).code == 0  # under the next number
    names = sorted(path.name for path in (in_tmp / "runs").iterdir())
    assert names == [f"{name}-refit", name.replace("001", "002"), name.replace("001", "002-refit")]
    refused = cli("train", *small, "--out", f"runs/{name}")
    assert refused.code == 2 and "its refit would be" in refused.err and not (in_tmp / "runs" / name).exists()
    shutil.move(in_tmp / "runs" / name.replace("001", "002"), in_tmp / "runs" / name)
    foreign = cli("resume", f"runs/{name}")
    assert foreign.code == 2 and "is there and is not its refit" in foreign.err, foreign.err
    shutil.rmtree(in_tmp / "runs" / f"{name}-refit")
    shutil.move(in_tmp / "runs" / name.replace("001", "002-refit"), in_tmp / "runs" / f"{name}-refit")
    assert cli("resume", f"runs/{name}").code == 0


@pytest.mark.full
def test_a_run_that_starts_from_one_with_a_refit_has_the_whole_time(words, tmp_path):
    train(words, tmp_path / "run", steps=None, time="2s", refit=True)
    plan = seqgen.plan(words, start=tmp_path / "run", warn=lambda line: None)
    assert plan.settings.train.time_s == pytest.approx(2) and not plan.settings.train.refit


def test_a_time_limit_holds_for_both(words):
    plan = seqgen.plan(words, refit=True, time="21s", warn=lambda line: None)
    parts = plan.settings.corpus.parts
    assert plan.settings.train.time_s == pytest.approx(21 / (2 + parts["valid"] / parts["train"]))


def test_the_command_refits_a_finished_run(words, tmp_path, cli):
    train(words, tmp_path / "run", steps=10)
    result = cli("refit", tmp_path / "run", "--out", tmp_path / "other")
    assert result.code == 0 and seqgen.load(tmp_path / "other").settings.refit.run == str(tmp_path / "run")
    again = cli("refit", tmp_path / "run", "--out", tmp_path / "other")
    assert again.code == 2 and "it exists" in again.err and again.err.count("\n") == 1


def test_files_of_held_out_records_are_learned_from(words, tmp_path):
    lines = words.read_text().splitlines()
    for name, some in (("train", lines[:150]), ("valid", lines[150:200]), ("test", lines[200:])):
        (tmp_path / f"{name}.txt").write_text("\n".join(some) + "\n")
    settings = {name: value for name, value in SMALL.items() if name != "split"}
    run = seqgen.train(
        tmp_path / "train.txt", valid=tmp_path / "valid.txt", test=tmp_path / "test.txt", out=tmp_path / "run",
        steps=20, cell="vanilla", refit=True, warn=lambda line: None, **settings,
    )  # fmt: skip
    assert texts_of(run, "train") == sorted(lines[:200]) and texts_of(run, "test") == sorted(lines[200:])


@pytest.mark.full
def test_a_long_text_is_refitted(tmp_path):
    (tmp_path / "book.txt").write_text("the cat sat on the mat.\nthe dog sat on the log.\n" * 120)
    run = seqgen.train(
        tmp_path / "book.txt", layout="stream", split="80/10/10", hidden=8, steps=20, out=tmp_path / "run",
        blend="ngram", options={"window": 16, "batch_size": 8, "samples": 0}, warn=lambda line: None,
    )  # fmt: skip
    refit = seqgen.refit(run.path, warn=lambda line: None)
    before, after = run.settings.corpus.parts, refit.settings.corpus.parts
    assert after == {"train": before["train"] + before["valid"], "valid": 0, "test": before["test"]}
    assert {name: len(part) for name, part in read_corpus(refit).encoded.items()} == after
    assert refit.state["step"] == round(run.state["best_step"] * after["train"] / before["train"])
    assert refit.settings.train.steps == round(20 * after["train"] / before["train"])


# -- stopping


@pytest.mark.full
def test_a_stopped_refit_resumes_to_the_same_bytes(pair, words, tmp_path):
    run, refit = pair
    for at in (1, 17):
        folder = tmp_path / str(at)
        with pytest.raises(Interrupted):
            train(words, folder / "run", refit=True, listener=StopIn("run-refit", at))
        assert digests(folder / "run") == digests(run.path)
        assert digests(folder / "run-refit") != digests(refit.path)
        resumed = seqgen.resume(folder / "run", warn=lambda line: None)
        assert resumed.path == folder / "run-refit" and digests(resumed.path) == digests(refit.path)
        assert resumed.sample(5) == refit.sample(5)


def test_a_run_that_was_stopped_before_its_refit_goes_on_to_it(pair, words, tmp_path):
    run, refit = pair
    with pytest.raises(Interrupted):
        train(words, tmp_path / "run", refit=True, listener=Stopper(11))
    resumed = seqgen.resume(tmp_path / "run", warn=lambda line: None)
    assert digests(tmp_path / "run") == digests(run.path) and digests(resumed.path) == digests(refit.path)
    assert seqgen.resume(tmp_path / "run", warn=lambda line: None).path == resumed.path  # both have ended


@pytest.mark.parametrize(("gate", "said"), [([0.5] * 19, "as a sum of probabilities"), ([0.5] * 2, "its gate is not")])
def test_a_refit_with_a_gate_that_is_none_is_not_begun(pair, tmp_path, gate, said):
    path = tmp_path / "refit"
    shutil.copytree(pair[1].path, path, ignore=shutil.ignore_patterns("checkpoints"))
    settings = json.loads((path / "run.json").read_text())
    settings["refit"]["gate"] = gate
    (path / "run.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=said):
        seqgen.resume(path)
    assert not (path / "checkpoints").exists()


class StopIn(Stopper):
    """A stopper that waits for the run of a name."""

    def __init__(self, name, at):
        super().__init__(at)
        self.name = name

    def __call__(self, folder, event):
        if folder.path.name == self.name:
            super().__call__(folder, event)


# -- what cannot be refitted


def refused(call, *args, **settings):
    with pytest.raises(BadOption) as caught:
        call(*args, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("split", ["70/20/10", "60/30/10"])
def test_a_refit_is_known_by_any_split(words, in_tmp, split, cli):
    small = ["--corpus", words, "--refit", "--cell", "vanilla", "--hidden", 6, "--steps", 3, "--split", split]
    assert cli("train", *small, "--out", "r").code == 0
    assert (
        json.loads((in_tmp / "r" / "run.json").read_text())["train"]["split"]
        == json.loads((in_tmp / "r-refit" / "run.json").read_text())["train"]["split"]
    )
    resumed = cli("resume", "r")
    assert resumed.code == 0 and "is complete" in resumed.err


def test_what_cannot_be_refitted_is_refused(pair, words, tmp_path):
    run, refit = pair
    before = sorted(os.listdir(tmp_path))
    asked = {"refit": True, "warn": lambda line: None}
    nothing = refused(seqgen.plan, words, split="none", **asked)
    assert "needs validation records" in nothing and "there are none: hold out more with --split" in nothing
    assert "the model counts" in refused(seqgen.plan, words, model="ngram", **asked)
    assert "weights of another" in refused(seqgen.plan, words, start=run.path, **asked)
    assert "is a refit already" in refused(seqgen.refit, refit.path)
    assert sorted(os.listdir(tmp_path)) == before
    with pytest.raises(Interrupted):
        train(words, tmp_path / "stopped", listener=Stopper(11))
    assert "has not ended" in refused(seqgen.refit, tmp_path / "stopped")
    whole = train(words, tmp_path / "whole", split="none", steps=3)
    missing = refused(seqgen.refit, whole.path)
    assert "no held-out records" in missing and "--split 80/10/10" in missing
    with pytest.raises(UsageError, match="it exists"):
        seqgen.refit(run.path)


def test_a_bench_refuses_it(words, cli):
    result = cli("bench", "--corpus", words, "--cells", "vanilla", "--steps", 2, "-o", "refit=true")
    assert result.code == 2 and "held-out records are what cells are compared by" in result.err


# -- the split


@pytest.mark.parametrize("joined", [False, True])
def test_a_joined_split_puts_validation_into_training(joined):
    apart, splitter = Splitter((0.6, 0.2, 0.2), 3), Splitter((0.6, 0.2, 0.2), 3, joined)
    records = [Record(f"text {n}") for n in range(200)]
    records += [Record("own", split="valid"), Record("own", split="test"), Record("own", split="train")]
    expected = ["train" if joined and part == "valid" else part for part in map(apart.part, records)]
    assert [splitter.part(record) for record in records] == expected
    assert [("train", "valid", "test")[index] for index in splitter.parts(records)] == expected
    assert ("valid" in expected) is not joined
    assert splitter.ends(100) == (
        {"train": 80, "valid": 80, "test": 100} if joined else {"train": 60, "valid": 80, "test": 100}
    )
