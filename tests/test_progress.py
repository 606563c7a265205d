"""Progress: a line while training from Python, an interrupted run that the error carries, and a line of `sample`."""

from __future__ import annotations

import io
import itertools
import os
import re
import signal
import subprocess
import sys
import types
import warnings

import pytest

import seqgen
from resuming import Stopper
from seqgen.cli.sample import _SampleLine
from seqgen.render.progress import in_ipython

QUICK = {"cell": "vanilla", "hidden": 4, "steps": 20, "split": "80/10/10", "options": {"eval_every": 10}}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def often(monkeypatch):
    """A progress event a step."""
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)


def test_a_progress_line_on_a_terminal(words, in_tmp, often):
    stream = Terminal()
    seqgen.train(words, **QUICK, out="run", listener=seqgen.ProgressLine(stream))
    shown = stream.getvalue()
    lines = [line.rpartition("\r")[2].rstrip() for line in shown.split("\n")]
    assert lines[0].startswith("training run: vanilla, ") and lines[1].startswith("words: 30 training records, ")
    assert [line.split()[1] for line in lines if line.startswith("step ")] == ["10", "20"]
    assert lines[-2] == "ended at step 20: the number of steps is reached" and lines[-1] == ""
    assert "\rstep 7  loss " in shown and " left" in shown
    assert max(len(line) for line in shown.replace("\r", "\n").split("\n") if " left" in line) < 80


def test_without_a_terminal_only_whole_lines(words, in_tmp, often):
    stream = io.StringIO()
    seqgen.train(words, **QUICK, listener=seqgen.ProgressLine(stream))
    assert "\r" not in stream.getvalue() and len(stream.getvalue().splitlines()) == 5


def test_progress_is_shown_where_it_is_asked_for(words, in_tmp, capsys):
    events = []
    seqgen.train(words, **QUICK)
    assert capsys.readouterr() == ("", "")
    seqgen.train(words, **QUICK, out="run", progress=True, listener=lambda folder, event: events.append(event))
    shown = capsys.readouterr()
    assert shown.out == "" and "ended at step 20" in shown.err and len(events) > 3
    said = []
    seqgen.train(words, **QUICK, progress=lambda *reading: said.append(reading))
    assert said and capsys.readouterr() == ("", "")
    seqgen.resume("run", progress=True)
    assert capsys.readouterr().out == ""


def test_events_are_public(words, in_tmp):
    heard = []
    seqgen.train(words, **QUICK, listener=lambda folder, event: heard.append(event))
    first, *between, last = heard
    assert isinstance(first, seqgen.events.Started) and isinstance(last, seqgen.events.Ended)
    evaluations = [
        (one, then) for one, then in itertools.pairwise(between) if isinstance(one, seqgen.events.Evaluating)
    ]
    assert evaluations and evaluations[-1][0].share == 1
    for begun, report in evaluations:
        assert isinstance(report, seqgen.events.Report) and report.metrics["step"] == begun.step
        assert report.metrics["valid_bits_per_char"] > 0
    assert {type(event).__name__ for event in heard} <= set(seqgen.events.__all__)


