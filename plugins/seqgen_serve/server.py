"""A server: from the names of runs to a process that listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import seqgen
from seqgen import commands
from seqgen_serve.access import KEY_VARIABLE, Access, is_loopback, read_keys
from seqgen_serve.limits import Limits
from seqgen_serve.metrics import Metrics
from seqgen_serve.served import ServedRun, open_runs
from seqgen_serve.worker import Worker


def run_server(
    runs: Sequence[str],
    *,
    host: str,
    port: int,
    keys: Path | None,
    no_key: bool,
    hosts: Collection[str] = (),
    reads_corpora: bool,
    checkpoint: str,
    device: str,
    limits: Limits,
) -> None:
    """Serve runs until a signal arrives; see ``seqgen serve --help`` for the arguments.

    Raises:
        MissingExtra: FastAPI or uvicorn is not installed.
        UsageError: other machines could use it without a key, or the address is taken.
    """
    check_extra()
    found = read_keys(keys, os.environ.get(KEY_VARIABLE))
    if not found and not no_key and not is_loopback(host):
        raise seqgen.UsageError(
            f"cannot listen at {host!r} without a key: anybody who reaches it could use it; set {KEY_VARIABLE}, give "
            "--keys FILE, or --no-key"
        )
    served = open_runs(runs, checkpoint, device, commands.warn, reads_corpora=reads_corpora)
    with listen(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        needs = "a key is needed" if found else "no key is needed"
        commands.log(
            f"serving {', '.join(served)} at http://{shown}:{listener.getsockname()[1]} ({needs}); Ctrl-C ends it"
        )
        Server(served, found, is_loopback(host), limits, hosts).run(listener)


def check_extra() -> None:
    """Raise the error of an extra that is not installed.

    Raises:
        MissingExtra: it is not.
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise seqgen.MissingExtra("serve", "seqgen serve") from None


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises:
        UsageError: it cannot.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
        reason = os.strerror(number) if number else getattr(error, "strerror", None) or str(error)
        raise seqgen.UsageError(f"cannot listen at {host}:{port}: {reason}; pass another --port or --host") from None
    # Connections inherit it. asyncio sets it only on sockets made with the protocol's number, and without it the body
    # of an answer waits some 40 ms for the client to acknowledge the headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class Server:
    """A server of runs.

    Args:
        served: the runs by name.
        keys: one of which requests need, if there are any.
        local: whether only programs of this machine reach it.
        limits: its limits.
        hosts: other names by which requests may call a local server.
    """

    def __init__(
        self,
        served: Mapping[str, ServedRun],
        keys: Collection[str],
        local: bool,
        limits: Limits,
        hosts: Collection[str] = (),
    ) -> None:
        import uvicorn

        from seqgen_serve.app import Api
        from seqgen_serve.deadlines import protocol_of
        from seqgen_serve.graceful_server import STOP_S, GracefulServer

        metrics = Metrics(commands.warn)
        self._worker = Worker(limits, metrics)
        app: Any = Access(Api(served, self._worker, limits, metrics).app(), keys, local, metrics, hosts)
        self._server = GracefulServer(
            uvicorn.Config(
                app, http=protocol_of(limits.body_s, limits.timeout_s), ws="none", lifespan="off",
                log_config=None, access_log=False, server_header=False, proxy_headers=False,
                limit_concurrency=limits.connections,
                h11_max_incomplete_event_size=16_384, timeout_graceful_shutdown=STOP_S,
            ),
            self._worker.refuse_all,
        )  # fmt: skip

    @property
    def is_ready(self) -> bool:
        """True while it answers."""
        return bool(self._server.started)

    def run(self, listener: socket.socket) -> None:
        """Answer the requests at a socket until a signal arrives, or ``stop`` is called."""
        self._worker.start()
        try:
            self._server.run(sockets=[listener])
        finally:
            self._worker.stop()

    def stop(self) -> None:
        """Let ``run`` end; from any thread."""
        self._server.should_exit = True
