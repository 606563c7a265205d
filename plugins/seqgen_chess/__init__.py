"""Chess games: a reader of PGN.

Source: the Portable Game Notation specification and implementation guide, 12 March 1994.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen

EXAMPLE = b"""[Event "Hastings"]
[White "Ada"]
[Result "1-0"]

1. e4 {best by test} e5 (1... c5 2. Nf3) 2. Nf3 $1 Nc6 ; a line
3. Bb5 1-0

[White "Grace"]
[Result "*"]

1. d4 *
"""


@seqgen.hookimpl
def register_readers(register: Callable[[seqgen.ReaderSpec], None]) -> None:
    """Register ``pgn``."""
    register(
        seqgen.ReaderSpec(
            name="pgn",
            summary="moves of chess games in PGN; the tags are fields, the result is the label",
            source="Portable Game Notation specification, 1994",
            load="seqgen_chess.games:PgnReader",
            endings=(".pgn",),
            matches="seqgen_chess.games:is_pgn",
            example=EXAMPLE,
        )
    )
