"""The best step of a run on few records: the last one with few copies, not the lowest of a noisy loss."""

import json
import math

import pytest

import seqgen
from seqgen.training import MAX_COPIES
from seqgen.training.state import TrainState

NAMES = (
    "anna bella clara doris elena fiona greta hanna ida julia klara lena maria nora olga paula rosa sara tina ute vera "
    "wanda xenia yara zita adam bruno carl david emil felix georg hugo ivan jonas karl lukas max noah otto paul robin "
    "simon theo uwe viktor willi xaver yannis zeno"
).split()


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n")
    lines = []
    run = seqgen.train(folder / "names.txt", out=folder / "run", steps=400, warn=lines.append)
    return run, folder


def test_the_best_step_is_the_last_with_few_copies(few):
    run, folder = few
    assert run.settings.train.best_by == "copies"
    rows = {row["step"]: row["expected_copies"] for row in run.metrics}
    assert list(rows)[:3] == [5, 10, 15]
    state = seqgen.load(folder / "run", checkpoint="latest").state
    allowed = [step for step, share in rows.items() if share <= MAX_COPIES]
    assert state["best_step"] == max(allowed) and state["ended"] == "patience"
    assert 0.02 < rows[state["best_step"]] <= MAX_COPIES < rows[max(rows)]
    by_loss = min(run.metrics, key=lambda row: row["valid_loss_nats"])["step"]
    assert by_loss < state["best_step"]


def test_expected_copies_match_the_samples(few):
    _, folder = few
    for step in ("best", "latest"):
        run = seqgen.load(folder / "run", checkpoint=step)
        rows = {row["step"]: row["expected_copies"] for row in run.metrics}
        known = {record.text for record in run.records("train")}
        share = sum(row.text in known for row in run.sample(1000)) / 1000
        assert abs(share - rows[run.state["step"]]) < 0.06


@pytest.mark.full
def test_copies_of_a_conditioned_run_are_of_all_its_texts(in_tmp):
    """Samples copy records of other labels too, above all where labels say little about texts."""
    texts = [first + second for first in ("anna", "bello", "cora", "dirk") for second in ("lf", "mine", "ne", "bert")]
    rows = "".join(f"{text},{'abcd'[number * 3 % 4]}\n" for number, text in enumerate(texts))
    (in_tmp / "names.csv").write_text("text,label\n" + rows)
    seqgen.train("names.csv", condition="label", steps=80, out="run")
    run = seqgen.load("run", checkpoint="latest")
    known = {record.text for record in run.records("train")}
    expected = {row["step"]: row["expected_copies"] for row in run.metrics}[run.state["step"]]
    share = sum(row.text in known for row in run.sample(2000)) / 2000
    assert expected > 0.2 and abs(share - expected) < 0.04


@pytest.mark.full
def test_the_criterion_is_reported_and_can_be_set(cli, in_tmp):
    (in_tmp / "names.txt").write_text("\n".join(NAMES) + "\n")
    train = ("train", "--corpus", "names.txt", "--hidden", 8, "--steps", 20, "--out")
    told = cli(*train, "a")
    assert "few records: the best step is the last at which at most 20% of samples are copies" in told.err
    best = seqgen.load("a").metrics[-1]
    assert f"best      step 20, at which {best['expected_copies']:.0%} of samples are copies" in told.err
    assert best["expected_copies"] <= MAX_COPIES and "at no step" not in told.err
    chosen = cli(*train, "b", "-o", "best_by=loss")
    assert "the best step is" not in chosen.err
    assert "expected_copies" not in json.dumps(seqgen.load("b").metrics)
    refused = cli(*train, "d", "--layout", "stream", "-o", "best_by=copies")
    assert refused.code == 2 and "best_by=copies needs records" in refused.err


def test_it_is_said_where_each_step_copies_too_much(cli, in_tmp, monkeypatch):
    (in_tmp / "names.txt").write_text("\n".join(NAMES) + "\n")
    monkeypatch.setattr("seqgen.training.state.MAX_COPIES", -1.0)
    monkeypatch.setattr("seqgen.training.MAX_COPIES", -1.0)
    result = cli("train", "--corpus", "names.txt", "--hidden", 8, "--steps", 20, "--out", "a")
    first = seqgen.load("a").metrics[0]
    line = f"step {first['step']}, at which {first['expected_copies']:.0%} of samples are copies (at no step"
    assert line in " ".join(result.err.split())


@pytest.mark.full
def test_many_records_and_warm_starts_use_the_loss(in_tmp):
    (in_tmp / "few.txt").write_text("\n".join(NAMES) + "\n")
    (in_tmp / "many.txt").write_text("\n".join(f"{a}{b}" for a in NAMES[:15] for b in NAMES[15:29]) + "\n")
    small = {"hidden": 4, "steps": 1}
    assert seqgen.train("many.txt", out="many", **small).settings.train.best_by == "loss"
    assert seqgen.train("few.txt", out="few", **small).settings.train.best_by == "copies"
    (in_tmp / "same.txt").write_text("anna\n" * 60 + "bella\n" * 60)
    for number, (corpus, asked) in enumerate(
        (
            ("same.txt", {}),
            ("few.txt", {"split": "none"}),
            ("few.txt", {"model": "ngram", "hidden": None}),
            ("few.txt", {"blend": "auto"}),
            ("few.txt", {"blend": "ngram"}),
        )
    ):
        assert seqgen.train(corpus, out=f"{number}", **{**small, **asked}).settings.train.best_by == "loss"
    alone = seqgen.train("few.txt", blend="none", out="alone", **small)
    assert alone.settings.train.best_by == "copies"
    assert seqgen.train("few.txt", valid="many.txt", out="held-out", **small).settings.train.best_by == "loss"
    assert seqgen.train("few.txt", start="few", out="further", steps=1).settings.train.best_by == "loss"


@pytest.mark.parametrize(
    ("shares", "best"), [([0.0, 0.1, 0.2, 0.3], 3), ([0.5, 0.4, 0.3], 1), ([0.1, 0.5, 0.1], 3), ([0.0], 1)]
)
def test_steps_by_copies(shares, best):
    state = TrainState()
    for step, share in enumerate(shares, 1):
        state.step = step
        state.record_evaluation(9.0 - step, share)
    assert state.best_step == best and state.best_loss_nats == 9.0 - best
    with pytest.raises(seqgen.Diverged):
        state.record_evaluation(math.nan, 0.1)
