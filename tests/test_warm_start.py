"""Trainings that begin with the weights of another run."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from conftest import ROOT
from resuming import digests
from seqgen.api.encoded_corpus import _learned_facts
from seqgen.api.warm_start import _moved, find_warm_start
from seqgen.checkpoint import RunSettings, check_same, leakage_notes
from seqgen.corpus import Splitter
from seqgen.errors import BadOption, CheckpointError
from seqgen.plugins import default_plugins
from seqgen.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    Vocabulary,
    extend_conditions,
    extend_tokenizer,
    map_ids,
    new_tokens,
)
from seqgen_bench.compare import compare

SMALL = {"hidden": 12, "embedding": 6, "batch_size": 8, "split": "80/10/10", "steps": 60}


@pytest.fixture
def first(words, in_tmp):
    return seqgen.train(words, cell="vanilla", out="first", seed=5, lr=0.02, **SMALL)


CELL = """
import torch, seqgen
class Mine(seqgen.StepCell):
    def __init__(self, input_size, hidden_size, *, gain: float = 1.0):
        super().__init__(input_size, hidden_size)
        self.gain, self.input = gain, torch.nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
    def initial_state(self, batch_size): return self.zeros(batch_size)
    def project(self, x_BTI): return self.input(x_BTI)
    def step(self, p_BP, h_BH):
        h_BH = torch.tanh(p_BP + self.recurrent(h_BH))
        return self.gain * h_BH, h_BH
