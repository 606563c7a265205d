"""Answers, whole or in chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import seqgen
from seqgen_serve.choices import answer_of, choices_of, count_returned, finished, usage_of
from seqgen_serve.job import Job
from seqgen_serve.metrics import Metrics

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"  # the beginning of a character whose other bytes are still to come


class Stream:
    """The rows of a job, sent as they grow.

    Args:
        job: the job.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._n_sent = [0] * job.n_rows  # characters
        self._ended = [False] * job.n_rows

    def send(self, rows: Sequence[Sequence[seqgen.Sample]], is_last: bool) -> None:
        """Send what is new in rows.

        Args:
            rows: those of each prompt, as far as they are sampled.
            is_last: whether they are complete.
        """
        choices = []
        index = 0
        for prompt, samples in zip(self._job.prompts, rows, strict=True):
            for row in samples:
                if not self._ended[index]:
                    choices += self._new(index, row, len(prompt.text), is_last)
                index += 1
        self.send_choices(choices)

    def send_choices(self, choices: Sequence[dict[str, Any]]) -> None:
        """Send choices as a chunk, if there are any."""
        if choices:
            self._job.post(self._chunk(list(choices)))

    def end(self, n_returned: int) -> None:
        """Send the numbers of symbols if they were asked for, and end the stream."""
        options = self._job.request.stream_options
        if options is not None and options.include_usage:
            self._job.post(self._chunk([]) | {"usage": usage_of(self._job, n_returned)})
        self._job.finish()

    def _new(self, index: int, row: seqgen.Sample, start: int, is_last: bool) -> list[dict[str, Any]]:
        """Return the choice with what is new in a row, or none."""
        request, grows = self._job.request, row.cut and not is_last
        if len(row.text) < start:  # still within the prompt
            return []
        text, reason = finished(row.text, start, request.stops, row.cut)
        is_end = reason == "stop" or not grows
        text = text if request.echo else text[start:]
        if not is_end:  # a stop may have begun
            held = max((len(stop) - 1 for stop in request.stops), default=0)
            text = text[: max(0, len(text) - held)].rstrip(_INCOMPLETE)
        added = text[self._n_sent[index] :]
        if not (added or is_end):
            return []
        self._n_sent[index], self._ended[index] = len(text), is_end
        return [{"text": added, "index": index, "logprobs": None, "finish_reason": reason if is_end else None}]

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        job = self._job
        return {
            "id": job.identity,
            "object": "text_completion",
            "created": job.created,
            "model": job.served.name,
            "choices": choices,
            "seed": job.seed,
        }


def answer(job: Job, rows: Sequence[Sequence[seqgen.Sample]], metrics: Metrics, stream: Stream | None = None) -> None:
    """Answer a job by its rows.

    Args:
        job: the job.
        rows: the rows of each prompt.
        metrics: where they are counted.
        stream: what has sent the beginnings of the rows; None if nothing has.
    """
    n_returned = count_returned(job, rows)
    metrics.count_rows(job.served.name, sum(map(len, rows)), n_returned)
    if stream is not None:
        stream.send(rows, True)
        stream.end(n_returned)
    elif job.request.stream:
        stream = Stream(job)
        stream.send_choices(choices_of(job, rows))
        stream.end(n_returned)
    else:
        job.finish(answer_of(job, choices_of(job, rows), n_returned))
