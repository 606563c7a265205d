"""Durations, counts, splits and devices, parsed from the ways that users write them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from seqgen.errors import BadOption

MAX = 2**63
"""Upper bound of counts, exclusive."""
MAX_LENGTH = 1_000_000
"""The most symbols of a sampled row."""
_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_duration_s(text: str | float) -> float:
    """Parse "90", "90s", "1.5m", "1.5min" or "2h"; return seconds.

    Raises:
        BadOption: the text is not a positive duration.
    """
    if isinstance(text, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
        seconds = 0.0 if match is None else float(match[1]) * _UNITS_S.get(match[2], 0.0)
    else:
        seconds = float(text)
    if not 0 < seconds < math.inf:
        raise BadOption(f"{text!r:.60} is not a duration; write it like 90s, 5m or 1h")
    return seconds


def parse_count(text: str | int) -> int:
    """Parse "50000", "50k" or "1.5M"; return a whole number.

    Raises:
        BadOption: the text is not a positive count.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmKM]?)", str(text).strip().replace("_", "").replace(",", ""))
    count = 0.0 if match is None else float(match[1]) * {"": 1, "k": 1e3, "m": 1e6}[match[2].lower()]
    if not 0.5 < count < MAX:
        raise BadOption(f"{text!r:.60} is not a count; write it like 50000, 50k or 1.5M")
    return round(count)


def parse_split(text: str | Sequence[float]) -> tuple[float, float, float]:
    """Parse "90/5/5" or "none" into the shares of training, validation and test.

    Returns:
        Three shares that sum to 1; "none" is (1, 0, 0).

    Raises:
        BadOption: not three numbers, or no training part.
    """
    if text == "none":
        return (1.0, 0.0, 0.0)
    try:
        shares = [float(share) for share in (text.split("/") if isinstance(text, str) else text)]
    except ValueError:
        shares = []
    total = sum(shares)
    if len(shares) != 3 or min(shares) < 0 or not (0 < total < math.inf and shares[0] / total > 0):
        raise BadOption(f"{text!r:.60} is not a split; write it like 90/5/5, or none")
    return (shares[0] / total, shares[1] / total, shares[2] / total)


def duration_or_value_error(value: object) -> object:
    """Parse a duration for pydantic, whose validators raise ValueError; return seconds."""
    try:
        return parse_duration_s(value) if isinstance(value, str | int | float) else value
    except BadOption as error:
        raise ValueError(str(error)) from None


def split_or_value_error(value: object) -> object:
    """Parse a split for pydantic, whose validators raise ValueError."""
    try:
        return parse_split(value) if isinstance(value, str | tuple | list) else value
    except BadOption as error:
        raise ValueError(str(error)) from None


def device_name(value: str) -> str:
    """Return the name of a device unchanged.

    Raises:
        ValueError: it is not the name of a device.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", value):
        raise ValueError("a device is auto, cpu, cuda, cuda:N or mps")
    return value
