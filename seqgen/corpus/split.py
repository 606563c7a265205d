"""Which records are trained on and which are held out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from seqgen.corpus.corpus import Record

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Splitter:
    """Assigns a record to a part by a hash of (seed, text), so that equal texts never stand on both sides.

    Attributes:
        shares: the shares of training, validation and test, which sum to 1.
        seed: another seed gives another split; the label plays no role.
    """

    shares: tuple[float, float, float] = (0.9, 0.05, 0.05)
    seed: int = 0

    def part(self, record: Record) -> str:
        """The record's own split if it carries one, else "train", "valid" or "test" by its text."""
        if record.split is not None:
            return record.split
        data = record.text.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=8, key=self.seed.to_bytes(8, "little")).digest()
        share = int.from_bytes(digest, "little") / 2**64
        if share < self.shares[0]:
            return "train"
        return "valid" if share < self.shares[0] + self.shares[1] else "test"
