"""The thread that computes: it takes jobs from a queue, and starts those together that can share calls of the model."""

from __future__ import annotations

import threading
import time
from collections import deque

from seqgen_serve.alone import answer_alone
from seqgen_serve.errors import ApiError
from seqgen_serve.job import Job
from seqgen_serve.limits import Limits
from seqgen_serve.metrics import Metrics
from seqgen_serve.together import OpenBatch, answer_together

_STOP_S = 5.0  # to wait for the thread
_IDLE_S = 1.0  # after which a batch is closed, and its memory given back


class Worker:
    """One thread, which computes the answers of all jobs.

    Args:
        limits: of the server.
        metrics: where it counts.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._computed: list[Job] = []
        self._ended = 0.0  # when the last jobs were answered
        self._thread = threading.Thread(target=self._work, name="seqgen-serve", daemon=True)

    @property
    def is_alive(self) -> bool:
        """True while it works."""
        return self._thread.is_alive() and not self._stopped

    @property
    def n_waiting(self) -> int:
        """The number of jobs in the queue."""
        return len(self._waiting)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def refuse_all(self) -> None:
        """Fail all jobs, those that are computed too, and those to come; the thread ends as soon as it can."""
        error = ApiError(503, "the server stops")
        with self._changed:
            self._stopped = True
            jobs = [*self._waiting, *self._computed]
            self._waiting.clear()
            self._changed.notify()
        for job in jobs:
            job.given_up = job.given_up or error
            job.fail(error)

    def stop(self) -> None:
        """Fail all jobs, and end the thread; wait a few seconds for it."""
        self.refuse_all()
        self._thread.join(_STOP_S)

    def submit(self, job: Job) -> None:
        """Put a job into the queue.

        Raises:
            ApiError: 429 if the queue is full, 503 if the server stops.
        """
        with self._changed:
            if self._stopped:
                raise ApiError(503, "the server stops")
            if len(self._waiting) >= self._limits.queue:  # perhaps of clients that have gone away
                self._waiting = deque([job for job in self._waiting if not self._is_settled(job)])
            if len(self._waiting) >= self._limits.queue:
                raise ApiError(429, f"the queue of {self._limits.queue:,} is full: try again later")
            self._waiting.append(job)
            self._changed.notify()

    def _work(self) -> None:
        held = OpenBatch()
        while (jobs := self._take()) is not None:
            self._computed = [job for job in jobs if not self._is_settled(job)]
            if not jobs:
                held.close()
            elif self._computed:
                self._metrics.count_batch(len(self._computed))
                self._answer(self._computed, held)
                self._ended = time.monotonic()
        held.close()

    def _answer(self, jobs: list[Job], held: OpenBatch) -> None:
        """Answer jobs; where one of them is at fault, each by itself, so that the others have their answers."""
        try:
            if jobs[0].is_plain:
                answer_together(jobs, self._metrics, held)
            else:
                held.close()
                answer_alone(jobs[0], self._metrics)
        except (Exception, SystemExit) as error:  # a plugin may end the program, which would end this thread alone
            held.close()
            if len(jobs) == 1:
                self._metrics.log_failure(error)
                jobs[0].fail(error)
                return
            for job in jobs:
                if not job.answered:
                    self._answer([job], held)

    def _is_settled(self, job: Job) -> bool:
        """Fail a job that is not worth more work; return whether it was."""
        if self._stopped:
            job.given_up = job.given_up or ApiError(503, "the server stops")
        if (problem := job.problem()) is not None:
            job.fail(problem)
        return problem is not None

    def _take(self) -> list[Job] | None:
        """Return the next job, with those that can start with it; none for a while; None once the server stops."""
        with self._changed:
            if not self._waiting and not self._stopped:
                self._changed.wait(_IDLE_S)
            if not self._waiting:
                return None if self._stopped else []
            first = self._waiting.popleft()
            if not first.is_plain:
                return [first]
            # Others that arrive within a few milliseconds start with it. These begin when the worker is free: the
            # clients that were answered last are about to ask again.
            until = max(first.arrived, self._ended) + self._limits.together_s
            while (left := until - time.monotonic()) > 0 and not self._stopped:
                self._changed.wait(left)
            jobs = [first]
            for job in list(self._waiting):
                if job.is_plain and job.served is first.served and self._fits([*jobs, job]):
                    self._waiting.remove(job)
                    jobs.append(job)
            return jobs

    def _fits(self, jobs: list[Job]) -> bool:
        """Return whether jobs are few enough to start together."""
        longest = max(prompt.longest for job in jobs for prompt in job.prompts)
        n_rows = sum(job.n_rows for job in jobs)
        return n_rows <= self._limits.rows_together and n_rows * longest <= self._limits.symbols
