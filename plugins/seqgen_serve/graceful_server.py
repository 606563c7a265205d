"""A server of uvicorn that answers all requests before it ends; uvicorn cancels those that take too long, with 500."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

STOP_S = 5  # seconds after which uvicorn cancels what is left; to be given to its configuration
FINISH_S = 4  # seconds in which answers may be finished before that


class GracefulServer(uvicorn.Server):
    """A server that has what is left refused before its tasks are cancelled.

    Args:
        config: of uvicorn.
        refuse_all: fails all requests that are on their way.
    """

    def __init__(self, config: uvicorn.Config, refuse_all: Callable[[], None]) -> None:
        super().__init__(config)
        self._refuse_all = refuse_all

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the answers that are on their way, refuse the rest, and close the connections."""
        asyncio.get_running_loop().call_later(FINISH_S, self._refuse_all)
        await super().shutdown(sockets)
