"""A job that is sampled by itself: with constraints or filters, or only scored."""

from __future__ import annotations

import seqgen
from seqgen_serve.errors import ApiError, as_api_error, named_field
from seqgen_serve.job import Job
from seqgen_serve.metrics import Metrics
from seqgen_serve.stream import answer


class _GivenUp(Exception):
    """A job that is not worth more work.

    Args:
        problem: the reason.
    """

    def __init__(self, problem: ApiError) -> None:
        self.problem = problem
        super().__init__(str(problem))


def answer_alone(job: Job, metrics: Metrics) -> None:
    """Sample, or only score, the rows of a job, and answer it.

    Raises:
        Exception: the run or a plugin is at fault.
    """
    try:
        rows = [_rows(job, number) for number in range(len(job.prompts))]
    except _GivenUp as error:
        job.fail(error.problem)
        return
    except seqgen.UnknownSymbol as error:
        names = (name for name, value in job.request.constraints.items() if error.symbol in str(value))
        job.fail(as_api_error(error, next(names, None)))
        return
    except seqgen.UsageError as error:
        job.fail(as_api_error(error, named_field(str(error), job.request.constraints)))
        return
    answer(job, rows, metrics)


def _rows(job: Job, number: int) -> list[seqgen.Sample]:
    prompt = job.prompts[number]
    if job.max_tokens == 0:
        return [seqgen.Sample(row, prompt.text, True) for row in range(job.n)]

    def check() -> None:
        if (problem := job.problem()) is not None:
            raise _GivenUp(problem)

    def warn(line: str) -> None:
        job.warn(f"prompt {number + 1}: {line}" if len(job.prompts) > 1 else line)

    rows: list[seqgen.Sample] = []
    run, request = job.served.run, job.request
    if (request.unique or request.novel) and run.lacking and not number:
        job.warn(f"{run.lacking}; without it rows are compared as they stand")
    try:
        settings = job.settings(prompt)
        for row in run.iter_samples(job.n, warn=warn, check=check, **settings):
            check()
            rows.append(row)
    except seqgen.TooFewRows as error:
        warn(f"{str(error).partition(';')[0]}; ask for fewer rows, or drop a constraint or filter")
    return rows
