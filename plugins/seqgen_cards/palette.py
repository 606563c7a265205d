"""Colours and symbols of rendered cards."""

from __future__ import annotations

RARITY = {"free": "#9aa0a6", "common": "#e8eaed", "rare": "#5b9cff", "epic": "#b888f0", "legendary": "#ff9f2e"}
CLASS = {
    "death knight": "#5fa3b5", "demon hunter": "#3f9c57", "druid": "#b0793f", "hunter": "#6aa84f", "mage": "#4fc3f7",
    "neutral": "#a89f91", "paladin": "#e6c85c", "priest": "#e0e0e0", "rogue": "#9099a2", "shaman": "#4a7fd6",
    "warlock": "#a070d0", "warrior": "#d0604c",
}  # fmt: skip
GEMS = {
    "cost": ("", "#1f5fae"),
    "attack": ("⚔ ", "#8a6d1d"),
    "health": ("♥ ", "#a32638"),
    "durability": ("◈ ", "#5a6572"),
    "armor": ("◈ ", "#5a6572"),
}
"""By field, the symbol before the number and the background colour."""

ON_GEM = "#ffffff"
DIM = "#8b9096"
WRONG = "#d7584f"
