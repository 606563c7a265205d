from __future__ import annotations

import struct
import sys
from xml.etree import ElementTree

import pytest
from rich.console import Console

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_smiles")
from seqgen_smiles import specs
from seqgen_smiles.renderer import MoleculeRenderer

CHEM = "it comes with the extra 'chem'"
TEXTS = ["CCO", "C1CC", "[Na+].[Cl-]", "O=C(O)c1ccccc1OC(C)=O", "[C][=O]", "C\x1b[31m☃"]
SVG = "{http://www.w3.org/2000/svg}"


def shown(text: str) -> str:
    console = Console(width=200, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(MoleculeRenderer()(text))
    return capture.get()


@pytest.mark.full
def test_the_contract():
    testing.check_renderer(specs.RENDERER)


def test_a_line_with_formula_and_weight():
    pytest.importorskip("rdkit", reason=CHEM)
    assert MoleculeRenderer()("CCO").plain == "CCO  C2H6O, 46.07 g/mol"
    assert MoleculeRenderer()("C1CC").plain == "C1CC"
    assert MoleculeRenderer()("[nH]1cccc1").plain.startswith("[nH]1cccc1  C4H5N")


def test_without_rdkit_the_text_is_shown_and_drawing_asks_for_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "rdkit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rdkit", None)
    assert MoleculeRenderer()("CCO").plain == "CCO"
    with pytest.raises(seqgen.MissingExtra, match=r"seqgen-lm\[chem\]"):
        MoleculeRenderer().draw(["CCO"], ".svg")


def test_a_terminal_gets_no_control_characters_of_the_text():
    assert "\x1b[31m☃" not in shown("C\x1b[31m☃") and r"\x1b" in shown("C\x1b[31m☃")
    assert r"\ud800" in MoleculeRenderer()("\ud800").plain


@pytest.mark.parametrize("texts", [TEXTS, [], ["C"] * 201], ids=["some", "none", "too many"])
def test_svg(texts):
    pytest.importorskip("rdkit", reason=CHEM)
    root = ElementTree.fromstring(MoleculeRenderer().draw(texts, ".svg"))
    assert root.tag == f"{SVG}svg"
    assert len(root.findall(f".//{SVG}path")) >= len(texts)


def test_an_empty_cell_says_so():
    pytest.importorskip("rdkit", reason=CHEM)
    letters = {text: MoleculeRenderer().draw([text], ".svg").count(b"class='legend'") for text in ("C1CC", "C1CCC")}
    assert letters == {"C1CC": len("not valid: C1CC"), "C1CCC": len("not valid: C1CCC")}


def test_png():
    pytest.importorskip("rdkit", reason=CHEM)
    picture = MoleculeRenderer().draw(TEXTS, ".png")
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (4 * 300, 2 * 240)
