"""The process of a worker: calls come in over standard input, results go out over standard output, as lines of JSON."""

from __future__ import annotations

import functools
import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO


def write_call(function: Callable[..., Any], arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> bytes:
    """Return a call as a line.

    Raises:
        TypeError: the function cannot be imported by its name, or an argument is not a JSON value.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    if "<" in name or function.__module__ == "__main__":
        raise TypeError(f"a worker cannot import {name}")
    return json.dumps([name, arguments, keywords]).encode() + b"\n"


def read_outcome(line: bytes) -> tuple[bool, Any]:
    """Return whether a call returned, and its result or exception.

    Raises:
        EOFError: the line is cut short: the worker has ended.
    """
    if not line.endswith(b"\n"):
        raise EOFError
    has_returned, value = json.loads(line)
    return has_returned, value if has_returned else _exception(*value)


def _exception(name: str, message: str) -> Exception:
    """Return an exception of the same class, or a RuntimeError if that takes other arguments."""
    try:
        found = _find(name)(message)
    except Exception:  # of any class that a function raises
        found = None
    return found if isinstance(found, Exception) else RuntimeError(f"{name.rpartition(':')[2]}: {message}")


def _find(name: str) -> Any:
    module, _, path = name.partition(":")
    return functools.reduce(getattr, path.split("."), importlib.import_module(module))


def main() -> None:
    """Answer calls until standard input is closed, which ends the process at once, whatever it computes."""
    calls, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints must not get between the results
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(calls, waiting), daemon=True).start()
    while True:
        outcome = _answer(waiting.get())
        results.write(outcome)
        results.flush()


def _read(calls: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    """Pass calls on; end the process when there are no more, since the other end is gone."""
    for line in calls:
        waiting.put(line)
    os._exit(0)


def _answer(line: bytes) -> bytes:
    try:
        name, arguments, keywords = json.loads(line)
        return json.dumps([True, _find(name)(*arguments, **keywords)]).encode() + b"\n"
    except BaseException as error:
        sys.stdout.flush()
        kind = type(error)
        return json.dumps([False, [f"{kind.__module__}:{kind.__qualname__}", str(error)]]).encode() + b"\n"
