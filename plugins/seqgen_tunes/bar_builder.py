"""Collection of bars, bar lines and the canonical spelling while a tune is parsed."""

from __future__ import annotations

from seqgen_tunes.barlines import BarLine
from seqgen_tunes.metres import Metre
from seqgen_tunes.tune import Bar


class BarBuilder:
    """The bars parsed so far, the current bar, and the canonical spelling so far.

    Bar lines with nothing but fields between them are merged: a line of music that ends with one and a next line that
    begins with one do not make an empty bar.

    Args:
        metre: the header's metre.

    Attributes:
        empty: whether the current bar is empty.
    """

    def __init__(self, metre: Metre) -> None:
        self.metre, self.next_metre = metre, metre
        self.done: list[Bar] = []
        self.spelled: list[str | BarLine] = [BarLine()]
        self.at = self.started_at = 0
        self._left, self._left_index, self.empty = BarLine(), 0, True

    def pass_time(self, ticks: int) -> None:
        """Advance by the ticks of a note or rest in the current bar."""
        self.at += ticks
        self.empty = False

    def change_metre(self, metre: Metre) -> None:
        """Change the metre, from the current bar if it is empty, else from the next."""
        self.next_metre = metre
        if self.empty:
            self.metre = metre

    def line(self, line: BarLine) -> str:
        """Add a bar line; return the problem, or ""."""
        if not self.empty:
            self._close(line)
            self._left, self._left_index = line, len(self.spelled)
            self.spelled.append(line)
            return ""
        if self._left.ending:
            return "an ending without notes"
        if not self.done and line.ends:
            return "the end of a repeat without notes"
        self._left = self.spelled[self._left_index] = self._left + line
        if self.done:
            self.done[-1].right = self._left
        return ""

    def finish(self) -> str:
        """End the tune; return its canonical spelling."""
        if not self.empty:
            self._close(None)
        first = self.spelled[0]
        assert isinstance(first, BarLine)
        if not (first.starts or first.ending):  # a plain bar line at the start has no meaning
            self.spelled[0] = ""
        return "".join(map(str, self.spelled))

    def _close(self, right: BarLine | None) -> None:
        ticks, left, metre = self.at - self.started_at, self._left if self.done else None, self.metre.ticks
        short = metre is not None and ticks < metre
        if not self.done:
            number = 0 if short else 1
        else:  # two short bars on both sides of a section boundary are one bar
            last = self.done[-1]
            number = last.number + (not (short and last.short and self._left.opens))
        self.done.append(Bar(number, self.started_at, ticks, self.metre, left, right))
        self.metre, self.started_at, self.empty = self.next_metre, self.at, True
