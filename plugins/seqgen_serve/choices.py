"""Sampled rows as the choices of an answer: stops, echo and log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import seqgen
from seqgen_serve.job import Job, Prompt

_REPLACED = "\N{REPLACEMENT CHARACTER}"  # in place of bytes that are no character, whose scores a text cannot give


def finished(text: str, start: int, stops: Sequence[str], cut: bool) -> tuple[str, str | None]:
    """Return a row up to the stop that is complete first, and the reason of its end.

    Of stops that hold one another it does not matter how far the row was sampled when they were looked for.

    Args:
        text: the row.
        start: the length of its prompt, in which no stop counts.
        stops: the texts before which it ends.
        cut: whether it lacks an end of its own.
    """
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop, start)) >= 0]
    if found:
        return text[: min(found)[1]], "stop"
    return text, "length" if cut else "stop"


def choices_of(job: Job, rows: Sequence[Sequence[seqgen.Sample]]) -> list[dict[str, Any]]:
    """Return the choices of a job, those of its first prompt first.

    Args:
        job: the job.
        rows: the rows of each prompt.
    """
    request, found = job.request, list[dict[str, Any]]()
    pairs = [(prompt, row) for prompt, samples in zip(job.prompts, rows, strict=True) for row in samples]
    # Clients take index // n for the number of the prompt, which may have fewer rows than were asked for.
    places = [number * job.n + row for number, samples in enumerate(rows) for row in range(len(samples))]
    scores: Sequence[seqgen.Score | None] = [None] * len(pairs)
    if request.logprobs is not None:
        scores = [
            None if job.served.parts and _REPLACED in row.text[len(prompt.text) :] else score
            for (prompt, row), score in zip(pairs, _scores(job, [row.text for _, row in pairs]), strict=True)
        ]
    for (prompt, row), score, place in zip(pairs, scores, places, strict=True):
        start = len(prompt.text)
        text, reason = finished(row.text, start, request.stops, row.cut)
        logprobs = None if score is None else _logprobs(job, prompt, row, len(text), score)
        shown = text if request.echo else text[start:]
        found.append({"text": shown, "index": place, "logprobs": logprobs, "finish_reason": reason})
    return found


def _scores(job: Job, texts: Sequence[str]) -> Sequence[seqgen.Score | None]:
    """Return the score of each text; None of one with bytes that are no character, which cannot be scored."""
    try:
        return job.served.run.score(texts, given=job.conditions, top=job.request.logprobs or 0)
    except seqgen.UnknownSymbol:
        if len(texts) == 1:
            return [None]
        return [score for text in texts for score in _scores(job, [text])]


def answer_of(job: Job, choices: Sequence[dict[str, Any]], n_returned: int) -> dict[str, Any]:
    """Return the body of an answer.

    Args:
        job: the job.
        choices: its choices.
        n_returned: symbols of the choices after their prompts.
    """
    return {
        "id": job.identity,
        "object": "text_completion",
        "created": job.created,
        "model": job.served.name,
        "choices": list(choices),
        "usage": usage_of(job, n_returned),
        "seed": job.seed,
        "warnings": job.warnings,
    }


def usage_of(job: Job, n_returned: int) -> dict[str, int]:
    """Return the numbers of symbols of a job."""
    n_prompt = sum(prompt.n_tokens for prompt in job.prompts)
    return {"prompt_tokens": n_prompt, "completion_tokens": n_returned, "total_tokens": n_prompt + n_returned}


def count_returned(job: Job, rows: Sequence[Sequence[seqgen.Sample]]) -> int:
    """Return the number of symbols of rows between their prompts and stops; characters where they cannot be read again.

    What was sampled beyond a stop depends on when the rows were looked at. A row may have fewer symbols than its
    prompt, whose last ones merge with what follows.
    """
    pairs = [(prompt, row) for prompt, samples in zip(job.prompts, rows, strict=True) for row in samples]
    prompts = [prompt for prompt, _ in pairs]
    texts = [finished(row.text, len(prompt.text), job.request.stops, row.cut)[0] for prompt, row in pairs]
    try:
        sizes = (job.served.vocabulary.frame_many(texts)[1] - 2).tolist()
        return sum(max(0, size - prompt.n_tokens) for size, prompt in zip(sizes, prompts, strict=True))
    except seqgen.UnknownSymbol:
        return sum(max(0, len(text) - len(prompt.text)) for text, prompt in zip(texts, prompts, strict=True))


def _logprobs(job: Job, prompt: Prompt, row: seqgen.Sample, n_chars: int, score: seqgen.Score) -> dict[str, Any]:
    """Return the log-probabilities of the symbols of a row.

    The end of a row is a symbol "" after its last one, unless ``max_tokens`` were sampled before it.

    Args:
        job: its job.
        prompt: its prompt.
        row: the row.
        n_chars: the characters of it that are shown.
        score: its score.
    """
    nats, echo, start = score.nats_per_symbol, bool(job.request.echo), len(prompt.text)
    symbols, places = job.served.symbols(row.text, prompt.n_tokens, start)
    tokens, offsets = [*symbols, ""], [*places, len(row.text)]
    has_end = len(nats) > len(symbols) and n_chars == len(row.text) and _shows_end(job, prompt, row, len(symbols))
    shown = [at for at in range(len(symbols)) if (echo or offsets[at] >= start) and offsets[at] < n_chars]
    shown += [len(symbols)] * has_end
    begin = int(prompt.begins and echo)
    parts = job.served.parts
    best = [_top(score.top[at] if score.top else (), parts, tokens[at], nats[at]) for at in shown]
    before = 0 if echo else start
    return {
        "tokens": [""] * begin + [tokens[at] for at in shown],
        "token_logprobs": [None] * begin + [_finite(-nats[at]) for at in shown],
        "top_logprobs": [None] * begin + best,
        "text_offset": [0] * begin + [offsets[at] - before for at in shown],
    }


def _shows_end(job: Job, prompt: Prompt, row: seqgen.Sample, n_symbols: int) -> bool:
    if job.max_tokens == 0:
        return job.request.end
    return not row.cut and (job.max_tokens is None or n_symbols - prompt.n_tokens < job.max_tokens)


def _top(candidates: Sequence[Any], parts: Mapping[str, str], token: str, nats: float) -> dict[str, float | None]:
    """Return log-probabilities by symbol, of those at a position and the one that is there."""
    found: dict[str, float | None] = {}
    for candidate in candidates:
        found.setdefault(parts.get(candidate.text, candidate.text), _finite(-candidate.nats))
    return {**found, token: _finite(-nats)}


def _finite(value: float) -> float | None:
    """Return a number as JSON can hold it."""
    return value if math.isfinite(value) else None
