"""Renderer of molecules: coloured text on a terminal, a grid of structures in a file."""

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
    """Return a text with the elements in their usual (CPK) colours and control characters escaped."""
    shown = Text()
    for piece in SmilesTokenizer.pattern.findall(text):
        printable = piece if piece.isprintable() else "".join(map(_escaped, piece))
        element = _ELEMENT.search(piece)
        shown.append(printable, _STYLES.get(element[0] if element else piece))
    return shown


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


class MoleculeRenderer:
    """Renders SMILES or SELFIES with formula and weight, and several molecules as a grid of structures.

    Attributes:
        suffixes: file suffixes of ``draw``, which needs RDKit.
    """

    suffixes = (".svg", ".png")

    def __call__(self, text: str) -> Text:
        """Return the coloured text, then formula and weight if RDKit is installed and can parse it."""
        shown = coloured(text)
        if properties := formula(text):
            shown.append(f"  {properties}", "dim")
        return shown

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """Return an image of the molecules in rows; an invalid text leaves its cell empty, with a note.

        Args:
            texts: the first 200 of them are drawn.
            suffix: ".svg" or ".png".

        Raises:
            MissingExtra: RDKit is not installed.
        """
        from seqgen_smiles.grid_image import draw_grid

        return draw_grid(texts, suffix)
