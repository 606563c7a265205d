"""Many rows to a file: shards that workers sample, joined in order, and kept until all are done."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqgen.cli.common import say, session
from seqgen.cli.sample_files import join_rows, not_written, say_kept, say_written
from seqgen.cli.shard_job import Job
from seqgen.errors import TooFewRows, UsageError
from seqgen.executors import TaskResult, is_here, run_tasks
from seqgen.files import (
    FolderLock,
    SafePath,
    dump_checksummed,
    dump_json,
    read_cached,
    remove_folders,
    write_atomic,
)
from seqgen.render import duration
from seqgen.render.progress import ProgressLine

MANY = 200_000
"""Rows from which on a file is written in shards by one worker too."""


def write_shards(job: Job, *, workers: int, on: str, options: Mapping[str, Any], force: bool, plugins: Any) -> None:
    """Sample the rows of a job on workers and write its file; shards that are there are used again.

    Raises:
        UsageError: the folder of the shards is of another command, or another process writes the file.
        TooFewRows: fewer rows passed than wanted; those that did have been written.
        SeqgenError: a task failed; the finished shards are kept.
    """
    with contextlib.closing(_Shards(job, force=force)) as kept:
        if there := kept.summary():
            say(f"resuming {str(job.out)!r}: {there}")
        make_task = functools.partial(job.task, in_worker=not is_here(workers, on, options))
        results = run_tasks(map(make_task, kept.missing()), workers=workers, on=on, options=options, plugins=plugins)
        kept.begin()
        rows = _Rows(job, kept, results)
        try:
            with not_written(job.out):
                write_atomic(job.out, join_rows(job.out, iter(rows)))
        except BaseException:
            rows.line.clear()
            if not kept.any():
                kept.remove()
            else:
                say(f"the finished shards are in {str(kept.folder)!r}; the same command goes on")
            raise
        finally:
            rows.line.clear()
            results.close()
        kept.remove()
    say_written(job.out, rows.n_kept)
    rows.raise_if_few()


class _Shards:
    """The finished shards of a job, in a folder that this process has locked from when it is there until ``close``."""

    def __init__(self, job: Job, *, force: bool) -> None:
        self.folder, self._job = job.folder, job
        self._head, self._mark = dump_json(job.to_json()), self.folder / "job.json"
        self._lock: FolderLock | None = None
        if self.folder.is_dir():
            self._refuse_other()
            self._take()
        if self._mark.is_file() and self._mark.read_bytes() != self._head:
            if not force:
                self.close()
                raise UsageError(
                    f"cannot go on with {str(self.folder)!r}: it has shards of other settings; pass another --out, or "
                    "--force to drop them"
                )
            self.remove()

    def _refuse_other(self) -> None:
        """Refuse a folder that holds something and is none of shards, since it would be removed in the end."""
        names = [path.name for path in self.folder.iterdir() if not path.name.startswith(".")]
        if names and self._mark.name not in names:
            raise UsageError(
                f"cannot keep shards in {str(self.folder)!r}: it is there and holds {min(names)!r}, which is no shard; "
                "pass another --out"
            )

    def _take(self, *, make: bool = False) -> None:
        self._lock = FolderLock(self.folder, make=make, held=f"{str(self._job.out)!r} is being written")

    def begin(self) -> None:
        """Make the folder.

        Raises:
            RunLocked: another process has made it meanwhile.
        """
        if self._lock is None:
            self._take(make=True)
        write_atomic(self._mark, self._head)

    def close(self) -> None:
        """Let other processes in."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def missing(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges of shards that are not there, when they are asked for."""
        return (span for span in self._job.spans() if self.read(span) is None)

    def any(self) -> bool:
        """Return whether there is a finished shard."""
        return any(self.folder.glob("*-*.json"))

    def summary(self) -> str:
        """Return how many rows are in shards, of how many where that is known; "" if none are."""
        names = (re.fullmatch(r"(\d+)-(\d+)\.json", path.name) for path in self.folder.glob("*-*.json"))
        n_rows = sum(int(name[2]) - int(name[1]) for name in names if name)
        if n_rows and self._job.n_candidates is not None:
            return f"{n_rows:,} of {self._job.n_candidates:,} rows are there"
        return f"{n_rows:,} rows tried are there" if n_rows else ""

    def _path(self, span: tuple[int, int]) -> Path:
        return self.folder / f"{span[0]}-{span[1]}.json"

    def read(self, span: tuple[int, int]) -> dict[str, Any] | None:
        """Return a shard; None if it is not there or damaged."""
        return read_cached(SafePath.of(self._path(span))) or None

    def write(self, span: tuple[int, int], shard: Mapping[str, Any]) -> None:
        """Write a shard."""
        write_atomic(self._path(span), dump_checksummed(shard))

    def remove(self) -> None:
        """Remove the folder, and let other processes in."""
        if os.name == "nt":  # where a file that is open cannot be removed
            self.close()
        remove_folders(SafePath(self.folder.parent), [self.folder.name])
        self.close()


