"""What torch's layers can do in short numbers depends on the processor."""

from __future__ import annotations

import functools

import torch


@functools.cache
def has_short_layer() -> bool:
    """Whether torch's LSTM works under bfloat16's autocast here; without AVX-512 oneDNN has none."""
    x_TBI, state, weight = torch.zeros(2, 1, 1), torch.zeros(1, 1, 1), torch.zeros(4, 1)
    weights = [weight, weight, weight[:, 0], weight[:, 0]]
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.lstm(x_TBI, (state, state), weights, True, 1, 0.0, True, False, False)
    except RuntimeError:
        return False
    return True
