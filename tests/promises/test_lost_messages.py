"""R30: a stderr that cannot be written to costs messages, never work."""

from __future__ import annotations

import io
import itertools
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import seqgen
from conftest import WORDS, finish, in_tiers, run_seqgen
from resuming import SMALL, Stopper, digests
from seqgen.checkpoint import RunFolder
from seqgen.cli.common import session
from seqgen.cli.main import _verdict
from seqgen.errors import Interrupted
from seqgen.streams import _LossyStderr
from seqgen.training import Progress, Report, Saved

pty = pytest.importorskip("pty", reason="no terminals here")

LIMIT = 200_000  # bytes of any file; a checkpoint here has fewer
TRAIN = (
    "train", "--corpus", "words.txt", "--cell", "gru", "--hidden", 10, "--embedding", 5, "--batch-size", 8,
    "--split", "80/10/10", "-o", "eval_every=10",
)  # fmt: skip


def to_full_device(folder):
    return os.open("/dev/full", os.O_WRONLY), None


def to_nothing(folder):
    return os.open(os.devnull, os.O_WRONLY), lambda: os.close(2)


def to_gone_pipe(folder):
    reader, writer = os.pipe()
    os.close(reader)
    return writer, None


def to_gone_terminal(folder):
    leader, follower = pty.openpty()
    os.close(leader)
    return follower, None


def to_log_at_its_limit(folder):
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.truncate(log, LIMIT - 30)
    return log, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


SINKS = [to_full_device, to_nothing, to_gone_pipe, to_gone_terminal, to_log_at_its_limit]


def run_unread(sink, folder, *arguments, stdout=subprocess.DEVNULL):
    """The exit code of a command whose stderr is lost in this way."""
    descriptor, prepare = sink(folder)
    try:
        return subprocess.run(
            [sys.executable, "-m", "seqgen", *map(str, arguments)],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=descriptor, preexec_fn=prepare, timeout=300,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # a file at its limit would be cut
        ).returncode  # fmt: skip
    finally:
        os.close(descriptor)


@pytest.fixture
def folder(in_tmp):
    (in_tmp / "words.txt").write_text("\n".join(WORDS) + "\n")
    return in_tmp


def straight(folder, steps):
    """Digests of the run that somebody watched."""
    options = {**SMALL, "cell": "gru", "steps": steps, "options": {"eval_every": 10}}
    return digests(seqgen.train(folder / "words.txt", out=folder / "straight", **options).path)


@pytest.mark.full
@pytest.mark.promise("R30")
@pytest.mark.parametrize("sink", SINKS)
def test_a_run_that_nobody_reads_about_is_the_same_run(sink, folder):
    """A full device, a closed stream, a pipe and a terminal that are gone, a log at its limit: exit 0, equal bytes."""
    assert run_unread(sink, folder, *TRAIN, "--steps", 20, "--out", "run") == 0
    assert digests(folder / "run") == straight(folder, 20)


@pytest.mark.slow
@pytest.mark.promise("R30")
@pytest.mark.parametrize("sink", SINKS)
def test_commands_that_nobody_reads_about(sink, folder, record_property):
    """Resuming, sampling, scoring, evaluating and bench with each of these: exit 0; a mistake keeps its exit code."""
    options = {**SMALL, "cell": "gru", "steps": 20, "options": {"eval_every": 10}}
    expected = straight(folder, 20)
    with pytest.raises(Interrupted):
        seqgen.train(folder / "words.txt", out=folder / "run", listener=Stopper(10), **options)
    commands = [
        ("resume", "run", "-v"),
        ("sample", "run", "-n", 2000, "--novel"),
        ("score", "anna", "--run", "run"),
        ("evaluate", "run", "-n", 20, "-v"),
        (
            "bench",
            "--corpus",
            "words.txt",
            "--cells",
            "gru",
            "--hidden",
            10,
            "--steps",
            4,
            "--seeds",
            1,
            "--out",
            "bench",
        ),
        ("list", "cells"),
    ]
    for command in commands:
        assert run_unread(sink, folder, *command) == 0, command
    assert digests(folder / "run") == expected
    assert run_unread(sink, folder, "sample", "no-such-run") == 2
    assert run_unread(sink, folder, "train", "--corpus", "no-such-file.txt") == 2
    record_property("cases", len(commands) + 2)


