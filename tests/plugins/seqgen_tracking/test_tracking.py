"""``--track``: what trackers get, that resumed runs go on in them, and that those that hang or fail cost nothing."""

from __future__ import annotations

import functools
import json
import shutil
import signal
import threading
import time

import pytest

import seqgen
from conftest import WORDS, finish, run_seqgen
from seqgen.errors import BadOption, MissingExtra
from seqgen_tracking import NAMES
from seqgen_tracking.sender import MOST, Report, Sender
from seqgen_tracking.session import _Channel, end, report, start
from seqgen_tracking.trackers import RunFacts, open_tracker

QUICK = {"cell": "vanilla", "hidden": 8, "batch_size": 16, "split": "60/40/0", "blend": "none"}
STEPS = {"eval_every": 20, "patience": 0, "best_by": "loss"}


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\n".join(WORDS * 3) + "\n", encoding="utf-8")
    return path


class Kept:
    """A tracker that keeps what it gets, after doing something."""

    def __init__(self, before=lambda: None):
        self.before, self.steps, self.reason = before, [], None

    def send(self, report):
        self.before()
        self.steps.append(report.step)

    def end(self, reason):
        self.reason = reason


# -- the queue


def test_all_arrives_in_order_and_the_end_waits_for_it():
    kept, lines = Kept(lambda: time.sleep(0.01)), []
    sender = Sender("slow", lambda: kept, lines.append)
    for step in range(20):
        sender.add(Report(step, {}))
    sender.end("steps")
    assert kept.steps == list(range(20)) and kept.reason == "steps" and lines == []


def test_a_tracker_that_waits_for_reports_does_not_hang():
    for pause_s in (0.0, 0.3):
        sent, lines = [], []
        sender = Sender("idle", Kept, lines.append, sent.append, hangs_s=0.1)
        sender.add(Report(1, {}))
        time.sleep(pause_s)
        assert sender.end("steps") and sent == [Report(1, {})] and lines == []


def test_a_tracker_that_sleeps_slows_nothing_and_costs_a_line():
    lines = []
    for opened in (lambda: Kept(lambda: time.sleep(60)), lambda: time.sleep(60)):
        lines.clear()
        sender = Sender("sleepy", opened, lines.append, hangs_s=0.3)
        slowest = 0.0
        for step in range(MOST + 50):
            before = time.thread_time()
            sender.add(Report(step, {}))
            slowest = max(slowest, time.thread_time() - before)
        before = time.monotonic()
        sender.end("steps")
        assert slowest < 0.05 and time.monotonic() - before < 10
        assert lines == [
            f"tracker 'sleepy' is slow: {MOST:,} reports wait for it, and it does not get all; the training goes on"
        ]


def test_a_tracker_that_hangs_at_the_end_is_waited_for_no_longer():
    lines, hanging = [], threading.Event()
    sender = Sender("hung", lambda: Kept(hanging.wait), lines.append, hangs_s=0.2)
    sender.add(Report(1, {}))
    sender.end("steps")
    assert lines == ["tracker 'hung' has not answered for 0.2 s: it does not get all; the training goes on"]
    hanging.set()


def test_the_end_waits_for_a_slow_tracker_whose_queue_is_full():
    kept, lines, sent = Kept(lambda: time.sleep(0.0002)), [], []
    opened = threading.Event()
    sender = Sender("slow", lambda: opened.wait() and kept, lines.append, sent.append)
    for step in range(MOST + 10):
        sender.add(Report(step, {}))
    threading.Timer(0.1, opened.set).start()
    assert sender.end("steps") and kept.reason == "steps" and kept.steps == list(range(MOST))
    assert len(lines) == 1 and "is slow" in lines[0] and len(sent) == MOST


def test_what_comes_after_a_dropped_report_is_not_recorded_as_sent(monkeypatch):
    monkeypatch.setattr("seqgen_tracking.sender.MOST", 3)
    kept, opened, lines, sent = Kept(), threading.Event(), [], []
    sender = Sender("slow", lambda: opened.wait() and kept, lines.append, sent.append)
    for step in range(5):
        sender.add(Report(step, {}))
    opened.set()
    while len(kept.steps) < 3:
        time.sleep(0.01)
    sender.add(Report(5, {}))
    assert sender.end("steps") and kept.steps == [0, 1, 2, 5] and [report.step for report in sent] == [0, 1, 2]


