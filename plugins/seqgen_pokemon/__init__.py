"""English names of Pokémon.

Source: the npm package ``pokemon`` (MIT); see seqgen_corpora/pokemon/DATASHEET.md.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Register ``pokemon``."""
    register(
        seqgen.CorpusSpec(
            name="pokemon",
            summary="1,025 English names of Pokémon",
            source="npm package pokemon 3.3.1 (Sindre Sorhus)",
            licence="MIT (the list); the names are trademarks of Nintendo",
            load="seqgen_pokemon.corpus:load",
            recommended={"model": {"dropout": 0.5}, "train": {"steps": 600}},
        )
    )
