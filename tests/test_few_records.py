"""The best step of a run on few records: the last one with few copies, not the lowest of a noisy loss."""

import json
import math

import pytest

import seqgen
from seqgen.checkpoint import RunFolder
from seqgen.config import parse_split
from seqgen.render.progress import event_lines
from seqgen.training import MAX_COPIES, Ended
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
    (ended,) = event_lines(RunFolder(run.path), Ended("patience", max(rows)))
    assert ended.endswith(f"{max(rows)}: copies stayed above 20% of the samples in the last evaluations")


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
            ("few.txt", {"blend": "auto", "split": "60/30/10"}),
            ("few.txt", {"blend": "ngram"}),
        )
    ):
        assert seqgen.train(corpus, out=f"{number}", **{**small, **asked}).settings.train.best_by == "loss"
    alone = seqgen.train("few.txt", blend="none", out="alone", **small)
    assert alone.settings.train.best_by == "copies"
    assert seqgen.train("few.txt", valid="many.txt", out="held-out", **small).settings.train.best_by == "loss"
    assert seqgen.train("few.txt", start="few", out="further", steps=1).settings.train.best_by == "loss"


def test_a_test_file_changes_nothing_of_the_training(in_tmp):
    """It holds nothing out for validation: of the list a twentieth is, and its size alone chooses the defaults."""
    many = [f"{a}{b}" for a in NAMES[:15] for b in NAMES[15:39]]
    (in_tmp / "few.txt").write_text("\n".join(NAMES) + "\n")
    (in_tmp / "many.txt").write_text("\n".join(many) + "\n")
    (in_tmp / "more.txt").write_text("\n".join(f"{name}o" for name in many) + "\n")
    runs = {name: seqgen.train(f"{name}.txt", test="more.txt", steps=1, out=name) for name in ("few", "many")}
    few, many_ = (run.settings for run in runs.values())
    assert few.train.best_by == "copies" and few.model.options["hidden"] == 128 and few.train.blend == "none"
    assert many_.train.best_by == "loss" and many_.model.options["hidden"] == 256 and many_.train.blend == "auto"
    assert few.train.split == many_.train.split == (0.95, 0.05, 0.0)
    (in_tmp / "same.txt").write_text("otto\n" * 200)
    same = seqgen.train("few.txt", test="same.txt", steps=1, out="same").settings
    assert (same.train.best_by, same.train.blend) == ("copies", "none")
    parts = many_.corpus.parts
    assert parts["valid"] > 5 and parts["train"] + parts["valid"] == parts["test"] == len(many)
    assert [record.text for record in runs["many"].records("test")] == [f"{name}o" for name in many]
    held = {record.text for record in runs["many"].records("valid")}
    again = seqgen.load("many")
    assert len(held) == parts["valid"] and held == {record.text for record in again.records("valid")}
    assert seqgen.refit("many").settings.corpus.parts == {"train": len(many), "valid": 0, "test": len(many)}


def test_a_split_beside_a_test_file_leaves_it_no_share(in_tmp):
    (in_tmp / "few.txt").write_text("\n".join(NAMES) + "\n")
    (in_tmp / "test.txt").write_text("otto\nerna\n")
    given = {"test": "test.txt", "steps": 1, "hidden": 4}
    run = seqgen.train("few.txt", split="70/30/0", out="split", **given)
    parts = run.settings.corpus.parts
    assert parts["valid"] > 8 and parts["test"] == 2 and parts["train"] + parts["valid"] == len(NAMES)
    whole = seqgen.train("few.txt", split="none", out="none", **given)
    assert whole.settings.corpus.parts == {"train": len(NAMES), "valid": 0, "test": 2}
    for split in ("80/10/10", (0.8, 0.1, 0.1)):
        with pytest.raises(seqgen.BadOption, match="leave no share for the test, as in 95/5/0"):
            seqgen.train("few.txt", split=split, out="refused", **given)
    with pytest.raises(seqgen.BadOption, match="not both"):
        seqgen.train("few.txt", split="95/5/0", layout="stream", out="refused", **given)
    further = seqgen.train("few.txt", start=run, steps=1, out="further").settings
    assert further.start.learned == () and further.train.split == run.settings.train.split
    of_whole = seqgen.train("few.txt", start=whole, test="test.txt", split="70/30/0", steps=1, out="leaking").settings
    assert of_whole.start.learned == ("valid",), "the first run was trained on all of the list"
    apart = seqgen.train("few.txt", start=run, test="test.txt", split="90/10/0", steps=1, out="less").settings
    assert apart.start.learned == ()


