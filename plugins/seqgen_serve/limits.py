"""The limits of a server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The most that a request, and all of them together, may ask for.

    Attributes:
        rows: rows of a request: n times its prompts.
        tokens: symbols of a row that are sampled, and those of a prompt.
        symbols: symbols of all rows of a request, and of all rows that start together, if each is as long as it may be:
            the states of some cells grow with them.
        body: bytes of the body of a request.
        queue: requests that wait.
        connections: connections that are open.
        timeout_s: seconds from the arrival of a request to its answer.
        body_s: seconds in which the headers of a request have to arrive, and then its body.
        together_s: seconds that a request waits for others to start with.
        rows_together: rows that start together.
    """

    rows: int = 1000
    tokens: int = 4096
    symbols: int = 1_000_000
    body: int = 1 << 20
    queue: int = 256
    connections: int = 1000
    timeout_s: float = 60.0
    body_s: float = 10.0
    together_s: float = 0.005
    rows_together: int = 2048
