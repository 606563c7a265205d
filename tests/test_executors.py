"""Executors: results as they finish, errors as raised, lost workers replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

import seqgen
import worker_tasks
from seqgen.errors import WorkerLost
from seqgen.executors import reserve_workers
from seqgen.executors.local import LocalExecutor
from seqgen.plugins import Plugins
from seqgen.pytest_plugin import load_plugins
from seqgen.registry import Entry
from seqgen.testing import checks_of


def task(name, label="", **arguments):
    return seqgen.Task(f"worker_tasks:{name}", arguments, label)


def by_number(tasks, **settings):
    """Return the values or errors of tasks in their order."""
    found = {result.number: result.error or result.value for result in seqgen.run_tasks(tasks, **settings)}
    return [found[number] for number in sorted(found)]


def threads(load=ThreadPoolExecutor):
    """Plugins with an executor "threads" of the class given."""
    plugins = load_plugins([], installed=True)
    plugins.registry.add(Entry("mine", seqgen.ExecutorSpec(name="threads", summary="s", load=load), "mine", "1"))
    return plugins


def is_alive(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def wait_until(condition, limit_s=30):
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.02)


# -- one process


def test_results_and_errors_of_one_worker_are_those_of_the_process():
    values = by_number([task("square", x=3), task("refuse", cell="grr"), task("fail", "broken"), task("give_set")])
    assert values[0] == 9
    assert type(values[1]) is seqgen.UnknownName and "did you mean 'gru'" in str(values[1])
    assert type(values[2]) is seqgen.TaskFailed
    assert str(values[2]) == "the task 'broken' failed: ZeroDivisionError: division by zero"
    assert "set is not JSON serializable" in str(values[3])


def test_the_value_of_a_failed_task_is_its_error():
    (result,) = seqgen.run_tasks([task("fail", "broken")])
    with pytest.raises(seqgen.TaskFailed, match="division by zero"):
        _ = result.value


def test_an_interrupt_in_this_process_ends_the_tasks():
    with pytest.raises(seqgen.Interrupted):
        list(seqgen.run_tasks([task("stop"), task("square", x=1)]))


def test_tasks_are_taken_when_a_worker_is_free():
    """So that an iterator of tasks can decide by earlier results."""
    found = []

    def tasks():
        while sum(found) < 20:
            yield task("square", x=len(found) + 1)

    for result in seqgen.run_tasks(tasks(), on="threads", workers=1, plugins=threads()):
        found.append(result.value)
    assert found == [1, 4, 9, 16]


@pytest.mark.parametrize(
    ("function", "arguments", "says"),
    [
        (worker_tasks.square, {}, "needs an importable plugin"),
        ("__main__:run", {}, "needs an importable plugin"),
        ("square", {}, 'pass its name, "package.module:name"'),
        ("worker_tasks:square", {"x": worker_tasks}, "its arguments are not JSON"),
    ],
)
def test_what_other_processes_cannot_import_is_refused(function, arguments, says):
    with pytest.raises(seqgen.UsageError, match=says):
        seqgen.Task(function, arguments)


@pytest.mark.parametrize("function", ["nobodys_module:run", "worker_tasks:nothing"])
def test_a_function_that_cannot_be_imported(function):
    (error,) = by_number([seqgen.Task(function, label="mine")])
    assert type(error) is seqgen.UsageError and f"'mine': {function} needs an importable plugin" in str(error)


def test_unknown_executors_and_impossible_settings():
    for settings, error, says in (
        ({"on": "locl"}, seqgen.UnknownName, "did you mean 'local'"),
        ({"workers": 0}, seqgen.BadOption, "at least 1, not 0"),
        ({"options": {"threads": 0}}, seqgen.BadOption, "threads"),
        ({"options": {"nodes": 2}}, seqgen.BadOption, "nodes"),
    ):
        with pytest.raises(error, match=says):
            list(seqgen.run_tasks([task("square", x=1)], **settings))


def test_objects_from_python_do_not_reach_workers_and_are_refused():
    class Mine:
        pass

    spec = seqgen.CellSpec(name="mine", summary="s", load=Mine)
    with pytest.raises(seqgen.UsageError, match="was passed from Python and needs an importable plugin"):
        list(seqgen.run_tasks([task("square", x=1)], workers=2, plugins=[spec]))
    assert by_number([task("square", x=1)], plugins=[spec]) == [1]


# -- executors of plugins


class Flaky(ThreadPoolExecutor):
    """Loses the worker of the first calls of each."""

    lost, broken = 2, False

    def submit(self, fn, /, *args, **kwargs):
        if Flaky.broken:
            raise BrokenProcessPool("all is lost")
        if Flaky.lost:
            Flaky.lost -= 1
            return super().submit(lose)
        return super().submit(fn, *args, **kwargs)


def lose():
    raise BrokenProcessPool("gone")


@pytest.mark.parametrize(("lost", "retries", "fails"), [(2, 2, False), (3, 2, True), (1, 0, True)])
def test_a_task_that_loses_its_worker_is_tried_again(monkeypatch, lost, retries, fails):
    monkeypatch.setattr(Flaky, "lost", lost)
    (found,) = by_number(
        [task("square", "mine", x=2)], on="threads", workers=1, retries=retries, plugins=threads(Flaky)
    )
    if fails:
        times = "once" if retries == 0 else "3 times"
        assert type(found) is seqgen.TaskFailed and str(found) == f"the task 'mine' lost its worker {times}: gone"
    else:
        assert found == 4


def test_an_executor_that_takes_no_task_is_broken(monkeypatch):
    monkeypatch.setattr(Flaky, "broken", True)
    with pytest.raises(seqgen.PluginError, match="a new one takes no task"):
        list(seqgen.run_tasks([task("square", x=2)], on="threads", plugins=threads(Flaky)))


def test_an_executor_is_a_context_manager_of_one_that_takes_tasks():
    direct = SimpleNamespace(submit=lambda function, *arguments: function(*arguments))
    for load, says in (
        (lambda workers: 3, "has no __enter__"),
        (lambda workers: nullcontext(), "has no submit"),
        (lambda workers: nullcontext(direct), r"submit returned '.*, not a concurrent\.futures\.Future"),
    ):
        with pytest.raises(seqgen.PluginError, match=says):
            list(seqgen.run_tasks([task("square", x=2)], on="threads", plugins=threads(load)))


@pytest.mark.full
def test_a_broken_pool_is_replaced(tmp_path):
    """The pool of the standard library fails all calls when one process dies."""
    import multiprocessing

    plugins = threads(lambda workers: ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")))
    tasks = [task("die", path=str(tmp_path / "count"), times=2), *(task("square", x=x) for x in range(3))]
    assert by_number(tasks, on="threads", workers=2, plugins=plugins) == [2, 0, 1, 4]


# -- processes


def test_a_worker_that_is_killed_costs_its_task_only(tmp_path):
    """It is replaced, and the task is run again."""
    tasks = [
        task("die", path=str(tmp_path / "count"), times=1), task("refuse", cell="grr"), task("fail"),
        *(task("square", x=x) for x in range(5)), task("stop"),
    ]  # fmt: skip
    dead, refused, failed, *squares, stopped = by_number(tasks, workers=2)
    assert dead == 1 and squares == [0, 1, 4, 9, 16]
    assert type(refused) is seqgen.UnknownName and "did you mean 'gru'" in str(refused) and refused.kind == "cell"
    assert type(failed) is seqgen.TaskFailed and type(stopped) is seqgen.TaskFailed


@pytest.mark.full
def test_a_task_that_kills_its_worker_is_named(tmp_path):
    path = str(tmp_path / "count")
    dead, square = by_number([task("die", "the deadly one", path=path, times=9), task("square", x=2)], workers=2)
    says = "the task 'the deadly one' lost its worker 3 times: the worker process was killed by signal 9"
    assert str(dead) == says and square == 4


@pytest.mark.full
def test_threads_are_divided_among_workers(monkeypatch):
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        tasks = [task("n_threads")] * 2
        assert by_number(tasks, workers=2) == [2, 2]
        assert by_number(tasks, workers=2, options={"threads": 1}) == [1, 1]
    finally:
        torch.set_num_threads(before)


@pytest.mark.full
def test_plugin_files_and_modules_reach_the_workers(in_tmp, monkeypatch):
    hook = "import seqgen\n@seqgen.hookimpl\ndef register_cells(register):\n"
    hook += "    register(seqgen.CellSpec(name='mine', summary='s', load='json:loads'))\n"
    (in_tmp / "mycells.py").write_text(hook)
    (in_tmp / "package").mkdir()
    (in_tmp / "package" / "__init__.py").write_text(hook)
    monkeypatch.syspath_prepend(in_tmp)
    import package

    for plugin in ("mycells.py", package):
        (found,) = by_number([task("cells")], workers=2, plugins=plugin)
        assert "mine" in found and "lstm" in found
    (bare,) = by_number([task("cells")], workers=2, plugins=Plugins(pytest.fail))
    assert bare == []
    plugins = load_plugins(["mycells.py"], installed=True)
    (in_tmp / "mycells.py").write_text(hook + "\n")
    (error,) = by_number([task("cells")], workers=2, plugins=plugins)
    assert str(error) == "the plugin file 'mycells.py' has changed since the command started"
    for name in ("mycells", "package"):
        sys.modules.pop(name)


def test_closing_ends_the_tasks_at_once(tmp_path):
    """As Ctrl-C does."""
    path = tmp_path / "pid"
    results = seqgen.run_tasks([task("square", x=1), task("wait", path=str(path), seconds=60)], workers=2)
    assert next(results).value == 1
    wait_until(lambda: path.exists() and path.read_text())
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 1
    wait_until(lambda: not is_alive(int(path.read_text())), 2)


SCRIPT = """
import sys
import seqgen

