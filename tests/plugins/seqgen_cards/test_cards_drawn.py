from __future__ import annotations

import io
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

pytest.importorskip("seqgen_cards")
from seqgen_cards.panel import CardRenderer

OWL = (
    "name=Owl of Night\ncost=3\ntype=minion\nclass=mage\nrarity=legendary\nrace=beast\nattack=2\nhealth=14\n"
    "text=Battlecry: Draw a card. If it is an owl, draw another one. Then sleep until the night of your opponent."
)


def shown(text: str, width: int = 80) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(CardRenderer()(text))
    return console.file.getvalue().splitlines()


def test_a_card():
    lines = shown(OWL)
    assert " 3  Owl of Night " in lines[0] and lines[1].split()[1:3] == ["legendary", "minion"]
    assert "mage · beast" in lines[2] and lines[-2].split()[1:-1] == ["⚔", "2", "♥", "14"]
    assert "Battlecry: Draw a card." in "\n".join(lines)
    assert {len(line) for line in lines} == {36}


@pytest.mark.parametrize(
    "text",
    [
        "name=" + "W" * 90 + "\ncost=100\ntype=spell",
        OWL.replace("=mage", "=death knight/demon hunter").replace("=beast", "=elemental"),
        OWL.replace("=mage", "=druid/mage/priest"),
        "name=A\ncost=1\ntype=location\ndurability=3",
        "",
        "no card\n\nat all\n",
    ],
)
def test_nothing_is_wider_than_a_card(text):
    assert {len(line) for line in shown(text)} == {36}


@pytest.mark.parametrize(
    "text", ["火" * 100, "火" * 33 + " fire " + "火" * 9 + "e\u0301", "Deal 2 damage. " + "火火 " * 30 + "火"]
)
def test_wide_characters_are_wrapped_by_their_cells(text):
    for card in (OWL.split("text=")[0] + f"text={text}", f"name={text}"):
        lines = shown(card)
        assert {cell_len(line) for line in lines} == {36}
        assert sum(line.count("火") for line in lines) == text.count("火")


def test_what_is_wrong_is_said():
    text = "\n".join(shown("name=[b]Owl[/b]\x1b[31m\ncost=1\ntype=spell\n\n"))
    assert (
        "not a card" in text
        and "[b]Owl[/b]\\x1b[31m" in text
        and "line 4 is not a field" in text
        and "\x1b" not in text
    )


def test_a_picture():
    picture = CardRenderer().draw([OWL] * 4 + ["no card", OWL.replace("14", "<&>")], ".svg")
    assert picture == CardRenderer().draw([OWL] * 4 + ["no card", OWL.replace("14", "<&>")], ".svg")
    root = ElementTree.fromstring(picture)
    text = "".join(root.itertext()).replace("\xa0", " ")
    assert text.count("Owl of Night") == 5 and "is not a field" in text and "&" in text
    assert b"url(http" not in picture and b"font-face" not in picture


@pytest.mark.full
@given(st.lists(st.text(), max_size=4))
def test_any_texts_make_a_picture(texts):
    ElementTree.fromstring(CardRenderer().draw(texts, ".svg"))