class _Rows:
    """The rows of a job in order, read from shards as these are finished."""

    def __init__(self, job: Job, kept: _Shards, results: Iterator[TaskResult]) -> None:
        self._job, self._kept, self._results = job, kept, results
        self._seen: set[str] = set()
        self._said: set[str] = set()
        self.n_kept = self.n_tried = 0
        self.line, self._started, self._shown, self._n_here = ProgressLine(), time.monotonic(), 0.0, 0

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield (header, text) of each row."""
        limit, left = self._job.n, math.inf if self._job.effort is None else self._job.effort
        for span in self._job.spans() if limit != 0 else ():
            if left <= 0:
                return
            shard = self._shard(span)
            self.n_tried += span[1] - span[0]
            for line in shard["warnings"]:
                if line not in self._said:
                    self._said.add(line)
                    say(line)
            for number, text in enumerate(shard["texts"]):
                if shard["places"][number] >= left:
                    break
                if shard["forms"] is not None:
                    if shard["forms"][number] in self._seen:
                        continue
                    self._seen.add(shard["forms"][number])
                self.n_kept += 1
                yield shard["header"], text
                if self.n_kept == limit:
                    self.n_tried = shard["numbers"][number] + 1 - self._job.rows[0]
                    return
            left -= shard["examined"]

    def _shard(self, span: tuple[int, int]) -> dict[str, Any]:
        while (shard := self._kept.read(span)) is None:
            result = next(self._results)
            rows = result.task.arguments["settings"]["rows"]
            self._kept.write((rows[0], rows[1]), result.value)
            self._n_here += rows[1] - rows[0]
            self._show()
        return shard

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._shown >= 1 and not session.quiet:
            self._shown = now
            rate = self._n_here / max(now - self._started, 1e-9)
            self.line.rewrite(progress(self._job, self.n_tried, self.n_kept, rate))

    def raise_if_few(self) -> None:
        """Raise TooFewRows if fewer rows passed than wanted."""
        say_kept(self.n_kept, self.n_tried)
        if self._job.n is not None and self.n_kept < self._job.n:
            examined = self.n_tried if self._job.effort is None else self._job.effort
            raise TooFewRows(
                f"cannot find {self._job.n:,} rows: only {self.n_kept:,} among {examined:,} sampled; ask for "
                "fewer rows, drop a filter, or raise --effort"
            )


def progress(job: Job, n_tried: int, n_kept: int, rate: float) -> str:
    """Return the progress line: rows tried and kept, rows a second, and the time left where it can be known."""
    parts = [f"{n_tried:,} rows tried, {n_kept:,} kept", f"{rate:,.0f} rows/s"]
    if job.n_candidates is not None:
        left = job.n_candidates - n_tried
    else:
        assert job.n is not None  # a range of candidates has an end
        left = round((job.n - n_kept) * n_tried / n_kept) if n_kept else 0
    if rate > 0 and left > 0:
        parts.append(f"{duration(left / rate)} left")
    return "  ".join(parts)
