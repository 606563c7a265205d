"""Which records are trained on and which are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
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
        return self.parts([record])[0]

    def parts(self, records: Iterable[Record]) -> list[str]:
        """What ``part`` gives, for many records."""
        (train, valid, _), from_bytes, parts = self.shares, int.from_bytes, list[str]()
        begin = hashlib.blake2b(digest_size=8, key=self.seed.to_bytes(8, "little")).copy
        for text, _, _, split in records:
            if split is not None:
                parts.append(split)
                continue
            keyed = begin()  # cheaper than to begin with the key each time
            keyed.update(text.encode("utf-8", "surrogatepass"))
            share = from_bytes(keyed.digest(), "little") / 2**64
            parts.append("train" if share < train else "valid" if share < train + valid else "test")
        return parts

    def ends(self, n_chars: int) -> dict[str, int]:
        """Where each part of one long text ends, in characters: they follow one another."""
        train, valid, _ = self.shares
        return {"train": round(train * n_chars), "valid": round((train + valid) * n_chars), "test": n_chars}
