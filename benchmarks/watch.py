"""Cost of watching and tracking: the CPU time of ``seqgen watch`` on 20 runs, and what trackers add to a training run.

    python benchmarks/watch.py [--seconds 60] [--rounds N]

Watching: 20 run folders, of which three are trained by processes meanwhile, on a terminal of 100 columns; CPU seconds
of ``seqgen watch`` by the kernel, from ten seconds after its start on.

Tracking: runs of a small ``vanilla`` cell with 15 evaluations of 3 samples each, in one process; each without a tracker
is beside one with it, in alternating order. Clocks run from the start of training to the last report: CPU time of the
training thread, and wall time. "x" is the median of the ratios of the rounds, with the smallest and the largest. The
costs of a report are medians over all reports: the time that the training thread spends in the hook, and the CPU time
of the tracker's own thread. "at 500 steps/s" is the share of a second that they take with a report every 100 steps. The
hook's share is lost for certain; the thread's is on another core, and what it costs the training is at most that much,
where both want the interpreter. A tracker's library is imported, and its data base made, by a run before. "sleeps" is a
tracker that sleeps 60 s in each call, and "nothing" a second run without a tracker, whose ratio is the noise of the
machine. Libraries that are not installed are left out. The tables are stored in benchmarks/results/tracking.md.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import pty
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seqgen_tracking.sender import Report, Sender

import seqgen
from report import table, write_page

_RUNS, _TRAINED = 20, 3
_STEPS, _EVALUATIONS = 1_500, 15
_STEPS_PER_S, _EVERY = 500, 100
_HOOK_S: list[float] = []
_THREAD_S: list[float] = []
_SMALL = ["--corpus", "names", "--cell", "vanilla", "--hidden", "32", "-o", "patience=0", "-o", "eval_every=200"]


# -- watching


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used, by the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def trained(folder: Path) -> Iterator[list[str]]:
    """Yield the names of run folders, of which a few are trained meanwhile; the others are copies that look alike."""
    names = [f"run-{number:03d}" for number in range(_RUNS)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "seqgen", "train", "-q", *_SMALL, "--steps", "10000000", "--out", f"runs/{name}"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name in names[:_TRAINED]
    ]  # fmt: skip
    try:
        while not all(list((folder / "runs" / name).glob("checkpoints/step-*")) for name in names[:_TRAINED]):
            time.sleep(0.2)
        for name in names[_TRAINED:]:  # which name the process of the first, so that they count as running
            shutil.copytree(folder / "runs" / names[0], folder / "runs" / name, ignore_dangling_symlinks=True)
        yield names
    finally:
        for process in processes:
            process.kill()
            process.wait()


def watch(folder: Path, seconds: float) -> tuple[float, float]:
    """Return the CPU seconds of ``seqgen watch`` and the seconds of wall time that they were measured over."""
    with trained(folder) as names:
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "seqgen", "watch", *names],
            cwd=folder, stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
            env={**os.environ, "COLUMNS": "100", "LINES": "40", "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(follower)
        threading.Thread(target=_drain, args=[leader], daemon=True).start()
        time.sleep(10)
        before, started = cpu_s(process.pid), time.monotonic()
        time.sleep(seconds)
        used, passed = cpu_s(process.pid) - before, time.monotonic() - started
        os.write(leader, b"q")
        assert process.wait(30) == 0
        os.close(leader)
    return used, passed


def _drain(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 65536):
            pass


# -- tracking


class Asleep:
    """A tracker that sleeps a minute in each call."""

    def send(self, report: Report) -> None:
        """Sleep."""
        time.sleep(60)

    def end(self, reason: str) -> None:
        """Sleep."""
        time.sleep(60)


class SleepyHooks:
    """Event hooks with a tracker that sleeps."""

    @seqgen.hookimpl
    def on_run_start(self) -> None:
        """Begin."""
        self.sender = Sender("sleeps", Asleep, print, hangs_s=1.0)

    @seqgen.hookimpl
    def on_report(self, metrics: dict[str, float], samples: list[str]) -> None:
        """Queue a report."""
        self.sender.add(Report.of(metrics, samples))

    @seqgen.hookimpl
    def on_run_end(self) -> None:
        """End, without waiting for it."""
        self.sender.end("steps")


class Clocks:
    """A listener that reads the clocks at the first and at the last event of the training loop."""

    def __call__(self, folder: object, event: object) -> None:
        """Read them."""
        if isinstance(event, seqgen.events.Started):
            self.before = self._read()
        elif isinstance(event, seqgen.events.Report):
            self.spent = [after - before for before, after in zip(self.before, self._read(), strict=True)]

    @staticmethod
    def _read() -> list[float]:
        return [time.thread_time(), time.perf_counter()]


def timed(function: Callable[..., Any], clock: Callable[[], float], found: list[float]) -> Callable[..., Any]:
    """Return a function that also notes the time that it takes."""

    def call(*arguments: Any) -> Any:
        before = clock()
        try:
            return function(*arguments)
        finally:
            found.append(clock() - before)

    return call


def time_reports() -> None:
    """Note the time of each report, in the hook and in the trackers' threads."""
    report, sent = Sender.add, Sender.send
    Sender.add = timed(report, time.perf_counter, _HOOK_S)
    Sender.send = timed(sent, time.thread_time, _THREAD_S)


