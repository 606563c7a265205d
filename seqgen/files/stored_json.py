"""JSON for other programs, stored JSON, parsed strictly, and JSON objects with their own checksum."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

_CHECKSUM = "sha256"
_HALVES = re.compile("[\ud800-\udfff]")


def json_text(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    """Return JSON for other programs, which UTF-8 can encode: half a surrogate pair in a text is escaped.

    Two halves of a pair that follow each other are read back as one character, since JSON writes characters so.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=default)
    return _HALVES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def finite(value: Any) -> Any:
    """Return a value with None for each number in it that is not finite, which JSON and CSV cannot hold."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def load_json(data: bytes) -> Any:
    """Return the value of stored JSON, which may come from an untrusted source.

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


def dump_json(value: Any) -> bytes:
    """Return JSON in its stored form: indented, UTF-8, keys in order, with a final line end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "surrogatepass")


def dump_checksummed(value: Mapping[str, Any]) -> bytes:
    """Return a JSON object in its stored form, with the SHA-256 of the rest as its last entry."""
    return dump_json({**value, _CHECKSUM: hashlib.sha256(dump_json(value)).hexdigest()})


def load_checksummed(data: bytes) -> tuple[dict[str, Any], bool]:
    """Return a stored JSON object without its checksum, and whether it had one; a wrong one is refused.

    Raises:
        ValueError: it is not a JSON object, its checksum is wrong, or it is not in the form in which it was stored.
    """
    value = load_json(data)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    has_checksum = _CHECKSUM in value
    rest = {name: item for name, item in value.items() if name != _CHECKSUM}
    if data != (dump_checksummed(rest) if has_checksum else dump_json(rest)):
        raise ValueError("its checksum does not match its content" if has_checksum else "it is not in its stored form")
    return rest, has_checksum
