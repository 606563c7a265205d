"""The sLSTM: an LSTM whose input gate is an exponential, and whose memory is divided by the sum of what was written.

    i~, f~, z~, o~ = W x + R h + b
    f = sigmoid(f~) or exp(f~)
    m' = log(exp(log f + m) + exp(i~))                       stabiliser
    f' = exp(log f + m - m'), i' = exp(i~ - m') = 1 - f'     gates, stabilised
    c' = f' * c + i' * tanh(z~)
    h' = sigmoid(o~) * c'

R is block-diagonal: each head sees its own part of h only.

Source: arXiv:2405.04517, after the implementation of the authors (NX-AI/xlstm). There m' = max(log f + m, i~), a
normaliser n' = f' * n + i' goes along, and h' = sigmoid(o~) * c' / n'. All m' give the same h', since c' and n' scale
alike; with the one above n' is 1, nothing is divided, and f' = sigmoid(log f + m - i~). Nor is the first step an
exception: from n = m = 0, n' would underflow to 0 where i~ lies far below log f, so that code asks whether n is 0. Here
m starts far below any gate, as the logarithm of a sum of nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen

_NONE = -1e4  # log of a sum of nothing; not minus infinity, whose difference with itself is no number


class SLSTMCell(seqgen.StepCell):
    """Exponential gates and a weighted mean as memory.

    Dimension letters: A heads, D features of a head.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c, m), each (B, H).
        heads: A, the blocks of R.
        forget_gate: "sigmoid" or "exp".
        forget_bias: start of the bias of f~.

    Raises:
        BadOption: H cannot be divided by the heads.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        forget_gate: str = "sigmoid",
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if hidden_size % heads:
            raise seqgen.BadOption(f"{heads} heads cannot share {hidden_size} units evenly: choose a divisor")
        self.forget_gate, size = forget_gate, hidden_size // heads
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.heads = nn.ModuleList(seqgen.Recurrent(size, 4 * size) for _ in range(heads))
        nn.init.constant_(self.input.bias[hidden_size : 2 * hidden_size], forget_bias)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor, Tensor]:
        """H = c = 0 and m = none."""
        h_BH = self.zeros(batch_size)
        return h_BH, self.zeros(batch_size), h_BH + _NONE

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x + b, for i~, f~, z~ and o~."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """The equations."""
        h_BH, c_BH, m_BH = state
        i_BH, f_BH, z_BH, o_BH = (p_BP + self._recur(h_BH)).chunk(4, 1)
        if self.forget_gate == "sigmoid":
            f_BH = -functional.softplus(-f_BH, threshold=40.0)
        kept_BH = f_BH + m_BH
        c_BH = torch.lerp(torch.tanh(z_BH), c_BH, torch.sigmoid(kept_BH - i_BH))
        h_BH = torch.sigmoid(o_BH) * c_BH
        return h_BH, (h_BH, c_BH, torch.logaddexp(kept_BH, i_BH))

    def _recur(self, h_BH: Tensor) -> Tensor:
        """R h, for i~, f~, z~ and o~."""
        if len(self.heads) == 1:
            return self.heads[0](h_BH)
        parts_BAD = h_BH.chunk(len(self.heads), 1)
        gates = [head(part_BD).unflatten(1, (4, -1)) for head, part_BD in zip(self.heads, parts_BAD, strict=True)]
        return torch.stack(gates, 2).flatten(1)
