"""Stored JSON, read strictly."""

from __future__ import annotations

import json
import math
from typing import Any


def load_json(data: bytes) -> Any:
    """Return the value of stored JSON, which may come from anybody.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or holds a number that is not finite.
    """
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"), parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]} is not a finite number")
    return number
