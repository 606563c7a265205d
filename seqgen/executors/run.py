"""Independent tasks on an executor: the results as they finish, lost tasks tried again."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

from seqgen.config import as_whole
from seqgen.errors import Interrupted, PluginError, SeqgenError, TaskFailed, one_line, short_repr
from seqgen.executors.task import Task, read_outcome, run_here, run_json
from seqgen.plugins import Plugins, PluginsArgument, choose_plugins
from seqgen.registry import Entry

LOCAL = "local"


@dataclass(frozen=True)
class TaskResult:
    """The result of a task.

    Attributes:
        task: the task.
        number: its position among the tasks, from 0.
        error: the error of seqgen that it raised, or ``TaskFailed`` with the type and the text of any other; None if it
            returned.
    """

    task: Task
    number: int
    error: SeqgenError | None
    _value: Any = None

    @property
    def value(self) -> Any:
        """The JSON value that the function returned.

        Raises:
            SeqgenError: ``error``.
        """
        if self.error is not None:
            raise self.error
        return self._value


def run_tasks(
    tasks: Iterable[Task],
    *,
    workers: int = 1,
    on: str = LOCAL,
    options: Mapping[str, Any] | None = None,
    retries: int = 2,
    plugins: PluginsArgument = None,
) -> Generator[TaskResult, None, None]:
    """Run independent tasks and yield their results as they finish.

    A task is taken from ``tasks`` when a worker is free for it, so that an iterator may decide by earlier results. One
    worker on ``local`` without options is this process. A task that loses its worker is run again by another one.
    Closing the iterator, or an exception such as Ctrl-C, ends the tasks that run.

    Args:
        tasks: the tasks.
        workers: number of tasks that run at once.
        on: the name of an executor.
        options: options of the executor.
        retries: how often a task that loses its worker is run again.
        plugins: the plugins of the tasks, which workers load too; None: those of the running command.

    Raises (while iterating):
        UsageError: no such executor, an invalid option, or a plugin that other processes cannot import.
        MissingExtra: the executor needs a package that is not installed.
        PluginError: the executor is broken.
        Interrupted: a task in this process was interrupted.
    """
    workers = as_whole(workers, 1, "number of workers")
    chosen = choose_plugins(plugins)
    entry, values = find_executor(chosen, on, options or {})
    numbered = enumerate(tasks)
    if is_here(workers, on, options):
        return (_run_one(number, task, chosen) for number, task in numbered)
    return _Pool(entry, values, workers, retries, chosen).run(numbered)


def is_here(workers: int, on: str, options: Mapping[str, Any] | None) -> bool:
    """Return whether tasks run in this process: one worker of the local executor, without options for it."""
    return workers == 1 and on in (LOCAL, f"seqgen:{LOCAL}") and not options


def find_executor(plugins: Plugins, on: str, options: Mapping[str, Any]) -> tuple[Entry, dict[str, Any]]:
    """Return a registered executor, and its options with their defaults.

    Raises:
        UsageError: there is none of the name, or an option is unknown or invalid.
    """
    entry = plugins.find("executor", on)
    return entry, entry.options(options)


def _run_one(number: int, task: Task, plugins: Plugins) -> TaskResult:
    try:
        return TaskResult(task, number, None, run_here(task, plugins))
    except Interrupted:
        raise
    except SeqgenError as error:
        return TaskResult(task, number, error)


@dataclass
class _Try:
    """A task that is running or waits to run again.

    Attributes:
        number: its position.
        task: the task.
        text: the task as JSON.
        n_lost: how often it lost its worker.
    """

    number: int
    task: Task
    text: str
    n_lost: int = 0


class _Pool:
    """An executor, opened again when it breaks.

    Args:
        entry: the registered executor.
        options: its options.
        workers: number of tasks that run at once.
        retries: how often a task that loses its worker is run again.
        plugins: the plugins of the tasks.
    """

    def __init__(self, entry: Entry, options: Mapping[str, Any], workers: int, retries: int, plugins: Plugins) -> None:
        self._entry, self._options, self._workers = entry, options, workers
        self._retries, self._plugins = retries, plugins
        self._again: deque[_Try] = deque()
        self._running: dict[Future[str], _Try] = {}

    def run(self, numbered: Iterator[tuple[int, Task]]) -> Generator[TaskResult, None, None]:
        """Yield the results of all tasks as they finish."""
        is_broken = True
        while is_broken:
            with self._entry.build(self._options, self._workers) as executor:
                label = self._entry.full_label
                if not callable(getattr(executor, "submit", None)):
                    raise PluginError(f"{label}: entering it gives {short_repr(executor)}, which has no submit")
                is_broken = not self._fill(executor, numbered, label)
                if is_broken and not self._running:
                    raise PluginError(f"{label}: a new one takes no task")
                while self._running:
                    yield from self._finished()
                    is_broken |= not self._fill(executor, numbered, label)

    def _fill(self, executor: Executor, numbered: Iterator[tuple[int, Task]], label: str) -> bool:
        """Submit tasks until all workers have one; return False if the executor takes no more.

        Raises:
            PluginError: the executor does not return a future.
        """
        while len(self._running) < self._workers:
            if not self._again:
                following = next(numbered, None)
                if following is None:
                    return True
                self._again.append(_Try(*following, following[1].to_json(self._plugins)))
            try:
                future = executor.submit(run_json, self._again[0].text)
            except BrokenExecutor:
                return False
            if not isinstance(future, Future):
                raise PluginError(f"{label}: submit returned {short_repr(future)}, not a concurrent.futures.Future")
            self._running[future] = self._again.popleft()
        return True

    def _finished(self) -> Iterator[TaskResult]:
        """Wait until a task is done, and yield the results of those that are and need not run again."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda future: self._running[future].number):
            this = self._running.pop(future)
            try:
                text = future.result()
            except (Exception, CancelledError) as error:  # run_json raises nothing: the worker is lost
                this.n_lost += 1
                if this.n_lost <= self._retries:
                    self._again.append(this)
                    continue
                times = f"{this.n_lost} times" if this.n_lost > 1 else "once"
                lost = f"the task {this.task.name!r} lost its worker {times}: {one_line(error)}"
                yield TaskResult(this.task, this.number, TaskFailed(lost))
                continue
            yield self._result(this, text)

    def _result(self, this: _Try, text: str) -> TaskResult:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            try:
                return TaskResult(this.task, this.number, None, read_outcome(text))
            except SeqgenError as error:
                return TaskResult(this.task, this.number, error)
        raise PluginError(
            f"{self._entry.full_label}: the result of a task is {short_repr(text)}, not what the task returned"
        )