def train(kind: str, folder: Path) -> list[float]:
    """Train with a tracker; return CPU seconds of the training thread, and wall seconds."""
    clocks = Clocks()
    places = {"tensorboard": "tensorboard", "mlflow": f"mlflow=sqlite:///{folder}/mlflow.db"}
    track = () if kind in ("none", "nothing", "sleeps") else places.get(kind, kind)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        seqgen.train(
            "names", cell="vanilla", hidden=16, batch_size=16, steps=_STEPS, blend="none", track=track,
            options={"eval_every": _STEPS // _EVALUATIONS, "patience": 0, "eval_records": 100}, listener=clocks,
            plugins=[SleepyHooks()] if kind == "sleeps" else None, out=folder / f"{kind}-{time.monotonic_ns()}",
        )  # fmt: skip
    return clocks.spent


def kinds() -> list[str]:
    """Return no tracker, those whose libraries are here, and the one that sleeps."""
    libraries = ["tensorboard", "mlflow", "wandb", "trackio"]
    return ["nothing", *(name for name in libraries if importlib.util.find_spec(name) is not None), "sleeps"]


def track(folder: Path, rounds: int) -> list[list[str]]:
    """Return a row for each tracker."""
    rows = []
    for kind in kinds():
        train(kind, folder)
        _HOOK_S.clear()
        _THREAD_S.clear()
        pairs = []
        for number in range(rounds):
            order = ["none", kind] if number % 2 else [kind, "none"]
            found = {one: train(one, folder) for one in order}
            pairs.append((found["none"], found[kind]))
        speed = statistics.median(_STEPS / bare[1] for bare, _ in pairs)
        shares = [_ratio([tracked[clock] / bare[clock] for bare, tracked in pairs]) for clock in range(2)]
        hook_s, thread_s = (statistics.median(found) if found else 0.0 for found in (_HOOK_S, _THREAD_S))
        rate = _STEPS_PER_S / _EVERY
        costs = [f"{1e6 * hook_s:.0f} us", f"{hook_s * rate:.3%}", f"{1e3 * thread_s:.1f} ms", f"{thread_s * rate:.2%}"]
        rows.append([kind, *costs, f"{speed:,.0f}", *shares])
        print(rows[-1], flush=True)
    return rows


def _ratio(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})"


def main() -> None:
    """Measure, and store the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    os.environ.setdefault("WANDB_MODE", "offline")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    time_reports()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["TRACKIO_DIR"], os.environ["WANDB_DIR"] = str(folder / "trackio"), str(folder)
        used, passed = watch(folder, asked.seconds)
        print(f"watch: {used:.2f} s of {passed:.0f} s", flush=True)
        with contextlib.chdir(folder):  # where MLflow puts its artifacts
            tracked = track(folder, asked.rounds)
    what = f"{_RUNS} runs, {_TRAINED} of them trained"
    watched = [[what, f"{used:.2f} s", f"{passed:.0f} s", f"{used / passed:.1%}", "2%"]]
    head = [
        "tracker",
        "hook, a report",
        "at 500 steps/s",
        "its thread, a report",
        "at 500 steps/s",
        "steps/s",
        "training thread, x",
        "wall, x",
    ]
    write_page(
        "tracking",
        "What watching and tracking cost",
        "Written by `python benchmarks/watch.py`, which says how.",
        asked.rounds,
        "## Watching",
        table(["what", "CPU", "wall", "of a core", "goal"], watched),
        "## Tracking",
        table(head, tracked),
        f"{os.getloadavg()[1]:.0f} processes wanted the {os.cpu_count()} cores while this was measured.",
    )


if __name__ == "__main__":
    main()
