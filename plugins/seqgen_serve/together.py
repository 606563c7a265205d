"""Jobs whose rows are sampled in one batch, and their streams."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import seqgen
from seqgen_serve.choices import finished
from seqgen_serve.job import Job
from seqgen_serve.metrics import Metrics
from seqgen_serve.served import ServedRun
from seqgen_serve.stream import Stream, answer

_LOOK_S = 0.02  # between looks at rows that grow, at least
_COST = 10  # times what a look costs


class OpenBatch:
    """The batch of the run that was sampled last, which stays open: what it has prepared of a wide model is kept."""

    def __init__(self) -> None:
        self._served: ServedRun | None = None
        self._context = contextlib.ExitStack()
        self._batch: seqgen.SampleBatch | None = None

    def of(self, served: ServedRun) -> seqgen.SampleBatch:
        """Return the batch of a run, without requests."""
        if self._batch is None or self._served is not served:
            self.close()
            self._batch, self._served = self._context.enter_context(served.run.sample_batch()), served
        self._batch.clear()
        return self._batch

    def close(self) -> None:
        """Close the batch, before the run is used in another way."""
        self._batch, self._served = None, None
        self._context.close()


def answer_together(jobs: Sequence[Job], metrics: Metrics, held: OpenBatch) -> None:
    """Sample the rows of plain jobs of one run together, and answer each as soon as its rows are complete.

    Args:
        jobs: the jobs.
        metrics: its counters.
        held: the batch that is open.

    Raises:
        Exception: the run or a plugin is at fault; jobs that are not ``answered`` have no answer yet.
    """
    scored: list[tuple[Job, list[list[seqgen.Sample]]]] = []
    batch = held.of(jobs[0].served)
    open_jobs = [opened for job in jobs if (opened := _add(batch, job)) is not None]
    next_look = time.monotonic() + _LOOK_S
    more = True
    while more and open_jobs:
        more = batch.step()
        started = time.monotonic()
        is_time = started >= next_look
        still = []
        for opened in open_jobs:
            if not opened.go_on(is_time):
                continue
            if more and not opened.is_done:
                still.append(opened)
            elif opened.job.request.logprobs is None:
                answer(opened.job, opened.rows(), metrics, opened.stream)
            else:
                scored.append((opened.job, opened.rows()))
        open_jobs = still
        if is_time:
            now = time.monotonic()
            next_look = now + max(_LOOK_S, _COST * (now - started))
    batch.clear()
    if scored:
        held.close()  # wide models are sampled with functions of their own, by which nothing is scored
    for job, rows in scored:
        answer(job, rows, metrics)


def _add(batch: seqgen.SampleBatch, job: Job) -> _Open | None:
    """Add the rows of a job; None if a prompt is refused, which is then its answer."""
    numbers: list[int] = []
    try:
        for prompt in job.prompts:
            numbers.append(batch.add(job.n, **job.settings(prompt)))
    except seqgen.SeqgenError as error:
        for number in numbers:
            batch.drop(number)
        job.fail(error)
        return None
    return _Open(batch, job, numbers)


class _Open:
    """A job in a batch.

    Attributes:
        job: the job.
        stream: what streams its rows as they grow; None if nothing does.
    """

    def __init__(self, batch: seqgen.SampleBatch, job: Job, numbers: Sequence[int]) -> None:
        self.job, self._batch, self._numbers = job, batch, numbers
        grows = job.served.grows and job.request.logprobs is None
        if job.request.stream and grows:
            job.stream = job.stream or Stream(job)
        self.stream = job.stream

    @property
    def is_done(self) -> bool:
        """True if all its rows have ended, or were dropped."""
        return all(map(self._batch.is_done, self._numbers))

    def rows(self) -> list[list[seqgen.Sample]]:
        """Return the rows of each prompt as they are."""
        return [self._batch.rows(number) for number in self._numbers]

    def go_on(self, is_time: bool) -> bool:
        """Return False if the job was given up; stream what there is, and drop rows that have met their stop."""
        if (problem := self.job.problem()) is not None:
            self._drop()
            self.job.fail(problem)
            return False
        if is_time and (self.stream is not None or self.job.request.stops):
            rows = self.rows()
            if self.stream is not None:
                self.stream.send(rows, self.is_done)
            if self.job.request.stops and self._are_stopped(rows):
                self._drop()
        return True

    def _drop(self) -> None:
        for number in self._numbers:
            self._batch.drop(number)

    def _are_stopped(self, rows: Sequence[Sequence[seqgen.Sample]]) -> bool:
        stops = self.job.request.stops
        return all(
            finished(row.text, len(prompt.text), stops, row.cut)[1] == "stop"
            for prompt, samples in zip(self.job.prompts, rows, strict=True)
            for row in samples
        )
