"""Fits of weights: features scaled to mean 0 and standard deviation 1, the last one the constant 1; Newton's steps.

Dimension letters: N symbols, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from seqgen.protocols import Floats


_SPREAD = 1e-3  # standard deviation below which a feature counts as constant
_SMALLEST_STEP = 1 / 64
Value = Callable[[Tensor], tuple[float, Tensor]]
Change = Callable[[Tensor, Tensor], Tensor]


class Scaled:
    """The scaled features of some symbols, and weights of both forms; a feature that is constant gets the weight 0.

    Args:
        features_NF: of at least one symbol, the constant last.

    Attributes:
        x_NF: scaled, float64.
    """

    def __init__(self, features_NF: Floats) -> None:
        x_NF = torch.from_numpy(np.ascontiguousarray(features_NF, dtype=np.float64))
        center_F, scale_F = x_NF.mean(0), x_NF.std(0, correction=0)
        self._varies_F = scale_F >= _SPREAD
        self._center_F = torch.where(self._varies_F, center_F, 0.0)
        self._scale_F = torch.where(self._varies_F, scale_F, 1.0)
        self.x_NF = (x_NF - self._center_F) / self._scale_F * self._varies_F
        self.x_NF[:, -1] = 1.0

    def scale(self, weights: Floats) -> Tensor:
        """Return weights (..., F) of the features as weights of the scaled ones."""
        known = torch.from_numpy(weights)
        scaled = known * self._scale_F * self._varies_F
        scaled[..., -1] = known[..., -1] + known[..., :-1] @ self._center_F[:-1]
        return scaled

    def unscale(self, scaled: Tensor) -> Floats:
        """Return weights (..., F) of the scaled features as weights of the features."""
        weights = scaled / self._scale_F
        weights[..., -1] -= weights[..., :-1] @ self._center_F[:-1]
        found: Floats = weights.numpy()
        return found


def climb(value: Value, change: Change, weights: Tensor, *, most: int, close: float) -> Tensor:
    """Return weights of the largest value, by at most so many of Newton's steps, halved where they overshoot.

    Args:
        value: returns the value of weights, and what ``change`` needs of it.
        change: returns Newton's step from weights, given that.
        weights: to begin with.
        most: limit on the steps.
        close: gain of a step below which they end.
    """
    best, found = value(weights)
    for _ in range(most):
        step, size = change(weights, found), 1.0
        while (tried := value(weights + size * step))[0] < best and size >= _SMALLEST_STEP:
            size /= 2
        if tried[0] < best + close:
            break
        weights, (best, found) = weights + size * step, tried
    return weights