tasks = [seqgen.Task("worker_tasks:wait", {"path": path, "seconds": 60}) for path in sys.argv[1:]]
list(seqgen.run_tasks(tasks, workers=2))
"""


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_workers_end_with_their_parent(tmp_path, number):
    """The script has no guard of its main module, which a pool of spawned processes would need."""
    (tmp_path / "script.py").write_text(SCRIPT)
    paths = [tmp_path / "a", tmp_path / "b"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "script.py", *paths], env=environment, stderr=subprocess.DEVNULL
    ) as parent:
        wait_until(lambda: all(path.exists() and path.read_text() for path in paths))
        pids = [int(path.read_text()) for path in paths]
        for pid in pids:
            os.kill(pid, signal.SIGINT)  # which workers ignore
        time.sleep(0.1)
        assert all(map(is_alive, pids))
        parent.send_signal(number)
        started = time.monotonic()
        parent.wait(10)
        assert time.monotonic() - started < 2
    wait_until(lambda: not any(map(is_alive, pids)), 2)


@pytest.mark.full
@pytest.mark.parametrize("name", ["results", "errors", "together", "options", "global-state"])
def test_the_pool_keeps_the_promises_of_the_kit(name):
    spec = load_plugins([], installed=True).registry.get("executor", "local").spec
    (check,) = [check for check in checks_of(spec) if check.name == name]
    check()


def test_workers_that_are_not_there_are_not_reserved():
    """None starts then, and what one needs to start is refused before."""
    plugins = load_plugins([], installed=True)
    with (
        pytest.raises(seqgen.UsageError, match="cannot train on 'threads': its tasks start one by one"),
        reserve_workers(2, on="threads", options={}, timeout_s=1, plugins=threads()),
    ):
        pass
    late = "cannot start 2 more processes together on 'late' within 1 s: all are busy; give fewer --workers"
    plugins.registry.add(Entry("mine", seqgen.ExecutorSpec(name="late", summary="s", load=Late), "mine", "1"))
    with (
        pytest.raises(WorkerLost, match=late),
        reserve_workers(2, on="late", options={}, timeout_s=1, plugins=plugins),
    ):
        pass
    with pytest.raises(TimeoutError, match="there are 2 workers"):
        LocalExecutor(2).gang(3, 1)


@pytest.mark.parametrize("address", [None, "", 29500])
def test_an_executor_that_returns_no_address_is_named(address):
    class Nowhere(ThreadPoolExecutor):
        def gang(self, n, timeout_s):
            return address

    plugins = load_plugins([], installed=True)
    spec = seqgen.ExecutorSpec(name="nowhere", summary="s", load=Nowhere)
    plugins.registry.add(Entry("mine", spec, "mine", "1"))
    with (
        pytest.raises(seqgen.PluginError, match=f"executor nowhere of mine .*: gang returns {address!r}, not"),
        reserve_workers(2, on="nowhere", options={}, timeout_s=1, plugins=plugins),
    ):
        pass
    (check,) = [check for check in checks_of(spec) if check.name == "together"]
    with pytest.raises(AssertionError, match="gang returns"):
        check()


class Late(ThreadPoolExecutor):
    def gang(self, n, timeout_s):
        raise TimeoutError("all are busy")


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("square", {"x": 2}, "has ended"),
        ("refuse", {"cell": "grr"}, "has failed: no cell named 'grr'"),
        ("die", {"times": 1}, "has ended: the worker process was killed by signal 9"),
    ],
)
def test_a_reserved_worker_that_ends_is_found(tmp_path, name, arguments, says):
    arguments |= {"path": str(tmp_path / "count")} if name == "die" else {}
    tasks = [task("wait", path=str(tmp_path / "pid"), seconds=60), task(name, **arguments)]
    with (
        pytest.raises(KeyboardInterrupt),
        reserve_workers(2, on="local", options={}, timeout_s=1, plugins=load_plugins([], installed=True)) as workers,
    ):
        workers.start(tasks)
        wait_until(lambda: workers.find_ended() is not None and (tmp_path / "pid").exists())
        number, how = workers.find_ended()
        raise KeyboardInterrupt
    assert number == 1 and how.startswith(says)
    wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text())), 2)


def test_executors_are_listed(cli):
    assert "local" in cli("list", "executors").out
    assert "threads" in cli("show", "executor", "local").out


@pytest.mark.full
def test_a_bench_goes_on_with_other_workers_and_from_elsewhere(cli, words, in_tmp, monkeypatch):
    (in_tmp / "sub").mkdir()
    (in_tmp / "link.txt").symlink_to(words)
    asked = ("bench", "--cells", "vanilla", "--hidden", 4, "--steps", 3, "--seeds", 2, "-q", "--out", in_tmp / "all")
    assert cli(*asked, "--corpus", "link.txt", "--workers", 2).code == 0
    monkeypatch.chdir(in_tmp / "sub")
    again = cli(*asked, "--corpus", "../link.txt")
    assert again.code == 0, again.err


@pytest.mark.full
def test_a_bench_on_workers_reads_what_is_registered_before_a_file_of_that_name(cli, words, in_tmp):
    (in_tmp / "names").write_text("zzz\n" * 50)
    asked = ("bench", "--corpus", "names", "--cells", "vanilla", "--hidden", 4, "--steps", 3, "--seeds", 2, "-q")
    assert cli(*asked, "--workers", 2, "--out", "all").code == 0
    assert cli(*asked, "--out", "all").code == 0


@pytest.mark.full
def test_a_bench_on_workers_has_the_results_of_one_process(cli, words, in_tmp):
    import json

    asked = (
        "bench",
        "--corpus",
        words,
        "--cells",
        "vanilla,gru,ngram",
        "--hidden",
        4,
        "--steps",
        3,
        "--seeds",
        2,
        "--json",
    )
    times = {"tokens_per_s", "samples_per_s", "trained_s"}

    def timeless(rows):
        return [{name: value for name, value in row.items() if name not in times} for row in rows]

    one = json.loads(cli(*asked, "--out", "one").out)
    many = json.loads(cli(*asked, "--out", "many", "--workers", 2).out)
    assert timeless(one["rows"]) == timeless(many["rows"]) and timeless(one["runs"]) == timeless(many["runs"])
    again = cli(*asked, "--out", "many", "--workers", 2)
    assert json.loads(again.out) == many
    wrong = cli(*asked, "--out", "many", "--workers", 2, "-o", "executor.nodes=2")
    assert wrong.code == 2 and "nodes" in wrong.err


@pytest.mark.full
@pytest.mark.parametrize("blend", ["none", "ngram"])
def test_an_evaluation_on_workers_has_the_numbers_of_one_process(blend, cli, in_tmp):
    asked = ("--corpus", "names", "--steps", 5, "--hidden", 8, "--blend", blend, "--out", "run", "-q")
    assert cli("train", *asked).code == 0
    one = cli("evaluate", "run", "-n", 1500, "--json")
    many = cli("evaluate", "run", "-n", 1500, "--json", "--workers", 2)
    assert many.code == 0 and many.out == one.out
    assert cli("evaluate", "run", "-o", "executor.nodes=2").code == 2
