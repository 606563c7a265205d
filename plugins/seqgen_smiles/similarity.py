"""Similarity of sets of molecules, from fingerprints and from counts.

N and M are numbers of molecules; a fingerprint has 1024 bits, packed in 128 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

_ROWS, _COLUMNS = 1024, 1024  # of a block: 4 MiB of similarities, which fit in the cache


def nearest(prints_N: npt.NDArray[np.uint8], others_M: npt.NDArray[np.uint8]) -> float:
    """Return the mean over N of the Tanimoto similarity to the nearest of M; neither may be empty."""
    import torch

    total = 0.0
    for rows in _blocks(prints_N, _ROWS):
        best_R = torch.zeros(len(rows))
        for columns in _blocks(others_M, _COLUMNS):
            best_R = torch.maximum(best_R, _tanimoto(rows, columns).amax(1))
        total += float(best_R.double().sum())
    return total / len(prints_N)


def diversities(prints_N: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Return the internal diversities of order 1 and 2; the set may not be empty.

    Each is 1 - the mean over molecules of the p-mean of a molecule's similarity to all, itself included. (The paper
    puts the root of order p outside both means; the program that computed its values, and this one, do not.)
    """
    import torch

    ones, twos = 0.0, 0.0
    for rows in _blocks(prints_N, _ROWS):
        once_R, squared_R = torch.zeros(len(rows), dtype=torch.float64), torch.zeros(len(rows), dtype=torch.float64)
        for columns in _blocks(prints_N, _COLUMNS):
            similarity = _tanimoto(rows, columns)
            once_R += similarity.sum(1)
            squared_R += similarity.square_().sum(1)
        ones += float((once_R / len(prints_N)).sum())
        twos += float((squared_R / len(prints_N)).sqrt().sum())
    return 1 - ones / len(prints_N), 1 - twos / len(prints_N)


def _blocks(prints: npt.NDArray[np.uint8], size: int) -> list[npt.NDArray[np.uint8]]:
    return [prints[start : start + size] for start in range(0, len(prints), size)]


def _tanimoto(rows: npt.NDArray[np.uint8], columns: npt.NDArray[np.uint8]) -> Tensor:
    """Return the similarities of all pairs: common bits / bits in either."""
    import torch

    first, second = (torch.from_numpy(np.unpackbits(part, axis=1)).float() for part in (rows, columns))
    common = first @ second.T
    either = (first.sum(1)[:, None] + second.sum(1)).sub_(common).clamp_min_(1)
    return common.div_(either)


def cosine(counts: Mapping[str, int], others: Mapping[str, int]) -> float | None:
    """Return the cosine similarity of two tables of counts; None if one is empty."""
    common = sum(count * others[name] for name, count in counts.items() if name in others)
    lengths = math.sqrt(sum(n * n for n in counts.values()) * sum(n * n for n in others.values()))
    return common / lengths if lengths else None


def wasserstein(values: Sequence[float], others: Sequence[float]) -> float | None:
    """Return the first Wasserstein distance of two samples of a quantity, in its unit; None if one is empty."""
    if not len(values) or not len(others):
        return None
    first, second = np.sort(values), np.sort(others)
    points = np.sort(np.concatenate((first, second)))
    below = [np.searchsorted(side, points[:-1], "right") / len(side) for side in (first, second)]
    return float(np.sum(np.abs(below[0] - below[1]) * np.diff(points)))
