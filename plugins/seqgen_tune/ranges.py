"""The search space as a user writes it: ranges, choices, and all declared ranges of a part."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import seqgen
from seqgen_tune.dimension import PARTS

_RANGE = re.compile(r"(.+?)\.\.(.+?)(:log)?")
_TOO_MANY = re.compile(r"(?<=[^.])\.{3,}(?=[^.])")
_WHOLE = re.compile(r"[+-]?\d+")
_FORMS = "lr=1e-4..1e-2:log, layers=1..3, cell=gru|lstm or cell.*"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Given:
    """The values of a setting as a user gives them.

    Attributes:
        name: the setting, as ``-o`` spells it, or ``PART.*`` for the declared ranges of a part.
        choices: the values of a list; () of a range.
        low: the smallest value of a range.
        high: the largest value.
        log: whether a range is searched on a logarithmic scale.
        whole: whether both ends are written as whole numbers.
    """

    name: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def all_of(self) -> str:
        """The part whose declared ranges are all searched, or ""."""
        return self.name.removesuffix(".*") if self.name.endswith(".*") else ""


def parse(assignments: Iterable[str]) -> list[Given]:
    """Read settings like ``lr=1e-4..1e-2:log``, ``hidden=32|64``, ``layers=1..3`` and ``cell.*``.

    Raises:
        BadOption: one is not of such a form, or a setting is given twice.
    """
    found: dict[str, Given] = {}
    for assignment in assignments:
        name, equals, values = assignment.partition("=")
        name = name.strip().replace("-", "_")
        if not name or bool(equals) is name.endswith(".*"):
            raise seqgen.BadOption(f"cannot search {seqgen.short_repr(assignment, 80)}: write it like {_FORMS}")
        if name in found:
            raise seqgen.BadOption(
                f"cannot search {name} twice: {seqgen.short_repr(assignment, 80)}; give one range of it"
            )
        found[name] = _given(name, values.strip()) if equals else Given(name)
    return list(found.values())


def _given(name: str, values: str) -> Given:
    match = None if "|" in values else _RANGE.fullmatch(values)  # a list may hold "../a"
    if match is not None and _TOO_MANY.search(values):
        meant = f"{name}={_TOO_MANY.sub('..', values)}"
        raise seqgen.BadOption(
            f"cannot search {name}={seqgen.short_repr(values)}: a range has two dots; write {meant:.60}"
        )
    if match is None:
        choices = tuple(dict.fromkeys(value.strip() for value in values.split("|")))
        if len(choices) == 1 and "|" in values and all(choices):
            raise seqgen.BadOption(f"cannot search {name}={seqgen.short_repr(values)}: its choices are all the same")
        if len(choices) < 2 or not all(choices):
            raise seqgen.BadOption(
                f"cannot search {name}={seqgen.short_repr(values)}: write A..B or A|B; fix a setting by its option"
            )
        return Given(name, choices)
    ends, log = (match[1].strip(), match[2].strip()), match[3] is not None
    try:
        low, high = map(float, ends)
    except ValueError:
        raise seqgen.BadOption(
            f"cannot search {name}={seqgen.short_repr(values)}: the ends of a range are numbers"
        ) from None
    if not (-float("inf") < low < high < float("inf")):
        raise seqgen.BadOption(
            f"cannot search {name}={seqgen.short_repr(values)}: the first end must be smaller than the second"
        )
    if log and low <= 0:
        raise seqgen.BadOption(f"cannot search {name}={seqgen.short_repr(values)}: a logarithmic range begins above 0")
    return Given(name, (), low, high, log, all(map(_WHOLE.fullmatch, ends)))


def read_toml(path: Path) -> list[str]:
    """Return the settings of a file with the tables of ``seqgen train --config``, in the form of the command line.

    A text is as on the command line, ``lr = "1e-4..1e-2:log"``, a list holds choices, ``hidden = [32, 64]``. The cells
    are ``name = ["gru", "lstm"]`` of the table ``[cell]``; ``"*" = true`` takes all declared ranges of its table.

    Raises:
        UsageError: the file cannot be read, or is no TOML.
        BadOption: a value is neither a text nor a list, or stands in no table.
    """
    found = []
    for part, table in read_tables(path, "search space").items():
        if not isinstance(table, dict):
            raise seqgen.BadOption(f"{str(path)!r}: {part!r} must stand in a table such as [train]")
        found += [_assignment(path, part, name, value) for name, value in _flat(table).items()]
    return found


def read_tables(path: Path, title: str) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Args:
        path: the file.
        title: its content, for messages.

    Raises:
        UsageError: the file cannot be read, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.loads(file.read(_MAX_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise seqgen.UsageError(f"cannot read the {title} {str(path)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or a number with too many digits
        raise seqgen.UsageError(f"cannot read the {title} {str(path)!r}: it is no TOML: {error}") from None


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with the names of tables within it before their own: [cell.2] has "2.heads"."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        nested = {f"{name}.{inner}": one for inner, one in _flat(value).items()} if isinstance(value, dict) else {}
        flat |= nested if isinstance(value, dict) else {name: value}
    return flat


def _assignment(path: Path, part: str, name: str, value: Any) -> str:
    if (name, value) == ("*", True):
        return f"{part}.*"
    keywords = {kind: keyword for keyword, kind in PARTS.items()}
    if part == "train" or (name == "name" and part in keywords):
        option = name if part == "train" else keywords[part]
    else:
        option = f"{part}.{name}"
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return f"{option}={'|'.join(map(str, value))}"
    if isinstance(value, str):
        return f"{option}={value}"
    raise seqgen.BadOption(
        f'{str(path)!r}: cannot search {option} = {seqgen.short_repr(value)}: write "A..B" or a list of values'
    )
