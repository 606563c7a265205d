"""A symbol is an atom, a bond, a bracket or the like.

The pieces are those of the pattern of Schwaller et al. (arXiv:1711.04810, arXiv:1811.02633), in a form that leaves
nothing out: a text that is no molecule can be encoded too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from seqgen_smiles.pieces import PieceTokenizer


class SmilesTokenizer(PieceTokenizer):
    """Bracket atoms such as ``[nH]``, ``Br``, ``Cl``, ring numbers such as ``%12``; every other character by itself."""

    pattern = re.compile(r"\[[^\[\]]*\]|Br|Cl|%[0-9]{2}|.", re.DOTALL)
    pairs = ("Br", "Cl")
    ring_numbers = True


class SelfiesTokenizer(PieceTokenizer):
    """What stands in brackets, such as ``[=Branch1]``; every other character, such as ``.``, by itself."""

    pattern = re.compile(r"\[[^\[\]]*\]|.", re.DOTALL)
    _selfies = re.compile(r"(\[[^\[\]]*\]|\.)*")

    @classmethod
    def doubt(cls, texts: Sequence[str]) -> str:
        """A line on texts that are not SELFIES, as of a corpus of SMILES."""
        others = [text for text in texts if not cls._selfies.fullmatch(text)]
        if 2 * len(others) <= len(texts):
            return ""
        seen = f"the texts are not SELFIES, such as {others[0]!r:.60}"
        return f"{seen}: the corpus smiles has them by -o corpus.form=selfies; write a file of yours by selfies.encoder"
