"""Access to a server: keys, the hosts that it answers to, and the headers of every answer."""

from __future__ import annotations

import hmac
import ipaddress
import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import seqgen
from seqgen_serve.errors import ApiError
from seqgen_serve.metrics import Metrics

KEY_VARIABLE = "SEQGEN_API_KEY"
_OPEN = {"/", "/app.js", "/style.css", "/health"}
_PATHS = _OPEN | {"/metrics", "/v1/models", "/v1/completions", "/tokenize", "/detokenize", "/tokenizer_info"}
_MAX_KEYS_BYTES = 1 << 20
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def read_keys(path: Path | None, variable: str | None) -> tuple[str, ...]:
    """Return the keys of a file, one a line, and of the environment.

    Args:
        path: the file; empty lines and those that begin with # are left out.
        variable: the value of ``SEQGEN_API_KEY``.

    Raises:
        UsageError: the file cannot be read, or a source has no key, or one with characters that no header can hold.
    """
    keys: list[str] = []
    if path is not None:
        try:
            with path.open("rb") as file:
                text = file.read(_MAX_KEYS_BYTES).decode()
        except OSError as error:
            raise seqgen.UsageError(f"cannot read the keys in {str(path)!r}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise seqgen.UsageError(f"cannot read the keys in {str(path)!r}: it is not a text in UTF-8") from None
        lines = [line.strip() for line in text.splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        if not keys:
            raise seqgen.UsageError(f"cannot read the keys in {str(path)!r}: there is none; write one a line")
    if variable is not None:
        if not variable.strip():
            raise seqgen.UsageError(f"{KEY_VARIABLE} is empty: set it to a key, or unset it")
        keys.append(variable.strip())
    for key in keys:
        if not all(33 <= ord(character) < 127 for character in key):
            raise seqgen.UsageError("a key has characters other than printable ASCII, which no header can hold")
    return tuple(keys)


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """The ASGI application around another one, which asks for a key, adds headers and counts answers.

    Args:
        app: the other one.
        keys: one of which a request needs; none are needed if there are none.
        local: whether only programs of this machine reach the server. Then a request must name it by a local name, so
            that no page of another site reaches it under a name of its own that it has pointed here.
        metrics: where it counts.
        hosts: other names by which requests may call a local server, such as that of a proxy before it.
    """

    def __init__(
        self, app: Any, keys: Collection[str], local: bool, metrics: Metrics, hosts: Collection[str] = ()
    ) -> None:
        self._app, self._local, self._metrics = app, local, metrics
        self._hosts = {host.lower() for host in hosts}
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def send_with_headers(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name.lower() for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in given)]
            await send(message)

        try:
            problem = self._problem(scope["path"], dict(scope["headers"]))
            if problem is None:
                await self._app(scope, receive, send_with_headers)
            else:
                await _refuse(problem, send_with_headers)
        finally:
            self._metrics.count_request(_known(scope["path"]), status, time.monotonic() - started)

    def _problem(self, path: str, headers: dict[bytes, bytes]) -> ApiError | None:
        """Return the reason for which a request is refused, or None."""
        if self._local and not self._is_known(_host_of(headers.get(b"host", b""))):
            return ApiError(
                403,
                "this server answers to localhost only: start it with --allow-host NAME for that of a proxy, or with "
                "--host for other machines",
            )
        if not self._keys or path in _OPEN:
            return None
        scheme, _, given = headers.get(b"authorization", b"").strip().partition(b" ")
        given = given.strip() if scheme.lower() == b"bearer" else scheme
        if not given:
            return ApiError(401, "a key is needed, and there is none: send the header Authorization: Bearer KEY")
        if not any(hmac.compare_digest(given, key) for key in self._keys):
            return ApiError(401, "the key in the header Authorization is wrong: it is none of this server's")
        return None

    def _is_known(self, host: str) -> bool:
        """Return whether a local server may be called by a name."""
        return is_loopback(host) or host.lower() in self._hosts


async def _refuse(problem: ApiError, send: Any) -> None:
    """Send the answer to a request that is refused."""
    headers = {"content-type": "application/json", **problem.headers}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": pairs})
    await send({"type": "http.response.body", "body": json.dumps(problem.to_json()).encode()})


def _known(path: str) -> str:
    """Return the path under which an answer is counted: strangers must not make names of counters."""
    if path.startswith("/v1/models/"):
        return "/v1/models/{name}"
    return path if path in _PATHS else "other"


def _host_of(header: bytes) -> str:
    """Return the host of a header, without its port."""
    try:
        return urlsplit(f"//{header.decode('ascii')}").hostname or ""
    except ValueError:
        return ""
