"""Option values as users write them: assignments and TOML files, in layers; durations, counts, splits and devices."""

from __future__ import annotations

import math
import operator
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, SupportsIndex

from seqgen.errors import BadOption, UsageError, did_you_mean, short_repr

_EXECUTOR = "executor."  # begins the names of an executor's options
_MAX_TOML_BYTES = 1 << 20
_ROUNDING = 1e-9  # of the sum of shares
_NEAR, _FAR = 0.011, (0.5, 2.0)  # sums of shares taken as 1, as 33/33/33 is, and as a typing error
Layer = dict[str, dict[str, Any]]
"""Part to option to value, e.g. ``{"cell": {"activation": "tanh"}}``."""


def merge(*layers: Mapping[str, Mapping[str, Any]]) -> Layer:
    """Merge layers; the later ones win, name by name."""
    merged: Layer = {}
    for layer in layers:
        for part, values in layer.items():
            merged.setdefault(part, {}).update(values)
    return merged


def keep_known(layer: Layer, fields: Mapping[str, Iterable[str]]) -> Layer:
    """Return the options of a layer that a run has.

    Args:
        layer: the options.
        fields: the option names of each part of the run.
    """
    return {
        part: {name: value for name, value in values.items() if name in fields.get(part, ())}
        for part, values in layer.items()
    }


def parse_assignments(assignments: Iterable[str]) -> list[tuple[str | None, str, str]]:
    """Read ``PART.NAME=VALUE`` or ``NAME=VALUE``, as (part or None, name, value).

    Raises:
        BadOption: there is no "=" or no name.
    """
    parsed = []
    for assignment in assignments:
        target, equals, value = assignment.partition("=")
        part, dot, name = target.strip().rpartition(".")
        if not equals or not name or (dot and not part):
            raise BadOption(f"{assignment!r} is not of the form PART.NAME=VALUE, like cell.activation=tanh")
        parsed.append((part or None, name.replace("-", "_"), value))
    return parsed


def split_names(options: Mapping[str, Any]) -> list[tuple[str | None, str, Any]]:
    """Return options by ``"part.name"`` or bare name in the form of ``parse_assignments``.

    Raises:
        BadOption: they are no mapping by name.
    """
    _refuse_no_mapping(options)
    parted = ((name.rpartition("."), value) for name, value in options.items())
    return [(part or None, name, value) for (part, _, name), value in parted]


def split_executor_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options ``"executor.name"`` by name, and the other options.

    Raises:
        BadOption: they are no mapping by name.
    """
    _refuse_no_mapping(options)
    of_executor = {name: value for name, value in options.items() if name.startswith(_EXECUTOR)}
    others = {name: value for name, value in options.items() if name not in of_executor}
    return {name.removeprefix(_EXECUTOR): value for name, value in of_executor.items()}, others


def _refuse_no_mapping(options: object) -> None:
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise BadOption(f'options are a mapping by name, {{"part.name": value}}, not {short_repr(options)}')


def assign(
    assignments: Iterable[tuple[str | None, str, Any]],
    fields: Mapping[str, Iterable[str]],
    no_options: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Layer:
    """Find the part of each assignment.

    Args:
        assignments: (part or None, name, value).
        fields: the option names of each part of this run; "cell.2" is that of one layer, and needs its name.
        no_options: by part, parameters that are no options, and why.

    Raises:
        BadOption: no such part or name, or a bare name that several parts have.
    """
    layer: Layer = {}
    for part, name, value in assignments:
        if part is None:
            owners = [candidate for candidate, names in fields.items() if name in names and "." not in candidate]
            if len(owners) != 1:
                raise BadOption(_ambiguous(name, owners, fields, no_options))
            part = owners[0]
        elif part not in fields:
            raise BadOption(f"no part {part!r} in this run{did_you_mean(part, fields)}")
        layer.setdefault(part, {})[name] = value
    return layer


def assigned_to(
    part: str, assignments: Sequence[tuple[str | None, str, Any]], also: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the values of assignments that are all of one part, by name.

    Args:
        part: the part.
        assignments: (part or None, name, value).
        also: other names of the part.

    Raises:
        BadOption: one is of another part.
    """
    for other, name, _ in assignments:
        if other not in (None, part, *also):
            raise BadOption(f"-o {other}.{name} is of {other}, not of the {part}: write -o {name}=VALUE")
    return {name: value for _, name, value in assignments}


