"""Rendering of a card: name and cost, type, text, and strength below."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

import seqgen
from seqgen_cards.palette import CLASS, DIM, GEMS, ON_GEM, RARITY, WRONG
from seqgen_cards.rules import find_problems, split

_WIDTH = 36
_INNER = _WIDTH - 4  # a border and a space on each side
_TITLE = _WIDTH - 6
_FRAME = 6  # lines of a card besides its text: border, two lines of type and class, rule, strength, border
_LINES = 4  # of text, at least
_ACROSS = 3
_KEYWORD = re.compile(r"\b[A-Z][a-z]+(?: (?:[A-Z][a-z]+|and|One))*(?=:| -)")


class CardRenderer:
    """Renders a text as a card, or, if it is not valid, as text with the reason; several texts as .svg."""

    suffixes = (".svg",)

    def __call__(self, text: str) -> RenderableType:
        """Return a panel of 36 columns."""
        return _panel(text, max(_LINES, len(_lines(text)[0])))

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """Return a picture of cards, three in a row, all of one height; it refers to no external font.

        Args:
            texts: the cards; a text that is not a valid card is shown with the reason.
            suffix: ".svg".
        """
        n_lines = max((len(_lines(text)[0]) for text in texts), default=0)
        across = max(1, min(_ACROSS, len(texts)))
        panels = [_panel(text, max(_LINES, n_lines)) for text in texts]
        cards = Columns(panels, width=_WIDTH, padding=(0, 1, 0, 0))
        return seqgen.export_svg(cards, width=across * (_WIDTH + 1), title="cards")


def _lines(text: str) -> tuple[list[str], int]:
    """Return the wrapped text of a card and -1; of an invalid text, its lines, the reason, and the reason's index."""
    problem = next(iter(find_problems(text).values()), "")
    if not problem:
        return _wrapped(split(text)[0].get("text", "")), -1
    shown = [part for line in text.split("\n") for part in _wrapped(seqgen.visible(line)) or [""]]
    return [*shown, "", *_wrapped(seqgen.visible(problem))], len(shown)


def _wrapped(text: str) -> list[str]:
    """Return a text wrapped to the width of a card, in cells of a terminal."""
    if cell_len(text) == len(text):
        return textwrap.wrap(text, _INNER)
    return [line.plain for line in Text(text).wrap(Console(width=_INNER), _INNER)]


def _panel(text: str, n_lines: int) -> Panel:
    """Return a card with ``n_lines`` lines of text or more."""
    (lines, reason_at), height = _lines(text), n_lines + _FRAME
    if reason_at >= 0:
        body = Text.assemble("\n".join(lines[:reason_at]), "\n", ("\n".join(lines[reason_at:]), f"italic {WRONG}"))
        title = Text(" not a card ", WRONG)
        return Panel(body, title=title, border_style=WRONG, box=box.ROUNDED, width=_WIDTH, height=height)
    card, _ = split(text)
    classes = card.get("class", "").split("/")
    class_text = card.get("class", "") if len(classes) < 3 else f"{len(classes)} classes"
    rarity = RARITY.get(card.get("rarity", ""), RARITY["common"])
    title = Text.assemble(_gem("cost", card), (f" {card['name']} ", f"bold {rarity}"))
    title.truncate(_TITLE, overflow="ellipsis")
    rows: list[RenderableType] = [
        _centred(f"{card.get('rarity', '')} {card['type']}".strip(), rarity),
        _centred(" · ".join(filter(None, [class_text, card.get("race", "")])), f"italic {DIM}"),
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
    """Return the lines, vertically centred, with keywords in bold."""
    free = n_lines - len(lines)
    middle = Text("\n".join([*[""] * (free // 2), *lines, *[""] * (free - free // 2)]), justify="center")
    middle.highlight_regex(_KEYWORD, "bold")
    return middle


def _gem(name: str, card: dict[str, str]) -> Text:
    """Return a number on its background colour; empty if the card has no such field."""
    sign, colour = GEMS[name]
    return Text(f" {sign}{card[name]} ", f"bold {ON_GEM} on {colour}") if name in card else Text()


def _strength(card: dict[str, str]) -> Text:
    """Return a line with attack on the left and health, durability or armor on the right."""
    defence = next((name for name in ("health", "durability", "armor") if name in card), "health")
    left, right = _gem("attack", card), _gem(defence, card)
    return Text.assemble(left, " " * (_INNER - left.cell_len - right.cell_len), right)
