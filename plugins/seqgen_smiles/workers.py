"""Describes many molecules in processes of their own, as RDKit keeps all but one core waiting.

A worker is this module run by another interpreter, which reads texts from its input and writes summaries, a line of
JSON each. So a worker imports nothing of the program that called, forks no threads, and ends when that program does.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict

from seqgen_smiles.describing import Describer
from seqgen_smiles.summary import Plan, Summary

_CHUNK = 1000  # texts
_WORTH_WORKERS = 4  # chunks


def cores() -> int:
    """How many cores this process may use, at most 16: more workers wait for the one that hands out texts."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16)


def summaries(texts: Iterable[str], plan: Plan, jobs: int) -> Iterator[Summary]:
    """Summaries of texts, a thousand at a time, in their order.

    Args:
        texts: need not fit in memory.
        plan: what to gather.
        jobs: how many workers at most; few texts are described here.
    """
    rest = iter(texts)
    chunks = iter(lambda: list(itertools.islice(rest, _CHUNK)), [])
    first = list(itertools.islice(chunks, _WORTH_WORKERS))
    every = itertools.chain(first, chunks)
    if jobs < 2 or len(first) < _WORTH_WORKERS:
        here = Describer(plan)
        yield from (here.describe(chunk) for chunk in every)
    else:
        yield from _Team(plan, jobs).summaries(every)


class _Team:
    """Threads that hand chunks to a worker each."""

    def __init__(self, plan: Plan, jobs: int) -> None:
        self._plan, self._jobs = plan, jobs
        self._own = threading.local()
        self._workers: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self._here: Describer | None = None

    def summaries(self, chunks: Iterable[list[str]]) -> Iterator[Summary]:
        waiting: deque[Future[Summary]] = deque()
        with ThreadPoolExecutor(self._jobs) as threads:
            try:
                for chunk in chunks:
                    waiting.append(threads.submit(self._describe, chunk))
                    if len(waiting) > 2 * self._jobs:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
                for worker in self._workers:
                    worker.kill()
                    worker.communicate()

    def _describe(self, chunk: list[str]) -> Summary:
        try:
            if not hasattr(self._own, "worker"):
                self._own.worker = self._start()
            reply = self._ask(self._own.worker, chunk)
        except OSError:
            reply = ""
        if reply:
            return Summary.from_json(json.loads(reply))
        with self._lock:  # no worker could be started, or it died
            self._here = self._here or Describer(self._plan)
            return self._here.describe(chunk)

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", __name__]
        worker = subprocess.Popen(  # noqa: S603
            command, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._workers.append(worker)
        self._send(worker, asdict(self._plan))
        return worker

    def _ask(self, worker: subprocess.Popen[str], chunk: list[str]) -> str:
        self._send(worker, chunk)
        return worker.stdout.readline() if worker.stdout else ""

    def _send(self, worker: subprocess.Popen[str], value: object) -> None:
        if worker.stdin:
            worker.stdin.write(json.dumps(value) + "\n")
            worker.stdin.flush()


def serve() -> None:
    """Be a worker: a plan, then lists of texts on standard input; summaries on standard output."""
    describer = Describer(Plan(**json.loads(sys.stdin.readline())))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(describer.describe(json.loads(line)).to_json()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
