"""Tokenizers that live in core (char, byte), and the vocabulary that frames their symbols."""

from seqgen.tokenizers.byte import ByteTokenizer
from seqgen.tokenizers.char import CharTokenizer, nearest
from seqgen.tokenizers.growth import grown, new_in, places_in, with_values
from seqgen.tokenizers.vocabulary import BOS, EOS, PAD, Vocabulary

__all__ = [
    "BOS", "EOS", "PAD", "ByteTokenizer", "CharTokenizer", "Vocabulary", "grown", "nearest", "new_in",
    "places_in", "with_values",
]  # fmt: skip
