"""Random draws that depend on (seed, row, position) and on nothing else.

Dimension letters: B rows computed together, V vocabulary.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

BLOCK = 1024
"""Rows that share a stream of uniforms."""


class Uniforms:
    """The uniforms of some rows of one block, position after position.

    Args:
        seed: the sampling seed.
        start: the first row; the rows must lie in one block of 1,024.
        width: how many rows.
    """

    def __init__(self, seed: int, start: int, width: int) -> None:
        block, offset = divmod(start, BLOCK)
        assert offset + width <= BLOCK, "rows of two blocks"
        self._random = np.random.Generator(np.random.Philox(key=[seed, block]))
        self._rows = slice(offset, offset + width)

    def next(self) -> Tensor:
        """One uniform in [0, 1) a row; all of the block's are drawn, so that it does not matter which are asked."""
        return torch.from_numpy(self._random.random(BLOCK, dtype=np.float32)[self._rows])


def draw(logits_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """Draw an id for each row by the inverse of the cumulative distribution; minus infinity is never drawn.

    Returns:
        Ids (B,); 0 where no id can be drawn, since the logits are not numbers or all minus infinity.
    """
    cdf_BV = torch.softmax(logits_BV, -1).cumsum(-1)
    total_B1 = cdf_BV[:, -1:]
    # Rounding can make the product reach the total, which no symbol exceeds.
    target_B1 = torch.minimum(uniform_B[:, None] * total_B1, torch.nextafter(total_B1, torch.zeros_like(total_B1)))
    return (cdf_BV <= target_B1).sum(-1)
