"""Deadlines for the headers of a request and for an answer to be read.

uvicorn has none, so a client that never ends its headers, or never reads its answer, would keep its place.
"""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from seqgen_serve.errors import ApiError


def protocol_of(headers_s: float, reading_s: float) -> type[asyncio.Protocol]:
    """Return the class of a connection that ends when headers, or a client that reads its answer, take too long.

    Args:
        headers_s: seconds from the beginning of the connection, or of a further request, to the end of its headers.
            Then the answer is 408. A body that goes on after its request was answered has as long.
        reading_s: seconds in which a client has to read something of its answer.
    """
    return type("Connection", (_Connection,), {"headers_s": headers_s, "reading_s": reading_s})


class _Connection(H11Protocol):
    headers_s: float
    reading_s: float
    _deadline: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self._flow_again()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reading()

    def _await_reading(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._stuck = self.loop.call_later(self.reading_s, self._look_at_buffer, left)

    def _look_at_buffer(self, before: int) -> None:
        self._stuck = None
        if self.transport.get_write_buffer_size() < before:
            self._await_reading()
        else:
            self.transport.abort()  # to close would wait for the client

    def resume_writing(self) -> None:
        self._flow_again()
        super().resume_writing()

    def _flow_again(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _watch(self) -> None:
        """Start the clock where the client is awaited, unless it runs; stop it where headers are there."""
        if self.conn.their_state is not h11.IDLE and not self._rest_is_awaited():
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.headers_s, self._end)

    def _rest_is_awaited(self) -> bool:
        """Return whether a body is on its way whose request has been answered, as of one that was refused."""
        return self.conn.their_state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._rest_is_awaited():  # a second answer would be taken for that of the next request
            self.transport.close()
            return
        error = ApiError(408, f"the headers did not arrive within {self.headers_s:g} seconds")
        body = json.dumps(error.to_json()).encode()
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.transport.write(b"HTTP/1.1 408 Request Timeout\r\n" + head.encode() + body)
        self.transport.close()
