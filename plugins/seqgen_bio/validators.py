"""Validators of sequences: the codes of bases and of amino acids."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

import seqgen

BASES, AMBIGUOUS_BASES = "ACGT", "RYSWKMBDHVN"
RESIDUES, AMBIGUOUS_RESIDUES = "ACDEFGHIKLMNPQRSTVWYUO", "BJZX"
"""One-letter codes; U is selenocysteine and O is pyrrolysine."""
Ambiguous = Annotated[bool, Field(description="accept codes that stand for several, such as N or X")]


class CodeValidator:
    """Accepts texts of one-letter codes, in either case; the canonical form is in upper case.

    Args:
        codes: the codes.
        end: a character that may stand at the end, and is not part of the canonical form; "" for none.
    """

    def __init__(self, codes: str, end: str = "") -> None:
        self._codes, self._end = frozenset(codes + codes.lower()), end

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict on a text; the reason gives the 0-based position."""
        codes = text.removesuffix(self._end) if self._end else text
        if not codes:
            return seqgen.Verdict(False, "it is empty")
        wrong = next((position for position, code in enumerate(codes) if code not in self._codes), None)
        if wrong is not None:
            return seqgen.Verdict(False, f"{codes[wrong]!r} at position {wrong} is no code")
        return seqgen.Verdict(True, "", codes.upper())


def load_dna(*, ambiguous: Ambiguous = True) -> CodeValidator:
    """Return the validator of DNA."""
    return CodeValidator(BASES + AMBIGUOUS_BASES * ambiguous)


def load_protein(*, ambiguous: Ambiguous = True) -> CodeValidator:
    """Return the validator of proteins."""
    return CodeValidator(RESIDUES + AMBIGUOUS_RESIDUES * ambiguous, "*")
