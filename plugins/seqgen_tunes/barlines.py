"""Bar lines, their meaning and canonical spelling (ABC 2.1, sections 4.8 to 4.10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from seqgen_tunes.lexer import ENDING

_PARTS = re.compile(rf"([|:\[\]]*?)(?:(?:(?<=[|:\]])\[?|(?<![|:\]])\[)({ENDING}))?")


@dataclass(frozen=True)
class BarLine:
    """A bar line, or several adjacent ones.

    Attributes:
        ends: True if it ends a repeated section.
        starts: True if it starts a repeated section.
        double: True for a double bar line, "||".
        final: True for a thick bar line, "|]".
        ending: number of the ending that follows: "1"; "" for none.
        bare: True for the mark of an ending without a line, "[1".
    """

    ends: bool = False
    starts: bool = False
    double: bool = False
    final: bool = False
    ending: str = ""
    bare: bool = False

    @property
    def strong(self) -> bool:
        """Return whether a section of the tune may end or start here, even within a bar."""
        return self.ends or self.starts or self.double or self.final

    @property
    def opens(self) -> bool:
        """Return whether a section may start here; not at a second ending, which continues the section."""
        return self.strong and not (self.ends and self.ending)

    def __add__(self, other: BarLine) -> BarLine:
        """Return the combination of two adjacent bar lines."""
        return BarLine(
            self.ends or other.ends,
            self.starts or other.starts,
            self.double or other.double,
            self.final or other.final,
            other.ending or self.ending,
            self.bare and other.bare,
        )

    def __str__(self) -> str:
        """Return the canonical spelling."""
        if self.bare:
            return f"[{self.ending}"
        if self.ends or self.starts:
            line = {(True, True): "::", (True, False): ":|", (False, True): "|:"}[self.ends, self.starts]
        else:
            line = "|]" if self.final else "||" if self.double else "|"
        joint = "" if line in ("|", ":|") else "["
        return f"{line}{joint}{self.ending}" if self.ending else line


@lru_cache(maxsize=1024)
def read_barline(text: str) -> BarLine | None:
    """Parse a bar line; None if the text is not one, such as a single colon."""
    match = _PARTS.fullmatch(text)
    if match is None:
        return None
    line, ending = match[1], match[2] or ""
    if not line:
        return BarLine(ending=ending, bare=True)
    if line.strip(":") == "":
        return BarLine(ends=True, starts=True, ending=ending) if len(line) == 2 else None
    inside = line.strip(":")
    thick = "[" in inside or "]" in inside
    return BarLine(
        ends=line[0] == ":",
        starts=line[-1] == ":",
        double=inside.count("|") > 1 and not thick,
        final=thick and inside != "[|]",
        ending=ending,
    )
