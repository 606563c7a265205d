"""Rows under a constraint: of the model's own distribution where it often satisfies it, else guided to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.sampling import Sample, Sampler

PILOT, LEAST_KEPT = 1000, 20
"""Rows that are drawn freely to see how often the model satisfies a constraint, and how many must, to draw so."""
_PILOT_SEED = 2**63 - 1  # the same for every seed of the rows, so that one constraint is always treated alike
_LONG = 0.9  # of the longest that a row may be
_MANY = 0.2  # of the rows


def satisfying(sampler: Sampler) -> Iterator[Sample]:
    """Yield rows without end that a model draws freely and that satisfy the constraint of its sampler."""
    return (row for row in sampler.rows() if sampler.satisfies(row))


def constrained_rows(run: Run, sampler: Sampler, n: int, warn: Callable[[str], None]) -> Iterator[Sample]:
    """Yield rows that satisfy a constraint: without end if drawn freely, else ``n`` that are guided step by step.

    Rows are drawn freely, and those that break the constraint left out, where at least 20 of 1,000 trial rows satisfy
    it. The trial has a seed of its own: what row i is depends on its seed and number only.

    Args:
        run: the run.
        sampler: of the run, with a constraint.
        n: how many guided rows are needed; 0: without end.
        warn: called with one line where rows are guided, and where many of them are as long as they may be.
    """
    assert sampler.constraint is not None
    trial = itertools.islice(sampler.as_rejection_sampler(_PILOT_SEED).rows(), PILOT)
    n_kept = sum(1 for _ in itertools.islice(filter(sampler.satisfies, trial), LEAST_KEPT))
    if n_kept == LEAST_KEPT:
        yield from satisfying(sampler.as_rejection_sampler())
        return
    warn(
        f"constraint {sampler.constraint.name}: {n_kept} of {PILOT:,} trial rows satisfy it ({n_kept / PILOT:.1%}), so "
        "rows are guided step by step, which changes their distribution; --exact keeps the model's distribution and "
        "leaves out what does not fit"
    )
    yield from _watched(run, sampler, sampler.take(n) if n else sampler.rows(), warn)


def _watched(run: Run, sampler: Sampler, rows: Iterator[Sample], warn: Callable[[str], None]) -> Iterator[Sample]:
    """Pass rows on, then warn if many are as long as they may be, looking for a way to satisfy what is asked."""
    least, most = sampler.lengths
    counts_chars = most is not None and least < _LONG * most
    n_rows = n_long = n_cut = 0
    try:
        for row in rows:
            n_rows += 1
            n_long += counts_chars and most is not None and len(row.text) >= _LONG * most
            longest = _LONG * sampler.max_length
            n_cut += len(row.text) >= longest and len(run.vocabulary.encode(row.text)) >= longest
            yield row
    finally:
        exact = "--exact keeps the model's distribution and leaves out what does not fit"
        if n_cut and n_cut >= _MANY * n_rows:
            warn(
                f"{n_cut:,} of {n_rows:,} rows satisfy it only at about the limit of {sampler.max_length} symbols: "
                f"{exact}"
            )
        elif n_long and n_long >= _MANY * n_rows:
            warn(f"{n_long:,} of {n_rows:,} rows are as long as --length allows, {most} characters, or nearly: {exact}")
