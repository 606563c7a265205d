"""Row filters: row i of the result is the i-th accepted row, so a seed gives the same rows whatever their number."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from seqgen.errors import TooFewRows
from seqgen.protocols import Verdict
from seqgen.sampling.sampler import Sample

_EFFORT = 200  # rows examined for each requested row, before giving up
_MIN_EFFORT = 20_000
_MIN_CHUNK = 256  # rows looked up in the corpus together, at least
_MAX_CHUNK = 50_000  # the same of a range, whose end is known


@dataclass(frozen=True)
class RowFilter:
    """The conditions under which a sampled row is kept.

    Attributes:
        validate: the domain validator's function from a text to a verdict.
        valid: keep valid rows only. A row that is cut is not valid, whatever its text.
        unique: drop rows whose canonical form came before.
        known: returns those of some canonical forms that are in the training set; such rows are dropped. None: off.
        near: returns those of some texts that are too close to a training record; such rows are dropped. None: off.
        satisfies: checks a constraint that the sampler does not enforce; None: off.
        ends: whether rows have an end, without which they are cut.
    """

    validate: Callable[[str], Verdict]
    valid: bool = False
    unique: bool = False
    known: Callable[[set[str]], set[str]] | None = None
    near: Callable[[set[str]], set[str]] | None = None
    satisfies: Callable[[Sample], bool] | None = None
    ends: bool = True

    @property
    def name(self) -> str:
        """The active conditions as adjectives, for messages."""
        conditions = {
            "matching": self.satisfies,
            "valid": self.valid,
            "new": self.known,
            "distant": self.near,
            "different": self.unique,
        }
        return ", ".join(word for word, is_active in conditions.items() if is_active)


def filter_rows(rows: Iterable[Sample], n: int, row_filter: RowFilter, effort: int | None = None) -> Iterator[Sample]:
    """Yield the first ``n`` rows that pass a filter.

    Args:
        rows: an endless iterable.
        n: number of rows to yield.
        row_filter: the conditions.
        effort: limit on the rows examined; None: 200 per requested row, at least 20,000.

    Raises:
        TooFewRows: fewer than ``n`` of the examined rows passed; those that did have been yielded.
    """
    n_found, effort = 0, max(_EFFORT * n, _MIN_EFFORT) if effort is None else effort
    left = itertools.islice(rows, effort) if n else iter(())
    for row in passing_rows(left, row_filter, max(n, _MIN_CHUNK)):
        yield row
        n_found += 1
        if n_found == n:
            return
    if n_found < n:
        rows_wanted = f"{n:,} {row_filter.name} {'row' if n == 1 else 'rows'}"
        dropped = "--exact" if row_filter.satisfies else "a filter"
        raise TooFewRows(
            f"cannot find {rows_wanted}: only {n_found:,} among {effort:,} sampled; "
            f"ask for fewer rows, drop {dropped}, or raise --effort"
        )


def passing_rows(rows: Iterator[Sample], row_filter: RowFilter, chunk_size: int = _MAX_CHUNK) -> Iterator[Sample]:
    """Yield the rows that pass, looking up ``chunk_size`` of them in the corpus at a time."""
    seen: set[str] = set()
    chunk_size = chunk_size if row_filter.known or row_filter.near else 1
    while chunk := list(itertools.islice(rows, chunk_size)):
        if row_filter.satisfies is not None:
            chunk = [row for row in chunk if row_filter.satisfies(row)]
        verdicts = [row_filter.validate(row.text) for row in chunk]
        forms = [verdict.form(row.text) for row, verdict in zip(chunk, verdicts, strict=True)]
        known = row_filter.known(set(forms) - seen) if row_filter.known is not None else set()
        near = row_filter.near({row.text for row in chunk}) if row_filter.near is not None else set()
        for row, verdict, form in zip(chunk, verdicts, forms, strict=True):
            is_valid = verdict.ok and not (row_filter.ends and row.cut)
            if (row_filter.valid and not is_valid) or form in known or row.text in near:
                continue
            if row_filter.unique and form in seen:
                continue
            seen.update((form,) if row_filter.unique else ())
            yield row
