"""Reading of ABC files: a file is split into tunes, and a tune into header and lines of music."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_FIELD = re.compile(r"([A-Za-z]):(?![|:\]])(.*)")

_COMMENT = re.compile(r"(?<!\\)%")
_OF_FILE = "ABCDFGHILMNORSZ"  # fields that may stand before the first tune
_QUOTED = re.compile(r'"[^"]*"')
_CHANGES = re.compile(r"(?:\[[MLK]:[^\]]*\])+")
_INLINE = re.compile(r"\[[A-Z]:[^\]]*\]")
_VOICE = re.compile(r"\[V:([^\]]*)\]")
_VOICE_OR_QUOTED = re.compile(rf"({_QUOTED.pattern})|{_VOICE.pattern}")
_FIRST_VOICE = "1"  # of music before any V:


@dataclass(slots=True)
class SourceTune:
    """A tune of a source file.

    Attributes:
        fields: header fields by letter; of several titles the first one, of another letter that occurs twice the last.
        lines: lines of music, without comments, directives and lyrics, continued lines joined, and changes of metre,
            unit and key written inline, "[M:2/4]".
        voice_ids: ids of the voices of V: and [V:]; "1" for music before any of them.
        overlaid: True if a bar has several voices, separated by "&".
    """

    fields: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    voice_ids: set[str] = field(default_factory=set)
    overlaid: bool = False

    @property
    def voices(self) -> bool:
        """Return whether it has several voices; one V: names the only voice."""
        return self.overlaid or len(self.voice_ids) > 1


def source_tunes(lines: Iterable[str]) -> Iterator[SourceTune]:
    """Yield the tunes of a file in order; a tune starts with X: and ends before an empty line or the next X:.

    Fields at the beginning of the file, up to an empty line, are those of every tune that has none of its own.
    """
    tune: SourceTune | None = None
    continued, of_file, is_head = False, dict[str, str](), True
    for line in lines:
        line = line.strip()
        if line.startswith("X:") or not line:
            if tune and (line or tune.lines):
                yield tune
                tune = None
            is_head = is_head and not line and not of_file
            if line:
                tune, continued = SourceTune(of_file | {"X": line[2:].strip()}), False
            continue
        line = _COMMENT.split(line, maxsplit=1)[0].rstrip().replace("\\%", "%")
        match = _FIELD.fullmatch(line)
        if is_head and tune is None and match and match[1] in _OF_FILE:
            of_file[match[1]] = match[2].strip()
        if tune is None or not line or line.startswith("+:"):  # more of a field that is not kept
            continue
        if match and match[1] not in "abcdefgxyz":
            _add_field(tune, match[1], match[2].strip())
        elif "K" in tune.fields:
            _add_music(tune, line.removesuffix("\\"), continued)
            continued = line.endswith("\\")
    if tune:
        yield tune


def _add_field(tune: SourceTune, letter: str, value: str) -> None:
    if letter == "V":
        _add_voice(tune, value)
    if "K" not in tune.fields:
        if letter != "T" or not tune.fields.get("T"):
            tune.fields[letter] = value
    elif letter in "MLK":
        tune.lines.append(f"[{letter}:{value}]")


def _add_voice(tune: SourceTune, value: str) -> None:
    tune.voice_ids.update(value.split()[:1])  # settings such as clef=bass follow the id


def _add_music(tune: SourceTune, line: str, continued: bool) -> None:
    bare = _QUOTED.sub("", line)  # without annotations and chord names
    if not tune.voice_ids and _INLINE.sub("", bare.partition("[V:")[0]).strip():
        tune.voice_ids.add(_FIRST_VOICE)
    for value in _VOICE.findall(bare):
        _add_voice(tune, value)
    tune.overlaid |= "&" in _INLINE.sub("", bare)
    line = _VOICE_OR_QUOTED.sub(r"\1", line)
    if not line.strip():
        return
    if tune.lines and (continued or _CHANGES.fullmatch(tune.lines[-1])):
        tune.lines[-1] += line
    else:
        tune.lines.append(line)
