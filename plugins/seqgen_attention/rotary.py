"""Rotary positions: R_m rotates the plane of features i and i + d/2 by the angle m theta_i.

Source: arXiv:2104.09864, section 3.2.2, which pairs neighbours; that is the same up to feature order.

Dimension letters: B batch, A heads, T steps, D features per head.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BASE = 10_000.0


def rotate(x_BATD: Tensor, start: int, stride: int = 1) -> Tensor:
    """Rotate each step by R_m, where m = ``start`` + ``stride`` * step."""
    T, D = x_BATD.shape[2:]
    half = D // 2
    # bfloat16 cannot represent all integers beyond 256.
    dtype = torch.promote_types(x_BATD.dtype, torch.float32)
    theta_D = _BASE ** (-2 / max(D, 1) * torch.arange(half, dtype=dtype, device=x_BATD.device))
    angle_TD = (start + stride * torch.arange(T, dtype=dtype, device=x_BATD.device))[:, None] * theta_D
    cos_TD, sin_TD = angle_TD.cos().to(x_BATD.dtype), angle_TD.sin().to(x_BATD.dtype)
    one, two, rest = x_BATD[..., :half], x_BATD[..., half : 2 * half], x_BATD[..., 2 * half :]
    return torch.cat([one * cos_TD - two * sin_TD, one * sin_TD + two * cos_TD, rest], -1)
