"""Writes a tune in one way: what is played stays, what only this transcriber or printer added goes."""

from __future__ import annotations

import re

from seqgen_tunes.barlines import BarLine, read_barline
from seqgen_tunes.pitches import Place, read_chord, read_note, spell_length
from seqgen_tunes.words import NOTE, words

_ADDED = re.compile(r'"[^"\n]*"|![^!\n]{1,12}!|[!*\\\r`]')
"""Annotations, named decorations, forced line ends; they may stand between an accidental and its note."""
_NOTE = re.compile(NOTE)
Part = tuple[str, str]
"""A word's kind and its characters."""
_SKIPPED = frozenset({"blank", "slur", "grace", "tuplet", "bar", "inline"})


def tidy(music: str) -> str:
    """Lines of music without decorations, annotations and spacers, everything spelled in its one way.

    Blanks stay where they group the notes of a bar, and line ends too. Slurs and ties that do not pair go, and fields
    but M:, L: and K:.
    """
    found = [(kind, text) for kind, text, _ in words(_ADDED.sub("", music)) if kind != "mark" and text[0] != "y"]
    return lay_out(_without_idle_slurs(_without_false_ties(found)))


def _without_false_ties(found: list[Part]) -> list[Part]:
    """Old transcriptions write a slur of two notes with the sign of a tie."""
    kept = []
    for index, (kind, text) in enumerate(found):
        if kind == "tie":
            after = next((other for other in found[index + 1 :] if other[0] not in _SKIPPED), ("", ""))
            if not index or not _tied(_places(*found[index - 1]), _places(*after)):
                continue
        kept.append((kind, text))
    return kept


def _tied(before: dict[Place, str], after: dict[Place, str]) -> bool:
    return any(after.get(place, "no") in ("", accidental) for place, accidental in before.items())


def _places(kind: str, text: str) -> dict[Place, str]:
    notes = [read_note(text)] if kind == "note" else read_chord(text)[0] if kind == "chord" else []
    return {note.place: note.accidental for note in notes}


def _without_idle_slurs(found: list[Part]) -> list[Part]:
    """Drop slurs that start or end nowhere, hold no note, or hold just the notes of a tuplet."""
    opened: list[tuple[int, int, int]] = []
    kept: set[int] = set()
    notes = 0
    for index, (kind, text) in enumerate(found):
        if kind in ("note", "chord", "rest"):
            notes += 1
        elif kind != "slur":
            continue
        elif text == "(":
            beside = [text for kind, text in found[max(index - 1, 0) : index + 2] if kind == "tuplet"]
            opened.append((index, notes, int(beside[-1][1]) if beside else 0))
        elif opened:
            start, before, idle = opened.pop()
            kept |= {start, index} if notes - before not in (0, idle) else set()
    return [part for index, part in enumerate(found) if part[0] != "slur" or index in kept]


def lay_out(found: list[Part]) -> str:
    """Join words: a bar line where several met, blanks between groups only."""
    parts: list[str | BarLine] = []
    for kind, text in found:
        part = _spelled(kind, text)
        if isinstance(part, BarLine):
            _drop_blanks(parts)
            ended = parts[-1:] == ["\n"] and bool(parts.pop())
            before = parts[-1] if parts else ""
            if isinstance(before, BarLine) and not before.ending:
                part = before + part
                del parts[-1]
            if ended and (part.ending or (part.starts and not part.ends)):
                parts.append("\n")
                ended = False
            parts += [part, "\n"] if ended else [part]
        elif part in (" ", "\n"):
            if part == "\n":
                _drop_blanks(parts)
            if parts and parts[-1] not in (" ", "\n", "(") and not (part == " " and _binds(parts[-1])):
                parts.append(part)
        elif part:
            if part in (")", "-") or part[0] in "<>":
                _drop_blanks(parts)
            parts.append(part)
    idle = bool(parts) and isinstance(parts[0], BarLine) and not (parts[0].starts or parts[0].ending)
    return "".join(map(str, parts[idle:])).strip()


def _binds(part: str | BarLine) -> bool:
    """Whether a blank after it says nothing."""
    return isinstance(part, BarLine) or part[0] in "<>{("


def _drop_blanks(parts: list[str | BarLine]) -> None:
    while parts and parts[-1] == " ":
        parts.pop()


def _spelled(kind: str, text: str) -> str | BarLine:
    if kind == "bar":
        return read_barline(text) or text
    if kind == "note":
        return read_note(text).spelled
    if kind == "chord":
        return read_chord(text)[2]
    if kind == "rest":
        return "z" + spell_length(text[1:])
    if kind == "grace":
        notes = "".join([read_note(match).spelled for match in _NOTE.findall(text)])
        return notes and f"{{{notes}}}"
    if kind == "blank":
        return "\n" if text == "\n" else " "
    return "" if kind == "inline" and text[1] not in "MLK" else text
