"""Options of the tokenizers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

MinCount = Annotated[
    int, Field(ge=1, description="occurrences a word needs to be one symbol; rarer words are spelled out")
]
MaxWords = Annotated[int, Field(ge=0, description="most words that are symbols; the most frequent are kept")]
Pattern = Annotated[
    str | None,
    Field(
        description="regular expression of a word; text between matches is split into characters; "
        "left out: words with their apostrophes, and numbers"
    ),
]

VocabSize = Annotated[
    int,
    Field(ge=1, le=1_000_000, description="vocabulary size: all characters, then merges up to this number"),
]
MinFrequency = Annotated[int, Field(ge=1, description="occurrences in the training part a pair needs to be merged")]
Split = Literal["words", "blanks", "none"]
SplitChoice = Annotated[
    Split,
    Field(
        description="boundaries merges do not cross: words (words, numbers and punctuation, each with the space before "
        "it), blanks (whitespace only), or none, for texts without words, such as molecules"
    ),
]
