"""Reproducible categorical sampling: random numbers are a pure function of (seed, row, position).

Dimension letters: A rows, C computed rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

BLOCK = 1024
"""Number of rows that share one random stream."""
_AHEAD = 4  # positions whose random numbers are generated in one call


class Uniforms:
    """A stream of uniform random numbers for a range of rows, one per row and position.

    Args:
        seed: the sampling seed.
        start: number of the first row.
        width: number of rows.
        stream: which of several independent streams of a seed, 0 to 15.
    """

    def __init__(self, seed: int, start: int, width: int, stream: int = 0) -> None:
        first, last = start // BLOCK, (start + width - 1) // BLOCK
        keys = [[seed, block + (stream << 60)] for block in range(first, last + 1)]
        self._streams = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
        self._ahead: list[Tensor] = []
        self._rows = slice(start - first * BLOCK, start - first * BLOCK + width)

    def next(self) -> Tensor:
        """Return float32 uniforms in [0, 1), (width,), of the next position.

        Whole blocks are generated, so a row gets the same numbers whatever range of rows is asked for.
        """
        if not self._ahead:
            block = np.empty((len(self._streams), _AHEAD, BLOCK), dtype=np.float32)
            for stream, uniforms in zip(self._streams, block, strict=True):
                stream.random(dtype=np.float32, out=uniforms)
            self._ahead = [
                torch.from_numpy(row) for row in block.transpose(1, 0, 2).reshape(_AHEAD, -1)[::-1, self._rows]
            ]
        return self._ahead.pop()


def identity(computed_CV: Tensor) -> Tensor:
    """Return the argument: the expansion where every row is computed by itself."""
    return computed_CV


def sample_ids(logits_CV: Tensor, uniform_A: Tensor, expand: Callable[[Tensor], Tensor] = identity) -> Tensor:
    """Sample an id for each row by inverting the cumulative distribution; an id at minus infinity is never sampled.

    Args:
        logits_CV: unnormalised log-probabilities of the computed rows.
        uniform_A: a uniform random number for each row, at most 1 - 2**-24.
        expand: maps values of the computed rows (C, ...) to all rows (A, ...).

    Returns:
        Ids (A,); V where no id can be sampled because the logits are NaN or all minus infinity.
    """
    # Sums in float64: those in float32 would be rounded by as much as the logits of two programs differ, or more, so
    # that an exported model would choose another symbol more often.
    cdf_AV = expand(torch.softmax(logits_CV.float(), -1).cumsum(-1, dtype=torch.float64))
    # (1 - 2**-24) x rounds below x for every x, so the product stays below the total, and the first sum that exceeds
    # it belongs to a symbol of positive probability. A sum that is NaN exceeds nothing.
    return torch.searchsorted(cdf_AV, uniform_A[:, None] * cdf_AV[:, -1:], right=True)[:, 0]
