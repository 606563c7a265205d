"""What callers in Python may do: pass runs and lists, send results to other processes, and get named errors."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import shutil

import numpy as np
import pytest

import seqgen
from seqgen import errors

NAMES = ["anna", "ben", "carla", "dora", "emil", "frida"] * 10


def sent(value):
    """What another process gets."""
    return multiprocessing.reduction.ForkingPickler.loads(bytes(multiprocessing.reduction.ForkingPickler.dumps(value)))


def test_a_list_becomes_a_file_that_is_trained_on(in_tmp):
    path = seqgen.write_records("names.jsonl", iter(NAMES))
    run = seqgen.train(path, steps=2, hidden=4)
    assert path.name == "names.jsonl" and [record.text for record in run.corpus] == NAMES
    seqgen.write_records(
        path,
        [
            seqgen.Record("anna", label="f", fields={"n": np.int64(4)}),
            seqgen.Record('a\nb "ö" \ud800'),
            {"text": "ben", "n": 3},
        ],
    )
    lines = [json.loads(line) for line in path.read_bytes().decode("utf-8", "surrogatepass").splitlines()]
    assert lines == [
        {"text": "anna", "label": "f", "n": 4}, {"text": "a\nb \"ö\" \ud800"}, {"text": "ben", "n": 3},
    ]  # fmt: skip
    before = path.read_bytes()
    for records, says in (
        (["anna", 3], "record 2 is 3, not a text"),
        ([{"name": "anna"}], "a mapping with a 'text'"),
        ([{"text": 1}], "record 1 is {'text': 1}, not a text"),
    ):
        with pytest.raises(seqgen.UsageError, match=says):
            seqgen.write_records(path, records)
    assert path.read_bytes() == before and os.listdir() == ["names.jsonl", "runs"]
    with pytest.raises(seqgen.UsageError, match="give a name that ends in"):
        seqgen.write_records("names.txt", NAMES)


def test_labels_of_a_list_can_be_conditions(in_tmp):
    records = [seqgen.Record(name, label=name[-1]) for name in NAMES]
    run = seqgen.train(seqgen.write_records("names.jsonl", records), steps=2, hidden=4, condition="label")
    (by_label,), (by_given,) = run.score("anna", label="a"), run.score("anna", given={"label": "a"})
    assert by_label.nats == by_given.nats != run.score("anna", label="n")[0].nats
    with pytest.raises(seqgen.UsageError, match="no field 'labl' to give; did you mean 'label'"):
        run.sample(1, given={"labl": "a"})


@pytest.mark.parametrize("corpus", [["anna", "ben"], [{"text": "anna"}], iter(NAMES), [1, 2], b"anna"])
def test_a_list_is_no_corpus_and_the_message_says_what_makes_one(corpus):
    with pytest.raises(seqgen.UsageError, match="write_records makes a file"):
        seqgen.train(corpus)


def test_a_text_that_is_too_long_for_a_name_is_no_file():
    with pytest.raises(seqgen.NoSuchFile, match="no such file: 'Anna went home"):
        seqgen.train("Anna went home. " * 5000)


@pytest.mark.parametrize(
    "error",
    [
        errors.UnknownSymbol("x", 3, ["y"]), errors.MissingExtra("plot", "--html"), errors.Interrupted(2),
        errors.UnknownName("cell", "gro", ["gru"]), errors.BadOption("no"), errors.TaskFailed("no"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_errors_reach_another_process(error):
    error.add_note("a note")
    again = sent(error)
    assert type(again) is type(error) and str(again) == str(error) and vars(again) == vars(error)


def test_results_reach_another_process_as_lists(tiny_run):
    rows, scores = tiny_run.sample(3), tiny_run.score(["anna", "ben"])
    assert sent(rows) == list(rows) and type(sent(rows)) is list
    assert [one.nats for one in sent(scores)] == [one.nats for one in scores] and copy.deepcopy(rows) == rows


def test_a_run_is_passed_where_one_is_named(tiny_run, in_tmp):
    assert seqgen.load(tiny_run).path == tiny_run.path
    longer = seqgen.train(start=tiny_run, steps=2, out="longer")
    assert seqgen.resume(longer).state["step"] == 2 and (in_tmp / "longer").is_dir()


@pytest.mark.parametrize(
    ("callbacks", "says"),
    [
        ({"listener": 3}, "cannot call listener=3: 3 is not a callable object; pass a function of (folder, event)"),
        ({"listener": lambda event: None}, "too many positional arguments; pass a function of (folder, event)"),
        ({"listener": seqgen.ProgressLine}, "too many positional arguments; pass a function of (folder, event)"),
        ({"warn": "stderr"}, "cannot call warn='stderr': 'stderr' is not a callable object; pass a function of (line)"),
        ({"progress": print.__call__, "warn": lambda: None}, "pass a function of (line)"),
        ({"progress": lambda done: None}, "pass a function of (activity, done, total)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_callback_that_cannot_be_called_is_refused_before_the_run(tiny_run, in_tmp, callbacks, says):
    planned = seqgen.plan("names", steps=1, hidden=4)
    calls = [lambda: seqgen.train("names", steps=1, hidden=4, out="r", **callbacks)]
    calls += [lambda: seqgen.resume(tiny_run, **callbacks), lambda: seqgen.refit(tiny_run, out="r", **callbacks)]
    if "progress" not in callbacks:
        calls.append(lambda: planned.train("r", **callbacks))
    for call in calls:
        with pytest.raises(seqgen.UsageError) as caught:
            call()
        assert str(caught.value).startswith("cannot call ") and str(caught.value).endswith(says)
    assert not (in_tmp / "r").exists()


def test_callbacks_without_a_signature_are_taken(tiny_run, in_tmp):
    said = []
    seqgen.train(start=tiny_run, steps=1, out="r", listener=lambda *event: None, warn=said.append, progress=print)


def test_a_run_stays_where_it_was_opened(tiny_run, in_tmp, monkeypatch):
    shutil.copytree(tiny_run.path, "mine")
    opened, expected = seqgen.load("mine"), tiny_run.sample(3)
    (in_tmp / "elsewhere").mkdir()
    monkeypatch.chdir(in_tmp / "elsewhere")
    assert opened.sample(3) == expected and opened.metrics == tiny_run.metrics and str(opened.path) == "mine"


def test_a_run_whose_folder_is_gone_says_so(tiny_run, in_tmp):
    shutil.copytree(tiny_run.path, "mine")
    opened = seqgen.load("mine")
    shutil.rmtree("mine")
    with pytest.raises(seqgen.CheckpointError, match="the run folder 'mine' is no longer there"):
        opened.sample(1)


def test_what_is_scored_is_named_where_it_cannot_be(tiny_run):
    with pytest.raises(seqgen.UnknownSymbol, match=r"^text 3 \(b3n\): unknown symbol '3'") as caught:
        tiny_run.score(["anna", "ben", "b3n"])
    assert caught.value.symbol == "3" and caught.value.position == 1
    with pytest.raises(seqgen.BadOption, match="text 2 to score is 5, not a string"):
        tiny_run.score(["anna", 5])
    assert len(tiny_run.score(name for name in ("anna", "ben"))) == 2
    assert tiny_run.where("anna") == tiny_run.where(["anna"])


@pytest.mark.parametrize(("given", "text"), [(5, "5-5"), ((3, 6), "3-6"), ([4, 4], "4")])
def test_lengths_are_numbers_too(tiny_run, given, text):
    assert tiny_run.sample(5, length=given) == tiny_run.sample(5, length=text)


def test_ranges_of_rows_and_odd_lengths(tiny_run):
    assert tiny_run.sample(rows=range(3, 6)) == tiny_run.sample(rows="3:6") == tiny_run.sample(np.int64(6))[3:]
    with pytest.raises(seqgen.BadOption, match="drop one of them"):
        tiny_run.sample(3, rows="3:6")
    with pytest.raises(seqgen.BadOption, match=r"must be a whole number, at least 0, not 3.0"):
        tiny_run.sample(3.0)
    for length in (1.5, (1, 2, 3), True, ("3", "4")):
        with pytest.raises(seqgen.BadOption, match="give a number, two, or a text such as"):
            tiny_run.sample(1, length=length)
    with pytest.raises(seqgen.BadOption, match="did you mean 'temperature'"):
        tiny_run.iter_samples(1, tempreature=1)  # at once, not when the first row is asked for


def test_too_few_rows_are_not_lost(tiny_run):
    with pytest.raises(seqgen.TooFewRows) as caught:
        tiny_run.sample(50, unique=True, effort=20)
    found = caught.value.rows
    assert 0 < len(found) <= 20 and found == tiny_run.sample(len(found), unique=True)
    assert [row["text"] for row in found.to_rows()] == [row.text for row in found]


@pytest.mark.parametrize(("name", "value"), [("a", np.arange(3)), ("a", np.array([1])), (np.int64(3), 1)])
def test_fields_that_are_no_single_value_are_refused(tmp_path, name, value):
    with pytest.raises(seqgen.UsageError, match="record 1"):
        seqgen.write_records(tmp_path / "a.jsonl", [{"text": "anna", name: value}])
    assert not list(tmp_path.glob("*.jsonl"))


def test_numbers_of_numpy_are_numbers(tmp_path):
    row = {"text": "anna", "a": np.float32(0.5), "b": np.int8(3), "c": np.array(True), "d": {"e": np.arange(2)}}
    written = seqgen.write_records(tmp_path / "a.jsonl", [row, seqgen.Record("ben", np.int64(1), {"a": np.bool_(0)})])
    first, second = map(json.loads, written.read_text().splitlines())
    assert first == {"text": "anna", "a": 0.5, "b": 3, "c": True, "d": {"e": [0, 1]}}
    assert second == {"text": "ben", "label": 1, "a": False}
