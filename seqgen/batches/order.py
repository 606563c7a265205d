"""The order of records in an epoch, as a pure function of the seed and the epoch, in bounded memory.

Dimension letters: B batch, N records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Order = npt.NDArray[np.int64]
    Integers = npt.NDArray[np.integer[Any]]

_BLOCK = 64  # consecutive records that are read together: about a page
_POOL = 1024  # blocks that are shuffled together
_WINDOW = 50  # batches that are sorted by length together


def epoch_batches(lengths_N: Integers, batch_size: int, seed: int, epoch: int) -> Iterator[Order]:
    """Yield the batches of an epoch as record indices, as a pure function of the arguments.

    Blocks of 64 records are visited in random order, and the records of 1,024 blocks are shuffled together: close to a
    full shuffle even for a sorted corpus, while reading whole pages. Within windows of 50 batches, records of similar
    length are grouped, and the batches are shuffled.

    Args:
        lengths_N: the length of each record.
        batch_size: records per batch; the last batch of a window may have fewer.
        seed: the seed of the run.
        epoch: the epoch, from 0.
    """
    random = np.random.Generator(np.random.Philox(key=derive_seed("order", seed, epoch)))
    width = _WINDOW * batch_size

    def cut(window: Order) -> Iterator[Order]:
        window = window[_by_length(lengths_N[window])]
        cuts = [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
        return map(cuts.__getitem__, random.permutation(len(cuts)).tolist())

    left = np.empty(0, dtype=np.int64)
    n = len(lengths_N)
    blocks = random.permutation(-(-n // _BLOCK)) if n > _POOL * _BLOCK else np.arange(-(-n // _BLOCK))
    for start in range(0, len(blocks), _POOL):
        rows = (blocks[start : start + _POOL, None] * _BLOCK + np.arange(_BLOCK)).reshape(-1)
        left = np.concatenate((left, random.permutation(rows[rows < n])))
        while len(left) >= width:
            yield from cut(left[:width])
            left = left[width:]
    if len(left):
        yield from cut(left)


def count_batches(n_records: int, batch_size: int) -> int:
    """Return the number of batches of an epoch."""
    return -(-n_records // batch_size)


def evaluation_batches(lengths_N: Integers, batch_size: int, most: int) -> Iterator[Order]:
    """Yield at most ``most`` records, evenly spaced over the corpus, in batches of similar length."""
    every = max(1, -(-len(lengths_N) // most))
    rows = np.arange(0, len(lengths_N), every)
    rows = rows[_by_length(lengths_N[rows])]
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]


def _by_length(lengths_N: Integers) -> Order:
    """Return the indices that sort lengths in ascending order, stably."""
    # numpy sorts 16-bit integers by radix sort, in a tenth of the time.
    fit = len(lengths_N) and lengths_N.max() < 2**16
    return np.argsort(lengths_N.astype(np.uint16) if fit else lengths_N, kind="stable")


def derive_seed(purpose: str, *numbers: int) -> int:
    """Return a 63-bit seed that differs for every purpose and number."""
    text = " ".join([purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def uniforms(key: int, rows_N: Order, n_columns: int) -> npt.NDArray[np.float64]:
    """Return uniform numbers in [0, 1) that depend on (key, row, column) alone, (N, C).

    Source: SplitMix64's finalizer (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators) applied
    to a counter.

    Args:
        key: a 63-bit seed.
        rows_N: the row numbers.
        n_columns: C.
    """
    mixed: Any  # numpy's stubs do not infer unsigned integers here
    with np.errstate(over="ignore"):
        place = rows_N.astype(np.uint64)[:, None] * np.uint64(n_columns) + np.arange(n_columns, dtype=np.uint64)
        mixed = (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    uniform_NC: npt.NDArray[np.float64] = (mixed >> np.uint64(11)) * 2.0**-53
    return uniform_NC
