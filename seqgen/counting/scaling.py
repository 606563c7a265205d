"""Features scaled for a fit: each has mean 0 and standard deviation 1, and the last one is the constant 1.

Dimension letters: N symbols, F features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

_SPREAD = 1e-3  # standard deviation below which a feature counts as constant


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