@pytest.mark.parametrize("failure", [ValueError("no\nroute"), SystemExit(3)])
@pytest.mark.parametrize("where", ["open", "send"])
def test_a_tracker_that_raises_costs_a_line(failure, where):
    def fail():
        raise failure

    lines = []
    sender = Sender("broken", fail if where == "open" else lambda: Kept(fail), lines.append)
    for step in range(3):
        sender.add(Report(step, {}))
    sender.end("steps")
    (line,) = lines
    assert line.startswith("tracker 'broken' gets nothing further: ") and "\n" not in line
    assert ("ValueError: no route" if isinstance(failure, ValueError) else "exits with 3") in line


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    lines = []
    sender = Sender("files", (tmp_path / "none" / "db").open, lines.append)
    sender.add(Report(1, {}))
    sender.end("steps")
    path = str(tmp_path / "none" / "db")
    assert lines == [
        f"tracker 'files' gets nothing further: cannot use {path!r}: No such file or directory; the training goes on"
    ]


def test_what_is_no_number_is_left_out():
    row = {"step": 3, "lr": 1, "train_loss_nats": 0.5, "flag": True, "note": "x", "nothing": None}
    assert Report.of(row, ["a"]) == Report(3, {"lr": 1.0, "train_loss_nats": 0.5}, ("a",))


# -- runs


def test_a_failing_tracker_does_not_end_a_run(corpus, tmp_path, monkeypatch, capsys):
    def fail(name, place, facts):
        raise OSError("no route to host")

    monkeypatch.setattr("seqgen_tracking.session.open_tracker", fail)
    monkeypatch.setattr("seqgen_tracking.trackers.check_installed", lambda name: None)
    run = seqgen.train(corpus, steps=40, track="mlflow=http://nowhere", out=tmp_path / "run", options=STEPS, **QUICK)
    assert run.state["ended"] == "steps" and run.settings.train.track == ("mlflow=http://nowhere",)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "tracker" in line]
    assert "tracker 'mlflow' gets nothing further" in line and "no route to host" in line


def test_a_tracker_that_hangs_is_not_waited_for_by_the_next_run(tiny_run, tmp_path, monkeypatch, capsys):
    never = threading.Event()
    monkeypatch.setattr("seqgen_tracking.session.open_tracker", lambda *_: Kept(never.wait))
    monkeypatch.setattr("seqgen_tracking.session._hanging", set())
    monkeypatch.setattr("seqgen_tracking.session.Sender", functools.partial(Sender, hangs_s=0.1))
    settings = tiny_run.settings.model_dump(mode="json")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        start(tmp_path / name, settings, ["wandb"])
        report(tmp_path / name, {"step": 1}, [])
        end(tmp_path / name, "steps")
    first, second = capsys.readouterr().err.splitlines()
    assert "has not answered for 0.1 s" in first and "this one is not sent to it" in second
    never.set()


def test_runs_without_trackers_start_nothing(corpus, tmp_path):
    before = set(threading.enumerate())
    run = seqgen.train(corpus, steps=2, out=tmp_path / "run", **QUICK)
    assert set(threading.enumerate()) <= before and not list(run.path.glob("tracking-*"))


def test_wrong_trackers_are_refused_before_anything_is_written(cli, corpus, in_tmp, monkeypatch):
    wrong = cli("train", "--corpus", corpus, "--track", "tensorbord")
    assert wrong.code != 0 and "there is no tracker 'tensorbord'; did you mean 'tensorboard'?" in wrong.err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"mlflow.*pip install 'seqgen-lm\[mlflow\]'"):
        seqgen.train(corpus, track=["mlflow=x"])
    monkeypatch.undo()
    monkeypatch.chdir(in_tmp)
    monkeypatch.setattr("seqgen_tracking.trackers.check_installed", lambda name: None)
    with pytest.raises(BadOption, match="twice"):
        seqgen.train(corpus, track=["wandb", "wandb=other"])
    assert not (in_tmp / "runs").exists()


