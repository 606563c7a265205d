"""The profile of a corpus, as ``seqgen show corpus`` shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from seqgen.corpus.corpus import Record
from seqgen.corpus.survey import Survey, survey

_MOST_VALUES = 12
"""Values of a field that are listed."""


def profile(records: Iterable[Record], name: str, n_shown: int = 8, *, of_lines: bool = False) -> dict[str, Any]:
    """Return the statistics that ``seqgen show corpus`` shows.

    Args:
        records: the corpus, iterated twice.
        name: the corpus name to show in messages.
        n_shown: the approximate number of records to show, evenly spaced.
        of_lines: whether it is a file of lines.

    Returns:
        Counts, symbols with their frequency, a length histogram, labels, duplicates, every n-th record; and of each
        field, how many records have each value if these are few, else how many have the field.
    """
    totals = Survey()
    lengths: Counter[int] = Counter()
    symbols: Counter[str] = Counter()
    for text in survey(records, name, totals):
        lengths[len(text)] += 1
        symbols.update(text)
    every = -(-totals.n_records // n_shown)
    shown, labels, with_field = [], Counter[str](), Counter[str]()
    values: dict[str, Counter[str]] = {}
    for index, record in enumerate(records):
        if record.label is not None:
            labels[record.label] += 1
        with_field.update(record.fields.keys())
        for name_of_field, value in record.fields.items():
            if len(found := values.setdefault(name_of_field, Counter())) <= _MOST_VALUES:
                found[str(value)] += 1
        if index % every == 0:
            shown.append(record.text)
    return {
        "records": totals.n_records,
        "characters": totals.n_chars,
        "longest": totals.longest,
        "duplicates": totals.n_duplicates,
        "control_characters": totals.n_controls,
        "skipped_or_changed": totals.counts,
        "warnings": totals.warnings(of_lines=of_lines),
        "symbols": dict(sorted(symbols.items())),
        "lengths": dict(sorted(lengths.items())),
        "labels": dict(sorted(labels.items())),
        "fields": {
            one: dict(sorted(found.items())) if len(found) <= _MOST_VALUES else with_field[one]
            for one, found in values.items()
        },
        "every": every,
        "shown": shown,
        "digest": totals.digest,
    }
