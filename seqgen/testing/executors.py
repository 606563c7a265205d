"""Checks of executors."""

from __future__ import annotations

import socket
from concurrent.futures import Future, wait
from typing import Any

from seqgen.testing.check import Subject
from seqgen.testing.exercise import opened

_ENOUGH_S = 120  # a cluster may take a while to start


def results(subject: Subject) -> None:
    """Check that more calls than workers return their own results, from futures that ``concurrent.futures`` knows."""
    with opened(subject) as executor:
        futures = [executor.submit(pow, number, 2) for number in range(5)]
        strange = [future for future in futures if not isinstance(future, Future)]
        assert not strange, f"submit returns {strange[0]!r:.60}, not a concurrent.futures.Future"
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
    """Check that calls on workers that ``gang`` reserves run at the same time and reach this process; if it has one."""
    with opened(subject) as executor:
        if not hasattr(executor, "gang"):
            return
        host = executor.gang(2, _ENOUGH_S)
        assert isinstance(host, str) and host, f"gang returns {host!r:.60}, not an address"
        try:
            server = socket.create_server((host, 0), backlog=2)
        except OSError:
            raise AssertionError(f"gang returns {host!r:.60}, which is no address of this machine") from None
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
    """Return what the process at an address sends; the call of ``together``."""
    with socket.create_connection((host, port), _ENOUGH_S) as connection:
        return connection.recv(2).decode()
