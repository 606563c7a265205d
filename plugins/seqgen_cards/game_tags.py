"""Numeric tags of the game's XML, and the meaning of their values."""

from __future__ import annotations

NAME, TEXT, COST, ATTACK, HEALTH, DURABILITY, ARMOR = 185, 184, 48, 47, 45, 187, 292
TYPE, CLASS, CLASSES, RARITY, RACE, COUNTERS = 202, 199, 476, 203, 200, (2, 3, 2889, 2919)
TYPES = {4: "minion", 5: "spell", 7: "weapon", 3: "hero", 39: "location"}
RARITIES = {1: "common", 2: "free", 3: "rare", 4: "epic", 5: "legendary"}
CLASS_NAMES = {
    1: "death knight", 2: "druid", 3: "hunter", 4: "mage", 5: "paladin", 6: "priest", 7: "rogue", 8: "shaman",
    9: "warlock", 10: "warrior", 12: "neutral", 14: "demon hunter",
}  # fmt: skip
RACES = {
    2: "draenei", 11: "undead", 14: "murloc", 15: "demon", 17: "mech", 18: "elemental", 20: "beast", 21: "totem",
    23: "pirate", 24: "dragon", 26: "all", 43: "quilboar", 92: "naga",
}  # fmt: skip
SECOND_RACES = {
    2522: "pirate", 2523: "dragon", 2525: "draenei", 2534: "undead", 2536: "murloc", 2537: "demon", 2539: "mech",
    2540: "elemental", 2542: "beast", 2543: "totem", 2546: "quilboar", 2553: "naga",
}  # fmt: skip
