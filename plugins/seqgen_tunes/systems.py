"""Bars in systems: which of them stand in one row of a piano roll."""

from __future__ import annotations

from collections.abc import Sequence

from seqgen_tunes.tune import Bar, Note


def systems(bars: Sequence[Bar], room: int, most: int = 16) -> list[list[Bar]]:
    """Rows of 4, 8 or 16 bars where so many fit, as phrases are so long; a pick-up stands with what follows.

    Args:
        bars: the bars of a tune.
        room: how many ticks a row can hold; a longer bar has a row of its own.
        most: how many bars stand in a row at most.
    """
    fit = room // max((bar.ticks for bar in bars), default=room)
    per_row = next((count for count in (16, 8, 4) if count <= min(fit, most)), max(fit, 1))
    rows: list[list[Bar]] = []
    number = before = 0
    for bar in bars:
        split = number == bar.number and number > 0  # the second part of a bar opens the next phrase
        number = bar.number
        row = (max(number + split, 1) - 1) // per_row
        if not rows or row > before or bar.at + bar.ticks - rows[-1][0].at > room:
            rows.append([])
            before = row
        rows[-1].append(bar)
    return rows


def pitch_range(notes: Sequence[Note]) -> tuple[int, int]:
    """The lowest and the highest pitch, at least a fifth apart; an octave from middle C where there is none."""
    pitches = [pitch for note in notes for pitch in note.pitches]
    low, high = (min(pitches), max(pitches)) if pitches else (60, 72)
    return low, max(high, low + 7)
