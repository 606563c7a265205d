"""The mLSTM's matrix memory, computed for all steps of a chunk at once; the equations are in ``mlstm``.

Dimension letters: B batch, A heads, D features per head, L and S steps of the chunk.
"""

from __future__ import annotations

import torch
from torch import Tensor

_EPSILON = 1e-6

Memory = tuple[Tensor, Tensor, Tensor]
"""C (B, A, D, D), n (B, A, D) and m (B, A)."""


def run_chunk(
    q_BALD: Tensor, k_BALD: Tensor, v_BALD: Tensor, i_BAL: Tensor, f_BAL: Tensor, memory: Memory
) -> tuple[Tensor, Memory]:
    """Return the outputs for the queries, (B, A, L, D), and the memory after the chunk; pass log sigmoid(f) as f."""
    (c_BADD, n_BAD, m_BA), L = memory, q_BALD.shape[2]
    total_BAL = f_BAL.cumsum(2)  # log decay since the start of the chunk
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
    h_BALD = h_BALD / (torch.maximum(seen_BAL1.abs(), torch.exp(-m_BAL)[..., None]) + _EPSILON)
    old_BA11, kept_BALD = old_BAL1[:, :, -1:], k_BALD * weight_BALS[:, :, -1, :, None]
    c_BADD = old_BA11 * c_BADD  # a large new tensor, so the next operation may work in place
    # For a single step a matrix product is a slow way to form an outer product.
    k_BADL = kept_BALD.transpose(2, 3)
    c_BADD = c_BADD.addcmul_(k_BADL, v_BALD) if L == 1 else c_BADD.add_(k_BADL @ v_BALD)
    n_BAD = torch.addcmul(kept_BALD.sum(2), old_BA11[..., 0], n_BAD)
    return h_BALD, (c_BADD, n_BAD, m_BAL[:, :, -1])