def test_a_resumed_run_is_sent_once(corpus, tmp_path, monkeypatch):
    """Also what was logged just before the process was killed, and not what an older checkpoint repeats."""
    run = seqgen.train(corpus, steps=100, out=tmp_path / "run", options=STEPS, **QUICK)
    settings = run.settings.model_dump(mode="json")
    opened = [Kept(), Kept(), Kept()]
    facts = []
    monkeypatch.setattr(
        "seqgen_tracking.session.open_tracker", lambda n, p, f: facts.append(f) or opened[len(facts) - 1]
    )
    log = (run.path / "metrics.jsonl").read_text().splitlines()

    def train(rows_there, reports):
        (run.path / "metrics.jsonl").write_text("".join(f"{line}\n" for line in log[:rows_there]))
        start(run.path, settings, ["wandb"])
        for row in log[reports]:
            report(run.path, json.loads(row), ["a"])
        end(run.path, "interrupted")

    train(0, slice(0, 2))
    train(3, slice(3, 4))  # the third was logged, but not sent
    train(2, slice(2, 5))  # the newest checkpoints were damaged
    assert [kept.steps for kept in opened] == [[20, 40], [60, 80], [100]]
    assert [fact.resumed for fact in facts] == [False, True, True] and len({fact.id for fact in facts}) == 1


def test_all_that_a_resumed_run_has_not_sent_is_sent(tiny_run, tmp_path, monkeypatch):
    path = shutil.copytree(tiny_run.path, tmp_path / "run")
    n = MOST + 50
    (path / "metrics.jsonl").write_text("".join(f'{{"step": {step}}}\n' for step in range(1, n)))
    kept, opened = Kept(), threading.Event()
    monkeypatch.setattr("seqgen_tracking.session.open_tracker", lambda *_: opened.wait() and kept)
    start(path, tiny_run.settings.model_dump(mode="json"), ["wandb"])
    report(path, {"step": n}, [])
    opened.set()
    end(path, "steps")
    assert kept.steps == list(range(1, n + 1)) and kept.reason == "steps"
    assert json.loads((path / "tracking-wandb.json").read_text()) == {"sent_step": n}


@pytest.mark.full
def test_a_damaged_record_sends_all_again(tiny_run, tmp_path, monkeypatch):
    path = shutil.copytree(tiny_run.path, tmp_path / "run")
    (path / "tracking-wandb.json").write_text("{")
    kept = Kept()
    monkeypatch.setattr("seqgen_tracking.session.open_tracker", lambda *_: kept)
    _Channel(path, tiny_run.settings.model_dump(mode="json"), "wandb").end("steps")
    assert kept.steps == [20, 40, 60]


# -- the libraries, each in its own process, since they start threads and change what is global


def tracked(corpus, folder, name, env=None):
    """Train a run that is stopped by a signal and resumed; return its lines and what it said."""
    flags = ["--corpus", corpus, "--track", name, "--out", "run", "-o", "eval_every=20", "-o", "patience=0"]
    flags += ["-o", "best_by=loss"]
    flags += [word for key, value in QUICK.items() for word in (f"--{key.replace('_', '-')}", value)]
    process = run_seqgen("train", *flags, "--steps", 600, cwd=folder, env=env)
    until = time.monotonic() + 120
    while not (list(folder.glob("run/tracking-*.json")) or process.poll() is not None or time.monotonic() > until):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    first = finish(process)
    assert first.code in (0, 130), first.err
    second = finish(run_seqgen("resume", "run", cwd=folder, env=env))
    assert second.code == 0, second.err
    assert "tracker" not in first.err + second.err
    rows = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return {row["step"]: row["valid_bits_per_char"] for row in rows}


@pytest.mark.full
@pytest.mark.parametrize("place", ["", "=tb"])
def test_tensorboard(corpus, tmp_path, place):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard (extra: tensorboard)"
    )
    rows = tracked(corpus, tmp_path, f"tensorboard{place}")
    folder = tmp_path / "tb" / "run" if place else tmp_path / "run" / "tensorboard"
    events = accumulator.EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    sent = {event.step: event.value for event in events.Scalars("valid_bits_per_char")}
    assert sent == pytest.approx(rows, rel=1e-6) and len(events.Scalars("valid_bits_per_char")) == len(rows)
    assert {event.step for event in events.Tensors("samples/text_summary")} == rows.keys()
    assert events.Tensors("ended/text_summary")[-1].tensor_proto.string_val[0] == b"steps"
    assert any(b"train.lr" in path.read_bytes() for path in folder.glob("events*"))


