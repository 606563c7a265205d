"""Layout of bars in the rows of a piano roll."""

from __future__ import annotations

from collections.abc import Sequence

from seqgen_tunes.tune import Bar, Note


def layout_rows(bars: Sequence[Bar], row_ticks: int, most: int = 16) -> list[list[Bar]]:
    """Split bars into rows of 4, 8 or 16 if they fit, as phrases are; a pick-up stays with the next bar.

    Args:
        bars: the bars of a tune.
        row_ticks: ticks that fit in a row; a longer bar has its own row.
        most: maximum number of bars per row.
    """
    fit = row_ticks // max((bar.ticks for bar in bars), default=row_ticks)
    per_row = next((count for count in (16, 8, 4) if count <= min(fit, most)), max(fit, 1))
    rows: list[list[Bar]] = []
    number = before = 0
    for bar in bars:
        split = number == bar.number and number > 0  # the second half of a split bar opens the next phrase
        number = bar.number
        row = (max(number + split, 1) - 1) // per_row
        if not rows or row > before or bar.at + bar.ticks - rows[-1][0].at > row_ticks:
            rows.append([])
            before = row
        rows[-1].append(bar)
    return rows


def pitch_range(notes: Sequence[Note]) -> tuple[int, int]:
    """Return the lowest and highest pitch, at least a fifth apart; without notes, an octave from middle C."""
    pitches = [pitch for note in notes for pitch in note.pitches]
    low, high = (min(pitches), max(pitches)) if pitches else (60, 72)
    return low, max(high, low + 7)
