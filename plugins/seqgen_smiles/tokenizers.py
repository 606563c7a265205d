"""Tokenizers of SMILES and SELFIES.

The SMILES tokens follow the pattern of Schwaller et al. (arXiv:1711.04810, arXiv:1811.02633), extended so that any
text, valid or not, can be encoded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import seqgen
from seqgen_smiles.substring_tokenizer import SubstringTokenizer

_AROMATIC = re.compile(r"\[?[0-9]*(?:[bcnops]|as|se|te)(?![a-z])")


class SmilesTokenizer(SubstringTokenizer):
    """Symbols are bracket atoms such as ``[nH]``, ``Br``, ``Cl``, ring numbers such as ``%12``, and characters."""

    pattern = re.compile(r"\[[^\[\]]*\]|Br|Cl|%[0-9]{2}|.", re.DOTALL)
    pairs = ("Br", "Cl")
    ring_numbers = True

    def hint(self, symbol: str) -> str:
        """Return how to rewrite an aromatic atom where no known symbol is one, as of records in Kekulé's form."""
        if not _AROMATIC.match(symbol) or any(map(_AROMATIC.match, self.symbols)):
            return ""
        form = "write rings in Kekulé's form, C1=CC=CC=C1 (RDKit: Chem.Kekulize)"
        return f"the records that the model learned from have no aromatic atoms: {form}"


class SelfiesTokenizer(SubstringTokenizer):
    """Symbols are bracketed groups such as ``[=Branch1]``, and single characters such as ``.``."""

    pattern = re.compile(r"\[[^\[\]]*\]|.", re.DOTALL)
    _selfies = re.compile(r"(\[[^\[\]]*\]|\.)*")

    @classmethod
    def corpus_warning(cls, texts: Sequence[str]) -> str:
        """Return a line on texts that are not SELFIES, or "".

        Raises:
            CorpusError: most of them are not, as in a corpus of SMILES.
        """
        others = [text for text in texts if not cls._selfies.fullmatch(text)]
        if not others:
            return ""
        seen = (
            f"{len(others)} of the first {len(texts)} records are not SELFIES, such as {seqgen.short_repr(others[0])}"
        )
        if 2 * len(others) > len(texts):
            raise seqgen.CorpusError(
                f"cannot train with the tokenizer selfies: {seen}; use --domain smiles for SMILES, or translate them: "
                "-o corpus.form=selfies for a corpus of molecules, selfies.encoder for a file"
            )
        return f"{seen}; their characters are learned one by one"
