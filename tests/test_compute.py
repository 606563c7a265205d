"""Results that are computed in turns with their caller."""

from __future__ import annotations

import pytest

from seqgen import compute


class Clock:
    """A clock that tests set."""

    def __init__(self):
        self.now_s = 0.0

    def monotonic(self):
        """Return the time."""
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(compute, "time", clock)
    return clock


def test_results_of_a_slow_batch_come_before_the_next_batch_is_computed(clock):
    n_batches = 0

    def results():
        nonlocal n_batches
        for batch in range(4):
            n_batches += 1
            clock.now_s += 2.0
            yield from ((batch, row) for row in range(64))

    come = [(batch, n_batches) for batch, _ in compute.in_turns(None, results())]
    assert come == [(batch, batch + 1) for batch in range(4) for _ in range(64)]


def test_fast_results_are_computed_many_at_a_time(clock):
    n_begun = 0

    def results():
        nonlocal n_begun
        for number in range(5000):
            n_begun += 1
            clock.now_s += 1e-4
            yield number

    come = [(number, n_begun) for number in compute.in_turns(None, results())]
    assert [number for number, _ in come] == list(range(5000))
    assert len({begun for _, begun in come}) < 40


def test_an_error_comes_after_the_results_before_it(clock):
    def results():
        yield from range(3)
        raise ValueError("the fourth")

    turns, come = compute.in_turns(None, results()), []
    with pytest.raises(ValueError, match="the fourth"):
        for number in turns:
            come.append(number)
    assert come == [0, 1, 2]
