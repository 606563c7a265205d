"""Pieces of a batch: contiguous rows whose gradients are computed apart, so that several processes can share them.

Dimension letters: B batch, T steps.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from seqgen.batches.encoded import FULL, Batch
from seqgen.tokenizers import PAD


def piece_bounds(n_rows: int, n_pieces: int) -> list[int]:
    """Return the first row of each piece, and the number of rows; pieces are empty where there are fewer rows."""
    return [n_rows * piece // n_pieces for piece in range(n_pieces + 1)]


def take_piece(batch: Batch, first: int, last: int, pad: Callable[[int], int]) -> Batch:
    """Return some rows of a batch, as a function of these rows alone.

    Args:
        batch: on the CPU.
        first: the first row.
        last: the row after the last one, greater than ``first``.
        pad: maps the number of steps of the longest row to the number to pad to.

    Returns:
        The rows, without the steps in which none has a target; ``n_targets`` is that of the whole batch, of which each
        piece's loss is a share.
    """
    targets_BT = batch.targets_BT[first:last]
    is_target_BT = targets_BT != PAD
    n_own = int(is_target_BT.any(0).nonzero().max()) + 1
    n_steps = min(pad(n_own), targets_BT.shape[1])
    is_target_BT = is_target_BT[:, :n_steps]
    at_N = None
    if int(is_target_BT.sum()) < FULL * is_target_BT.numel():
        at_N = torch.nonzero(is_target_BT.t().flatten()).flatten()
    return batch._replace(
        ids_BT=batch.ids_BT[first:last, :n_steps],
        targets_BT=targets_BT[:, :n_steps],
        at_N=at_N,
        n_steps=n_own if n_own < n_steps else None,
    )
