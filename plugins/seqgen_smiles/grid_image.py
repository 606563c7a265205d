"""Grid images of molecules, as SVG or PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqgen_smiles.molecules import formula, need_rdkit, read

_WIDTH, _HEIGHT = 300, 240  # pixels per cell
_COLUMNS = 4
_MAX = 200  # molecules in a picture: more would be higher than PNG viewers like
_LEGEND = 38  # characters per legend line


def draw_grid(texts: Sequence[str], suffix: str) -> bytes:
    """Return the content of an image of the first 200 texts.

    Args:
        texts: SMILES or SELFIES; an invalid text leaves its cell empty, and the legend says so.
        suffix: ".svg" or ".png".

    Raises:
        MissingExtra: RDKit is not installed.
    """
    need_rdkit("drawing molecules")
    from rdkit import rdBase
    from rdkit.Chem import Draw

    molecules, legends = [], []
    for text in texts[:_MAX]:
        molecule = _with_coordinates(text)
        molecules.append(_blank_molecule() if molecule is None else molecule)
        legends.append(f"not valid: {_short(text)}" if molecule is None else f"{formula(text)}\n{_short(text)}")
    if len(texts) > _MAX:
        molecules.append(_blank_molecule())
        legends.append(f"and {len(texts) - _MAX} more")
    columns = max(1, min(_COLUMNS, len(molecules)))
    rows = max(1, -(-len(molecules) // columns))
    kind = Draw.MolDraw2DCairo if suffix == ".png" else Draw.MolDraw2DSVG
    canvas = kind(columns * _WIDTH, rows * _HEIGHT, _WIDTH, _HEIGHT)
    _style(canvas.drawOptions())
    with rdBase.BlockLogs():
        canvas.DrawMolecules(molecules, legends=legends)
    canvas.FinishDrawing()
    content = canvas.GetDrawingText()
    return content if isinstance(content, bytes) else content.encode()


def _with_coordinates(text: str) -> Any:
    """Return the molecule of a text with 2D coordinates; None if the text is not valid."""
    molecule = read(text).molecule
    return None if molecule is None else _prepared(molecule)


def _prepared(molecule: Any) -> Any:
    from rdkit import rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    with rdBase.BlockLogs():
        try:
            return rdMolDraw2D.PrepareMolForDrawing(molecule)
        except Exception:  # RDKit's exceptions have no common type
            return None


def _blank_molecule() -> Any:
    """Return an atom that is drawn as a blank: RDKit omits the legend of a cell without atoms."""
    from rdkit import Chem

    molecule = Chem.MolFromSmiles("*")
    molecule.GetAtomWithIdx(0).SetProp("_displayLabel", " ")
    return _prepared(molecule)


def _style(options: Any) -> None:
    options.prepareMolsBeforeDrawing = False
    options.drawMolsSameScale = False
    options.padding = 0.08
    options.bondLineWidth = 1.6
    options.legendFontSize = 13
    options.legendFraction = 0.16
    options.fixedBondLength = 26  # pixels: small molecules are not blown up
    options.includeMetadata = False


def _short(text: str) -> str:
    """Return the start of a text that fits a legend; the font has ASCII only."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    return plain if len(plain) <= _LEGEND else plain[: _LEGEND - 3] + "..."
