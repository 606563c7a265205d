"""Drawing of one row of a piano roll in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seqgen_tunes.pitch_names import colour, in_scale, pitch_name
from seqgen_tunes.tune import Bar, Note, Tune

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

MARGIN, HEAD = 36, 40
_SIDE = 46  # for note names
_SEMITONE = 8
_ABOVE, _BELOW = 18, 16
_INK, _PALE, _LINE, _STRONG = (40, 42, 48), (130, 132, 140), (205, 207, 214), (70, 72, 80)
_RED = (186, 40, 40)
_OFF, _TONIC = (243, 244, 247), (255, 243, 214)


@dataclass(frozen=True)
class PianoRollRow:
    """Some bars of a tune, side by side.

    Attributes:
        tune: the tune.
        bars: the bars of this row.
        notes: the sounding notes of the whole tune.
        range: lowest and highest pitch of the tune.
        width: width of the picture in pixels.
        row_ticks: ticks between the margins.
    """

    tune: Tune
    bars: Sequence[Bar]
    notes: Sequence[Note]
    range: tuple[int, int]
    width: int
    row_ticks: int

    @property
    def height(self) -> int:
        """Return the height in pixels."""
        return _ABOVE + (self.range[1] - self.range[0] + 3) * _SEMITONE + _BELOW

    def _x(self, at: int) -> float:
        return MARGIN + _SIDE + (at - self.bars[0].at) * (self.width - 2 * MARGIN - _SIDE) / self.row_ticks

    def paint(self, canvas: ImageDraw, fonts: Mapping[int, Font], top: int) -> None:
        """Draw the row, its upper edge at ``top``."""
        low, high = self.range
        floor = top + _ABOVE + (high - low + 3) * _SEMITONE
        start, end = self.bars[0].at, self.bars[-1].at + self.bars[-1].ticks
        left, right = self._x(start), self._x(end)
        self._paint_lanes(canvas, fonts, floor, left, right)
        for note in self.notes:
            if note.at >= end or note.at + note.ticks <= start:
                continue
            edges = max(self._x(note.at), left) + 1, min(self._x(note.at + note.ticks), right) - 1.5
            for pitch in note.pitches:
                y = floor - (pitch - low + 2) * _SEMITONE
                box = (edges[0], y, max(edges[1], edges[0] + 1), y + _SEMITONE - 1)
                canvas.rounded_rectangle(box, radius=3, fill=colour(pitch % 12, 0.5))
        for bar in self.bars:
            self._paint_bar(canvas, fonts, bar, floor, top + _ABOVE)

    def _paint_lanes(self, canvas: ImageDraw, fonts: Mapping[int, Font], floor: int, left: float, right: float) -> None:
        """Draw one lane per semitone, grey outside the scale, yellow for the tonic, with names of the scale's notes."""
        low, high = self.range
        tonic = self.tune.key.tonic if self.tune.key else None
        named_at = floor + 99
        for pitch in range(low - 1, high + 2):
            y = floor - (pitch - low + 2) * _SEMITONE
            is_tonic = pitch % 12 == tonic
            if is_tonic or not in_scale(pitch, self.tune.key):
                canvas.rectangle((left, y, right, y + _SEMITONE - 1), fill=_TONIC if is_tonic else _OFF)
            wanted = is_tonic or (in_scale(pitch, self.tune.key) and low <= pitch <= high)
            if wanted and named_at - y >= (10 if is_tonic else 12) and (is_tonic or (pitch + 1) % 12 != tonic):
                name = pitch_name(pitch, self.tune.key)
                ink = _INK if is_tonic else _PALE
                canvas.text((left - 8, y + _SEMITONE / 2 - 1), name, fill=ink, font=fonts[11], anchor="rm")
                named_at = y

    def _paint_bar(self, canvas: ImageDraw, fonts: Mapping[int, Font], bar: Bar, floor: int, ceiling: int) -> None:
        """Draw a bar's lines, number, ending and repeat dots, and a red mark below it if it is invalid."""
        x, right = self._x(bar.at), self._x(bar.at + bar.ticks)
        edges = [(x, bar.left, bar is self.bars[0]), (right, bar.right, True)]
        for place, line, needed in edges:
            strong = line is None or line.strong
            if needed or strong:
                width = 3 if strong else 1
                canvas.line((place, ceiling, place, floor), fill=_STRONG if strong else _LINE, width=width)
        middle = (floor + ceiling) / 2
        for place, repeats, side in ((x, bar.left and bar.left.starts, 8), (right, bar.right and bar.right.ends, -8)):
            for y in (middle - 7, middle + 7) if repeats else ():
                canvas.ellipse((place + side - 3, y - 3, place + side + 3, y + 3), fill=_STRONG)
        if bar.left and bar.left.ending:
            canvas.line((x + 2, ceiling - 4, right - 2, ceiling - 4), fill=_STRONG)
            canvas.text((x + 4, ceiling - 6), f"{bar.left.ending}.", fill=_INK, font=fonts[11], anchor="ls")
        elif bar is self.bars[0] and bar.number:
            canvas.text((x + 2, ceiling - 4), str(bar.number), fill=_PALE, font=fonts[11], anchor="ls")
        if bar in self.tune.wrong:
            canvas.rectangle((x + 2, floor + 3, max(right - 2, x + 3), floor + 5), fill=_RED)
