"""The byte tokenizer: one symbol per byte of UTF-8, so that it can encode any text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqgen.protocols import Tokenizer

if TYPE_CHECKING:
    from seqgen.protocols import Ids, Lengths


class ByteTokenizer(Tokenizer):
    """A tokenizer with 256 fixed symbols; bytes that are not UTF-8 decode to U+FFFD, so a sample is always text."""

    n_symbols = 256

    @classmethod
    def fit(cls, texts: Iterable[str], **options: Any) -> Self:
        """Return the tokenizer; the texts are consumed but nothing is learned from them."""
        for _ in texts:
            pass
        return cls()

    @classmethod
    def join(cls, fitted: Sequence[Self]) -> Self:
        """Return the tokenizer of all texts, given those of several parts of them."""
        return cls()

    def encode(self, text: str) -> list[int]:
        """Return the bytes of a text."""
        return list(text.encode("utf-8", "surrogatepass"))

    def encode_many(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """Return the concatenated bytes of many texts, (N,) uint8, and the number of bytes of each."""
        rows = [text.encode("utf-8", "surrogatepass") for text in texts]
        lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
        return np.frombuffer(b"".join(rows), dtype=np.uint8), lengths

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of a sequence of bytes."""
        data = bytes(ids)
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def symbol_bytes(self) -> list[bytes]:
        """Return the bytes that each symbol writes."""
        return [bytes([byte]) for byte in range(self.n_symbols)]

    def to_json(self) -> dict[str, Any]:
        """Return {}: there is nothing to store."""
        return {}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the tokenizer."""
        return cls()
