"""Answers to requests that fail, in the shape of OpenAI's errors."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import seqgen

_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 503: "server_error"}
_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
_FIELDS = {"num": "n", "prefix": "prompt", "max_length": "max_tokens"}
"""Fields that have other names than the flags."""
_MOST = 500  # characters of a message


class ApiError(Exception):
    """A request that fails.

    Args:
        status: the status of the HTTP answer.
        message: one line: what was wrong, the value, what to do.
        param: the field of the request at fault, or None.

    Attributes:
        status: as given.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param = status, param
        self.headers: Mapping[str, str] = {"Retry-After": "1"} if status in (429, 503) else {}
        if status == 401:
            self.headers = {"WWW-Authenticate": "Bearer"}

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        line = seqgen.visible(" ".join(str(self).split()))
        line = line if len(line) <= _MOST else line[: _MOST - 1] + "…"
        return {"error": {"message": line, "type": kind, "param": self.param, "code": None}}


def with_fields(line: str) -> str:
    """Return a line of seqgen with the fields of a request in place of the flags of ``seqgen sample``."""

    def field(flag: re.Match[str]) -> str:
        name = flag[1].replace("-", "_")
        return _FIELDS.get(name, name)

    return _FLAG.sub(field, line)


def named_field(line: str, fields: Collection[str]) -> str | None:
    """Return the field whose flag a line of seqgen names first, if it is one of these; else None."""
    flag = _FLAG.search(line)
    name = flag[1].replace("-", "_") if flag else None
    return name if name in fields else None


def as_api_error(error: BaseException, param: str | None = None, where: str = "") -> ApiError:
    """Return the answer to a request that a run refused.

    Args:
        error: the reason.
        param: the field of the request at fault, if that is known.
        where: what the message of a mistake begins with.

    Returns:
        400 for a mistake of the client, 501 where the server lacks a package, else 500.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, seqgen.MissingExtra):
        return ApiError(501, f"the server cannot do this: {with_fields(str(error))}", param)
    if isinstance(error, seqgen.NoSuchFile | seqgen.CorpusError):  # whose messages name files of the server
        return ApiError(400, "the corpus of this model is not here, or has changed, and 'novel' compares with it")
    if isinstance(error, seqgen.UsageError):
        return ApiError(400, where + with_fields(str(error)), param)
    if isinstance(error, seqgen.Diverged):
        return ApiError(500, str(error))
    return ApiError(500, "the server failed; its log says more")
