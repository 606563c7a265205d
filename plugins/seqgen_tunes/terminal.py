"""Rendering of a tune on a terminal: the text, and a piano roll of half blocks, coloured by pitch class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions
from rich.style import Style
from rich.text import Text

import seqgen
from seqgen import commands
from seqgen_tunes.parser import read_tune
from seqgen_tunes.pitch_names import colour, pitch_name
from seqgen_tunes.rows import layout_rows, pitch_range
from seqgen_tunes.tune import Bar, Note, Tune

_LABEL = 4
_MAX_ROWS = 6
_MAX_CHARACTERS = 4000
_WIDEST = 160
_MOST_SEMITONES = 48  # four octaves; real tunes span three at most
_DIM = Style(dim=True)


class TerminalTune:
    """A rich renderable of a tune; the text is parsed when it is printed.

    Args:
        text: any text.
    """

    def __init__(self, text: str) -> None:
        """Keep the text."""
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the text, the reason if it is not valid, and the piano roll, as wide as the terminal allows."""
        shown = seqgen.visible_lines(self._text[:_MAX_CHARACTERS])
        yield Text(shown + ("..." if len(self._text) > _MAX_CHARACTERS else ""))
        tune = read_tune(self._text)
        if tune.problems:
            yield Text(f"not valid: {seqgen.visible_lines(tune.problems[0])}", Style(color="red"))
        width = min(options.max_width, _WIDEST) - _LABEL
        if tune.sounding() and width >= 8:
            yield from _roll(tune, width)


def _roll(tune: Tune, width: int) -> Iterator[Text]:
    """Yield the lines of the piano roll; a column is one unit note length, a row as high as the tune's range."""
    step = tune.unit or min(note.ticks for note in tune.notes)
    longest = max(bar.ticks for bar in tune.bars)
    row_ticks = max((width * step * 9 // 10) // longest, 1) * longest  # bar lines take columns too
    notes = tune.sounding()
    low, high = pitch_range(notes)
    if high - low > _MOST_SEMITONES:
        yield Text(f"not drawn: its notes span {(high - low) / 12:.0f} octaves", _DIM)
        return
    rows = layout_rows(tune.bars, row_ticks)
    for bars in rows[:_MAX_ROWS]:
        yield from _row(tune, bars, notes, step, width)
    if len(rows) > _MAX_ROWS:
        yield Text(f"... and {commands.counted(sum(map(len, rows[_MAX_ROWS:])), 'more bar')}", _DIM)


def _columns(bars: Sequence[Bar], notes: Sequence[Note], step: int, width: int) -> list[set[int] | str]:
    """Return the content of each column: the sounding pitches, or a bar line."""
    columns: list[set[int] | str] = []
    for bar in bars:
        inside = [note for note in notes if note.at < bar.at + bar.ticks and note.at + note.ticks > bar.at]
        for start in range(bar.at, bar.at + bar.ticks, step)[:width]:
            end = min(start + step, bar.at + bar.ticks)
            heard = [note for note in inside if note.at < end and note.at + note.ticks > start]
            columns.append({pitch for note in heard for pitch in note.pitches})
        columns.append("┃" if bar.right is None or bar.right.strong else "│")
    return columns[:width]


def _row(tune: Tune, bars: Sequence[Bar], notes: Sequence[Note], step: int, width: int) -> Iterator[Text]:
    low, high = pitch_range(notes)
    columns = _columns(bars, notes, step, width)
    tonic = tune.key.tonic if tune.key else None
    for bottom in range(low + (high - low) // 2 * 2, low - 1, -2):
        named = next((pitch for pitch in (bottom, bottom + 1) if pitch % 12 == tonic), None)
        line = Text(pitch_name(named, tune.key).ljust(_LABEL) if named is not None else " " * _LABEL, _DIM)
        for column in columns:
            if isinstance(column, str):
                line.append(column, _DIM)
            else:
                line.append(*_cell(bottom in column, bottom + 1 in column, bottom))
        yield line
    yield Text()


def _cell(low: bool, high: bool, bottom: int) -> tuple[str, Style]:
    """Return the character and style for two adjacent pitches."""
    if not (low or high):
        return " ", Style()
    lower, upper = (f"rgb({','.join(map(str, colour(pitch % 12, 0.6)))})" for pitch in (bottom, bottom + 1))
    if low and high:
        return "▀", Style(color=upper, bgcolor=lower)
    return ("▄", Style(color=lower)) if low else ("▀", Style(color=upper))
