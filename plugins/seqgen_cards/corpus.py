"""Reads the cards of Hearthstone from the package hearthstone-data, without importing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, BinaryIO
from xml.etree import ElementTree

from pydantic import Field

import seqgen
from seqgen_cards import codes
from seqgen_cards.plain import plain

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_FILE = "hearthstone_data/CardDefs.xml"
_BLOCK = 1 << 20
_END, _WANTED = b"</Entity>", b'name="COLLECTIBLE"'


@dataclass(frozen=True)
class Cards:
    """The collectible cards in the order of the file, which is that of their identifiers.

    Attributes:
        files: the package.
        reprints: whether a card that has the name of an earlier one is given too.
    """

    files: seqgen.PackageFiles
    reprints: bool

    def __iter__(self) -> Iterator[seqgen.Record]:
        """The records, from the first; what is kept in memory is the names."""
        names: set[str] = set()
        with self.files.open(_FILE) as file:
            for element in _collectible(file):
                try:
                    fields = _fields(ElementTree.fromstring(element))  # noqa: S314  one element, so no entities in it
                except (ElementTree.ParseError, ValueError) as error:
                    raise seqgen.CorpusError(f"{_FILE} is damaged: {error}") from None
                if fields and (self.reprints or fields["name"] not in names):
                    names.add(str(fields["name"]))
                    text = "\n".join(f"{name}={value}" for name, value in fields.items())
                    yield seqgen.Record(text, str(fields["type"]), fields)
        if not names:
            raise seqgen.CorpusError(f"{_FILE} has no collectible cards")


def load(
    *,
    path: Annotated[
        str | None, Field(description="a wheel of hearthstone-data, or the folder it was unpacked to")
    ] = None,
    reprints: Annotated[
        bool, Field(description="also cards that have the name of an earlier one, most of them equal to it")
    ] = False,
) -> Cards:
    """The corpus."""
    return Cards(seqgen.PackageFiles("hearthstone-data", "corpus cards", "cards", path), reprints)


def _collectible(file: BinaryIO) -> Iterator[bytes]:
    """The XML of each card that players own, a fourth of all; parsing only these is what makes it fast."""
    rest = b""
    while block := file.read(_BLOCK):
        *entities, rest = (rest + block).split(_END)
        for entity in entities:
            if _WANTED in entity:
                yield entity[max(entity.find(b"<Entity"), 0) :] + _END


def _fields(entity: Element) -> dict[str, str | int] | None:
    """The fields of a card in their usual order; None for what is not played as a card or has no plain text."""
    tags = {int(tag.get("enumID", 0)): tag for tag in entity if tag.tag == "Tag"}

    def number(tag: int) -> int:
        return int(tags[tag].get("value", 0)) if tag in tags else 0

    def english(tag: int) -> str:
        return (tags[tag].findtext("enUS") or "") if tag in tags else ""

    kind, name = codes.TYPES.get(number(codes.TYPE)), " ".join(english(codes.NAME).split())
    text = plain(english(codes.TEXT), [number(tag) if tag in tags else -1 for tag in codes.COUNTERS])
    if kind is None or not name or text is None or (kind == "hero" and codes.COST not in tags):  # a hero's other face
        return None
    mask = number(codes.CLASSES)
    classes = [word for value, word in codes.CLASS_NAMES.items() if mask >> (value - 1) & 1]
    races = {word for tag, word in codes.SECOND_RACES.items() if number(tag)} | {
        codes.RACES.get(number(codes.RACE), "")
    }
    fields: dict[str, str | int] = {
        "name": name,
        "cost": number(codes.COST),
        "type": kind,
        "class": "/".join(sorted(classes)) or codes.CLASS_NAMES.get(number(codes.CLASS), ""),
        "rarity": codes.RARITIES.get(number(codes.RARITY), ""),
        "race": "/".join(sorted(races - {""})),
    }
    if kind in ("minion", "weapon"):
        fields["attack"] = number(codes.ATTACK)
    if kind == "minion":
        fields["health"] = number(codes.HEALTH)
    elif kind in ("weapon", "location"):
        fields["durability"] = number(codes.HEALTH) or number(codes.DURABILITY)
    elif kind == "hero" and number(codes.ARMOR):
        fields["armor"] = number(codes.ARMOR)
    fields["text"] = text
    return {name: value for name, value in fields.items() if value != ""}