def _ambiguous(
    name: str, owners: list[str], fields: Mapping[str, Iterable[str]], no_options: Mapping[str, Mapping[str, str]]
) -> str:
    if owners:
        return f"several parts have the option {name!r}: write " + " or ".join(f"{o}.{name}=" for o in owners)
    for part, reasons in no_options.items():
        if name in reasons:
            return f"no part has the option {name!r}; the {part} has a parameter of that name, but {reasons[name]}"
    known = [f"{part}.{option}" for part, options in fields.items() if "." not in part for option in options]
    bare = {option for options in fields.values() for option in options}
    others = f"; known: {', '.join(known)}" if known else ": none here has options"
    return f"no part has the option {name!r}{did_you_mean(name, bare) or others}"


def read_toml(path: Path) -> Layer:
    """Read the tables of a configuration file: ``[train] [model] [cell] [tokenizer] [corpus]``.

    Raises:
        UsageError: no such file, too large, not TOML, nested too deeply, or something outside a table.
    """
    try:
        with path.open("rb") as file:  # at most so much, since a device may never end
            content = file.read(_MAX_TOML_BYTES + 1)
        if len(content) > _MAX_TOML_BYTES:
            raise UsageError(
                f"cannot read the configuration {str(path)!r}: it has more than {_MAX_TOML_BYTES:,} bytes; "
                "pass a TOML file of settings"
            )
        data = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read the configuration {str(path)!r}: {error.strerror}") from None
    except ValueError as error:  # no TOML, no UTF-8, or a number with too many digits
        raise UsageError(f"{str(path)!r} is not TOML: {error}") from None
    except RecursionError:
        raise UsageError(
            f"cannot read the configuration {str(path)!r}: its values are nested too deeply; write plain values"
        ) from None
    for part, values in data.items():
        if not isinstance(values, dict):
            raise BadOption(f"{str(path)!r}: {part!r} must stand in a table such as [train]")
    return data


# -- durations, counts, splits and devices

MAX = 2**63
"""Upper bound of counts, exclusive."""
MAX_LENGTH = 1_000_000
"""The most symbols of a sampled row."""
_UNITS_S = {
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
}


def parse_duration_s(text: str | float) -> float:
    """Parse "90", "90s", "1.5m", "1.5 minutes" or "2h"; return seconds.

    Raises:
        BadOption: the text is not a positive duration.
    """
    if isinstance(text, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
        seconds = math.nan if match is None else float(match[1]) * _UNITS_S.get(match[2], math.nan)
    else:
        seconds = math.inf if text >= MAX else float(max(text, -1))
    if not 0 < seconds < math.inf:
        reason = ": it must be above 0" if seconds <= 0 else ": it is too long" if seconds == math.inf else ""
        raise BadOption(f"{short_repr(text)} is not a duration{reason}; write it like 90s, 5m or 1h")
    return seconds


def as_whole(value: Any, least: int, what: str) -> int:
    """Return a whole number, of Python or of numpy, as an int.

    Args:
        value: the number.
        least: the smallest that is allowed.
        what: it is in messages: "number of rows".

    Raises:
        BadOption: it is none, or below ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or operator.index(value) < least:
        raise BadOption(f"the {what} must be a whole number, at least {least}, not {short_repr(value)}")
    return operator.index(value)


def parse_count(text: str | int) -> int:
    """Parse "50000", "50k" or "1.5M"; return a whole number.

    Raises:
        BadOption: the text is not a positive count.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmKM]?)", str(text).strip().replace("_", "").replace(",", ""))
    count = math.nan if match is None else float(match[1]) * {"": 1, "k": 1e3, "m": 1e6}[match[2].lower()]
    if not 0.5 < count < MAX:
        reason = ": it must be at least 1" if count <= 0.5 else ": it is too large" if count >= MAX else ""
        raise BadOption(f"{short_repr(text)} is not a count{reason}; write it like 50000, 50k or 1.5M")
    return round(count)


