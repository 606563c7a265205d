"""Tasks on Ray give what one process gives."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import types
from concurrent.futures import Future
from pathlib import Path

import pytest

import seqgen
from conftest import finish, run_seqgen
from resuming import digests
from seqgen.pytest_plugin import load_plugins
from seqgen_ray.executor import RayExecutor

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray")


def test_without_the_package_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(seqgen.MissingExtra, match=r"executor ray needs the extra 'ray': pip install"):
        list(seqgen.run_tasks([seqgen.Task("worker_tasks:square", {"x": 1})], on="ray"))
    with pytest.raises(seqgen.MissingExtra, match=r"executor ray needs the extra 'ray': pip install"):
        seqgen.train("names", steps=1, workers=2, on="ray", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_the_plugin_its_name_is_known():
    plugins = load_plugins([], installed=False)
    with pytest.raises(seqgen.UnknownName, match="seqgen_ray"):
        list(seqgen.run_tasks([], on="ray", plugins=plugins))


def test_all_tasks_are_cancelled_by_an_exception(monkeypatch):
    """Also those whose callbacks remove others from the list meanwhile."""
    cancelled = []

    class Ref:
        def __init__(self):
            self._future = Future()

        def future(self):
            return self._future

    class Remote:
        def options(self, **options):
            return self

        def remote(self, *arguments):
            return Ref()

    def cancel(ref, force):
        cancelled.append(ref)
        ref.future().set_exception(RuntimeError("cancelled"))

    ray = types.SimpleNamespace(remote=lambda call: Remote(), cancel=cancel, is_initialized=lambda: True)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(KeyboardInterrupt), RayExecutor(2) as executor:
        futures = [executor.submit(abs, x) for x in range(7)]
        raise KeyboardInterrupt
    assert len(cancelled) == len(futures) == len(set(cancelled)) and all(future.done() for future in futures)


@pytest.mark.slow
@needs_ray
def test_rows_and_runs_are_those_of_one_process(tiny_run, words, tmp_path):
    rows = ("sample", tiny_run.path, "-n", 2000, "--out")
    assert finish(run_seqgen(*rows, "a.jsonl", cwd=tmp_path)).code == 0
    assert finish(run_seqgen(*rows, "b.jsonl", "--workers", 2, "--on", "ray", cwd=tmp_path)).code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    nowhere = run_seqgen(*rows, "c.txt", "--on", "ray", "-o", "executor.address=auto", cwd=tmp_path)
    result = finish(nowhere)
    assert result.code == 2 and "cannot use Ray at executor.address='auto'" in result.err
    assert not (tmp_path / "c.txt.shards").exists()


LOST = """
import sys
import seqgen

tasks = [seqgen.Task("worker_tasks:die", {"path": sys.argv[1], "times": int(sys.argv[2])}, "deadly")]
tasks += [seqgen.Task("worker_tasks:square", {"x": x}) for x in range(4)]
found = {result.number: result.error or result.value for result in seqgen.run_tasks(tasks, workers=2, on="ray")}
print([found[number] for number in sorted(found)][1:], found[0])
"""


@pytest.mark.slow
@needs_ray
def test_a_killed_worker_costs_its_task_only(tmp_path):
    (tmp_path / "script.py").write_text(LOST)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for times, says in ((1, "[0, 1, 4, 9] 1"), (9, "[0, 1, 4, 9] the task 'deadly' lost its worker 3 times: ")):
        command = [sys.executable, tmp_path / "script.py", tmp_path / str(times), str(times)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        assert f"\n{says}" in f"\n{result.stdout}", result.stdout  # Ray writes there too


TOGETHER = """
import signal
import seqgen
from seqgen_ray.executor import RayExecutor

before = signal.getsignal(signal.SIGTERM)
with RayExecutor(2, strategy="STRICT_SPREAD") as executor:
    try:
        executor.gang(2, 1)  # of one machine
    except TimeoutError as error:
        print(error)
with RayExecutor(2) as executor:
    executor.gang(2, 60)
    print(executor.submit(abs, -3).result(), executor.submit(abs, -4).result())
assert signal.getsignal(signal.SIGTERM) is before
"""


@pytest.mark.slow
@needs_ray
def test_workers_are_reserved_together_or_not_at_all(tmp_path):
    result = subprocess.run([sys.executable, "-c", TOGETHER], capture_output=True, text=True, timeout=200, check=True)
    assert "Ray has 2 CPUs and 0 GPUs, and each needs 1 and 0" in result.stdout
    assert "3 4" in result.stdout


def _tasks_of(process):
    """Return the processes of Ray's tasks in the session of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(b"ray::_call") and os.getsid(int(path.name)) == process.pid:
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.slow
@needs_ray
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_run_is_trained_on_ray_as_here_also_when_a_worker_is_killed(words, tmp_path):
    options = "--cell gru --hidden 10 --batch-size 8 --steps 300 --dropout 0.3 -o eval_every=50 -o save_every_s=0.2"
    train = ["train", "--corpus", words, *options.split(), "--workers", 2, "--out"]
    assert finish(run_seqgen(*train, "here", cwd=tmp_path)).code == 0
    command = [sys.executable, "-m", "seqgen", *map(str, train), "cut", "--on", "ray"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list((tmp_path / "cut").glob("checkpoints/step-*")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    for worker in _tasks_of(process):
        os.kill(worker, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 9 and f"seqgen: worker 1 on {os.uname().nodename} has ended" in said
    resumed = finish(run_seqgen("resume", "cut", "--workers", 2, "--on", "ray", cwd=tmp_path))
    assert resumed.code == 0, resumed.err
    assert digests(tmp_path / "cut") == digests(tmp_path / "here")
