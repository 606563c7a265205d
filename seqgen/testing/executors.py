"""Checks of executors."""

from __future__ import annotations

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
