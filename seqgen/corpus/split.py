"""The split of a corpus into training, validation and test parts."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from seqgen.corpus.corpus import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Splitter:
    """A split by a hash of (seed, text), so that equal texts are always in the same part.

    Attributes:
        shares: the shares of training, validation and test, which sum to 1.
        seed: the seed of the hash; labels do not affect the split.
    """

    shares: tuple[float, float, float] = (0.9, 0.05, 0.05)
    seed: int = 0

    def part(self, record: Record) -> str:
        """Return the record's own split if it has one, else "train", "valid" or "test" by the hash of its text."""
        if record.split is not None:
            return record.split
        share = int.from_bytes(self._digest()(record.text), "little") / 2**64
        return PARTS[bisect.bisect_right(self._bounds, share)]

    def parts(self, records: Sequence[Record]) -> npt.NDArray[np.int8]:
        """Return the part of each record as an index into ``PARTS``, (N,) int8."""
        import numpy as np

        if set(map(itemgetter(3), records)) <= {None}:
            return self._by_text(map(itemgetter(0), records))
        own = {None: -1} | {part: index for index, part in enumerate(PARTS)}
        parts_N = np.fromiter((own[record.split] for record in records), np.int8, len(records))
        free = np.flatnonzero(parts_N < 0)
        parts_N[free] = self._by_text(records[place].text for place in free.tolist())
        return parts_N

    def _by_text(self, texts: Iterable[str]) -> npt.NDArray[np.int8]:
        import numpy as np

        shares_N = np.frombuffer(b"".join(map(self._digest(), texts)), dtype="<u8") / 2.0**64
        return np.searchsorted(self._bounds, shares_N, side="right").astype(np.int8)

    @property
    def _bounds(self) -> tuple[float, float]:
        """Return the ends of the training and validation parts, as cumulative shares."""
        return self.shares[0], self.shares[0] + self.shares[1]

    def _digest(self) -> Callable[[str], bytes]:
        """Return a function that maps a text to its 8-byte hash."""
        begin = hashlib.blake2b(digest_size=8, key=self.seed.to_bytes(8, "little")).copy

        def digest(text: str) -> bytes:
            keyed = begin()  # cheaper than processing the key each time
            keyed.update(text.encode("utf-8", "surrogatepass"))
            return keyed.digest()

        return digest

    def ends(self, n_chars: int) -> dict[str, int]:
        """Return the end of each part of one long text, in characters; the parts are consecutive."""
        train, valid = (round(bound * n_chars) for bound in self._bounds)
        return {"train": train, "valid": valid, "test": n_chars}
