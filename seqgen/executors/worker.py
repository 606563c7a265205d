"""The process of a worker: calls come in over standard input, results go out over standard output."""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from typing import Any, BinaryIO


def main() -> None:
    """Answer calls until standard input is closed, which ends the process at once, whatever it computes."""
    calls, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints must not get between the results
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(calls, waiting), daemon=True).start()
    while True:
        outcome = _answer(waiting.get())
        results.write(outcome)
        results.flush()


def _read(calls: BinaryIO, waiting: queue.SimpleQueue[Any]) -> None:
    """Pass calls on; end the process when there are no more, since the other end is gone."""
    while True:
        try:
            waiting.put(pickle.load(calls))  # noqa: S301  of the process that started this one
        except EOFError:
            os._exit(0)
        except Exception as error:  # a function or an argument that cannot be imported here
            waiting.put(error)


def _answer(call: Any) -> bytes:
    try:
        if isinstance(call, Exception):
            raise call
        function, arguments, keywords = call
        return pickle.dumps((True, function(*arguments, **keywords)))
    except BaseException as error:
        sys.stdout.flush()
        try:
            found = pickle.dumps((False, error))
            pickle.loads(found)  # noqa: S301  an exception whose __init__ takes other arguments fails only here
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return found
