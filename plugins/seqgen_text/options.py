"""The options of the tokenizers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

MinCount = Annotated[
    int, Field(ge=1, description="how often a word must stand in the corpus to be one symbol; others are spelled")
]
MaxWords = Annotated[int, Field(ge=0, description="how many words are symbols at most; the most frequent are kept")]
Pattern = Annotated[
    str | None,
    Field(
        description="a regular expression: what it matches is a word, what lies between is single characters; "
        "left out: words with their apostrophes, and numbers"
    ),
]

VocabSize = Annotated[
    int, Field(ge=1, le=1_000_000, description="symbols: all characters of the corpus, then merges up to this number")
]
MinFrequency = Annotated[int, Field(ge=1, description="how often a pair must stand in the training part to be merged")]
Split = Literal["words", "blanks", "none"]
SplitChoice = Annotated[
    Split,
    Field(
        description="where nothing is merged across: words, numbers and runs of marks, each with the blank before it; "
        "blanks only; or none, for what has no words, such as molecules"
    ),
]
