"""A renderer that colours vowels."""

import seqgen
from rich.text import Text


class VowelRenderer:
    """A renderer that shows vowels in one colour.

    Args:
        colour: a rich colour, such as "cyan" or "#ff8800".
    """

    def __init__(self, *, colour: str = "cyan") -> None:
        self.colour = colour

    def __call__(self, text: str) -> Text:
        """Return something that rich can print, with control characters escaped; never a string with markup."""
        shown = Text(seqgen.visible(text))
        shown.highlight_regex("(?i)[aeiou]", self.colour)
        return shown
