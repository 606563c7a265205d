"""Built-in tokenizers (char, byte), and the vocabulary that adds special symbols and conditions."""

from seqgen.tokenizers.byte import ByteTokenizer
from seqgen.tokenizers.char import CharTokenizer, nearest
from seqgen.tokenizers.vocabulary import (
    BOS,
    EOS,
    PAD,
    Vocabulary,
    extend_conditions,
    extend_tokenizer,
    is_partial,
    map_ids,
    new_tokens,
)

__all__ = [
    "BOS", "EOS", "PAD", "ByteTokenizer", "CharTokenizer", "Vocabulary", "extend_conditions", "extend_tokenizer",
    "is_partial", "map_ids", "nearest", "new_tokens",
]  # fmt: skip
