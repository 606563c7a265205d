"""A card as a person holds it: the name with its cost, what it is, what it does, and its strength below."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

import seqgen
from seqgen_cards.colours import CLASS, DIM, GEMS, ON_GEM, RARITY, WRONG
from seqgen_cards.rules import problems, split

_WIDTH = 36
_INNER = _WIDTH - 4  # a border and a space on each side
_TITLE = _WIDTH - 6
_FRAME = 6  # lines of a card besides its text: border, two of what it is, rule, strength, border
_LINES = 4  # of text, at least
_ACROSS = 3
_KEYWORD = re.compile(r"\b[A-Z][a-z]+(?: (?:[A-Z][a-z]+|and|One))*(?=:| -)")


class CardRenderer:
    """Shows a text as a card, or, if it is none, as text with what is wrong; draws many as .svg."""

    suffixes = (".svg",)

    def __call__(self, text: str) -> RenderableType:
        """A panel of 36 columns."""
        return _panel(text, max(_LINES, len(_lines(text)[0])))

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """A picture of cards, three in a row, all of one height; it names no font that would have to be fetched.

        Args:
            texts: the cards; what is no card is shown with what is wrong.
            suffix: ".svg".
        """
        n_lines = max((len(_lines(text)[0]) for text in texts), default=0)
        across = max(1, min(_ACROSS, len(texts)))
        panels = [_panel(text, max(_LINES, n_lines)) for text in texts]
        cards = Columns(panels, width=_WIDTH, padding=(0, 1, 0, 0))
        return seqgen.export_svg(cards, width=across * (_WIDTH + 1), title="cards")


def _lines(text: str) -> tuple[list[str], int]:
    """What stands in the middle of a card, in lines that fit, and where what is wrong begins: -1 for a card."""
    complaint = next(iter(problems(text).values()), "")
    if not complaint:
        return textwrap.wrap(split(text)[0].get("text", ""), _INNER), -1
    shown = [part for line in text.split("\n") for part in textwrap.wrap(seqgen.visible(line), _INNER) or [""]]
    return [*shown, "", *textwrap.wrap(seqgen.visible(complaint), _INNER)], len(shown)


def _panel(text: str, n_lines: int) -> Panel:
    """A card with so many lines of text, or as many as it has."""
    (lines, wrong), height = _lines(text), n_lines + _FRAME
    if wrong >= 0:
        body = Text.assemble("\n".join(lines[:wrong]), "\n", ("\n".join(lines[wrong:]), f"italic {WRONG}"))
        title = Text(" no card ", WRONG)
        return Panel(body, title=title, border_style=WRONG, box=box.ROUNDED, width=_WIDTH, height=height)
    card, _ = split(text)
    classes = card.get("class", "").split("/")
    of = card.get("class", "") if len(classes) < 3 else f"{len(classes)} classes"
    rarity = RARITY.get(card.get("rarity", ""), RARITY["common"])
    title = Text.assemble(_gem("cost", card), (f" {card['name']} ", f"bold {rarity}"))
    title.truncate(_TITLE, overflow="ellipsis")
    rows: list[RenderableType] = [
        _centred(f"{card.get('rarity', '')} {card['type']}".strip(), rarity),
        _centred(" · ".join(filter(None, [of, card.get("race", "")])), f"italic {DIM}"),
        Rule(style=DIM),
        _middle(lines, n_lines),
        _strength(card),
    ]
    return Panel(
        Group(*rows), title=title, title_align="left", width=_WIDTH, height=height,
        box=box.HEAVY if card.get("rarity") == "legendary" else box.ROUNDED, border_style=CLASS.get(classes[0], DIM),
    )  # fmt: skip


def _centred(text: str, style: str) -> Text:
    return Text(text, style, justify="center", no_wrap=True, overflow="ellipsis")


def _middle(lines: Sequence[str], n_lines: int) -> Text:
    """Lines with empty ones around them, keywords bold."""
    free = n_lines - len(lines)
    middle = Text("\n".join([*[""] * (free // 2), *lines, *[""] * (free - free // 2)]), justify="center")
    middle.highlight_regex(_KEYWORD, "bold")
    return middle


def _gem(name: str, card: dict[str, str]) -> Text:
    """A number on its colour; nothing if the card has no such field."""
    sign, colour = GEMS[name]
    return Text(f" {sign}{card[name]} ", f"bold {ON_GEM} on {colour}") if name in card else Text()


def _strength(card: dict[str, str]) -> Text:
    """Attack on the left, what it withstands on the right."""
    withstands = next((name for name in ("health", "durability", "armor") if name in card), "health")
    left, right = _gem("attack", card), _gem(withstands, card)
    return Text.assemble(left, " " * (_INNER - left.cell_len - right.cell_len), right)
