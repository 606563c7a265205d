"""Linear recurrences over time: h_t = a_t * h_{t-1} + b_t, elementwise, in real or complex numbers.

Step by step is fastest where a step has many elements. Where it has few, the calls cost more than the arithmetic: then
all chunks of the sequence run in parallel, each from zero and with the product of its factors, and the state before
each chunk is again a linear recurrence, over the chunks (arXiv:1709.04057 solves it so on a GPU). In logarithms, as in
arXiv:2311.06281, it is slower at every size on a CPU.

Dimension letters: T steps, B batch, H features, C chunks, L steps of a chunk.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from seqgen.engine.autograd_utils import refuse_double_backward

_FEW = 1024  # elements of a step, up to which it costs less on a CPU than its call
_LONG = 64  # steps from which chunks pay there
_LONG_ON_A_GPU = 16


def linear_scan(a_BTH: Tensor, b_BTH: Tensor, h_BH: Tensor) -> Tensor:
    """Return all h_t = a_t * h_{t-1} + b_t of a sequence.

    Args:
        a_BTH: the factors; all three tensors are real, or all are complex.
        b_BTH: the terms.
        h_BH: the state before the first step.

    Returns:
        h_1 .. h_T, (B, T, H); time first in memory, as cells compute.
    """
    a_TBH, b_TBH = a_BTH.transpose(0, 1), b_BTH.transpose(0, 1)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (a_BTH, b_BTH, h_BH)):
        return _LinearScan.apply(a_TBH, b_TBH, h_BH).transpose(0, 1)  # type: ignore[no-any-return,no-untyped-call]
    return solve(a_TBH, b_TBH, h_BH, choose_chunk(a_TBH)).transpose(0, 1)


def choose_chunk(a_TBH: Tensor) -> int:
    """Return the steps of a chunk: all of them where chunks do not pay."""
    n_steps, n_features = len(a_TBH), a_TBH[0].numel()
    on_gpu = a_TBH.device.type != "cpu"
    pays = n_steps >= _LONG_ON_A_GPU if on_gpu else n_steps >= _LONG and n_features <= _FEW
    return max(2, math.isqrt(n_steps // 2)) if pays else n_steps


def solve(a_TBH: Tensor, b_TBH: Tensor, h_BH: Tensor, chunk: int) -> Tensor:
    """Return all states (T, B, H), without a gradient, by chunks of so many steps; with T of them step by step."""
    h_TBH = torch.empty_like(b_TBH, memory_format=torch.contiguous_format)
    n_chunks = len(a_TBH) // chunk
    if n_chunks > 1:
        whole = n_chunks * chunk
        a_CLBH, b_CLBH, h_CLBH = (x[:whole].view(n_chunks, chunk, *h_BH.shape) for x in (a_TBH, b_TBH, h_TBH))
        p_CLBH = torch.empty_like(h_CLBH)
        h_CLBH[:, 0], p_CLBH[:, 0] = b_CLBH[:, 0], a_CLBH[:, 0]
        for step in range(1, chunk):
            a_CBH = a_CLBH[:, step]
            torch.addcmul(b_CLBH[:, step], a_CBH, h_CLBH[:, step - 1], out=h_CLBH[:, step])
            torch.mul(a_CBH, p_CLBH[:, step - 1], out=p_CLBH[:, step])
        enters_CBH = torch.empty_like(h_CLBH[:, 0])
        enters_CBH[0] = h_BH
        p_last_CBH = p_CLBH[:-1, -1]
        enters_CBH[1:] = solve(p_last_CBH, h_CLBH[:-1, -1], h_BH, choose_chunk(p_last_CBH))
        h_CLBH.addcmul_(p_CLBH, enters_CBH[:, None])
    else:
        whole = 0
    before_BH = h_BH if not whole else h_TBH[whole - 1]
    for a_BH, b_BH, after_BH in zip(a_TBH[whole:], b_TBH[whole:], h_TBH[whole:], strict=True):
        before_BH = torch.addcmul(b_BH, a_BH, before_BH, out=after_BH)
    return h_TBH


class _LinearScan(torch.autograd.Function):
    """The scan as one operation of autograd; its derivative is the scan from the other end."""

    @staticmethod
    def forward(ctx: Any, a_TBH: Tensor, b_TBH: Tensor, h_BH: Tensor) -> Tensor:
        ctx.chunk = choose_chunk(a_TBH)
        h_TBH = solve(a_TBH, b_TBH, h_BH, ctx.chunk)
        ctx.save_for_backward(a_TBH, h_BH, h_TBH)
        return h_TBH

    @staticmethod
    def backward(ctx: Any, dy_TBH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        refuse_double_backward()
        a_TBH, h_BH, h_TBH = ctx.saved_tensors
        # g_t = dy_t + a_{t+1} g_{t+1}, from the last step to the first; of complex factors, their conjugates.
        a_TBH, h_BH, h_TBH = a_TBH.conj().resolve_conj(), h_BH.conj(), h_TBH.conj()
        g_TBH = torch.empty_like(dy_TBH, memory_format=torch.contiguous_format)
        if ctx.chunk < len(a_TBH):
            back_TBH = torch.cat((torch.zeros_like(h_BH)[None], a_TBH[1:].flip(0)))
            g_TBH = solve(back_TBH, dy_TBH.flip(0), torch.zeros_like(h_BH), ctx.chunk).flip(0)
        else:
            g_BH = g_TBH[-1].copy_(dy_TBH[-1])
            for step in range(len(a_TBH) - 2, -1, -1):
                g_BH = torch.addcmul(dy_TBH[step], a_TBH[step + 1], g_BH, out=g_TBH[step])
        da_TBH = torch.empty_like(g_TBH)
        torch.mul(g_TBH[1:], h_TBH[:-1], out=da_TBH[1:])
        torch.mul(g_TBH[0], h_BH, out=da_TBH[0])
        return da_TBH, g_TBH, g_TBH[0] * a_TBH[0]
