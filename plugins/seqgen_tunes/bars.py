"""Keeps bars and bar lines while a tune is read, and the tune's one spelling."""

from __future__ import annotations

from seqgen_tunes.barlines import BarLine
from seqgen_tunes.metres import Metre
from seqgen_tunes.tune import Bar


class Bars:
    """The bars so far, the one at hand, and everything spelled so far.

    Bar lines with nothing but fields between them are one: a line of music that ends with one and the next that
    begins with one do not leave an empty bar.

    Args:
        metre: that of the header.
    """

    def __init__(self, metre: Metre) -> None:
        self.metre, self.next_metre = metre, metre
        self.done: list[Bar] = []
        self.spelled: list[str | BarLine] = [BarLine()]
        self.at = self.started_at = 0
        self._left, self._left_index, self._empty = BarLine(), 0, True

    def pass_time(self, ticks: int) -> None:
        """A note or rest of so many ticks stands in the bar."""
        self.at += ticks
        self._empty = False

    @property
    def empty(self) -> bool:
        """Whether the bar at hand holds nothing yet."""
        return self._empty

    def change_metre(self, metre: Metre) -> None:
        """A new metre, from this bar on if it is empty, else from the next."""
        self.next_metre = metre
        if self._empty:
            self.metre = metre

    def line(self, line: BarLine) -> str:
        """A bar line; gives what is wrong with it, or ""."""
        if not self._empty:
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
        """The tune ends; gives everything spelled."""
        if not self._empty:
            self._close(None)
        first = self.spelled[0]
        assert isinstance(first, BarLine)
        if not (first.starts or first.ending):  # a bar line at the start says nothing
            self.spelled[0] = ""
        return "".join(map(str, self.spelled))

    def _close(self, right: BarLine | None) -> None:
        ticks, left, metre = self.at - self.started_at, self._left if self.done else None, self.metre.ticks
        short = metre is not None and ticks < metre
        if not self.done:
            number = 0 if short else 1
        else:  # two short bars on both sides of a seam are one
            last = self.done[-1]
            number = last.number + (not (short and last.short and self._left.opens))
        self.done.append(Bar(number, self.started_at, ticks, self.metre, left, right))
        self.metre, self.started_at, self._empty = self.next_metre, self.at, True
