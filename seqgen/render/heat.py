"""A text with what each of its symbols costs: a heat map on a terminal, a plain line elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from seqgen.render.text import counted, visible

STOP = "∎"
_BLOCKS = "▁▂▃▄▅▆▇█"
_SHADES = ("grey15", "grey23", "dark_goldenrod", "dark_orange3", "red3", "bright_red")
_INKS = ("grey85", "white", "black", "black", "white", "white")
_MAX_BITS = 8.0  # a symbol that costs as much or more is the hottest
_WIDTH = 76  # columns of a line


def heat_map(
    symbols: Sequence[str], nats: Sequence[float], nats_in_all: float, bits_per_char: float, percentile: float | None,
    among: int,
) -> Group:  # fmt: skip
    """A text as a heat map: symbols on shades of their cost, bars of the same below, so that it reads without colour.

    Args:
        symbols: of the text, in order.
        nats: what each cost, and the stop, if there is one, last.
        nats_in_all: their sum.
        bits_per_char: of the text.
        percentile: among held-out records, or None.
        among: how many these are.
    """
    figures = f"{bits_per_char:.3f} bits/char  {nats_in_all:.3f} nats"
    if percentile is not None:
        figures += f"  likelier than {percentile:.1f}% of {counted(among, 'held-out record')}"
    lines: list[Text] = [Text(figures, style="bold")]
    upper, lower = Text(no_wrap=True), Text(no_wrap=True, style="dim")
    for symbol, cost in zip([*map(shown, symbols), STOP], nats, strict=False):
        level = min(1.0, max(0.0, cost / math.log(2) / _MAX_BITS))
        shade = round(level * (len(_SHADES) - 1))
        width = max(1, cell_len(symbol))
        if upper.cell_len + width > _WIDTH:
            lines += [upper, lower]
            upper, lower = Text(no_wrap=True), Text(no_wrap=True, style="dim")
        upper.append(symbol, style=f"{_INKS[shade]} on {_SHADES[shade]}")
        lower.append(_BLOCKS[round(level * (len(_BLOCKS) - 1))] * width)
    return Group(*lines, upper, lower, Text(""))


def score_line(
    text: str, symbols: Sequence[str], nats: Sequence[float], nats_in_all: float, bits_per_char: float,
    percentile: float | None,
) -> str:  # fmt: skip
    """The same as one line of columns with tabs between: bits per character, nats, percentile, symbols, text.

    A symbol stands with its nats after a colon, and a space between each and the next; the last is the stop.
    """
    costs = " ".join(f"{shown(symbol)}:{cost:.2f}" for symbol, cost in zip([*symbols, STOP], nats, strict=False))
    rank = "-" if percentile is None else f"{percentile:.1f}"
    return f"{bits_per_char:.3f}\t{nats_in_all:.3f}\t{rank}\t{costs}\t{visible(text)}"


def shown(symbol: str) -> str:
    """A symbol as it is shown: what cannot be seen is escaped, a space is marked."""
    return visible(symbol).replace(" ", "␠")