def test_in_ipython_progress_and_warnings_are_shown_unasked(words, in_tmp, capsys, monkeypatch):
    assert not in_ipython()
    shell = types.ModuleType("IPython")
    shell.get_ipython = lambda: object()
    monkeypatch.setitem(sys.modules, "IPython", shell)
    words.write_bytes(words.read_bytes() + b"a\x01b\n")
    seqgen.train(words, **QUICK)
    shown = capsys.readouterr()
    assert "ended at step 20" in shown.err and "control characters" in shown.err and shown.out == ""
    seqgen.train(words, **QUICK, listener=lambda folder, event: None)
    seqgen.train(words, **QUICK, progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_stream_that_refuses_ends_nothing(words, in_tmp):
    class Full(Terminal):
        def write(self, text):
            raise OSError(28, "No space left on device")

    run = seqgen.train(words, **QUICK, listener=seqgen.ProgressLine(Full()))
    assert run.state["step"] == 20


def test_an_interrupted_training_carries_its_run(words, in_tmp, often):
    def stopping(folder, event):
        if getattr(event, "step", 0) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(seqgen.Interrupted) as caught:
        seqgen.train(words, **QUICK, listener=stopping, out="run")
    run = caught.value.run
    assert isinstance(run, seqgen.Run) and run.state["step"] == 6 and len(run.sample(3)) == 3
    assert seqgen.resume(run.path).state["step"] == 20


def test_the_speed_of_a_resumed_run_is_that_since_it_was_resumed(words, in_tmp, often):
    with pytest.raises(seqgen.Interrupted) as stopped:
        seqgen.train(words, **QUICK, out="run", listener=Stopper(10))
    before_s = stopped.value.run.folder.latest_state()["elapsed_s"]
    events = []
    seqgen.resume("run", listener=lambda folder, event: events.append(event))
    found = [event for event in events if isinstance(event, seqgen.events.Progress)]
    assert len(found) > 3
    for one in found:
        assert one.tokens_per_s == pytest.approx(one.n_targets / (one.elapsed_s - before_s))


def test_a_listener_stops_a_training_by_a_keyboard_interrupt(words, in_tmp, often):
    def stopping(folder, event):
        if getattr(event, "step", 0) == 5:
            raise KeyboardInterrupt

    with pytest.raises(seqgen.Interrupted, match="stopped at step 6, saved") as caught:
        seqgen.train(words, **QUICK, listener=stopping)
    assert caught.value.run.state["step"] == 6 and caught.value.exit_code == 130


TWICE = """
import os, signal, sys
import seqgen

from seqgen.training.train_step import TrainStep
run = TrainStep.run

def twice(self, number, *arguments):
    if number == 8:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    return run(self, number, *arguments)

TrainStep.run = twice
try:
    seqgen.train(sys.argv[1], cell="vanilla", hidden=4, steps=40, split="80/10/10", out="run",
                 options={"eval_every": 5})
except seqgen.Interrupted as error:
    print(type(error.run).__name__, error.run.state["step"] <= 5, error)
print("the kernel goes on")
"""


@pytest.mark.full
def test_a_second_signal_ends_the_training_and_not_the_kernel(words, in_tmp):
    result = subprocess.run([sys.executable, "-c", TWICE, str(words)], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Run True stopped at once") and "the kernel goes on" in result.stdout
    assert seqgen.load("run").state["step"] == 5


def test_how_to_go_on_with_a_run_of_a_class(words, in_tmp):
    from seqgen.plugins.selection import default_plugins

    class Own(default_plugins().registry.get("cell", "mgu").load()):
        pass

    def stopping(folder, event):
        raise KeyboardInterrupt

    with pytest.raises(seqgen.Interrupted) as caught, warnings.catch_warnings():
        seqgen.train(words, **QUICK | {"cell": Own}, listener=stopping, out="run")
    assert "seqgen.resume('run', plugins=[Own])" in str(caught.value)


@pytest.mark.full
def test_the_commands_to_type_next_are_never_cut(words, in_tmp, cli):
    name = "a-folder-whose-name-is-so-long-that-no-terminal-of-eighty-columns-can-hold-it-with-a-command"
    result = cli("train", "--corpus", words, "--hidden", 4, "--steps", 2, "--split", "80/10/10", "--out", name)
    assert result.code == 0, result.err
    lines = result.err.splitlines()
    following = lines[lines.index("Next:") + 1 :]
    assert following[0].startswith(f"  seqgen sample {name} -n 20") and following[1] == f"  seqgen evaluate {name}"
    assert following[2:] == ["  seqgen list cells"]


def test_a_terminal_shows_that_sampling_goes_on_before_the_first_row(tiny_run, monkeypatch):
    """Trial rows of a constraint can take a minute."""
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    monkeypatch.setattr("seqgen.cli.sample._SHOWN_EVERY_S", 0.0)
    rows = list(_SampleLine().showing(tiny_run, 40, {"contains": "an", "length": "5"}))
    assert [row.text for row in rows] == [row.text for row in tiny_run.sample(40, contains="an", length="5")]
    before, told, after = stream.getvalue().partition("constraint --contains 'an' and --length 5: ")
    assert before.count("\rno row yet after 0s") > 10 and before.endswith("\r")  # which the message overwrites
    assert told and re.search(r"\r\d+ rows tried, \d+ kept  [\d,]+ rows/s", after) and after.endswith("\r")
