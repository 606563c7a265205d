"""The corpus of Pokémon names."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import seqgen


def load() -> seqgen.TextFile:
    """Return the corpus; it has no options."""
    return seqgen.TextFile(Path(str(files("seqgen_corpora"))) / "pokemon" / "pokemon.txt")
