"""An estimate of the number of distinct texts."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

_MAX_KEPT = 1 << 18  # hashes of texts


class Distinct:
    """An estimate of the number of distinct texts, in bounded memory; a pure function of the texts.

    Source: adaptive sampling, M. Wegman; analysed by P. Flajolet, Computing 43 (1990): only hashes that end in k zero
    bits are kept, and k grows with their number. The low half of a hash is a CRC-32, which is cheap; the high half is
    computed of what is kept.

    Args:
        mask: the k bits as a number, if that many are known to be needed.
        kept: the hashes kept so far.
    """

    def __init__(self, mask: int = 0, kept: Iterable[int] = ()) -> None:
        self.mask, self.kept = mask, set(kept)

    def add(self, texts: Iterable[str]) -> None:
        """Count texts."""
        mask = self.mask
        for data in (text.encode("utf-8", "surrogatepass") for text in texts):
            low = zlib.crc32(data)
            if not low & mask:
                self.kept.add(int.from_bytes(hashlib.blake2b(data, digest_size=4).digest(), "little") << 32 | low)
        self._limit()

    def join(self, other: Distinct) -> None:
        """Count what another one has counted."""
        self.mask = max(self.mask, other.mask)
        self.kept = {found for found in self.kept | other.kept if not found & self.mask}
        self._limit()

    def _limit(self) -> None:
        while len(self.kept) > _MAX_KEPT:
            self.mask = mask = 2 * self.mask + 1
            self.kept = {found for found in self.kept if not found & mask}

    def count(self) -> int:
        """Return the number of distinct texts."""
        return len(self.kept) * (self.mask + 1)
