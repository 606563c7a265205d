"""The corpus of Hearthstone cards, read from the package hearthstone-data without importing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, BinaryIO
from xml.etree import ElementTree

from pydantic import Field

import seqgen
from seqgen_cards import game_tags as tags
from seqgen_cards.card_text import plain_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_FILE = "hearthstone_data/CardDefs.xml"
_BLOCK = 1 << 20
_END, _WANTED = b"</Entity>", b'name="COLLECTIBLE"'


@dataclass(frozen=True)
class Cards:
    """The records: collectible cards in file order, which is the order of their identifiers.

    Attributes:
        files: the files of the package.
        reprints: include cards with the name of an earlier card.
    """

    files: seqgen.PackageFiles
    reprints: bool

    def __iter__(self) -> Iterator[seqgen.Record]:
        """Iterate over the records from the first; memory holds the names."""
        names: set[str] = set()
        with self.files.open(_FILE) as file:
            for element in _collectible(file):
                try:
                    fields = _fields(ElementTree.fromstring(element))  # noqa: S314  one element, so no entities in it
                except (ElementTree.ParseError, ValueError) as error:
                    raise seqgen.CorpusError(f"cannot read {_FILE}: {error}; reinstall hearthstone-data") from None
                if fields and (self.reprints or fields["name"] not in names):
                    names.add(str(fields["name"]))
                    text = "\n".join(f"{name}={value}" for name, value in fields.items())
                    yield seqgen.Record(text, str(fields["type"]), fields)
        if not names:
            raise seqgen.CorpusError(f"{_FILE} has no collectible cards")


def load(
    *,
    path: Annotated[
        str | None, Field(description="wheel of hearthstone-data, or the folder it was unpacked to")
    ] = None,
    reprints: Annotated[
        bool, Field(description="include cards with the name of an earlier card, most of them equal to it")
    ] = False,
) -> Cards:
    """Return the corpus."""
    return Cards(seqgen.PackageFiles("hearthstone-data", "corpus cards", "cards", path), reprints)


def _collectible(file: BinaryIO) -> Iterator[bytes]:
    """Yield the XML of each collectible card, a quarter of all; parsing only these makes it fast."""
    rest = b""
    while block := file.read(_BLOCK):
        *entities, rest = (rest + block).split(_END)
        for entity in entities:
            if _WANTED in entity:
                yield entity[max(entity.find(b"<Entity"), 0) :] + _END


def _fields(entity: Element) -> dict[str, str | int] | None:
    """Return a card's fields in their usual order; None for what is not a playable card or has no plain text."""
    found = {int(tag.get("enumID", 0)): tag for tag in entity if tag.tag == "Tag"}

    def number(tag: int) -> int:
        return int(found[tag].get("value", 0)) if tag in found else 0

    def english(tag: int) -> str:
        return (found[tag].findtext("enUS") or "") if tag in found else ""

    kind, name = tags.TYPES.get(number(tags.TYPE)), " ".join(english(tags.NAME).split())
    text = plain_text(english(tags.TEXT), [number(tag) if tag in found else -1 for tag in tags.COUNTERS])
    alternate_form = kind == "hero" and tags.COST not in found
    if kind is None or not name or text is None or alternate_form:
        return None
    mask = number(tags.CLASSES)
    classes = [word for value, word in tags.CLASS_NAMES.items() if mask >> (value - 1) & 1]
    races = {word for tag, word in tags.SECOND_RACES.items() if number(tag)} | {tags.RACES.get(number(tags.RACE), "")}
    fields: dict[str, str | int] = {
        "name": name,
        "cost": number(tags.COST),
        "type": kind,
        "class": "/".join(sorted(classes)) or tags.CLASS_NAMES.get(number(tags.CLASS), ""),
        "rarity": tags.RARITIES.get(number(tags.RARITY), ""),
        "race": "/".join(sorted(races - {""})),
    }
    if kind in ("minion", "weapon"):
        fields["attack"] = number(tags.ATTACK)
    if kind == "minion":
        fields["health"] = number(tags.HEALTH)
    elif kind in ("weapon", "location"):
        fields["durability"] = number(tags.HEALTH) or number(tags.DURABILITY)
    elif kind == "hero" and number(tags.ARMOR):
        fields["armor"] = number(tags.ARMOR)
    fields["text"] = text
    return {name: value for name, value in fields.items() if value != ""}
