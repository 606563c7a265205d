"""Texts with their vowels in colour."""

import seqgen
from rich.text import Text


class VowelRenderer:
    """Shows vowels in one colour.

    Args:
        colour: a colour of rich, such as "cyan" or "#ff8800".
    """

    def __init__(self, *, colour: str = "cyan") -> None:
        self.colour = colour

    def __call__(self, text: str) -> Text:
        """Return what rich prints; never markup in a string, and what would steer a terminal is escaped."""
        shown = Text(seqgen.visible(text))
        shown.highlight_regex("(?i)[aeiou]", self.colour)
        return shown
