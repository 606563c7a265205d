"""Shows molecules: coloured text for a terminal, a grid of drawings for a file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text

from seqgen_smiles.molecules import formula
from seqgen_smiles.tokenizers import SmilesTokenizer

_STYLES = {"N": "blue", "n": "blue", "O": "red", "o": "red", "S": "yellow", "s": "yellow", "P": "magenta"}
_STYLES |= dict.fromkeys(("F", "Cl"), "green") | dict.fromkeys(("Br", "I"), "bright_red")
_STYLES |= dict.fromkeys("()[]", "bright_black")
_ELEMENT = re.compile(r"Cl|Br|[A-Za-z]")


def coloured(text: str) -> Text:
    """A text with the colours that chemists give the elements; what a terminal would obey is escaped."""
    shown = Text()
    for piece in SmilesTokenizer.pattern.findall(text):
        printable = piece if piece.isprintable() else "".join(map(_escaped, piece))
        element = _ELEMENT.search(piece)
        shown.append(printable, _STYLES.get(element[0] if element else piece))
    return shown


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


class MoleculeRenderer:
    """A line of SMILES (or SELFIES) with formula and weight; drawn, a grid of structures.

    Attributes:
        suffixes: the files it draws, which needs RDKit.
    """

    suffixes = (".svg", ".png")

    def __call__(self, text: str) -> Text:
        """The text in colours, then its formula and weight where RDKit is installed and reads it."""
        shown = coloured(text)
        if told := formula(text):
            shown.append(f"  {told}", "dim")
        return shown

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """A picture of some molecules in rows; what is no molecule leaves its cell empty and says so.

        Args:
            texts: the first 200 of them are drawn.
            suffix: ".svg" or ".png".

        Raises:
            MissingExtra: RDKit is not installed.
        """
        from seqgen_smiles.drawing import draw_grid

        return draw_grid(texts, suffix)


def load() -> MoleculeRenderer:
    """The renderer; it has no options."""
    return MoleculeRenderer()
