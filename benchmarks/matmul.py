"""The rate at which this machine multiplies matrices, and the products that a model needs."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from ours import matrix_weights
from seqgen.batches import Batch
from seqgen.model import RecurrentModel
from timing import Done, Setting, Work


def products(rows: int, inner: int, columns: int, setting: Setting) -> Work:
    """Products (rows x inner) (inner x columns) in float32, into the same place, for about a third of a second."""
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
    """What the matrix products of a step come to, forward and backward: 6 a weight and a place.

    Layers compute every place of the batch, the padding too; the head those where it was asked for a symbol.
    """
    in_layers, in_head = matrix_weights([model.stack]), matrix_weights([model.head])

    def gflop_of(batch: Batch) -> float:
        n_places = batch.ids_BT.numel()
        n_predicted = n_places if batch.at_N is None else len(batch.at_N)
        return 6e-9 * (in_layers * n_places + in_head * n_predicted)

    return gflop_of


def sampling_gflop(layers: nn.Module, head: nn.Module, n_tokens: int) -> float:
    """What the matrix products of drawing so many symbols come to: 2 a weight and a symbol."""
    return 2e-9 * matrix_weights([layers, head]) * n_tokens