@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="mine", summary="s", source="none", load=Mine))
"""
GAIN = CELL.replace("mine", "gain")


def accents(folder):
    """A corpus with three symbols that the words have not, one of which sorts before all of them."""
    path = folder / "accents.txt"
    path.write_text("\n".join(["ané", "bené", "carü", "élan", "éna", "üne", "na-né", "renü", "sené", "lané"] * 3))
    return path


# -- going on


@pytest.mark.full
def test_a_handful_of_other_records_does_not_choose_the_step_by_their_loss(first, in_tmp):
    (in_tmp / "others.txt").write_text("".join(f"{a}{b}an\n" for a in "abel" for b in "aeln"), encoding="utf-8")
    for split, fewest, most, by in (("80/20/0", 1, 4, "copies"), ("20/80/0", 5, 16, "loss"), ("none", 0, 0, "loss")):
        run = seqgen.train("others.txt", start=first.path, steps=4, split=split, out=f"run-{split[:2]}")
        assert fewest <= run.settings.corpus.parts["valid"] <= most and run.settings.train.best_by == by, split
    blended = seqgen.train(first.corpus.source.path, start=first.path, blend="auto", steps=2, out="blended")
    assert blended.settings.train.blend == "auto" or blended.settings.corpus.parts["valid"] < 5
    of_blended = seqgen.train("others.txt", start=blended.path, steps=4, split="80/20/0", out="of-blended")
    assert of_blended.settings.train.best_by == "copies"
    same = seqgen.train(start="of-blended", steps=2, out="same")
    assert same.settings.corpus.parts["valid"] < 5 and same.settings.train.best_by == "loss"


def test_a_run_of_a_handful_of_other_records_is_not_as_it_was_before(first, in_tmp, monkeypatch):
    (in_tmp / "others.txt").write_text("".join(f"{a}{b}an\n" for a in "abel" for b in "aeln"), encoding="utf-8")
    monkeypatch.setattr("seqgen.training.state.MAX_COPIES", -1.0)
    run = seqgen.train("others.txt", start=first.path, steps=8, split="80/20/0", out="run", options={"eval_every": 4})
    assert [row["step"] for row in run.metrics] == [0, 4, 8] and run.state["best_step"] == 4


def test_a_run_goes_on_from_the_best_weights_and_as_it_was(first):
    again = seqgen.train(start=first.path, out="again", steps=20)
    rows = again.metrics
    assert rows[0]["step"] == 0 and "train_loss_nats" not in rows[0]
    assert rows[0]["valid_loss_nats"] == pytest.approx(first.state["best_loss_nats"], rel=1e-6)
    was, now = (run.settings.model_dump(exclude={"start", "created"}) for run in (first, again))
    assert now["train"].pop("steps") == 20 and was["train"].pop("steps") == 60
    assert was["train"].pop("best_by") == "copies" and now["train"].pop("best_by") == "loss"  # it goes by its own
    assert was == now
    assert again.settings.start.step == first.state["best_step"] and first.settings.start is None
    assert [sample.text for sample in again.sample(20)] != [sample.text for sample in first.sample(20)]


def test_weights_that_only_get_worse_stay_the_best(first):
    worse = seqgen.train(start=first.path, out="worse", steps=20, lr=1.0)
    assert worse.state["best_step"] == 0 and worse.folder.latest_state()["step"] == 20
    assert [sample.text for sample in worse.sample(20)] == [sample.text for sample in first.sample(20)]


def test_a_file_that_has_grown_is_warned_about(first, words):
    warned = []
    seqgen.train(start=first.path, out="same", steps=1, warn=warned.append)
    assert warned == []
    n_records, held_out = first.settings.corpus.n_records, {record.text for record in first.records("test")}
    with words.open("a") as file:
        file.write("grape\nmelon\n")
    grown = seqgen.train(start=first.path, out="grown", steps=1, warn=warned.append)
    changed = f"corpus 'words': changed since first was trained on it: {n_records} records then, {n_records + 2} now"
    assert changed in warned
    assert held_out and held_out <= {record.text for record in grown.records("test")}, "as the guide says"


def test_of_another_corpus_the_known_symbols_are_known(first, in_tmp):
    warned = []
    other = seqgen.train(accents(in_tmp), start=first.path, out="other", steps=1, lr=1e-8, warn=warned.append)
    assert len(warned) == 1 and warned[0].endswith("3 symbols are new to first and start with fresh weights: - é ü")
    text = "banana"
    places = torch.tensor(map_ids(other.vocabulary, first.vocabulary))
    logits = []
    for run in (first, other):
        ids_BT = torch.tensor([[1, *run.vocabulary.encode(text)]])
        with torch.no_grad():
            logits.append(run.model.forward(ids_BT, run.model.initial_state(1))[0])
    torch.testing.assert_close(logits[1][..., places], logits[0], atol=1e-5, rtol=1e-5)
    assert other.settings.tokenizer == first.settings.tokenizer and other.settings.n_symbols == places.numel() + 3
    assert other.score(["éne"])[0].nats > 0


@pytest.mark.full
@pytest.mark.parametrize("options", [{"tie": True}, {"tie": True, "attention": 2}, {"layers": 2, "skip": "residual"}])
def test_every_tensor_of_a_symbol_moves_with_it(words, in_tmp, options):
    settings = {**SMALL, **{name: options[name] for name in ("layers",) if name in options}, "steps": 20}
    rest = {name: value for name, value in options.items() if name != "layers"}
    run = seqgen.train(words, cell="gru", out="run", options=rest, **settings)
    other = seqgen.train(accents(in_tmp), start=run.path, out="other", steps=1, lr=1e-8)
    places = torch.tensor(map_ids(other.vocabulary, run.vocabulary))
    known, wider = run.model.state_dict(), other.model.state_dict()
    assert known.keys() == wider.keys()
    grown_by_two = 0
    for name, tensor in known.items():
        found = wider[name]
        if found.shape != tensor.shape:
            grown_by_two += 1
            found = found.index_select(0, places)
        torch.testing.assert_close(found, tensor, atol=1e-5, rtol=0)
    assert grown_by_two >= 2


@pytest.mark.full
def test_where_a_run_began_is_told(first, cli, in_tmp):
    seqgen.train(start="first", out="runs/second", steps=2)
    rows = json.loads(cli("runs", "--json").out)
    assert [(row["run"], row["from"]) for row in rows] == [("second", "first"), ("first", None)]
    assert "from" in cli("runs").out


@pytest.mark.full
def test_a_handful_of_held_out_records_is_told(words, in_tmp, cli):
    sizes = "--hidden", 8, "--steps", 3, "--dropout", 0, "--batch-size", 128
    few = cli("train", "--corpus", words, *sizes, "--out", "few", "-o", "best_by=loss")
    assert "(too few to select the best step reliably; add more with --valid-file FILE or --split A/B/C)" in few.err
    worse = cli("train", "--from", "few", "--steps", 20, "--lr", 1, "--blend", "none", "--out", "worse")
    assert "no later step was better; the last one: --checkpoint latest" in worse.err, worse.err
    assert "too few to select" not in cli("train", "--corpus", "names", "--hidden", 8, "--steps", 1).err


@pytest.mark.full
def test_rows_are_not_new_beside_another_corpus(first, cli, in_tmp):
    assert cli("sample", "first", "-n", 2, "--novel").code == 0
    (in_tmp / "words.txt").write_text("anna\nbert\n")
    for wish in (("--novel",), ("--min-edit", 1)):
        result = cli("sample", "first", "-n", 2, *wish)
        assert result.code == 3 and "has changed since the run began" in result.err and result.out == "", result.err
    assert cli("sample", "first", "-n", 2).code == 0
    (in_tmp / "words.txt").unlink()
    gone = cli("sample", "first", "-n", 2, "--novel")
    assert gone.code == 2, gone.err
    assert gone.err.endswith("words.txt', on which the run first was trained; put it back there, or a link to it\n")


# -- stopping and resuming


def test_it_resumes_from_nothing_but_its_beginning(first, in_tmp):
    whole = seqgen.train(accents(in_tmp), start=first.path, out="whole", steps=12)
    shutil.copytree("whole", "cut")
    shutil.rmtree("cut/checkpoints")
    seqgen.resume("cut")
    assert digests(in_tmp / "cut") == digests(whole.path)


@pytest.mark.parametrize("harm", ["gone", "other"])
def test_weights_that_are_not_there_any_more(first, in_tmp, cli, harm):
    seqgen.train(start=first.path, out="second", steps=5)
    best = first.state["best_step"]
    shutil.rmtree("second/checkpoints")
    shutil.rmtree(first.path)
    if harm == "other":
        seqgen.train(in_tmp / "words.txt", cell="vanilla", out="first", seed=6, lr=0.02, **SMALL, options={
            "eval_every": best, "patience": 0})  # fmt: skip
    result = cli("resume", "second")
    assert result.code == 4 and result.err.count("\n") == 1, result.err
    assert "train it anew" in result.err and ("gone" in result.err) == (harm == "gone")


@pytest.mark.parametrize("harm", ["symbols", "run"])
def test_files_that_somebody_has_written(first, in_tmp, cli, harm):
    second = seqgen.train(start=first.path, out="second", steps=5)
    shutil.rmtree("second/checkpoints")
    for name, change in (("tokenizer.json", _other_symbols), ("run.json", _other_start)):
        path = second.path / name
        data = json.loads(path.read_text())
        if (name == "run.json") == (harm == "run"):
            change(data)
        path.write_text(json.dumps(data))
    result = cli("resume", "second")
    assert result.code == 4 and result.err.count("\n") == 1 and len(result.err) < 1000, result.err


def _other_symbols(data):
    data["data"]["symbols"] = [chr(0x400 + index) for index in range(len(data["data"]["symbols"]))]


def _other_start(data):
    data["start"]["run"] = "a" * 5000


def test_a_name_that_is_too_long(cli, in_tmp):
    for command in (("train", "--from"), ("sample",)):
        result = cli(*command, "a" * 5000)
        assert result.code == 2 and result.err.count("\n") == 1 and len(result.err) < 1000


# -- what must be as it was


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cell", "gru"], "its cell is seqgen_classic:vanilla, so it cannot be 'gru'"),
        (["--tokenizer", "byte"], "its tokenizer is seqgen:char"),
        (["--model", "ngram"], "its model is seqgen:recurrent"),
        (["--params", "5k"], "--params"),
        (["--hidden", "16"], "do not fit the model that is asked for: they have model.hidden 12, not 16"),
        (["--hidden", "65000"], "do not fit the model that is asked for"),  # 17 GB
        (["-o", "activation=relu", "--layers", "2"], "do not fit"),
        (["--layout", "stream"], "it learned lines, so it cannot learn stream"),
        (["--corpus", "names", "--condition", "label"], "it has no conditions"),
    ],
)  # fmt: skip
def test_what_the_weights_cannot_be(first, cli, arguments, says):
    result = cli("train", "--from", str(first.path), "--steps", "1", "--out", "no", *arguments)
    assert result.code == 2 and result.err.count("\n") == 1 and says in result.err, result.err
    assert not (first.path.parent / "no").exists()


def test_what_may_be_another(first, cli):
    result = cli(
        "train", "--from", "first", "--steps", 1, "--out", "another", "--dropout", 0.2, "--lr", 0.001,
        "--batch-size", 4, "-o", "activation=relu",
    )  # fmt: skip
    assert result.code == 0 and f"from first at step {first.state['best_step']:,}" in result.err, result.err
    settings = json.loads((first.path.parent / "another" / "run.json").read_text())
    assert settings["model"]["options"]["dropout"] == 0.2 and settings["cell"]["options"]["activation"] == "relu"
    assert settings["train"]["lr"] == 0.001 and settings["train"]["batch_size"] == 4


def test_a_file_of_settings_stands_above_the_run(first, in_tmp):
    (in_tmp / "run.toml").write_text("[train]\nlr = 0.005\nsteps = 2\n[model]\ndropout = 0.1\n")
    run = seqgen.train(start="first", config="run.toml", out="second")
    assert (run.settings.train.lr, run.settings.train.steps, run.settings.train.seed) == (0.005, 2, 5)
    assert run.settings.model.options["dropout"] == 0.1
    (in_tmp / "other.toml").write_text('[cell]\nname = "gru"\n')
    with pytest.raises(BadOption, match="its cell is"):
        seqgen.train(start="first", config="other.toml", out="third")


def test_counts_are_no_weights(words, in_tmp):
    counted = seqgen.train(words, model="ngram", out="counted")
    with pytest.raises(BadOption, match="its model counts"):
        seqgen.train(start=counted.path, out="more")


def test_no_such_run_and_no_checkpoint(first, cli):
    assert cli("train", "--from", "nowhere").code == 2
    shutil.rmtree(first.path / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        seqgen.train(start=first.path)


@pytest.fixture
def with_files(words, in_tmp):
    """A run with a validation file of its own."""
    (in_tmp / "valid.txt").write_text("\n".join(["anna", "berta", "carla"]) + "\n")
    small = {name: value for name, value in SMALL.items() if name != "split"}
    return seqgen.train(words, cell="vanilla", valid="valid.txt", out="first", **small)


@pytest.mark.full
@pytest.mark.parametrize(
    ("arguments", "n_valid", "told"),
    [
        ([], 3, False),
        (["--corpus", "sub/../words.txt"], 3, False),
        (["--split", "80/10/10"], None, True),
        (["-o", "split=80/10/10"], None, True),
        (["--split", "none"], 0, False),
        (["-o", "corpus.path=other.txt"], 0, False),
        (["--corpus", "other.txt"], 0, False),
        (["--valid-file", "other.txt"], 4, False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_held_out_files_go_with_their_corpus(with_files, in_tmp, cli, arguments, n_valid, told):
    (in_tmp / "sub").mkdir()
    (in_tmp / "other.txt").write_text("anna\nberta\nsara\nlisa\n")
    result = cli("train", "--from", "first", "--steps", 1, "--out", "second", *arguments)
    assert result.code == 0, result.err
    settings = json.loads((in_tmp / "second" / "run.json").read_text())
    found = settings["corpus"]["parts"]["valid"]
    assert found == n_valid if n_valid is not None else found not in (0, 3)
    assert ("the weights of first have learned from validation" in result.err) == told


@pytest.mark.parametrize(("gone", "way"), [("valid.txt", "--valid-file or --split"), ("words.txt", "--corpus")])
def test_files_of_the_first_run_that_are_gone(with_files, in_tmp, cli, gone, way):
    (in_tmp / gone).unlink()
    result = cli("train", "--from", "first", "--steps", 1, "--out", "second")
    assert result.code == 2 and result.err.count("\n") == 1
    assert result.err.startswith("seqgen: --from first: its ") and result.err.endswith(
        f"is gone: give another by {way}\n"
    )


LEARNED = "the weights of {} have learned from {} of this run: losses on them say little"
CHOSEN = ", and so does a best step that they choose"


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({}, ()),
        ({"split": "70/20/10"}, ("valid",)),
        ({"split": "70/10/20"}, ("valid",)),
        ({"split": "60/10/30"}, ("valid", "test")),
        ({"split": "90/5/5"}, ()),
        ({"split_seed": 1}, ("valid", "test")),
        ({"split": "none"}, ()),
    ],
    ids=str,
)
def test_other_held_out_records_are_reported(first, settings, parts):
    warned = []
    second = seqgen.train(start=first.path, out="second", steps=1, warn=warned.append, **settings)
    titles = [title for part, title in (("valid", "validation"), ("test", "test")) if part in parts]
    line = LEARNED.format("first", f"{' and '.join(titles)} records") + CHOSEN
    assert warned == ([line] if parts else [])
    assert second.settings.start.learned == parts
    held_out = {record.text for part in parts for record in second.records(part)}
    assert bool(held_out & {record.text for record in first.records("train")}) == bool(parts)


def test_a_refit_has_learned_from_the_validation_records(first):
    refit, warned = seqgen.refit(first), []
    second = seqgen.train(start=refit, out="second", steps=1, warn=warned.append)
    line = LEARNED.format("first-refit", "validation records") + CHOSEN
    assert warned == [f"{line}; those of first, of which it is the refit, have not"]
    again, third = [], seqgen.train(start=second, out="third", steps=1)  # from weights that know of them
    assert third.settings.start.learned == ("valid",)
    seqgen.train(start=refit, out="fourth", steps=1, split_seed=1, warn=again.append)
    assert again == [LEARNED.format("first-refit", "validation and test records") + CHOSEN]


def test_files_that_an_earlier_run_has_learned_from_are_known(words, in_tmp):
    for name in ("one", "two"):
        (in_tmp / f"{name}.txt").write_text("".join(f"{name}{letter}\n" for letter in "anels"))
    small = {name: value for name, value in SMALL.items() if name != "split"}
    run = seqgen.train(words, valid="one.txt", out="first", cell="vanilla", **small)
    refit, warned = seqgen.refit(run), []
    second = seqgen.train(start=refit, valid="two.txt", out="second", steps=1)
    assert second.settings.start.learned == ()
    third = seqgen.train(start=second, valid="one.txt", out="third", steps=1, warn=warned.append)
    assert third.settings.start.learned == ("valid",)
    assert warned == [LEARNED.format("second", "validation records") + CHOSEN]
    shutil.rmtree(refit.path)
    shutil.copytree(second.path, refit.path)  # goes back to the folder that it is in
    assert seqgen.train(start=second, valid="one.txt", out="circle", steps=1).settings.start.learned is None
    shutil.rmtree(refit.path)
    assert seqgen.train(start=second, valid="two.txt", out="again", steps=1).settings.start.learned == ()
    assert seqgen.train(start=second, valid="one.txt", out="fourth", steps=1).settings.start.learned is None


def test_a_held_out_file_that_an_earlier_run_has_learned_from_is_known_of_another_corpus(words, in_tmp):
    for name in ("one", "two"):
        (in_tmp / f"{name}.txt").write_text("".join(f"{name}{letter}\n" for letter in "anels"))
    small = {name: value for name, value in SMALL.items() if name != "split"}
    first = seqgen.train([words, "two.txt"], out="first", cell="vanilla", **small)
    line = LEARNED.format("first", "{} records")
    for number, (held_out, part, title, end) in enumerate(
        (
            ({"valid": words}, "valid", "validation", CHOSEN),
            ({"test": "two.txt"}, "test", "test", ""),
            ({"valid": "two.txt", "test": "two.txt"}, "valid", "validation and test", CHOSEN),
        )
    ):
        warned = []
        run = seqgen.train("one.txt", start=first, **held_out, out=f"r{number}", steps=1, warn=warned.append)
        assert line.format(title) + end in warned and part in run.settings.start.learned
        assert line.format(title) + end in run.evaluate(5)["notes"]
    again = seqgen.train("one.txt", start=seqgen.load("r1"), valid=words, out="again", steps=1)
    assert again.settings.start.learned == ("valid",)
    (in_tmp / "three.txt").write_text("lea\nena\n")
    assert seqgen.train("one.txt", start=first, valid="three.txt", out="new", steps=1).settings.start.learned is None


def test_an_evaluation_reports_it_again(first):
    same = seqgen.train(start=first, out="same", steps=1)
    other = seqgen.train(start=first, out="other", steps=1, split="70/20/10")
    shutil.rmtree(first.path)
    note = LEARNED.format("first", "validation records") + CHOSEN
    assert note in other.evaluate(5)["notes"] and note not in same.evaluate(5)["notes"]
    notes = compare([same, other], n=0).notes
    assert f"other: {note}" in notes and not any(line.startswith("same: ") for line in notes)


def test_it_is_unknown_of_another_corpus(first, in_tmp):
    (in_tmp / "other.txt").write_text("anna\nberta\nsara\nlisa\n" * 5)
    second = seqgen.train("other.txt", start=first, out="second", steps=1)
    assert second.settings.start.learned is None
    assert seqgen.train(start=second, out="third", steps=1).settings.start.learned is None


def test_it_is_unknown_of_a_run_that_did_not_record_it(first):
    planned = seqgen.plan(start=first, steps=1, split="70/20/10").settings
    content = planned.model_dump(mode="json")
    assert content["start"].pop("learned") == ["valid"]
    old = RunSettings.read(content, "run.json")
    assert old.start.learned is None and leakage_notes(old.start) == []
    check_same(planned, old, Path("old"))  # as a bench of that time continues


# -- conditions


def test_conditions_stay_and_may_have_new_values(in_tmp):
    labelled = ["anna\tf", "bert\tm", "cara\tf", "dirk\tm", "elsa\tf", "fred\tm"] * 5
    (in_tmp / "people.tsv").write_text("\n".join(["text\tlabel", *labelled]))
    first = seqgen.train("people.tsv", label_field="label", condition="label", out="first", **SMALL)
    (in_tmp / "more.tsv").write_text("\n".join(["text\tlabel", *["anna\tf", "bello\tdog"] * 9]))
    second = seqgen.train("more.tsv", label_field="label", start="first", out="second", steps=2, lr=1e-8)
    assert second.vocabulary.conditions == ("label=f", "label=m", "label=dog")
    assert second.settings.conditions == ("label",) and second.sample(2, label="dog")
    places = map_ids(second.vocabulary, first.vocabulary)
    weights = [run.model.state_dict()["embedding.weight"] for run in (first, second)]
    torch.testing.assert_close(weights[1][places], weights[0], atol=1e-5, rtol=0)
    (in_tmp / "plain.txt").write_text("anna\nbert\ncara\n" * 5)
    warned = []
    third = seqgen.train("plain.txt", start="first", out="third", steps=2, warn=warned.append)
    assert third.vocabulary.conditions == first.vocabulary.conditions and third.sample(2, label="m")
    assert len(warned) == 1 and warned[0].startswith(
        "first was conditioned on label, which no record of plain.txt has; --label-field"
    )


def test_another_file_is_read_as_the_first_was(in_tmp):
    rows = ["anna\tf", "bert\tm", "cara\tf", "dirk\tm"] * 6
    (in_tmp / "people.tsv").write_text("\n".join(["who\tsex", *rows]))
    (in_tmp / "more.tsv").write_text("\n".join(["who\tsex", *["elsa\tf", "fred\tm"] * 9]))
    first = {"text_field": "who", "label_field": "sex", "condition": "label", "options": {"corpus.strip": True}}
    seqgen.train("people.tsv", out="first", **first, **SMALL)
    warned = []
    second = seqgen.train("more.tsv", start="first", out="second", steps=1, warn=warned.append)
    assert second.settings.corpus.options["label_field"] == "sex" and second.settings.corpus.options["strip"] is True
    assert {record.label for record in second.corpus} == {"f", "m"}
    assert not [line for line in warned if "no record has" in line]


@pytest.mark.parametrize(
    ("before", "now", "text", "label"),
    [
        ("smiles,kind", "canonical_smiles,kind", "canonical_smiles", "kind"),
        ("SMILES,kind", "kind,smiles", "smiles", "kind"),
        ("smiles,kind", "smiles,sort", "smiles", None),
        ("my.smiles,kind", "kind,my.smiles", "my.smiles", "kind"),
    ],
)
def test_the_columns_of_another_file_are_found_anew(in_tmp, before, now, text, label):
    """The column of the texts was found, not given."""
    for name, head in (("first.csv", before), ("second.csv", now)):
        row = ",".join("a" if column in ("kind", "sort") else "CCO" for column in head.split(","))
        (in_tmp / name).write_text("\n".join([head, *[row] * 20]))
    given = {"text_field": "my.smiles", "domain": "smiles"} if "." in before else {}
    seqgen.train("first.csv", label_field="kind", out="first", **given, **SMALL)
    run = seqgen.train("second.csv", start="first", out="second", steps=1)
    options = run.settings.corpus.options
    assert (options["text_field"], options["label_field"]) == (text, label)
    assert {record.text for record in run.corpus} == {"CCO"} and run.domain.endswith("smiles")


def test_a_label_that_the_first_object_lacks_stays_the_label(in_tmp):
    rows = ['{"text": "anna"}', *['{"text": "bert", "sex": "m"}', '{"text": "cara", "sex": "f"}'] * 9]
    (in_tmp / "a.jsonl").write_text("\n".join(rows))
    seqgen.train("a.jsonl", label_field="sex", condition="label", out="first", **SMALL)
    run = seqgen.train("a.jsonl", start="first", out="second", steps=1)
    assert run.settings.corpus.options["label_field"] == "sex" and {one.label for one in run.corpus} == {None, "m", "f"}


def test_texts_that_were_built_of_fields_are_built_of_them_again(in_tmp):
    for name in ("first.csv", "second.csv"):
        (in_tmp / name).write_text("smiles,kind\n" + "CCO,a\nCCN,b\n" * 9)
    given = {**SMALL, "options": {"fields": "kind,smiles"}}
    seqgen.train("first.csv", out="first", **given)
    options = seqgen.train("second.csv", start="first", out="second", steps=1).settings.corpus.options
    assert options["fields"] == "kind,smiles" and options["text_field"] is None


@pytest.mark.full
def test_one_long_text(in_tmp):
    (in_tmp / "text.txt").write_text("the cat sat on the mat; the dog did not. " * 60)
    (in_tmp / "other.txt").write_text("a bat! the cat sat on the bat! " * 60)
    options = {"batch_size": 4, "hidden": 12, "steps": 6}
    seqgen.train("text.txt", layout="stream", out="first", **options)
    second = seqgen.train("other.txt", start="first", out="second", steps=3)
    assert second.settings.corpus.layout == "stream" and len(second.vocabulary.tokenizer.symbols) == 17
    assert second.settings.train.batch_size == 4


# -- symbols


@given(st.text(max_size=20), st.text(max_size=20), st.lists(st.sampled_from("xyz"), unique=True))
def test_grown_symbols(known_text, text, values):
    known = Vocabulary(CharTokenizer.fit([known_text]), ("label=x", "cost=1"))
    tokens = extend_conditions(known.conditions, {"label": values})
    wider = Vocabulary(extend_tokenizer(known.tokenizer, [text], {}), tokens)
    assert set(wider.tokenizer.symbols) == set(known_text) | set(text)
    assert tokens[0] == "label=x" and tokens[-1] == "cost=1" and set(tokens) == {*known.conditions, *(
        f"label={value}" for value in values)}  # fmt: skip
    places = map_ids(wider, known)
    assert len(set(places)) == known.size and places[:3] == [0, 1, 2]
    assert [wider.conditions[place - 3] for place in places[3 : known.symbol_offset]] == list(known.conditions)
    assert wider.decode(places[known.symbol_offset :]) == known.decode(range(known.symbol_offset, known.size))
    assert new_tokens(wider, known) == [
        *(token for token in tokens if token not in known.conditions),
        *(symbol for symbol in wider.tokenizer.symbols if symbol not in known_text),
    ]


@pytest.mark.parametrize("name", ["smiles", "abc", "word", "bpe", "selfies", "fields"])
def test_tokenizers_grow_or_stay(plugins, name):
    texts = {"smiles": ["CCO", "c1ccccc1"], "selfies": ["CCO"], "abc": ["X:1\nM:4/4\nK:C\nCDEF|"]}.get(name, ["a cat"])
    more = {"smiles": ["C[nH]Cl"], "selfies": ["CN"], "abc": ["X:1\nM:4/4\nK:D\n^Fgab|"]}.get(name, ["the bat ran"])
    make = plugins.registry.get("tokenizer", name).load()
    known = make.fit(texts)
    wider = extend_tokenizer(known, more, {})
    assert wider.n_symbols > known.n_symbols if name in ("smiles", "selfies", "fields") else wider is known
    if wider is not known:
        for text in more + texts:
            assert wider.decode(wider.encode(text)) == text
        places = map_ids(Vocabulary(wider), Vocabulary(known))
        assert [wider.decode([place - 3]) for place in places[3:]] == [
            known.decode([symbol]) for symbol in range(known.n_symbols)
        ]


def test_bytes_need_no_growth():
    known = ByteTokenizer.fit(["a"])
    assert extend_tokenizer(known, ["ü"], {}) is known
    assert map_ids(Vocabulary(known), Vocabulary(known)) == list(range(259))


def test_sizes_that_happen_to_be_equal_are_not_symbols(words, in_tmp):
    n = len(set(words.read_text()) - {"\n"}) + 3
    run = seqgen.train(words, cell="vanilla", out="run", **{**SMALL, "hidden": n, "steps": 2})
    assert run.settings.n_symbols == n
    with pytest.raises(BadOption, match="do not fit"):
        seqgen.train(accents(in_tmp), start="run", hidden=n + 3, out="other", steps=1)


def test_two_sides_of_a_tensor_may_grow():
    places, fresh, known = torch.tensor([0, 2]), torch.zeros(3, 5, 3), torch.arange(1.0, 21).view(2, 5, 2)
    moved = _moved(known, fresh, places, (2, 3))
    assert torch.equal(moved[places][..., places], known) and moved.sum() == known.sum()


def test_what_is_learned_of_a_corpus_depends_on_what_was_known(plugins):
    entry = plugins.registry.get("tokenizer", "char")
    known = [
        None,
        *(
            Vocabulary(CharTokenizer.fit([text]), tokens)
            for text, tokens in (("a", ()), ("b", ()), ("b", ("label=x",)))
        ),
    ]
    facts = [repr(_learned_facts(entry, {}, Splitter(), (), begun)) for begun in known]
    assert len(set(facts)) == 4


@pytest.mark.full
def test_another_corpus_recommends_how_to_train_it(words, in_tmp):
    run = seqgen.train("names", cell="vanilla", hidden=8, embedding=6, steps=1, out="first")
    assert run.settings.model.options["dropout"] == 0.2
    other = seqgen.train("pokemon", start="first", steps=1, out="second")
    assert other.settings.model.options["dropout"] == 0.5 and other.settings.model.options["hidden"] == 8
    kept = seqgen.train(words, start="first", steps=1, out="third")
    assert kept.settings.model.options["dropout"] == 0.2 and kept.settings.corpus.domain == run.settings.corpus.domain


def test_augmentation_goes_with_the_domain(in_tmp):
    pytest.importorskip("rdkit")
    (in_tmp / "some.smi").write_text("CCO\nCCN\nCCC\nCCCl\nc1ccccc1\n" * 4)
    first = seqgen.train("some.smi", domain="smiles", augment="random-smiles", out="first", **{**SMALL, "steps": 1})
    (in_tmp / "mine.smi").write_text("CCCO\nCCCN\nCBr\n" * 4)
    second = seqgen.train("mine.smi", start="first", out="second", steps=1)
    assert second.settings.augmentation == first.settings.augmentation is not None
    third = seqgen.train("names", start="first", out="third", steps=1)  # another domain
    assert third.settings.augmentation is None


def test_new_symbols_come_with_the_hint_of_the_tokenizer(in_tmp):
    (in_tmp / "kekulized.txt").write_text("C1=CC=CC=C1\nCCO\nCCN\n" * 4)
    seqgen.train("kekulized.txt", tokenizer="smiles", out="first", **{**SMALL, "steps": 1})
    (in_tmp / "aromatic.txt").write_text("c1ccccc1\nCCO\n" * 6)
    (in_tmp / "others.txt").write_text("CCS\nCCO\n" * 6)
    warned = {"aromatic": [], "others": []}
    for name, lines in warned.items():
        seqgen.plan(f"{name}.txt", start="first", warn=lines.append)
    (aromatic,), (others,) = ([line for line in lines if "new to first" in line] for lines in warned.values())
    assert (
        "weights: c; the records that the model learned from have no aromatic atoms: write rings in Kekulé's form"
        in aromatic
    )
    assert others.endswith("weights: S")


TOKENIZER = """
import seqgen
class Tok(seqgen.Tokenizer):
    def __init__(self, symbols): self.symbols = symbols
    @property
    def n_symbols(self): return len(self.symbols)
    @classmethod
    def fit(cls, texts, *, sizes: tuple[int, ...] = (1, 2)): return cls(sorted(set("".join(texts))))
    def encode(self, text): return [self.symbols.index(character) for character in text]
    def decode(self, ids): return "".join(self.symbols[index] for index in ids)
    def to_json(self): return {"symbols": self.symbols}
    @classmethod
    def from_json(cls, data): return cls(data["symbols"])
