"""The machine's rate of matrix products, and the operations a model needs."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from fixtures import matrix_weights
from seqgen.batches import Batch
from seqgen.model import RecurrentModel
from timing import Done, Setting, Work


def products(rows: int, inner: int, columns: int, setting: Setting) -> Work:
    """Return a third of a second of products (rows x inner) (inner x columns) in float32 into one buffer."""
    left, right, into = torch.randn(rows, inner), torch.randn(inner, columns), torch.empty(rows, columns)
    gflop = 2e-9 * rows * inner * columns
    torch.mm(left, right, out=into)
    started = time.perf_counter()
    for _ in range(3):
        torch.mm(left, right, out=into)
    times = max(1, round(setting.pick(0.33, 0.01) / (time.perf_counter() - started) * 3))

    def work() -> Done:
        for _ in range(times):
            torch.mm(left, right, out=into)
        return {"gflop": times * gflop}

    return work


def training_gflop(model: RecurrentModel) -> Callable[[Batch], float]:
    """Return a function of a batch: GFLOP of a step's matrix products, forward and backward, 6 per weight and position.

    Layers compute every position of the batch, padding included; the head only positions with a target.
    """
    in_layers, in_head = matrix_weights([model.stack]), matrix_weights([model.head])

    def gflop_of(batch: Batch) -> float:
        n_positions = batch.ids_BT.numel()
        n_predicted = n_positions if batch.at_N is None else len(batch.at_N)
        return 6e-9 * (in_layers * n_positions + in_head * n_predicted)

    return gflop_of


def sampling_gflop(layers: nn.Module, head: nn.Module, n_tokens: int) -> float:
    """Return the GFLOP of the matrix products of sampling ``n_tokens`` symbols, 2 per weight and symbol."""
    return 2e-9 * matrix_weights([layers, head]) * n_tokens
