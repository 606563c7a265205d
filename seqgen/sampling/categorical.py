"""Random draws that depend on (seed, row, position) and on nothing else.

Dimension letters: A rows, C rows computed, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

BLOCK = 1024
"""Rows that share a stream of uniforms."""
_AHEAD = 4  # positions whose uniforms are drawn in one go


class Uniforms:
    """The uniforms of some rows, position after position.

    Args:
        seed: the sampling seed.
        start: the first row.
        width: how many rows.
    """

    def __init__(self, seed: int, start: int, width: int) -> None:
        first, last = start // BLOCK, (start + width - 1) // BLOCK
        self._streams = [np.random.Generator(np.random.Philox(key=[seed, block])) for block in range(first, last + 1)]
        self._ahead: list[Tensor] = []
        self._rows = slice(start - first * BLOCK, start - first * BLOCK + width)

    def next(self) -> Tensor:
        """One uniform in [0, 1) a row; all of a block's are drawn, so that it does not matter which are asked."""
        if not self._ahead:
            drawn = np.empty((len(self._streams), _AHEAD, BLOCK), dtype=np.float32)
            for stream, uniforms in zip(self._streams, drawn, strict=True):
                stream.random(dtype=np.float32, out=uniforms)
            self._ahead = [
                torch.from_numpy(row) for row in drawn.transpose(1, 0, 2).reshape(_AHEAD, -1)[::-1, self._rows]
            ]
        return self._ahead.pop()


def as_it_is(computed: Tensor) -> Tensor:
    """For rows that are all computed."""
    return computed


def draw(logits_CV: Tensor, uniform_A: Tensor, of_rows: Callable[[Tensor], Tensor] = as_it_is) -> Tensor:
    """Draw an id for each row by the inverse of the cumulative distribution; minus infinity is never drawn.

    Args:
        logits_CV: unnormalised logarithms, of the rows that were computed.
        uniform_A: for each row a multiple of 2**-24 below one, or anything as far from one.
        of_rows: gives each row what was computed for it.

    Returns:
        Ids (A,); V where no id can be drawn, since the logits are not numbers or all minus infinity.
    """
    cdf_AV = of_rows(torch.softmax(logits_CV.float(), -1).cumsum(-1))
    # (1 - 2**-24) x rounds below x for every x, so the product stays below the total, and the first sum that exceeds
    # it belongs to a symbol that has a share. Sums that are not numbers exceed nothing.
    return torch.searchsorted(cdf_AV, uniform_A[:, None] * cdf_AV[:, -1:], right=True)[:, 0]