@seqgen.hookimpl
def register_tokenizers(register):
    register(seqgen.TokenizerSpec(name="tok", summary="s", source="none", load=Tok))
"""


@pytest.mark.full
def test_options_that_json_writes_otherwise_or_that_came_since(in_tmp, words, cli):
    (in_tmp / "mytok.py").write_text(TOKENIZER)
    train = ("--plugin", "mytok.py", "--steps", 1, "--hidden", 8, "--out")
    assert cli("train", "--corpus", words, "--tokenizer", "tok", *train, "first").code == 0
    same = [argument for argument in train if argument not in ("--hidden", 8)]
    assert cli("train", "--from", "first", *same, "second").code == 0
    (in_tmp / "mytok.py").write_text(TOKENIZER.replace("(1, 2))", "(1, 2), more: bool = False)"))
    sys.modules.pop("mytok", None)
    assert cli("train", "--from", "first", *same, "third").code == 0
    (in_tmp / "mytok.py").write_text(TOKENIZER.replace("sizes:", "lengths:"))
    sys.modules.pop("mytok", None)
    renamed = cli("train", "--from", "first", *same, "fourth")
    assert renamed.code == 2 and not (in_tmp / "fourth").exists()
    assert "the tokenizer of that run had the option 'sizes', [1, 2], which it has no more" in renamed.err


CORPUS = """
import seqgen
def load(*, size: int = 90): return [seqgen.Record("ab" * (number % 5 + 1) + "c") for number in range(size)]
@seqgen.hookimpl
def register_corpora(register):
    register(seqgen.CorpusSpec(name="counted", summary="s", source="none", licence="none", load=load))
