"""Which rows are kept: row i of the result is the i-th accepted one, so filters keep what a seed promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from seqgen.errors import TooFewRows
from seqgen.protocols import Verdict
from seqgen.sampling.sampler import Sample

EFFORT = 200
"""Rows looked at for each row asked, before giving up."""
MIN_EFFORT = 20_000
_TOGETHER = 256  # rows looked up in the corpus together, at least


@dataclass(frozen=True)
class RowFilter:
    """What rows must be to be kept.

    Attributes:
        validate: the verdict of the domain's validator.
        valid: whether a row must be valid.
        unique: whether its canonical form must not have come before.
        known: gives those of some canonical forms that have been trained on, which a row must not be; None: it may.
        near: gives those of some texts that are too near to a training record; None: a row may be.
        satisfies: whether a row is what a constraint asks for that the sampler leaves to be looked at.
    """

    validate: Callable[[str], Verdict]
    valid: bool = False
    unique: bool = False
    known: Callable[[set[str]], set[str]] | None = None
    near: Callable[[set[str]], set[str]] | None = None
    satisfies: Callable[[Sample], bool] | None = None

    @property
    def name(self) -> str:
        """For messages."""
        asked = {
            "wanted": self.satisfies,
            "valid": self.valid,
            "new": self.known,
            "distant": self.near,
            "different": self.unique,
        }
        return ", ".join(word for word, is_asked in asked.items() if is_asked)


def filter_rows(rows: Iterable[Sample], n: int, wanted: RowFilter, effort: int | None = None) -> Iterator[Sample]:
    """The first ``n`` rows that are wanted.

    Args:
        rows: without end.
        n: how many to give.
        wanted: what they must be.
        effort: rows looked at, at most; None: 200 for each one asked, at least 20,000.

    Raises:
        TooFewRows: the effort is spent before ``n`` were found; those that were found have been given.
    """
    n_found, effort = 0, max(EFFORT * n, MIN_EFFORT) if effort is None else effort
    left = itertools.islice(rows, effort) if n else iter(())
    for row in _kept(left, max(n, _TOGETHER), wanted):
        yield row
        n_found += 1
        if n_found == n:
            return
    if n_found < n:
        found = f"{n_found:,} {wanted.name} {'row' if n_found == 1 else 'rows'}"
        raise TooFewRows(f"only {found} among {effort:,} drawn, not {n:,}; ask for fewer, for less, or for more effort")


def _kept(rows: Iterator[Sample], together: int, wanted: RowFilter) -> Iterator[Sample]:
    """The rows that are wanted, looked up in the corpus ``together`` at a time."""
    seen: set[str] = set()
    together = together if wanted.known or wanted.near else 1
    while chunk := list(itertools.islice(rows, together)):
        if wanted.satisfies is not None:
            chunk = [row for row in chunk if wanted.satisfies(row)]
        verdicts = [wanted.validate(row.text) for row in chunk]
        forms = [verdict.form(row.text) for row, verdict in zip(chunk, verdicts, strict=True)]
        known = wanted.known(set(forms) - seen) if wanted.known is not None else set()
        near = wanted.near({row.text for row in chunk}) if wanted.near is not None else set()
        for row, verdict, form in zip(chunk, verdicts, forms, strict=True):
            if (wanted.valid and not verdict.ok) or form in known or row.text in near:
                continue
            if wanted.unique and form in seen:
                continue
            seen.update((form,) if wanted.unique else ())
            yield row
