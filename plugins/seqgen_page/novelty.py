"""A Bloom filter of training records (doi:10.1145/362686.362692), as the page reads it.

The bits of a text are h_1 + i h_2 modulo the number of bits, i = 0, 1, ...; h_1 and h_2 are the first two words of 32
bits of the SHA-256 of the text in NFC (Kirsch and Mitzenmacher, doi:10.1002/rsa.20208).
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

ONE_IN = 1000
"""A text that is no record is taken for one with a probability of 1 / ONE_IN."""


def bloom_filter(texts: Iterable[str], one_in: int = ONE_IN) -> tuple[Array, dict[str, Any]]:
    """Return the bits of a filter, eight a byte (uint8), the lowest first, and what reading it needs.

    Args:
        texts: the records; equal ones count once.
        one_in: a further text matches with a probability of 1 / ``one_in``.
    """
    words = {hashlib.sha256(unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")).digest()[:8]
             for text in texts}  # fmt: skip
    n_hashes = max(1, round(math.log2(one_in)))
    # Beyond 2**32 bits, more than 200 million records, the words would not reach all of them.
    size = min(2**32, max(64, math.ceil(len(words) * math.log(one_in) / math.log(2) ** 2)))
    first, second = np.frombuffer(b"".join(sorted(words)), ">u4").reshape(-1, 2).astype(np.uint64).T
    bits = np.zeros(math.ceil(size / 8), np.uint8)
    for turn in range(n_hashes):
        places = (first + np.uint64(turn) * second) % np.uint64(size)
        np.bitwise_or.at(bits, places >> np.uint64(3), np.left_shift(1, places & np.uint64(7)).astype(np.uint8))
    return bits, {"size": size, "hashes": n_hashes, "oneIn": one_in, "records": len(words)}