def parse_range(text: str) -> tuple[int, int]:
    """Parse "0:1e6" or "50k:100k" into two whole numbers.

    Raises:
        ValueError: the text is not of this form.
    """
    found = []
    for side in text.split(":"):
        match = re.fullmatch(r"(\d+(?:\.\d+)?(?:e\d\d?)?)([km]?)", side.strip().lower().replace("_", ""))
        number = Decimal("0.5") if match is None else Decimal(match[1]) * {"": 1, "k": 10**3, "m": 10**6}[match[2]]
        found.append(number)
    if len(found) != 2 or any(number != int(number) for number in found):
        raise ValueError(f"{short_repr(text)} is not a range of rows; write it like 0:1000000 or 1e6:2e6")
    return int(found[0]), int(found[1])


def parse_split(text: str | Sequence[float]) -> tuple[float, float, float]:
    """Parse "90/5/5", "90%/5%/5%" or "none" into the shares of training, validation and test.

    Returns:
        Three shares that sum to 1; "none" is (1, 0, 0).

    Raises:
        BadOption: not three numbers, or no training part.
    """
    if text == "none":
        return (1.0, 0.0, 0.0)
    shares = _numbers(text)
    total = sum(shares)
    if len(shares) != 3 or min(shares) < 0 or not (0 < total < math.inf and shares[0] / total > 0):
        two = " (training, validation, test)" if len(shares) < 3 else ""
        raise BadOption(f"{short_repr(text)} is not a split; write it like 90/5/5{two}, or none")
    if abs(total - 1) < _ROUNDING:  # shares that were divided stay what they are, however often they are read
        total = 1.0
    return (shares[0] / total, shares[1] / total, shares[2] / total)


def split_warning(text: str | Sequence[float]) -> str:
    """Return a line on percentages or fractions that miss 100 or 1; "" for others, such as 8/1/1 or counts.

    Args:
        text: a split, as ``parse_split`` takes it.
    """
    shares = [] if text == "none" else _numbers(text)
    total = sum(shares)
    in_percent = 100 * _FAR[0] <= total <= 100 * _FAR[1] and abs(total - 100) > 100 * _NEAR
    in_fractions = _FAR[0] <= total <= _FAR[1] and abs(total - 1) > _NEAR and any(share % 1 for share in shares)
    if not (in_percent or in_fractions):
        return ""
    train, valid, test = (f"{share / total:.0%}" for share in shares)
    shown = "/".join(f"{share:g}" for share in shares)
    return f"the split {shown} sums to {total:g}: {train} for training, {valid} for validation, {test} for the test"


def _numbers(text: str | Sequence[float]) -> list[float]:
    """Return the shares of a split as they are given; [] if they are no numbers."""
    try:
        return [float(share) for share in (text.replace("%", "").split("/") if isinstance(text, str) else text)]
    except (TypeError, ValueError, OverflowError):
        return []


def values_by_name(given: Any) -> Mapping[str, Any]:
    """Return the values of conditions or fields unchanged.

    Raises:
        BadOption: they are no mapping.
    """
    if not isinstance(given, Mapping):
        raise BadOption(f"{short_repr(given)} has no values by name; write it like {{'language': 'Deep'}}")
    return given


def as_validator(parse: Callable[[Any], Any], *kinds: type) -> Callable[[object], object]:
    """Return a parser of values of some types as a validator of pydantic, which raises ValueError."""

    def validate(value: object) -> object:
        try:
            return parse(value) if isinstance(value, kinds) else value
        except BadOption as error:
            raise ValueError(str(error)) from None

    return validate


def device_name(value: str) -> str:
    """Return the name of a device unchanged.

    Raises:
        ValueError: it is not the name of a device.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", value):
        raise ValueError("a device is auto, cpu, cuda, cuda:N or mps")
    return value
