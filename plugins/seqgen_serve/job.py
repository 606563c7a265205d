"""A request for completions on its way: checked, queued, sampled, answered."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import seqgen
from seqgen_serve.errors import ApiError, as_api_error, with_fields
from seqgen_serve.limits import Limits
from seqgen_serve.schema import CompletionRequest, as_json
from seqgen_serve.served import BEGIN, ServedRun

if TYPE_CHECKING:
    from seqgen_serve.stream import Stream

DONE = object()
"""The last event of a job."""


@dataclass(frozen=True)
class Prompt:
    """A prompt of a request.

    Attributes:
        text: its text.
        n_tokens: its number of symbols.
        longest: the number of symbols at which its rows are cut.
        begins: whether it was given with the begin of the sequence, as the id 1.
    """

    text: str
    n_tokens: int
    longest: int
    begins: bool = False


@dataclass(eq=False)
class Job:
    """A request for completions that was checked.

    Attributes:
        served: the run.
        request: the request.
        prompts: its prompts.
        n: rows of each prompt.
        seed: of the rows; a random one unless it was given.
        max_tokens: symbols to sample, or None for as many as the run samples by itself.
        conditions: the conditions of the rows by name.
        deadline: the time, by ``time.monotonic``, at which it has to be answered.
        identity: of the answer.
        created: the time in seconds since 1970.
        arrived: the time by ``time.monotonic``.
        given_up: the reason for which it is not worth more work, such as a client that has gone away; else None.
        answered: whether its last event was posted.
        warnings: lines about its rows.
        events: chunks of a stream, the answer or an error, and at last ``DONE``.
        stream: what has sent the beginnings of its rows, once it has begun; its rows may have to be sampled again.
    """

    served: ServedRun
    request: CompletionRequest
    prompts: list[Prompt]
    n: int
    seed: int
    max_tokens: int | None
    conditions: dict[str, str]
    deadline: float
    loop: asyncio.AbstractEventLoop
    identity: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    arrived: float = field(default_factory=time.monotonic)
    given_up: ApiError | None = None
    answered: bool = False
    warnings: list[str] = field(default_factory=list)
    events: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    stream: Stream | None = None

    @property
    def is_plain(self) -> bool:
        """True if its rows can be sampled in a batch with others."""
        return not self.request.constraints and self.max_tokens != 0

    @property
    def n_rows(self) -> int:
        """The number of rows of all prompts."""
        return self.n * len(self.prompts)

    @property
    def n_symbols(self) -> int:
        """The symbols of all rows, if each is as long as it may be."""
        return self.n * sum(prompt.longest for prompt in self.prompts)

    def settings(self, prompt: Prompt) -> dict[str, Any]:
        """Return the keywords of ``Run.sample`` for the rows of a prompt."""
        rows = {"prefix": prompt.text, "seed": self.seed, "max_length": prompt.longest}
        return rows | self.request.decoding | self.request.constraints

    def post(self, event: Any) -> None:
        """Pass an event to the loop that answers; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)

    def warn(self, line: str) -> None:
        """Add a line about its rows to the warnings of the answer."""
        self.warnings.append(with_fields(line))

    def finish(self, answer: Any = None) -> None:
        """Post the answer, if there is one, as the last event."""
        if not self.answered:
            self.answered = True
            if answer is not None:
                self.post(answer)
            self.post(DONE)

    def fail(self, error: BaseException) -> None:
        """Post an error as the last event."""
        self.finish(as_api_error(error))

    def problem(self) -> ApiError | None:
        """Return the reason for which it is not worth more work, or None."""
        if self.given_up is None and time.monotonic() > self.deadline:
            self.given_up = ApiError(503, "the time limit of the server was reached: ask for fewer or shorter rows")
        return self.given_up


def make_job(request: CompletionRequest, served: ServedRun, limits: Limits) -> Job:
    """Return the job of a request; call it in the loop that answers.

    Raises:
        ApiError: 413 if it asks for more than the limits; 400 for an unknown condition, or tokens that are none; 501 if
            the tokenizer needs a package that is not installed.
    """
    prompts, n = request.prompts, request.n or 1
    if n * len(prompts) > limits.rows:
        asked = f"n {n}" + (f" for each of {len(prompts)} prompts" if len(prompts) > 1 else "")
        raise ApiError(413, f"cannot sample {asked}: the most is {limits.rows:,} rows of a request; lower n", "n")
    if request.max_tokens is not None and request.max_tokens > limits.tokens:
        raise ApiError(
            413,
            f"cannot sample max_tokens {request.max_tokens}: the most is {limits.tokens:,} symbols of a row; lower it",
            "max_tokens",
        )
    if request.end and not (request.echo and request.max_tokens == 0):
        raise ApiError(400, "cannot use end true: it is for scoring; give echo true and max_tokens 0 with it", "end")
    if request.max_tokens == 0 and request.constraints:
        name = next(iter(request.constraints))
        given = as_json(request.constraints[name])
        raise ApiError(
            400, f"cannot use {name} {given} with max_tokens 0: nothing is sampled; leave one of them out", name
        )
    conditions = served.check_conditions(request.label, request.given)
    job = Job(
        served, request, _prompts(served, prompts, request.max_tokens, limits), n,
        secrets.randbelow(2**31) if request.seed is None else request.seed,
        request.max_tokens, conditions, time.monotonic() + limits.timeout_s, asyncio.get_running_loop(),
    )  # fmt: skip
    if job.n_symbols > limits.symbols:
        asked = f"{job.n_rows:,} rows of {job.n_symbols // job.n_rows:,} symbols"
        raise ApiError(
            413, f"cannot sample {asked}: the most is {limits.symbols:,} symbols in all; lower n or max_tokens", "n"
        )
    return job


def _prompts(
    served: ServedRun, prompts: Sequence[str | list[int]], max_tokens: int | None, limits: Limits
) -> list[Prompt]:
    names = [f"prompt {number}: " if len(prompts) > 1 else "" for number in range(1, len(prompts) + 1)]
    return [_prompt(served, prompt, max_tokens, limits, name) for prompt, name in zip(prompts, names, strict=True)]


def _prompt(served: ServedRun, prompt: str | list[int], max_tokens: int | None, limits: Limits, name: str) -> Prompt:
    if len(prompt) > 16 * limits.tokens:  # a symbol may be several characters
        raise ApiError(
            413,
            f"cannot read a prompt of length {len(prompt):,}: the most is {16 * limits.tokens:,}; shorten it",
            "prompt",
        )
    begins = not isinstance(prompt, str) and prompt[0] == BEGIN
    text = prompt if isinstance(prompt, str) else served.text_of(prompt[begins:])
    try:
        n_tokens = len(served.vocabulary.encode(text))
    except (seqgen.SeqgenError, UnicodeError) as error:  # others are failures, and logged
        raise as_api_error(error, "prompt", name) from error
    if n_tokens > limits.tokens:
        raise ApiError(
            413, f"cannot read a prompt of {n_tokens:,} symbols: the most is {limits.tokens:,}; shorten it", "prompt"
        )
    own = min(served.run.settings.max_length, n_tokens + limits.tokens)
    longest = own if max_tokens is None else n_tokens + max_tokens
    return Prompt(text, n_tokens, max(longest, 1), begins)
