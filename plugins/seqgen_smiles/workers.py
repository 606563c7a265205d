"""Parallel computation of molecule statistics in subprocesses, because RDKit holds the interpreter lock.

A worker is this module run by a new interpreter; it reads texts from stdin and writes statistics to stdout, one line of
JSON per chunk. So a worker imports nothing of the calling program, forks no threads, and ends with the caller.
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

from seqgen_smiles.stats import MoleculeStats, StatsConfig
from seqgen_smiles.stats_collector import StatsCollector

_CHUNK = 1000  # texts
_MIN_CHUNKS = 4  # for which starting workers pays off


def cores() -> int:
    """Return the number of cores available to this process, at most 16: more workers would wait for input."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16)


def collect_stats(texts: Iterable[str], config: StatsConfig, jobs: int) -> Iterator[MoleculeStats]:
    """Yield the statistics of the texts in order, one per 1,000 texts.

    Args:
        texts: the texts; need not fit in memory.
        config: the statistics to compute.
        jobs: maximum number of workers; few texts are processed in this process.
    """
    rest = iter(texts)
    chunks = iter(lambda: list(itertools.islice(rest, _CHUNK)), [])
    first = list(itertools.islice(chunks, _MIN_CHUNKS))
    numbered = ((n * _CHUNK, chunk) for n, chunk in enumerate(itertools.chain(first, chunks)))
    if jobs < 2 or len(first) < _MIN_CHUNKS:
        collector = StatsCollector(config)
        yield from (collector.collect(chunk, start) for start, chunk in numbered)
    else:
        yield from _WorkerPool(config, jobs).collect(numbered)


class _WorkerPool:
    """Threads that each feed chunks to a worker process."""

    def __init__(self, config: StatsConfig, jobs: int) -> None:
        self._config, self._jobs = config, jobs
        self._thread = threading.local()
        self._workers: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self._fallback: StatsCollector | None = None

    def collect(self, chunks: Iterable[tuple[int, list[str]]]) -> Iterator[MoleculeStats]:
        """Yield the statistics of chunks, each with the index of its first text."""
        waiting: deque[Future[MoleculeStats]] = deque()
        with ThreadPoolExecutor(self._jobs) as threads:
            try:
                for start, chunk in chunks:
                    waiting.append(threads.submit(self._collect_chunk, chunk, start))
                    if len(waiting) > 2 * self._jobs:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
                for worker in self._workers:
                    worker.kill()
                    worker.communicate()

    def _collect_chunk(self, chunk: list[str], start: int) -> MoleculeStats:
        try:
            if not hasattr(self._thread, "worker"):
                self._thread.worker = self._start()
            reply = self._ask(self._thread.worker, chunk, start)
        except OSError:
            reply = ""
        if reply:
            return MoleculeStats.from_json(json.loads(reply))
        with self._lock:  # the worker could not be started, or it died
            self._fallback = self._fallback or StatsCollector(self._config)
            return self._fallback.collect(chunk, start)

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", __name__]
        worker = subprocess.Popen(  # noqa: S603
            command, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._workers.append(worker)
        self._send(worker, asdict(self._config))
        return worker

    def _ask(self, worker: subprocess.Popen[str], chunk: list[str], start: int) -> str:
        self._send(worker, (chunk, start))
        return worker.stdout.readline() if worker.stdout else ""

    def _send(self, worker: subprocess.Popen[str], value: object) -> None:
        if worker.stdin:
            worker.stdin.write(json.dumps(value) + "\n")
            worker.stdin.flush()


def serve() -> None:
    """Run as a worker: read a configuration, then arguments of ``collect`` from stdin; write statistics to stdout."""
    collector = StatsCollector(StatsConfig(**json.loads(sys.stdin.readline())))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(collector.collect(*json.loads(line)).to_json()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
