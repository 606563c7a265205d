"""Workers that are reserved for tasks which need one another: all of the tasks run at the same time, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any

from seqgen.errors import PluginError, SeqgenError, UsageError, WorkerLost, one_line, short_repr
from seqgen.executors.run import find_executor
from seqgen.executors.task import Task, read_outcome, run_json
from seqgen.plugins import Plugins

_END_S = 10.0  # in which tasks that are done end by themselves


@dataclass(frozen=True)
class ReservedWorkers:
    """Workers that run tasks at the same time.

    Attributes:
        host: the name or address at which the workers reach this process.
    """

    host: str
    _executor: Executor
    _plugins: Plugins
    _running: list[Future[str]] = field(default_factory=list)

    def start(self, tasks: Sequence[Task]) -> None:
        """Start the tasks, as many as workers are reserved."""
        self._running.extend(self._executor.submit(run_json, task.to_json(self._plugins)) for task in tasks)

    def find_ended(self) -> tuple[int, str] | None:
        """Return the number of the first task that has ended, from 0, and the clause that says how; None if none."""
        for number, future in enumerate(self._running):
            if not future.done():
                continue
            try:
                read_outcome(future.result())
            except SeqgenError as error:
                return number, f"has failed: {error}"
            except (Exception, CancelledError) as error:
                return number, f"has ended: {one_line(error)}"
            return number, "has ended"
        return None


class _Late(Exception):
    """A task does not end, so that the executor has to end it."""


@contextlib.contextmanager
def reserve_workers(
    n: int, *, on: str, options: Mapping[str, Any], timeout_s: float, plugins: Plugins
) -> Iterator[ReservedWorkers]:
    """Reserve workers for tasks that need one another; what runs on them ends with the context.

    Args:
        n: number of workers.
        on: the name of an executor.
        options: options of the executor.
        timeout_s: seconds within which all workers have to be there.
        plugins: the plugins of the tasks, which workers load too.

    Raises:
        UsageError: no such executor, an invalid option, or an executor whose tasks start one by one.
        MissingExtra: the executor needs a package that is not installed.
        WorkerLost: the workers are not there within the time; none is kept.
        PluginError: the executor returns no address.
    """
    entry, values = find_executor(plugins, on, options)
    with contextlib.suppress(_Late), entry.build(values, n) as executor:
        _check_reserves(executor, on)
        try:
            host = executor.gang(n, timeout_s)
        except TimeoutError as error:
            late = f"cannot start {n} more processes together on {on!r} within {timeout_s:g} s: {one_line(error)}"
            raise WorkerLost(f"{late}; give fewer --workers, or more time with -o timeout_s") from None
        if not (isinstance(host, str) and host):
            raise PluginError(
                f"{entry.full_label}: gang returns {short_repr(host, 40)}, not an address of this machine"
            )
        workers = ReservedWorkers(host, executor, plugins)
        yield workers
        if wait(workers._running, _END_S).not_done:
            raise _Late


def check_executor(n: int, *, on: str, options: Mapping[str, Any], plugins: Plugins) -> None:
    """Refuse, before anything is started, an executor that ``reserve_workers`` would refuse.

    Args:
        n: number of workers.
        on: the name of an executor.
        options: options of the executor.
        plugins: where the executor is registered.

    Raises:
        UsageError, MissingExtra: as ``reserve_workers``.
    """
    entry, values = find_executor(plugins, on, options)
    built = entry.build(values, n)
    if hasattr(built, "submit"):  # else it is known when the context is entered
        _check_reserves(built, on)


def _check_reserves(executor: Any, on: str) -> None:
    """Refuse an executor that cannot reserve workers.

    Raises:
        UsageError: it has no ``gang``.
    """
    if not callable(getattr(executor, "gang", None)):
        raise UsageError(
            f"cannot train on {on!r}: its tasks start one by one, and training needs all processes together (the "
            "executor has no gang); give --on local"
        )
