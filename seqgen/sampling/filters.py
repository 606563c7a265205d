"""Which rows are kept: row i of the result is the i-th accepted one, so filters keep what a seed promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from seqgen.errors import TooFewRows
from seqgen.sampling.sampler import Sample

_EFFORT = 200  # rows looked at for each row asked, before giving up
_EFFORT_LEAST = 20_000


def unique_rows(rows: Iterable[Sample], n: int, canonical: Callable[[str], str]) -> Iterator[Sample]:
    """The first ``n`` rows whose canonical form has not come before.

    Args:
        rows: without end.
        n: how many to give.
        canonical: the form by which texts are compared.

    Raises:
        TooFewRows: the effort is spent (200 rows for each one asked, at least 20,000) before ``n`` were found;
            those that were found have been given.
    """
    seen: set[str] = set()
    effort = max(_EFFORT * n, _EFFORT_LEAST)
    for row in itertools.islice(rows, effort) if n else ():
        form = canonical(row.text)
        if form not in seen:
            seen.add(form)
            yield row
            if len(seen) == n:
                return
    if len(seen) < n:
        found = f"{len(seen)} different {'row' if len(seen) == 1 else 'rows'}"
        raise TooFewRows(f"only {found} among {effort:,} drawn, not {n}; ask for fewer or raise -t")
