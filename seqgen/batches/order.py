"""In which order records are seen: a pure function of the seed and the epoch, in bounded memory.

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

_BLOCK = 64  # records that stand together in the corpus and are read together: about a page
_POOL = 1024  # blocks shuffled together
_WINDOW = 50  # batches sorted by length together


def epoch_batches(lengths_N: Integers, batch_size: int, seed: int, epoch: int) -> Iterator[Order]:
    """The batches of an epoch as record indices: a pure function of the arguments, found as they are asked for.

    Blocks of 64 records come in random order, 1,024 of them are shuffled together: like the whole corpus even where
    that is sorted, and read in pages. In windows of 50 batches records of like length are put together, and the batches
    of a window come in random order.

    Args:
        lengths_N: the length of each record.
        batch_size: records a batch; the last one of a window may have fewer.
        seed: the run's seed.
        epoch: 0, 1, ...
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
    """How many batches an epoch has."""
    return -(-n_records // batch_size)


def evaluation_batches(lengths_N: Integers, batch_size: int, most: int) -> Iterator[Order]:
    """At most ``most`` records, evenly spaced over the corpus, in batches of like length."""
    every = max(1, -(-len(lengths_N) // most))
    rows = np.arange(0, len(lengths_N), every)
    rows = rows[_by_length(lengths_N[rows])]
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]


def _by_length(lengths_N: Integers) -> Order:
    """The places of lengths in ascending order, equal ones as they come."""
    # Numbers of 16 bits are sorted by their digits, in a tenth of the time.
    fit = len(lengths_N) and lengths_N.max() < 2**16
    return np.argsort(lengths_N.astype(np.uint16) if fit else lengths_N, kind="stable")


def derive_seed(purpose: str, *numbers: int) -> int:
    """A 63-bit seed that differs for every purpose and number."""
    text = " ".join([purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def uniforms(key: int, rows_N: Order, n_columns: int) -> npt.NDArray[np.float64]:
    """For each row and column a number in [0, 1) that depends on (key, row, column) alone.

    SplitMix64's finalizer (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators) of a counter.

    Args:
        key: a seed of 63 bits.
        rows_N: which rows.
        n_columns: C.

    Returns:
        (N, C).
    """
    mixed: Any  # numpy's types lose track of unsigned integers
    with np.errstate(over="ignore"):
        place = rows_N.astype(np.uint64)[:, None] * np.uint64(n_columns) + np.arange(n_columns, dtype=np.uint64)
        mixed = (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    uniform_NC: npt.NDArray[np.float64] = (mixed >> np.uint64(11)) * 2.0**-53
    return uniform_NC
