"""The matrix memory of the mLSTM over the steps of a chunk, all pairs of them at once; ``mlstm`` has the equations.

Dimension letters: B batch, A heads, D features of a head, L and S steps of the chunk.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST = 1e-6

Memory = tuple[Tensor, Tensor, Tensor]
"""C (B, A, D, D), n (B, A, D) and m (B, A)."""


def remember(
    q_BALD: Tensor, k_BALD: Tensor, v_BALD: Tensor, i_BAL: Tensor, f_BAL: Tensor, memory: Memory
) -> tuple[Tensor, Memory]:
    """What the memory gives to the queries (B, A, L, D), and the memory after the chunk; f is log sigmoid(f)."""
    (c_BADD, n_BAD, m_BA), L = memory, q_BALD.shape[2]
    total_BAL = f_BAL.cumsum(2)  # what has been forgotten since the chunk began
    weight_BALS = (total_BAL[..., None] - total_BAL[..., None, :]) + i_BAL[..., None, :]
    if L > 1:
        later_LS = torch.ones(L, L, dtype=torch.bool, device=q_BALD.device).triu(1)
        weight_BALS = weight_BALS.masked_fill(later_LS, -torch.inf)
    before_BAL = total_BAL + m_BA[..., None]
    m_BAL = torch.maximum(before_BAL, weight_BALS.amax(3)).detach()
    weight_BALS = torch.exp(weight_BALS - m_BAL[..., None])
    old_BAL1 = torch.exp(before_BAL - m_BAL)[..., None]
    pairs_BALS = (q_BALD @ k_BALD.transpose(2, 3)) * weight_BALS
    h_BALD = pairs_BALS @ v_BALD + old_BAL1 * (q_BALD @ c_BADD)
    seen_BAL1 = pairs_BALS.sum(3, keepdim=True) + old_BAL1 * (q_BALD @ n_BAD[..., None])
    h_BALD = h_BALD / (torch.maximum(seen_BAL1.abs(), torch.exp(-m_BAL)[..., None]) + _LEAST)
    old_BA11, kept_BALD = old_BAL1[:, :, -1:], k_BALD * weight_BALS[:, :, -1, :, None]
    c_BADD = old_BA11 * c_BADD  # large, and fresh, so that what comes next may be in place
    # Of a single step, the product of two vectors is slow as one of matrices.
    k_BADL = kept_BALD.transpose(2, 3)
    c_BADD = c_BADD.addcmul_(k_BADL, v_BALD) if L == 1 else c_BADD.add_(k_BADL @ v_BALD)
    n_BAD = torch.addcmul(kept_BALD.sum(2), old_BA11[..., 0], n_BAD)
    return h_BALD, (c_BADD, n_BAD, m_BAL[:, :, -1])
