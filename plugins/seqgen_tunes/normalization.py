"""Normalization of ABC: music is kept, additions of a transcriber or printer are removed."""

from __future__ import annotations

import re

from seqgen_tunes.barlines import BarLine, read_barline
from seqgen_tunes.keys import without_staff
from seqgen_tunes.lexer import NOTE, lex
from seqgen_tunes.pitches import StaffPosition, read_chord, read_note, spell_length

_ADDED = re.compile(r'"[^"\n]*"|![^!\n]{1,12}!|[!*\\\r`]')
"""Annotations, named decorations, forced line breaks; they may occur between an accidental and its note."""
_NOTE = re.compile(NOTE)
Part = tuple[str, str]
"""Kind and text of a token."""
_SKIPPED = frozenset({"blank", "slur", "grace", "tuplet", "bar", "inline"})


def normalize(music: str) -> str:
    """Return lines of music without decorations, annotations and spacers, in canonical spelling.

    Spaces that group the notes of a bar are kept, and so are line ends. Unpaired slurs and ties are removed, and all
    fields except M:, L: and K:, and so are clefs and other settings of the staff in K:.
    """
    found = [(kind, text) for kind, text, _ in lex(_ADDED.sub("", music)) if kind != "mark" and text[0] != "y"]
    return lay_out(_without_redundant_slurs(_without_false_ties(found)))


def _without_false_ties(found: list[Part]) -> list[Part]:
    """Drop ties between different notes: old transcriptions use them for slurs of two notes."""
    kept = []
    for index, (kind, text) in enumerate(found):
        if kind == "tie":
            after = next((found[at] for at in range(index + 1, len(found)) if found[at][0] not in _SKIPPED), ("", ""))
            if not index or not _tied(_positions(*found[index - 1]), _positions(*after)):
                continue
        kept.append((kind, text))
    return kept


def _tied(before: dict[StaffPosition, str], after: dict[StaffPosition, str]) -> bool:
    return any(after.get(place, "no") in ("", accidental) for place, accidental in before.items())


def _positions(kind: str, text: str) -> dict[StaffPosition, str]:
    notes = [read_note(text)] if kind == "note" else read_chord(text)[0] if kind == "chord" else []
    return {note.place: note.accidental for note in notes}


def _without_redundant_slurs(found: list[Part]) -> list[Part]:
    """Drop slurs that are unpaired, contain no note, or contain just the notes of a tuplet."""
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
    """Join tokens; adjacent bar lines are merged, spaces are kept between groups only."""
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
    """Return whether a space after the token has no meaning."""
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
    if kind == "inline":
        return without_staff(text[:-1]) + "]" if text[1] in "MLK" else ""
    return text
