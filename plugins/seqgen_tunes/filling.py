"""Whether bars fill their metre.

A bar may be shorter than its metre only at the seams of a tune:

- a pick-up opens the tune, or a part of it after a repeat sign or double bar line;
- the bar that ends a part makes up for a pick-up: together they fill the metre;
- two short bars on both sides of a repeat sign or double bar line are one bar, so they fill the metre together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqgen_tunes.metres import spell
from seqgen_tunes.tune import Bar


def _opens(bar: Bar) -> bool:
    """Whether a part starts with it."""
    return bar.left is None or bar.left.opens


def _closes(bar: Bar) -> bool:
    """Whether a part ends with it."""
    return bar.right is None or bar.right.strong


def unfilled(bars: Sequence[Bar]) -> Iterator[tuple[Bar, str]]:
    """The bars of a tune that are wrong, each with its number and its sum in words."""
    pick_ups = [bar.ticks for bar in bars if bar.short and _opens(bar)]
    for before, bar, after in zip([None, *bars], bars, [*bars[1:], None], strict=False):
        metre = bar.metre.ticks
        if metre is None or bar.full:
            continue
        lasts = f"bar {bar.number} lasts {spell(bar.ticks)}"
        seam = _closes(bar) and not (after and after.short and _opens(after))  # else judged with the bar after it
        if bar.ticks > metre:
            yield bar, f"{lasts}, more than the {spell(metre)} of its metre"
        elif not (_opens(bar) or _closes(bar)):
            yield bar, f"{lasts}, less than the {spell(metre)} of its metre"
        elif before and before.short and _opens(bar):
            if before.ticks + bar.ticks != metre:
                parts = f"the two parts of bar {bar.number} last {spell(before.ticks)} and {spell(bar.ticks)}"
                yield bar, f"{parts}, together not the {spell(metre)} of its metre"
        elif before and seam and metre - bar.ticks not in pick_ups:
            yield bar, f"{lasts}, less than the {spell(metre)} of its metre, and no pick-up makes up for it"
