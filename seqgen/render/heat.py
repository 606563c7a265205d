"""The per-symbol costs of a text, as a heat map on a terminal or a plain line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from seqgen.render.text import counted, visible

STOP = "∎"
"""The mark of the end of a text."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_SHADES = ("grey15", "grey23", "dark_goldenrod", "dark_orange3", "red3", "bright_red")
_INKS = ("grey85", "white", "black", "black", "white", "white")
_MAX_BITS = 8.0  # cost from which a symbol has the last shade
_WIDTH = 76  # columns of a line
HEAT_LEGEND = f"a bar is as high as what its symbol costs, up to {_MAX_BITS:.0f} bits"
"""What the bars of ``heat_map`` show."""


def heat_map(
    symbols: Sequence[str], nats: Sequence[float], total_nats: float, bits_per_char: float, percentile: float | None,
    n_reference: int,
) -> Group:  # fmt: skip
    """Return a text as a heat map, with bars below the symbols so that it reads without colour.

    Args:
        symbols: of the text, in order.
        nats: cost of each symbol, and last that of the stop, if there is one.
        total_nats: their sum.
        bits_per_char: of the text.
        percentile: among held-out records, or None.
        n_reference: number of these records.
    """
    summary = f"{bits_per_char:.3f} bits/char  {total_nats:.3f} nats"
    if percentile is not None:
        summary += f"  more probable than {percentile:.1f}% of {counted(n_reference, 'held-out record')}"
    lines: list[Text] = [Text(summary, style="bold")]
    upper, lower = Text(no_wrap=True), Text(no_wrap=True, style="dim")
    for symbol, cost in zip([*map(shown, symbols), STOP], nats, strict=False):
        level = shade_of(cost)
        shade = round(level * (len(_SHADES) - 1))
        width = max(1, cell_len(symbol))
        if upper.cell_len + width > _WIDTH:
            lines += [upper, lower]
            upper, lower = Text(no_wrap=True), Text(no_wrap=True, style="dim")
        upper.append(symbol, style=f"{_INKS[shade]} on {_SHADES[shade]}")
        lower.append(_BLOCKS[round(level * (len(_BLOCKS) - 1))] * width)
    return Group(*lines, upper, lower, Text(""))


def shade_of(nats: float) -> float:
    """Return how dark a symbol of this cost is shown, 0 to 1."""
    return min(1.0, max(0.0, nats / math.log(2) / _MAX_BITS))


def score_line(
    text: str, symbols: Sequence[str], nats: Sequence[float], total_nats: float, bits_per_char: float,
    percentile: float | None,
) -> str:  # fmt: skip
    """Return the same as tab-separated columns: bits per character, nats, percentile, symbols, text.

    A symbol is followed by a colon and its nats; symbols are separated by spaces, and the last one is the stop.
    """
    costs = " ".join(f"{shown(symbol)}:{cost:.2f}" for symbol, cost in zip([*symbols, STOP], nats, strict=False))
    rank = "-" if percentile is None else f"{percentile:.1f}"
    return f"{bits_per_char:.3f}\t{total_nats:.3f}\t{rank}\t{costs}\t{visible(text)}"


def shown(symbol: str) -> str:
    """Return a symbol as it is shown: invisible characters escaped, a space marked."""
    return visible(symbol).replace(" ", "␠")
