"""A pool of worker processes on this machine.

Each worker is a fresh interpreter that is given calls over a pipe. Unlike with ``ProcessPoolExecutor``, a worker that
dies costs its own call only, and the main module of the program is not imported again.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Annotated, Any, TypeVar

from pydantic import Field

from seqgen.compute import threads_here

_Result = TypeVar("_Result")
_START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = {path!r}; "
    "from seqgen.executors.worker import main; main()"
)
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # of the libraries that torch computes with


class LocalExecutor(ThreadPoolExecutor):
    """Worker processes, started when they are first needed, each served by a thread.

    A worker ignores SIGINT and exits when this process does. Leaving the context by an exception kills the workers.

    Args:
        workers: number of processes.
        threads: CPU threads of each; None: those of this process, divided among the workers.

    Raises (by the futures):
        BrokenProcessPool: the worker of a call died; other calls are not affected.
        RuntimeError: the function raised; the message has the class and the message of its exception.
    """

    def __init__(
        self,
        workers: int,
        *,
        threads: Annotated[int | None, Field(ge=1, description="CPU threads of each worker")] = None,
    ) -> None:
        super().__init__(workers, thread_name_prefix="seqgen-worker")
        self._workers = workers
        self._n_threads = max(1, threads_here() // workers) if threads is None else threads
        self._mine = threading.local()  # the worker of each thread
        self._lock, self._started, self._is_closed = threading.Lock(), list[_Worker](), False

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Call an importable function with JSON values, in a worker; it returns a JSON value.

        Raises:
            TypeError: an argument is not a JSON value.
        """
        call = json.dumps([f"{fn.__module__}:{fn.__qualname__}", args, kwargs])
        return super().submit(self._call, call.encode())

    def gang(self, n: int, timeout_s: float) -> str:
        """Let the next calls start at once, each in a process of its own; see :class:`seqgen.ExecutorSpec`.

        Args:
            n: number of the calls.
            timeout_s: not used: a process is started without waiting for another.

        Returns:
            The address at which the workers reach this process.

        Raises:
            TimeoutError: there are fewer workers.
        """
        if n > self._workers:
            raise TimeoutError(f"there are {self._workers} workers")
        return "127.0.0.1"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the calls; after an exception, end them."""
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers when their calls are done; see ``concurrent.futures.Executor``."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            self.kill()
            for worker in self._started:
                worker.end()

    def kill(self) -> None:
        """Kill the workers, whose calls fail, and cancel the calls that have not begun."""
        with self._lock:
            self._is_closed = True
        super().shutdown(wait=False, cancel_futures=True)
        for worker in self._started:
            worker.kill()

    def _call(self, call: bytes) -> Any:
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            worker = self._mine.worker = self._start()
        try:
            has_returned, result = worker.call(call)
        except (OSError, ValueError):
            self._mine.worker = None
            raise BrokenProcessPool(f"the worker process {worker.end()}") from None
        if not has_returned:
            raise RuntimeError(result)
        return result

    def _start(self) -> _Worker:
        with self._lock:
            if self._is_closed:
                raise BrokenProcessPool("the pool is closed")
            worker = _Worker(self._n_threads)
            self._started = [other for other in self._started if other.is_alive()] + [worker]
        return worker


class _Worker:
    """A worker process, and the pipes to it.

    Args:
        n_threads: its CPU threads.
    """

    def __init__(self, n_threads: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603  this interpreter
            [sys.executable, "-c", _START.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **dict.fromkeys(_THREADS, str(n_threads))},
            start_new_session=True,  # out of reach of Ctrl-C in a terminal
        )

    def call(self, call: bytes) -> tuple[bool, Any]:
        """Return whether a call returned, and its result or the message of its exception.

        Raises:
            OSError, ValueError: the process ended.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(call + b"\n")
        self._process.stdin.flush()
        has_returned, result = json.loads(self._process.stdout.readline())
        return has_returned, result

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()

    def end(self) -> str:
        """Wait for the process, which has closed its pipes; close this end of them, and return how it ended."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what is left to write has no reader
                assert pipe is not None
                pipe.close()
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
