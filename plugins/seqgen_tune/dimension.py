"""A setting that is searched, and the values of a trial."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from optuna.trial import Trial

PARTS = {"cell": "cell", "model": "model", "tokenizer": "tokenizer", "domain": "domain", "augment": "augmentation"}
"""Kinds of the parts that can be searched, by the keyword that chooses one."""
_MOST_COMBINATIONS = 1000  # that a study keeps count of
_DIGITS = 4  # of a value, so that the command that trains the best run is readable


@dataclass(frozen=True)
class Dimension:
    """A setting that is searched.

    Attributes:
        key: its name in the journal, unique.
        name: the setting: "cell", or "PART.NAME" as ``-o`` spells it.
        choices: the values of a list; () of a range.
        low: the smallest value of a range.
        high: the largest value.
        log: whether a range is searched on a logarithmic scale.
        whole: whether values are whole numbers.
        of: the keyword of the part whose option it is, if that part is searched too; else "".
        only: the choices of that part that have this option.
    """

    key: str
    name: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    of: str = ""
    only: tuple[str, ...] = ()

    def suggest(self, trial: Trial) -> Any:
        """Return the value that the sampler proposes, of four digits."""
        if self.choices:
            return trial.suggest_categorical(self.key, self.choices)
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        value = float(f"{trial.suggest_float(self.key, self.low, self.high, log=self.log):.{_DIGITS}g}")
        return min(max(value, self.low), self.high)

    def values(self) -> Sequence[Any] | None:
        """Return all values; None of a range that is not of whole numbers."""
        if self.choices:
            return self.choices
        return range(int(self.low), int(self.high) + 1) if self.whole else None

    def __str__(self) -> str:
        """Return the setting as it is written on the command line."""
        if self.choices:
            return f"{self.name}={'|'.join(self.choices)}"
        low, high = (int(self.low), int(self.high)) if self.whole else (self.low, self.high)
        ends = f"{low}..{high}" if self.whole else f"{low:g}..{high:g}"
        return f"{self.name}={ends}{':log' if self.log else ''}"


def suggest(space: Sequence[Dimension], trial: Trial) -> dict[str, Any]:
    """Return a value of each setting that concerns the parts of the trial."""
    found: dict[str, Any] = {}
    for one in space:  # parts come first
        if not one.of or found[one.of] in one.only:
            found[one.name] = one.suggest(trial)
    return found


class Combination(NamedTuple):
    """A value of each setting that concerns the parts of a trial.

    Attributes:
        values: by setting.
        params: by key.
    """

    values: dict[str, Any]
    params: dict[str, Any]


def combinations(space: Sequence[Dimension]) -> list[Combination] | None:
    """Return all combinations of values that ``suggest`` may return; None if they are not few."""
    found = [Combination({}, {})]
    for one in space:
        own, before, found = one.values(), found, list[Combination]()
        if own is None or len(before) * len(own) > _MOST_COMBINATIONS:
            return None
        for values, params in before:
            if one.of and values[one.of] not in one.only:
                found.append(Combination(values, params))
            else:
                found += [Combination({**values, one.name: value}, {**params, one.key: value}) for value in own]
    return found


def as_keywords(values: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords of ``seqgen.train`` for the values of a trial and the fixed settings."""
    keywords = {name: value for name, value in values.items() if name in (*PARTS, "params")}
    options = {name: value for name, value in values.items() if name not in keywords}
    return {**fixed, **keywords, "options": {**(fixed.get("options") or {}), **options}}


def as_number(value: Any) -> Any:
    """Return a value of a list, all of which are texts, as a number if it is one."""
    for kind in (int, float) if isinstance(value, str) else ():
        with contextlib.suppress(ValueError):
            number = kind(value)
            return number if math.isfinite(number) else value
    return value