@pytest.mark.full
@pytest.mark.promise("R30")
def test_a_terminal_that_is_closed_leaves_a_run_that_is_saved(folder):
    """Its terminal is closed while it trains: SIGHUP, exit 129, and what is resumed ends in the same bytes."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgen", *map(str, TRAIN), "--steps", "1500", "--out", "run", "-o", "patience=0",
         "-o", "eval_every=500"],
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        preexec_fn=lambda: os.login_tty(os.dup(0)),
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while not re.search(rb"step +[1-9]", shown):  # the bar, or a line about the first evaluation
        shown += os.read(leader, 4096)
    os.close(leader)
    assert process.wait(60) == 128 + signal.SIGHUP
    stopped_at = RunFolder(folder / "run").load_latest(pytest.fail).state
    assert 0 < stopped_at["step"] < 1500 and not stopped_at["ended"]
    seqgen.resume(folder / "run")
    common = {**SMALL, "cell": "gru", "steps": 1500, "options": {"eval_every": 500, "patience": 0}}
    expected = digests(seqgen.train(folder / "words.txt", out=folder / "straight", **common).path)
    assert digests(folder / "run") == expected


@pytest.mark.slow
@pytest.mark.promise("R30")
@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_a_run_that_nobody_reads_about(sink, number, folder):
    """The run is saved and the exit code is the signal's."""
    descriptor, prepare = sink(folder)
    arguments = (*TRAIN, "--steps", 10**6, "--out", "run", "-o", "patience=0", "-o", "save_every_s=0.5")
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgen", *map(str, arguments)],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=descriptor, preexec_fn=prepare,
    )  # fmt: skip
    os.close(descriptor)
    give_up_at = time.monotonic() + 120
    while not list((folder / "run").glob("checkpoints/step-*")) and time.monotonic() < give_up_at:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert RunFolder(folder / "run").load_latest(pytest.fail).state["step"] > 0


@pytest.mark.full
@pytest.mark.promise("R30")
@pytest.mark.parametrize("kind", [Progress, Report, Saved])
def test_a_listener_that_fails_leaves_a_run_that_is_saved(kind, folder, monkeypatch):
    """Its exception comes up as it is, with a note on what is saved; the run goes on to the same bytes."""
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)  # an event a step
    expected = straight(folder, 20)

    def listener(run, event):
        step = event.metrics["step"] if isinstance(event, Report) else getattr(event, "step", 0)
        if isinstance(event, kind) and step >= 5:
            raise OSError(5, "nobody listens")

    common = {**SMALL, "cell": "gru", "steps": 20, "options": {"eval_every": 10}}
    with pytest.raises(OSError, match="nobody listens") as caught:
        seqgen.train(folder / "words.txt", out=folder / "run", listener=listener, **common)
    step = RunFolder(folder / "run").load_latest(pytest.fail).state["step"]
    assert step == (5 if kind is Progress else 10)
    assert caught.value.__notes__[-1].startswith(f"run: step {step} is saved, continue with: seqgen resume")
    seqgen.resume(folder / "run")
    assert digests(folder / "run") == expected


def test_an_unexpected_error_says_what_is_saved(plugins, monkeypatch):
    monkeypatch.setattr(session, "plugins", plugins, raising=False)
    error = KeyError("x")
    error.add_note("run: ; step 3 is saved, continue with: seqgen resume run")
    line, code = _verdict(error)
    assert code == 1 and line.startswith("unexpected KeyError") and line.endswith("continue with: seqgen resume run")


def test_a_stream_that_takes_little_at_a_time_gets_all_and_one_that_refuses_gets_the_next_message():
    taken = bytearray()

    class Slow(io.RawIOBase):
        full = False

        def write(self, data):
            if self.full:
                raise OSError(28, "No space left on device")
            taken.extend(bytes(data[:3]))
            return min(3, len(data))

    class Stream:
        buffer = slow = Slow()

    unread = _LossyStderr(Stream())
    assert unread.write(b"first line\n") == 11 and taken == b"first line\n"
    Stream.slow.full = True
    assert unread.write(b"second\n") == 7 and taken == b"first line\n"
    Stream.slow.full = False
    assert unread.write(b"third\n") == 6 and taken == b"first line\nthird\n"


# -- stdout


@pytest.mark.full
@pytest.mark.promise("R30")
@pytest.mark.parametrize(
    ("arguments", "code"),
    in_tiers(
        itertools.starmap(
            pytest.param,
            [
                ((*TRAIN, "--steps", 2, "--out", "run"), 0),  # its result is the folder
                ((*TRAIN, "--steps", 2, "--out", "run", "-q"), 7),
                (("list", "cells", "--json"), 7),
                (("list", "cells"), 7),
                (("--version",), 7),
                (("list", "no-such-kind"), 2),
            ],
        ),
        lambda arguments, code: arguments[0] == "list",
    ),
    ids=str,
)
def test_a_closed_stdout_refuses_results_in_one_line(arguments, code, folder):
    """Commands without results work; others end with exit code 7 and one line, after saving."""
    result = finish(run_seqgen(*arguments, cwd=folder, preexec_fn=lambda: os.close(1)))
    assert result.code == code, result.err
    if code == 7:
        line = "seqgen: cannot write the result: stdout is closed; redirect it to a file, or to /dev/null"
        assert result.err.splitlines() == [line]
    if "run" in arguments:
        assert RunFolder(Path("run")).load_latest(pytest.fail).state["ended"] == "steps"


@pytest.mark.full
def test_a_closed_stdin_is_an_empty_one(tiny_run, in_tmp):
    process = run_seqgen("score", "--run", tiny_run.path, cwd=in_tmp, preexec_fn=lambda: os.close(0))
    result = finish(process)
    assert (result.code, result.out) == (0, "") and "unexpected" not in result.err