def test_a_run_of_before_beside_a_test_file_is_trained_on_the_whole_list(in_tmp, monkeypatch):
    (in_tmp / "few.txt").write_text("\n".join(NAMES) + "\n")
    (in_tmp / "test.txt").write_text("otto\nerna\n")
    small = {"steps": 1, "hidden": 4}
    first = seqgen.train("few.txt", split="80/20/0", out="first", **small)
    with monkeypatch.context() as patched:  # what such runs say, though nothing was split
        patched.setattr("seqgen.config.TrainConfig.holds_out", lambda self, layout: False)
        seqgen.train("few.txt", test="test.txt", out="run", **small)
        seqgen.train("few.txt", test="test.txt", start=first, steps=1, out="after")
    for name, split in (("run", (0.9, 0.05, 0.05)), ("after", (0.8, 0.2, 0.0))):
        run = seqgen.load(name)
        assert run.settings.train.split == split and not run.settings.corpus.divided
        assert len(list(run.records("train"))) == len(NAMES) and run.read_corpus() is not None
        further = seqgen.train("few.txt", start=name, steps=1, out=f"further-{name}").settings
        assert further.corpus.parts == {"train": len(NAMES), "valid": 0, "test": 2} and further.start.learned == ()
        apart = seqgen.train("few.txt", start=name, test="test.txt", split="70/30/0", steps=1, out=f"apart-{name}")
        assert apart.settings.start.learned == ("valid",)


def test_lists_beside_a_test_file_share_no_cache(in_tmp, monkeypatch):
    """They have the same files but other parts."""
    monkeypatch.setattr("seqgen.api.encoded_corpus._IN_MEMORY", 100)
    (in_tmp / "few.txt").write_text("\n".join(NAMES) + "\n")
    (in_tmp / "test.txt").write_text("otto\nerna\n")
    given = {"test": "test.txt", "steps": 1, "hidden": 4}
    runs = [seqgen.train("few.txt", split=split, out=split[:2], **given) for split in ("none", "70/30/0")]
    for run in (*runs, *(seqgen.load(run.path) for run in runs)):
        assert len(run.read_corpus().encoded["valid"]) == run.settings.corpus.parts["valid"]
    assert (
        seqgen.train("few.txt", split="none", out="again", **given).settings.corpus.digest
        == runs[0].settings.corpus.digest
    )


def test_parts_that_a_corpus_publishes_stay_beside_a_test_file(in_tmp):
    """Its test records are trained on, as those of a list are, since the file has those of the test."""
    rows = [{"text": name, "split": part} for name, part in zip(NAMES, ["train", "valid", "test"] * 20, strict=False)]

    def load():
        return [seqgen.Record(row["text"], split=row["split"]) for row in rows]

    class Plugin:
        @staticmethod
        @seqgen.hookimpl
        def register_corpora(register):
            register(seqgen.CorpusSpec(name="own", summary="names", source="here", licence="CC0-1.0", load=load))

    (in_tmp / "test.txt").write_text("otto\nerna\n")
    settings = seqgen.train("own", test="test.txt", plugins=[Plugin], steps=1, hidden=4, out="run").settings
    n_valid = sum(row["split"] == "valid" for row in rows)
    assert settings.corpus.parts == {"train": len(rows) - n_valid, "valid": n_valid, "test": 2}


def test_a_split_of_toml_holds_beside_a_test_file(in_tmp):
    (in_tmp / "few.txt").write_text("\n".join(NAMES) + "\n")
    (in_tmp / "test.txt").write_text("otto\nerna\n")
    said = []
    for split, used in (("70/30/0", True), ("none", True), ("80/10/10", False)):
        (in_tmp / "c.toml").write_text(f'[train]\nsplit = "{split}"\n')
        run = seqgen.train(
            "few.txt", test="test.txt", config="c.toml", steps=1, hidden=4, out=split[:2], warn=said.append
        )
        assert (run.settings.train.split == parse_split(split)) == used
    told = [line for line in said if "stand in the training part" not in line]
    assert told == ["the split '80/10/10' of 'c.toml' is not used, since held-out files are given"]


def test_a_run_goes_on_beside_its_test_file_with_another_split(in_tmp):
    (in_tmp / "few.txt").write_text("\n".join(NAMES) + "\n")
    (in_tmp / "test.txt").write_text("otto\nerna\n")
    first = seqgen.train("few.txt", test="test.txt", steps=1, hidden=4, out="first")
    said = []
    more = seqgen.train("few.txt", start=first, split="70/30/0", steps=1, out="more", warn=said.append).settings
    assert more.corpus.test and more.corpus.parts["test"] == 2 and more.corpus.parts["valid"] > 8
    alone = seqgen.train("few.txt", start=first, split="95/0/5", steps=1, out="alone", warn=said.append).settings
    assert not alone.corpus.test and alone.start.learned == () and not [line for line in said if "changed" in line]


def test_few_held_out_records_do_not_decide_on_a_blend(in_tmp):
    """With fewer than five auto blends nothing, and their loss would choose a step that copies."""
    (in_tmp / "few.txt").write_text("\n".join(NAMES) + "\n")
    run = seqgen.train("few.txt", blend="auto", steps=1, hidden=4, out="auto")
    assert 0 < run.settings.corpus.parts["valid"] < 5
    assert run.settings.train.blend == "none" and run.settings.train.best_by == "copies"
    assert seqgen.train("few.txt", blend="ngram", steps=1, hidden=4, out="ngram").settings.train.best_by == "loss"


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


def test_a_missing_held_out_file_is_named_with_its_flag(words, in_tmp, cli):
    for flag in ("--valid-file", "--test-file"):
        refused = cli("train", "--corpus", words, flag, "nope.txt", "--steps", 1)
        assert refused.code == 2 and refused.err.startswith(f"seqgen: {flag}: no such file: 'nope.txt'"), refused.err
