"""A symbol is a byte of the text's UTF-8 form: no text is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqgen.protocols import Tokenizer

if TYPE_CHECKING:
    from seqgen.protocols import Ids, Lengths


class ByteTokenizer(Tokenizer):
    """Always 256 symbols. Bytes that are not UTF-8 decode to U+FFFD, so a sample is always text."""

    n_symbols = 256

    @classmethod
    def fit(cls, texts: Iterable[str], **options: Any) -> Self:
        """Nothing to learn; the texts are iterated, as for every tokenizer."""
        for _ in texts:
            pass
        return cls()

    def encode(self, text: str) -> list[int]:
        """The bytes of a text."""
        return list(text.encode("utf-8", "surrogatepass"))

    def encode_many(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """All bytes of many texts one after another, and how many each has."""
        rows = [text.encode("utf-8", "surrogatepass") for text in texts]
        lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
        return np.frombuffer(b"".join(rows), dtype=np.uint8), lengths

    def decode(self, ids: Sequence[int]) -> str:
        """The text of bytes."""
        data = bytes(ids)
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def symbol_bytes(self) -> list[bytes]:
        """What each symbol writes."""
        return [bytes([byte]) for byte in range(self.n_symbols)]

    def to_json(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The tokenizer."""
        return cls()
