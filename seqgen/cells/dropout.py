"""Dropout with a mask that is fast to sample on the CPU.

Source: Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 1 << 16


class Dropout(nn.Module):
    """A layer that sets a share of the features to 0 while training and scales the others up.

    On the CPU a mask takes 16 random bits a feature and a third of torch's time; the share is exact to 1 / 65,536.

    Args:
        share: of the features that are dropped, from 0 to less than 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def mask(self, x_TBH: Tensor) -> Tensor | None:
        """Return a mask to multiply the features with; None where none are dropped.

        It is sampled time first, as the layers compute, so that all engines sample the same one.
        """
        return dropout_mask(x_TBH, self.share) if self.training and self.share else None

    def forward(self, x_BTH: Tensor) -> Tensor:
        """Return the features times the mask."""
        x_TBH = x_BTH.transpose(0, 1)
        mask_TBH = self.mask(x_TBH)
        return x_BTH if mask_TBH is None else (x_TBH * mask_TBH).transpose(0, 1)


def dropout_mask(like: Tensor, share: float) -> Tensor:
    """Return a mask of the shape, dtype and device of a tensor: 0 with probability ``share``, else 1 / (1 - share)."""
    if like.device.type != "cpu":
        return functional.dropout(torch.ones_like(like), share)
    dropped = min(round(share * _LEVELS), _LEVELS - 1)
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64).random_(-(2**63), 2**63 - 1)
    kept = words.view(torch.int16)[: like.numel()].view(like.shape) >= dropped - _LEVELS // 2
    return kept.to(like.dtype).mul_(_LEVELS / (_LEVELS - dropped))