"""


@pytest.mark.full
def test_a_corpus_without_an_option_of_the_first_run_is_refused(in_tmp, cli):
    """With its default it would be other data."""
    (in_tmp / "mycorpus.py").write_text(CORPUS)
    train = ("train", "--plugin", "mycorpus.py", "--steps", 1)
    first = cli(*train, "--corpus", "counted", "-o", "corpus.size=40", "--hidden", 8, "--out", "first")
    assert first.code == 0, first.err
    assert cli(*train, "--from", "first", "--out", "second").code == 0
    (in_tmp / "mycorpus.py").write_text(CORPUS.replace("size", "number_of"))
    sys.modules.pop("mycorpus", None)
    renamed = cli(*train, "--from", "first", "--out", "third")
    assert renamed.code == 2 and not (in_tmp / "third").exists()
    assert "the corpus of that run had the option 'size', 40, which it has no more" in renamed.err


@pytest.mark.parametrize(
    ("before", "form", "now", "kept"),
    [
        ("a.tsv", "auto", "b.tsv", True), ("a.tsv", "auto", "b.tsv.gz", True), ("a.2023", "tsv", "b.2024", True),
        ("a.2023", "tsv", "b.tsv", True), ("a.tsv", "auto", "b.txt", False), ("a.2023", "tsv", "b.jsonl", False),
    ],
)  # fmt: skip
def test_files_of_one_form(in_tmp, before, form, now, kept):
    (in_tmp / before).write_text("who\tsex\n" + "anna\tf\nbert\tm\n" * 9)
    given = {"text_field": "who", "label_field": "sex", "options": {"corpus.form": form}}
    seqgen.train(before, out="first", **given, **{**SMALL, "steps": 1})
    start = find_warm_start("first", default_plugins(), pytest.fail)
    entry = default_plugins().registry.get("corpus", "seqgen:file")
    assert (start.columns(entry, {"path": str(in_tmp / now)}).get("label_field") == "sex") == kept
    assert "label_field" not in start.read_as(entry, {"path": str(in_tmp / now)})


@pytest.mark.full
def test_symbols_that_a_tokenizer_cannot_take_in(in_tmp, words, cli):
    assert cli("train", "--corpus", words, "--tokenizer", "word", "--steps", 1, "--out", "first").code == 0
    result = cli("train", "--from", "first", "--corpus", accents(in_tmp), "--out", "second")
    assert result.code == 2 and "a fitted word tokenizer cannot add symbols" in result.err
    result = cli("train", "--from", "first", "-o", "tokenizer.min_count=7", "--out", "second")
    assert result.code == 2 and "its tokenizer has min_count 2, not 7" in result.err


@pytest.mark.full
def test_a_plugin_in_a_file_that_changed_or_is_not_given(in_tmp, words, cli):
    (in_tmp / "begun_cell.py").write_text(CELL)
    train = ("train", "--corpus", words, "--cell", "mine", "--plugin", "begun_cell.py", "--steps", 1, "--out", "first")
    assert cli(*train).code == 0
    missing = cli("train", "--from", "first", "--steps", 1, "--out", "second")
    assert missing.code == 4 and "--plugin begun_cell.py" in missing.err and missing.err.count("\n") == 1
    (in_tmp / "begun_cell.py").write_text(CELL + "\n")
    sys.modules.pop("begun_cell", None)
    changed = cli("train", "--from", "first", "--plugin", "begun_cell.py", "--steps", 1, "--out", "second")
    assert changed.code == 0 and "another file than the run was made with" in changed.err


def test_compare_says_where_a_run_began(first, cli):
    seqgen.train(start="first", out="second", steps=5)
    seqgen.train(first.settings.corpus.options["path"], cell="vanilla", out="third", **{**SMALL, "steps": 5})
    found = json.loads(cli("compare", "second", "third", "--json", "-n", 0).out)["settings"]
    assert found["start.run"] == {"second": str(first.path.resolve()), "third": None}


def test_weights_that_give_no_numbers(words, in_tmp, cli):
    """What step 0 finds is not laid to the rate."""
    (in_tmp / "gain_cell.py").write_text(GAIN)
    same = ("--plugin", "gain_cell.py", "--steps", 1)
    assert cli("train", "--corpus", words, "--cell", "gain", "--out", "gain", *same).code == 0
    result = cli("train", "--from", "gain", "-o", "gain=1e39", "-o", "samples=0", "--out", "more", *same)
    assert result.code == 6 and "--lr" not in result.err.replace("not at --lr", ""), result.err


def test_the_readme_says_how(cli):
    assert "--from" in (ROOT / "README.md").read_text() and "--from" in cli("train", "--help").out
