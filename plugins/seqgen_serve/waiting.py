"""Waiting for the events of a job, and for clients that go away before."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request

from seqgen_serve.errors import ApiError
from seqgen_serve.job import DONE, Job

_LOOK_S = 0.25  # between looks whether the client of a stream is there
_GRACE_S = 0.25  # for the worker to say itself that the time is over


async def first_event(request: Request, job: Job) -> Any:
    """Return the first event of a job.

    Raises:
        ApiError: its client goes away before, or its time is over, whatever the worker is at.
    """
    event = asyncio.ensure_future(job.events.get())
    gone = asyncio.ensure_future(_gone(request))
    try:
        left = job.deadline + _GRACE_S - time.monotonic()
        await asyncio.wait({event, gone}, timeout=max(left, 0.0), return_when=asyncio.FIRST_COMPLETED)
        if event.done():
            return event.result()
        if not gone.done() and (problem := job.problem()) is not None:
            raise problem
        raise ApiError(499, "the client has gone away")
    finally:
        gone.cancel()
        event.cancel()


async def _gone(request: Request) -> None:
    """Return once the client of a request, whose body was read, has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def give_up(job: Job) -> None:
    """Free the rows of a job."""
    job.given_up = job.given_up or ApiError(499, "the client has gone away")


async def events(request: Request, job: Job, first: Any) -> AsyncIterator[bytes]:
    """Yield the events of a stream; an error is one too."""
    event = first
    try:
        while event is not DONE:
            value = event.to_json() if isinstance(event, ApiError) else event
            yield b"data: " + json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(job.events.get(), _LOOK_S)
                    break
                except TimeoutError:
                    if await request.is_disconnected():
                        return
        yield b"data: [DONE]\n\n"
    finally:
        if not job.answered:
            give_up(job)
