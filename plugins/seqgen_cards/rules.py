"""Fields of a card, their legal values, and the validator.

The values are the game's words in lower case; several classes or races are joined by a slash, "mage/rogue".
"""

from __future__ import annotations

from collections.abc import Mapping

import seqgen

TYPES = ("minion", "spell", "weapon", "hero", "location")
RARITIES = ("free", "common", "rare", "epic", "legendary")
CLASSES = (
    "death knight", "demon hunter", "druid", "hunter", "mage", "neutral", "paladin", "priest", "rogue", "shaman",
    "warlock", "warrior",
)  # fmt: skip
RACES = (
    "all", "beast", "demon", "draenei", "dragon", "elemental", "mech", "murloc", "naga", "pirate", "quilboar", "totem",
    "undead",
)  # fmt: skip
RANGES = {"cost": (0, 100), "attack": (0, 100), "health": (1, 100), "durability": (1, 100), "armor": (0, 100)}
"""Integer fields with their minimum and maximum; the largest number in the game is a cost of 100."""

ORDER = ("name", "cost", "type", "class", "rarity", "race", "attack", "health", "durability", "armor", "text")
"""All fields, in the order in which cards are written."""

ALWAYS = ("name", "cost", "type")
NEEDED: Mapping[str, tuple[str, ...]] = {
    "minion": ("attack", "health"),
    "weapon": ("attack", "durability"),
    "location": ("durability",),
    "hero": (),
    "spell": (),
}
"""By type, the required fields besides ``ALWAYS``."""

_ONLY = {"race": ("minion",), "armor": ("hero",), "attack": ("minion", "weapon"), "health": ("minion",),
         "durability": ("weapon", "location")}  # fmt: skip
CHOICES: Mapping[str, tuple[str, ...]] = {"type": TYPES, "class": CLASSES, "rarity": RARITIES, "race": RACES}
"""By field, the legal values."""
SEVERAL = ("class", "race")
"""Fields that may have several values, joined by a slash."""
CLOSING = {")": "(", "]": "[", "}": "{"}
"""The opening bracket of each closing one."""


def belongs(name: str, kind: str) -> bool:
    """Return whether cards of a type may have a field."""
    return kind in _ONLY.get(name, TYPES)


def split(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields of a text by name, and the problems of its lines by field; "" stands for a line without one."""
    fields: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        name, equals, value = line.partition("=")
        if not equals or name not in ORDER:
            wrong.setdefault("", f"line {number} is not a field of a card: {line[:30]!r}")
        elif name in fields:
            wrong.setdefault(name, f"{name} occurs twice")
        else:
            fields[name] = value
    return fields, wrong


def find_problems(text: str) -> dict[str, str]:
    """Return the problems of a text by field; empty for a valid card."""
    fields, wrong = split(text)
    for name, value in fields.items():
        problem = _value_problem(name, value)
        if problem:
            wrong.setdefault(name, f"{name} {problem}")
    kind = fields.get("type", "")
    for name in (*ALWAYS, *NEEDED.get(kind, ())):
        if name not in fields:
            wrong.setdefault(name, f"{name} is missing" + ("" if name in ALWAYS else f": every {kind} has it"))
    for name in fields:
        if kind in TYPES and not belongs(name, kind):
            wrong.setdefault(name, f"{name} is not a field of a {kind}")
    return wrong


def _value_problem(name: str, value: str) -> str:
    if not value or value != value.strip():
        return "is empty" if not value.strip() else "begins or ends with a space"
    if not value.isprintable():
        return "contains a control character"
    if name in RANGES:
        low, high = RANGES[name]
        whole = value.isascii() and value.isdigit() and len(value) <= 4 and str(int(value)) == value
        return (
            "" if whole and low <= int(value) <= high else f"is not a whole number from {low} to {high}: {value[:20]!r}"
        )
    if name in CHOICES:
        parts = value.split("/") if name in SEVERAL else [value]
        odd = [part for part in parts if part not in CHOICES[name]]
        return f"is unknown: {odd[0][:20]!r}" if odd else "" if len(set(parts)) == len(parts) else "repeats itself"
    return _unbalanced(value) if name == "text" else ""


def _unbalanced(value: str) -> str:
    """Return the problem of a value's brackets, or ""."""
    opened: list[str] = []
    for position, character in enumerate(value):
        if character in "([{":
            opened.append(character)
        elif character in CLOSING and (not opened or opened.pop() != CLOSING[character]):
            return f"has {character!r} without a matching bracket at position {position}"
    return f"has {opened[-1]!r} that is not closed" if opened else ""


class CardValidator:
    """Accepts the game's cards with their fields in any order; the canonical form has the usual order."""

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict on a text; the reason names the field."""
        for problem in find_problems(text).values():
            return seqgen.Verdict(False, problem)
        fields, _ = split(text)
        for name in SEVERAL:
            if name in fields:
                fields[name] = "/".join(sorted(fields[name].split("/")))
        return seqgen.Verdict(True, "", "\n".join(f"{name}={fields[name]}" for name in ORDER if name in fields))
