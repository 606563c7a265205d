"""The values of the label and of fields on which a model is conditioned; each of them becomes a symbol."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqgen.corpus.corpus import Record
from seqgen.errors import UsageError

_MAX_VALUES, _MAX_NUMBERS = 1000, 50  # values of a condition; a symbol per number would lose their order
_MOSTLY = 0.8  # share of the values that are numbers, or of the records that have a value of their own
_NUMBER = re.compile(
    r"[<>≤≥~≈]?=?\s*[-+−]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?(\s*[%°]\s*[CF]?|\s+[^\s\d]{1,8})?", re.IGNORECASE
)
_MAX_COUNTED = 100_000  # values, beyond which there are too many to count


class ConditionValues:
    """The values of some conditions over the records that were added.

    Args:
        conditions: "label" or names of fields.

    Raises (by its methods):
        UsageError: a condition does not occur in any record, or has too many values.
    """

    def __init__(self, conditions: Iterable[str]) -> None:
        self._values: dict[str, set[str]] = {condition: set() for condition in conditions}
        self._names = set[str]()  # of all fields, and "label" if there is one

    def add(self, records: Sequence[Record]) -> None:
        """Add the values of records."""
        for condition in self._values:
            found = (value for record in records if (value := record.value(condition)) is not None)
            self._update(condition, found)
        if self._values:
            self._names.update(*(record.fields for record in records))
            self._names.update(["label"] * any(record.label for record in records))

    def to_json(self) -> dict[str, Any]:
        """Return what ``join`` adds elsewhere, as JSON values."""
        values = {condition: sorted(found) for condition, found in self._values.items()}
        return {"values": values, "names": sorted(self._names)}

    def join(self, other: Mapping[str, Any]) -> None:
        """Add what ``to_json`` returned of other records."""
        for condition in self._values:
            self._update(condition, other["values"][condition])
        self._names.update(other["names"])

    def _update(self, condition: str, found: Iterable[str]) -> None:
        """Add values; refuse a condition whose values would fill the memory before all are counted."""
        values = self._values[condition]
        values.update(found)
        if len(values) > _MAX_COUNTED:
            raise UsageError(
                f"cannot condition on {condition!r}: it has more than {_MAX_COUNTED:,} values (at most {_MAX_VALUES})"
            )

    def usable(self, n_records: int, *, needed: bool) -> dict[str, list[str]]:
        """Return the sorted values of each condition.

        Args:
            n_records: the number of all records.
            needed: whether every condition must occur, and is new: a quantity or an identifier is refused then.
        """
        found = {condition: values for condition, values in self._values.items() if needed or values}
        return {condition: self._usable(condition, values, needed, n_records) for condition, values in found.items()}

    def _usable(self, condition: str, values: set[str], new: bool, n_records: int) -> list[str]:
        if not values:
            have = ", ".join(sorted(self._names)) or "neither a label nor fields"
            way = "; pass --label-field to use one of them as the label" if condition == "label" and self._names else ""
            raise UsageError(
                f"cannot condition on {condition!r}: no record has it beside its text; the records have {have}{way}"
            )
        if len(values) > _MAX_VALUES:
            raise UsageError(
                f"cannot condition on {condition!r}: it has {len(values):,} values (at most {_MAX_VALUES})"
            )
        if not new or len(values) <= _MAX_NUMBERS:
            return sorted(values)
        n_numbers = sum(_NUMBER.fullmatch(value) is not None for value in values)
        if n_numbers > max(_MAX_NUMBERS, _MOSTLY * len(values)):
            raise UsageError(
                f"cannot condition on {condition!r}: it has {n_numbers:,} different numbers, and each would become "
                f"a symbol of its own (at most {_MAX_NUMBERS}); add a field with a few classes, such as low, middle "
                "and high, and condition on that"
            )
        if len(values) > _MOSTLY * n_records:
            raise UsageError(
                f"cannot condition on {condition!r}: it has {len(values):,} values for {n_records:,} records, so "
                "hardly two records share one; condition on a field with a few classes"
            )
        return sorted(values)
