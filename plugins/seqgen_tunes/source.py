"""Tunes as transcribers left them: a file cut into tunes, and a tune into header and lines of music."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FIELD = re.compile(r"([A-Za-z]):(?![|:\]])(.*)")

_CHANGES = re.compile(r"(?:\[[MLK]:[^\]]*\])+")


@dataclass(slots=True)
class SourceTune:
    """A tune of a source file.

    Attributes:
        fields: the fields of its header, by letter; of one that stands there twice, the last.
        lines: its music, a line of a staff each: comments, directives and words left out, lines that go on joined,
            and metre, unit and key that change turned into "[M:2/4]".
        voices: whether it has several voices.
    """

    fields: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    voices: bool = False


def source_tunes(text: str) -> Iterator[SourceTune]:
    """The tunes of a file, in order. A tune starts with X: and ends before an empty line, or before the next."""
    tune: SourceTune | None = None
    goes_on = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("X:") or not line:
            if tune and (line or tune.lines):
                yield tune
                tune = None
            if line:
                tune, goes_on = SourceTune({"X": line[2:].strip()}), False
            continue
        line = line.split("%", 1)[0].rstrip()
        if tune is None or not line:
            continue
        match = _FIELD.fullmatch(line)
        if match and match[1] not in "abcdefgxyz":
            _take_field(tune, match[1], match[2].strip())
        elif "K" in tune.fields:
            _take_music(tune, line.removesuffix("\\"), goes_on)
            goes_on = line.endswith("\\")
    if tune:
        yield tune


def _take_field(tune: SourceTune, letter: str, value: str) -> None:
    tune.voices |= letter == "V"
    if "K" not in tune.fields:
        tune.fields[letter] = value
    elif letter in "MLK":
        tune.lines.append(f"[{letter}:{value}]")


def _take_music(tune: SourceTune, line: str, goes_on: bool) -> None:
    tune.voices |= "[V:" in line or "&" in line
    if tune.lines and (goes_on or _CHANGES.fullmatch(tune.lines[-1])):
        tune.lines[-1] += line
    else:
        tune.lines.append(line)
