"""Check that bars are complete.

A bar may be shorter than its metre only at a section boundary:

- a pick-up opens the tune, or a section after a repeat sign or double bar line;
- the last bar of a section complements a pick-up: together they fill the metre;
- two short bars on both sides of a repeat sign or double bar line are one bar, so together they fill the metre.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqgen_tunes.metres import spell
from seqgen_tunes.tune import Bar


def _opens(bar: Bar) -> bool:
    """Return whether a section starts with the bar."""
    return bar.left is None or bar.left.opens


def _closes(bar: Bar) -> bool:
    """Return whether a section ends with the bar."""
    return bar.right is None or bar.right.strong


def check_bars(bars: Sequence[Bar]) -> Iterator[tuple[Bar, str]]:
    """Yield each incomplete or overfull bar of a tune with a message."""
    pick_ups = [bar.ticks for bar in bars if bar.short and _opens(bar)]
    for before, bar, after in zip([None, *bars], bars, [*bars[1:], None], strict=False):
        metre = bar.metre.ticks
        if metre is None or bar.full:
            continue
        lasts = f"bar {bar.number} lasts {spell(bar.ticks)}"
        seam = _closes(bar) and not (after and after.short and _opens(after))  # else checked together with the next bar
        if bar.ticks > metre:
            yield bar, f"{lasts}, more than the {spell(metre)} of its metre"
        elif not (_opens(bar) or _closes(bar)):
            yield bar, f"{lasts}, less than the {spell(metre)} of its metre"
        elif before and before.short and _opens(bar):
            if before.ticks + bar.ticks != metre:
                parts = f"the two parts of bar {bar.number} last {spell(before.ticks)} and {spell(bar.ticks)}"
                yield bar, f"{parts}, together not the {spell(metre)} of its metre"
        elif before and seam and metre - bar.ticks not in pick_ups:
            yield bar, f"{lasts}, less than the {spell(metre)} of its metre, and no pick-up complements it"
