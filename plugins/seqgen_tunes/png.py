"""PNG pictures of tunes: piano rolls with bar lines, repeats, endings and note names."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import seqgen
from seqgen_tunes.metres import WHOLE
from seqgen_tunes.parser import read_tune
from seqgen_tunes.piano_roll import HEAD, MARGIN, PianoRollRow
from seqgen_tunes.pitch_names import key_name
from seqgen_tunes.rows import layout_rows, pitch_range
from seqgen_tunes.tune import Tune

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from seqgen_tunes.piano_roll import Font

MAX = 12
_WIDTH = 1500
_GAP = 34
_MAX_ROWS = 8
_ROW_TICKS = 9 * WHOLE  # eight bars of 9/8
_INK, _PALE, _RED, _PAPER = (40, 42, 48), (130, 132, 140), (186, 40, 40), (255, 255, 255)


def _title(tune: Tune) -> str:
    """Return the title of a tune: ``D major, 6/8, 16 bars``."""
    key = key_name(tune.key) if tune.key else "no key"
    metre = tune.metre.text if tune.metre else "no metre"
    last = tune.bars[-1].number
    return f"{key},  {metre},  {last} bar{'' if last == 1 else 's'}"


def _rolls(tune: Tune) -> Iterator[PianoRollRow]:
    """Yield the rows of a tune, all at the same scale."""
    if not tune.bars:
        return
    longest = max(bar.ticks for bar in tune.bars)
    rows = layout_rows(tune.bars, max(_ROW_TICKS + WHOLE, longest), 8)[:_MAX_ROWS]
    row_ticks = max([sum(bar.ticks for bar in row) for row in rows] + [2 * WHOLE])
    notes = tune.sounding()
    for row in rows:
        yield PianoRollRow(tune, row, notes, pitch_range(notes), _WIDTH, row_ticks)


def draw_png(texts: Sequence[str]) -> bytes:
    """Return a PNG of the first 12 tunes, each with key, metre and, if it is not valid, the reason.

    Raises:
        MissingExtra: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise seqgen.MissingExtra("music", "a picture of tunes") from None
    tunes = [read_tune(text) for text in texts[:MAX]]
    rolls = [list(_rolls(tune)) for tune in tunes]
    heights = [HEAD + sum(roll.height for roll in rows) + _GAP for rows in rolls]
    rest = f"and {len(texts) - MAX} more" if len(texts) > MAX else "" if texts else "no tunes"
    image = Image.new("RGB", (_WIDTH, 2 * MARGIN + sum(heights) - _GAP * bool(heights) + 40 * bool(rest)), _PAPER)
    canvas = ImageDraw.Draw(image)
    fonts = {size: ImageFont.load_default(size) for size in (11, 13, 22)}
    top = MARGIN
    for number, (text, tune, rows, height) in enumerate(zip(texts, tunes, rolls, heights, strict=False), 1):
        _head(canvas, fonts, top, f"{number}", tune, text)
        row_top = top + HEAD
        for roll in rows:
            roll.paint(canvas, fonts, row_top)
            row_top += roll.height
        top += height
    if rest:
        canvas.text((MARGIN, top), rest, fill=_PALE, font=fonts[22])
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _head(canvas: ImageDraw, fonts: Mapping[int, Font], top: int, number: str, tune: Tune, text: str) -> None:
    """Draw the line above a tune."""
    canvas.text((MARGIN, top), number, fill=_PALE, font=fonts[22])
    what = _title(tune) if tune.bars else f"no notes in {text[:60]!r}"
    canvas.text((MARGIN + 46, top), _plain(what), fill=_INK, font=fonts[22])
    if tune.problems:
        reason = _plain(f"not valid: {tune.problems[0]}"[:110])
        canvas.text((_WIDTH - MARGIN, top + 6), reason, fill=_RED, font=fonts[13], anchor="ra")


def _plain(text: str) -> str:
    """Return the text on one line, limited to the font's characters."""
    return seqgen.visible_lines(text).replace("\n", " ").encode("latin-1", "replace").decode("latin-1")
