"""The phased LSTM: a clock for each unit says when it takes part.

    phi = ((t - s) mod tau) / tau                       where the unit's clock stands, 0 to 1
    k = 2 phi / r          for phi < r / 2              opening
        2 - 2 phi / r      for r / 2 <= phi < r         closing
        alpha phi          else                         closed but for a leak
    c' = k * c~ + (1 - k) * c
    h' = k * h~ + (1 - k) * h

c~ and h~ are what an LSTM makes of x, h and c, see ``memory``. The time t is the number of the step, from 0, and is
kept in the state. Period tau, shift s and, unless it is fixed, the share r of the period are learned.

Source: arXiv:1610.09513, after PhasedLSTMCell in TensorFlow 1, which learns tau and r as they are: here by log tau and
by logit r, which keeps tau > 0 and 0 < r < 1. Its derivative by tau forgets that the number of whole periods in t - s
depends on tau; here it is the true one. Its peepholes are matrices; here they are vectors. As there, the leak acts when
the cell is not training, too. There r starts at 0.1, for sequences of thousands of steps; here at 0.5.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.memory import MemoryCell

State = tuple[Tensor, Tensor, Tensor]


class PhasedLSTMCell(MemoryCell):
    """Three gates, a memory and a clock.

    Args:
        input_size: I.
        hidden_size: H; the state is h and c (B, H) and t (B, 1), a whole number.
        forget_bias: start of the forget gate's bias.
        peepholes: whether the gates see the memory.
        leak: alpha.
        ratio_on: start of r.
        learn_ratio: whether r is learned.
        period_min: the shortest period to begin with, steps; drawn evenly in log tau.
        period_max: the longest.

    Raises:
        BadOption: the shortest period is longer than the longest.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        peepholes: bool = False,
        leak: float = 0.001,
        ratio_on: float = 0.5,
        learn_ratio: bool = True,
        period_min: float = 1.0,
        period_max: float = 1000.0,
    ) -> None:
        super().__init__(input_size, hidden_size, peepholes=peepholes)
        if period_min > period_max:
            raise seqgen.BadOption(f"period_min={period_min} must not be above period_max={period_max}")
        self.leak = leak
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 4 * hidden_size)
        nn.init.constant_(self.input.bias[:hidden_size], forget_bias)
        self.log_period = nn.Parameter(torch.empty(hidden_size).uniform_(math.log(period_min), math.log(period_max)))
        self.shift = nn.Parameter(torch.rand(hidden_size) * self.log_period.detach().exp())
        logit = torch.full((hidden_size,), math.log(ratio_on / (1 - ratio_on)))
        self.logit_ratio = nn.Parameter(logit, requires_grad=learn_ratio)

    def initial_state(self, batch_size: int) -> State:
        """H = c = 0, t = 0."""
        h_BH, c_BH = super().initial_state(batch_size)
        return h_BH, c_BH, torch.zeros(batch_size, 1, dtype=torch.long, device=c_BH.device)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x + b, for f, i, o and g."""
        return self.input(x_BTI)

    def gate(self, t_B1: Tensor) -> Tensor:
        """K (B, H)."""
        turns_BH = (t_B1 - self.shift) * torch.exp(-self.log_period)
        phi_BH = torch.remainder(turns_BH, 1)
        ratio_H = torch.sigmoid(self.logit_ratio)
        open_BH = 1 - (phi_BH * (2 / ratio_H) - 1).abs()
        return torch.where(phi_BH < ratio_H, open_BH, self.leak * phi_BH)

    def step(self, p_BP: Tensor, state: State) -> tuple[Tensor, State]:
        """The equations."""
        h_BH, c_BH, t_B1 = state
        new_h_BH, new_c_BH = self.remember(p_BP + self.recurrent(h_BH), c_BH)
        k_BH = self.gate(t_B1)
        h_BH, c_BH = torch.lerp(h_BH, new_h_BH, k_BH), torch.lerp(c_BH, new_c_BH, k_BH)
        return h_BH, (h_BH, c_BH, t_B1 + 1)
