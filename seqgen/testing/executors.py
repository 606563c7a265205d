"""Checks of executors."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from seqgen.errors import short_repr
from seqgen.files import write_atomic
from seqgen.testing.check import Subject
from seqgen.testing.exercise import opened

_ENOUGH_S = 120  # a cluster may take a while to start
_MEETING_S, _PAUSE_S = 20, 0.01  # for which a call waits for another one, and between looks


def results(subject: Subject) -> None:
    """Check that more calls than workers return their own results, from futures that ``concurrent.futures`` knows."""
    with opened(subject) as executor:
        futures = [executor.submit(pow, number, 2) for number in range(5)]
        strange = [future for future in futures if not isinstance(future, Future)]
        assert not strange, f"submit returns {short_repr(strange[0])}, not a concurrent.futures.Future"
        _, late = wait(futures, timeout=_ENOUGH_S)
        assert not late, f"{len(late)} of 5 calls have no result after {_ENOUGH_S} s"
        found = [future.result() for future in futures]
    assert found == [0, 1, 4, 9, 16], f"the calls of pow return {found}, not the squares of 0 to 4"


def errors(subject: Subject) -> None:
    """Check that an exception of a call arrives by its future, and that later calls run."""
    with opened(subject) as executor:
        failed: Future[Any] = executor.submit(int, "no number")
        assert failed.exception(timeout=_ENOUGH_S) is not None, "the exception of a call does not arrive"
        after = executor.submit(int, "3").result(timeout=_ENOUGH_S)
    assert after == 3, f"a call after one that failed returns {after!r}"


def together(subject: Subject) -> None:
    """Check that two calls run at the same time; on workers that ``gang`` reserves, they reach this process too."""
    with opened(subject) as executor:
        if hasattr(executor, "gang"):
            _meet_here(executor)
        else:
            _meet_each_other(executor)


def _meet_each_other(executor: Any) -> None:
    here = Path.cwd()  # which workers on other machines see too
    with tempfile.TemporaryDirectory(dir=here if os.access(here, os.W_OK) else None) as folder:
        files = [str(Path(folder, name)) for name in ("one", "other")]
        futures = [executor.submit(wait_for, own, other, _MEETING_S) for own, other in (files, files[::-1])]
        met = [future.result(_ENOUGH_S) for future in futures]
    assert all(met), f"of two calls on two workers, one does not start within {_MEETING_S} s while the other runs"


def wait_for(own: str, other: str, timeout_s: float) -> bool:
    """Write a file, and return whether another one is there in time; the call of ``together`` without ``gang``."""
    write_atomic(Path(own), b"")
    until = time.monotonic() + timeout_s
    while not (found := Path(other).exists()) and time.monotonic() < until:
        time.sleep(_PAUSE_S)
    return found


def _meet_here(executor: Any) -> None:
    host = executor.gang(2, _ENOUGH_S)
    assert isinstance(host, str) and host, f"gang returns {short_repr(host)}, not an address"
    try:
        server = socket.create_server((host, 0), backlog=2)
    except OSError:
        raise AssertionError(f"gang returns {short_repr(host)}, which is no address of this machine") from None
    with server:
        server.settimeout(_ENOUGH_S)
        futures = [executor.submit(meet, host, server.getsockname()[1]) for _ in range(2)]
        try:
            arrived = [server.accept()[0] for _ in range(2)]
        except TimeoutError:
            raise AssertionError(f"two calls do not both reach {host} while the other runs") from None
        for connection in arrived:
            with connection:
                connection.sendall(b"go")
        found = [future.result(_ENOUGH_S) for future in futures]
    assert found == ["go", "go"], f"calls that run at the same time return {found}"


def meet(host: str, port: int) -> str:
    """Return what the process at an address sends; the call of ``together`` with ``gang``."""
    with socket.create_connection((host, port), _ENOUGH_S) as connection:
        return connection.recv(2).decode()
