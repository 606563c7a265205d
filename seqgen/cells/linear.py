"""Linear recurrences over time: h_t = a_t * h_{t-1} + b_t, element by element."""

from __future__ import annotations

import torch
from torch import Tensor


def linear_scan(a_BTH: Tensor, b_BTH: Tensor, h_BH: Tensor) -> Tensor:
    """All h_t = a_t * h_{t-1} + b_t of a sequence.

    Args:
        a_BTH: the factors.
        b_BTH: what is added.
        h_BH: the state before the first step.

    Returns:
        h_1 .. h_T, (B, T, H).
    """
    states = []
    for a_BH, b_BH in zip(a_BTH.unbind(1), b_BTH.unbind(1), strict=True):
        h_BH = torch.addcmul(b_BH, a_BH, h_BH)
        states.append(h_BH)
    return torch.stack(states, 1)
