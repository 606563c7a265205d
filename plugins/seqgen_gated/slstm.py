"""The sLSTM: an LSTM with an exponential input gate and a normalized cell state.

    i~, f~, z~, o~ = W x + R h + b
    f = sigmoid(f~) or exp(f~)
    m' = log(exp(log f + m) + exp(i~))                       stabilizer
    f' = exp(log f + m - m'), i' = exp(i~ - m') = 1 - f'     gates, stabilized
    c' = f' * c + i' * tanh(z~)
    h' = sigmoid(o~) * c'

R is block-diagonal: each head sees only its own part of h.

Source: arXiv:2405.04517, after the authors' implementation (NX-AI/xlstm). There m' = max(log f + m, i~), a normalizer
n' = f' * n + i' is part of the state, and h' = sigmoid(o~) * c' / n'. Any m' gives the same h', since c' and n' scale
alike; with the m' above n' is 1, no division is needed, and f' = sigmoid(log f + m - i~). The first step needs no
special case either: from n = m = 0, n' would underflow to 0 where i~ is far below log f, so that code tests for n = 0.
Here m starts far below any gate, as the logarithm of an empty sum.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen

_LOG_ZERO = -1e4  # log of an empty sum; not minus infinity, whose difference with itself is NaN


class SLSTMCell(seqgen.StepCell):
    """An sLSTM cell.

    Dimension letters: A heads, D features of a head.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c, m), each (B, H).
        heads: A, the blocks of R.
        forget_gate: "sigmoid" or "exp".
        forget_bias: initial bias of f~.

    Raises:
        BadOption: H is not divisible by the number of heads.
    """

    scaled = True  # c by exp(m)

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
            raise seqgen.BadOption(
                f"cannot split {hidden_size} units into {heads} heads: set heads to a divisor of {hidden_size}"
            )
        self.forget_gate, size = forget_gate, hidden_size // heads
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.heads = nn.ModuleList(seqgen.Recurrent(size, 4 * size) for _ in range(heads))
        nn.init.constant_(self.input.bias[hidden_size : 2 * hidden_size], forget_bias)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return (h, c, m), each (B, H): zeros for h and c, and -10,000, the log of an empty sum, for m."""
        h_BH = self.zeros(batch_size)
        return h_BH, self.zeros(batch_size), h_BH + _LOG_ZERO

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for i~, f~, z~ and o~, (B, T, 4 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        h_BH, c_BH, m_BH = state
        i_BH, f_BH, z_BH, o_BH = (p_BP + self._recur(h_BH)).chunk(4, 1)
        if self.forget_gate == "sigmoid":
            f_BH = -functional.softplus(-f_BH, threshold=40.0)
        kept_BH = f_BH + m_BH
        c_BH = torch.lerp(torch.tanh(z_BH), c_BH, torch.sigmoid(kept_BH - i_BH))
        h_BH = torch.sigmoid(o_BH) * c_BH
        return h_BH, (h_BH, c_BH, torch.logaddexp(kept_BH, i_BH))

    def _recur(self, h_BH: Tensor) -> Tensor:
        """Return R h for i~, f~, z~ and o~, (B, 4 H)."""
        if len(self.heads) == 1:
            return self.heads[0](h_BH)
        parts_BAD = h_BH.chunk(len(self.heads), 1)
        gates = [head(part_BD).unflatten(1, (4, -1)) for head, part_BD in zip(self.heads, parts_BAD, strict=True)]
        return torch.stack(gates, 2).flatten(1)
