"""What a model makes of a prefix."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqgen.render.rows import EMPTY_ROW
from seqgen.render.text import visible, visible_lines

_BAR, _WIDTH = "█", 30
_END, _SPACE = "(end)", "␠"


def play_view(
    prefix: str,
    bits_per_symbol: float | None,
    symbols: Sequence[tuple[str, float, bool]],
    completions: Sequence[tuple[str, bool, float | None]],
    seed: int,
) -> RenderableType:
    """The score of a prefix, the next symbols as bars, and completions with their bits per character.

    Args:
        prefix: the prefix.
        bits_per_symbol: of the prefix so far; None of an empty one.
        symbols: text, probability, and whether it is the end.
        completions: text, whether it was cut, bits per character or None.
        seed: with which they were drawn.
    """
    parts: list[RenderableType] = []
    if bits_per_symbol is not None:
        parts.append(Text(f"{visible(prefix)}  {bits_per_symbol:.2f} bits/symbol so far"))
    bars = Table.grid(padding=(0, 1))
    for text, probability, ends in symbols:
        name = Text(_END, style="dim") if ends else Text(visible(text).replace(" ", _SPACE))
        bars.add_row(name, Text(f"{probability:6.1%}"), Text(_BAR * round(_WIDTH * probability), style="green"))
    rows = Table.grid(padding=(0, 2))
    for text, cut, bits_per_char in completions:
        shown = Text(visible_lines(text), overflow="fold") + Text("…" if cut else "", style="dim")
        bits = "" if bits_per_char is None else f"{bits_per_char:.2f} bits/char"
        rows.add_row(shown if text else EMPTY_ROW, Text(bits, style="dim"))
    return Group(*parts, bars, Text(f"drawn with seed {seed}:", style="dim"), rows, Text(""))
