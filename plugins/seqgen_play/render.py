"""A look at a prefix as rich shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqgen import commands, visible, visible_lines

if TYPE_CHECKING:
    from seqgen_play.player import Look

_BAR, _WIDTH = "█", 30
_END, _SPACE = "(end)", "␠"


def play_view(look: Look) -> RenderableType:
    """Return the score of a prefix, the next symbols as bars, and completions with their bits per character."""
    parts: list[RenderableType] = []
    if look.bits_per_symbol is not None:
        parts.append(Text(f"{visible(look.prefix)}  {look.bits_per_symbol:.2f} bits/symbol so far"))
    bars = Table.grid(padding=(0, 1))
    for symbol in look.symbols:
        name = Text(_END, style="dim") if symbol.ends else Text(visible(symbol.text).replace(" ", _SPACE))
        bar = Text(_BAR * round(_WIDTH * symbol.probability), style="green")
        bars.add_row(name, Text(f"{symbol.probability:6.1%}"), bar)
    rows = Table.grid(padding=(0, 2))
    for one in look.completions:
        shown = Text(visible_lines(one.text), overflow="fold") + Text("…" if one.cut else "", style="dim")
        bits = "" if one.bits_per_char is None else f"{one.bits_per_char:.2f} bits/char"
        rows.add_row(shown if one.text else commands.EMPTY_ROW, Text(bits, style="dim"))
    return Group(*parts, bars, Text(f"sampled with seed {look.seed}:", style="dim"), rows, Text(""))
