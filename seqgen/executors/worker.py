"""The process of a worker: calls come in over standard input, results go out over standard output.

Both are lines of JSON: ``[function, arguments, keywords]``, and ``[has_returned, result or message]``.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from typing import BinaryIO

from seqgen.specs import load_reference


def main() -> None:
    """Answer calls until standard input is closed, which ends the process at once, whatever it computes."""
    calls, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints must not get between the results
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(calls, waiting), daemon=True).start()
    while True:
        outcome = _answer(waiting.get())
        try:
            results.write(outcome + b"\n")
            results.flush()
        except BrokenPipeError:  # the other end is gone
            os._exit(0)


def _read(calls: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    """Pass calls on; end the process when there are no more, since the other end is gone."""
    for line in calls:
        waiting.put(line)
    os._exit(0)


def _answer(line: bytes) -> bytes:
    name, arguments, keywords = json.loads(line)
    try:
        return json.dumps([True, load_reference(name)(*arguments, **keywords)]).encode()
    except BaseException as error:
        return json.dumps([False, f"{type(error).__name__}: {error}"]).encode()