@pytest.mark.full
def test_mlflow(corpus, tmp_path):
    pytest.importorskip("mlflow", reason="no mlflow (extra: mlflow)")
    pytest.importorskip("sqlalchemy", reason="no sqlalchemy (extra: mlflow)")
    from seqgen_tracking.trackers import MLflow  # noqa: F401

    rows = tracked(corpus, tmp_path, "mlflow=sqlite:///tracked.db")
    code = (
        "import json\nfrom mlflow import MlflowClient\nclient = MlflowClient('sqlite:///tracked.db')\n"
        "known = client.get_experiment_by_name('seqgen').experiment_id\n(run,) = client.search_runs([known])\n"
        "steps = [[one.step, one.value] for one in client.get_metric_history(run.info.run_id, 'valid_bits_per_char')]\n"
        "texts = len(client.list_artifacts(run.info.run_id, 'samples'))\n"
        "tags, params = run.data.tags, run.data.params\n"
        "print(json.dumps([steps, texts, run.info.status, tags['seqgen_ended'], params['cell.name']]))"
    )
    steps, texts, status, reason, cell = json.loads(outcome(code, tmp_path).splitlines()[-1])
    assert dict(steps) == pytest.approx(rows) and len(steps) == len(rows) == texts
    assert (status, reason, cell) == ("FINISHED", "steps", "seqgen_classic:vanilla")


@pytest.mark.full
def test_wandb(corpus, tmp_path):
    pytest.importorskip("wandb", reason="no wandb (extra: wandb)")
    rows = tracked(corpus, tmp_path, "wandb", {"WANDB_MODE": "offline"})
    files = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert files and len({path.stem for path in files}) == 1  # one run, in a part for each process
    from wandb.proto import wandb_internal_pb2

    steps = {}
    for data in (data for path in files for data in wandb_records(path.read_bytes())):
        record = wandb_internal_pb2.Record.FromString(data)
        if record.WhichOneof("record_type") == "history":
            items = {one.key or ".".join(one.nested_key): json.loads(one.value_json) for one in record.history.item}
            assert record.history.step.num not in steps and items["samples"]
            steps[record.history.step.num] = items["valid_bits_per_char"]
    assert steps == pytest.approx(rows)


def wandb_records(data):
    """Yield the records of a file of W&B: a header of seven bytes, then blocks of 32 kB as in a log of LevelDB."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # the whole record, or its last part
            yield parts
            parts = b""


@pytest.mark.full
def test_trackio(corpus, tmp_path):
    pytest.importorskip("trackio", reason="no trackio (extra: trackio)")
    rows = tracked(corpus, tmp_path, "trackio=words", {"TRACKIO_DIR": str(tmp_path / "db")})
    code = (
        "import json, os\nos.environ['TRACKIO_DIR'] = 'db'\nimport trackio\n"
        "(run,) = trackio.Api().runs('words')\n"
        "logs = trackio.SQLiteStorage.get_logs('words', run.name)\n"
        "print(json.dumps([[one['step'], one['valid_bits_per_char']] for one in logs if 'valid_bits_per_char' in one]))"
    )
    steps = json.loads(outcome(code, tmp_path).splitlines()[-1])
    assert dict(steps) == pytest.approx(rows) and len(steps) == len(rows)


def outcome(code, folder):
    """Run some code in a process of its own, and return what it prints."""
    import subprocess
    import sys

    found = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_each_tracker_has_facts_that_it_can_keep(tiny_run):
    facts = RunFacts.of(tiny_run.path, tiny_run.settings.model_dump(mode="json"), resumed=False)
    assert facts.settings["train.lr"] == tiny_run.settings.train.lr and facts.settings["n_parameters"] > 0
    assert all(isinstance(value, bool | int | float | str) and value != "" for value in facts.settings.values())
    assert set(NAMES) == {"tensorboard", "mlflow", "wandb", "trackio"} and callable(open_tracker)
