"""Which rows are kept: row i of the result is the i-th accepted one, so filters keep what a seed promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from seqgen.errors import TooFewRows
from seqgen.protocols import Verdict
from seqgen.sampling.sampler import Sample

_EFFORT = 200  # rows looked at for each row asked, before giving up
_EFFORT_LEAST = 20_000
_TOGETHER = 256  # rows looked up in the corpus together, at least


@dataclass(frozen=True)
class Wanted:
    """What rows must be to be kept.

    Attributes:
        validate: the verdict of the domain's validator.
        valid: whether a row must be valid.
        unique: whether its canonical form must not have come before.
        known: gives those of some canonical forms that have been trained on, which a row must not be; None: it may.
    """

    validate: Callable[[str], Verdict]
    valid: bool = False
    unique: bool = False
    known: Callable[[set[str]], set[str]] | None = None

    @property
    def name(self) -> str:
        """For messages."""
        words = [
            word for word, asked in (("valid", self.valid), ("new", self.known), ("different", self.unique)) if asked
        ]
        return ", ".join(words)


def wanted_rows(rows: Iterable[Sample], n: int, wanted: Wanted) -> Iterator[Sample]:
    """The first ``n`` rows that are wanted.

    Args:
        rows: without end.
        n: how many to give.
        wanted: what they must be.

    Raises:
        TooFewRows: the effort is spent (200 rows for each one asked, at least 20,000) before ``n`` were found;
            those that were found have been given.
    """
    seen: set[str] = set()
    n_found, effort = 0, max(_EFFORT * n, _EFFORT_LEAST)
    left = itertools.islice(rows, effort) if n else iter(())
    together = 1 if wanted.known is None else max(n, _TOGETHER)
    while chunk := list(itertools.islice(left, together)):
        verdicts = [wanted.validate(row.text) for row in chunk]
        forms = [verdict.form(row.text) for row, verdict in zip(chunk, verdicts, strict=True)]
        known = wanted.known(set(forms) - seen) if wanted.known is not None else set()
        for row, verdict, form in zip(chunk, verdicts, forms, strict=True):
            if (wanted.valid and not verdict.ok) or form in known or (wanted.unique and form in seen):
                continue
            seen.update((form,) if wanted.unique else ())
            yield row
            n_found += 1
            if n_found == n:
                return
    if n_found < n:
        found = f"{n_found} {wanted.name} {'row' if n_found == 1 else 'rows'}"
        raise TooFewRows(f"only {found} among {effort:,} drawn, not {n}; ask for fewer or raise -t")
