"""The phased LSTM: each unit has a clock that decides when it is updated.

    phi = ((t - s) mod tau) / tau                       phase of the unit's clock, 0 to 1
    k = 2 phi / r          for phi < r / 2              opening
        2 - 2 phi / r      for r / 2 <= phi < r         closing
        alpha phi          else                         closed but for a leak
    c' = k * c~ + (1 - k) * c
    h' = k * h~ + (1 - k) * h

c~ and h~ are the LSTM's new c and h, see ``lstm_base``. The time t is the step number, from 0, and is part of the
state. Period tau, shift s and, unless it is fixed, the open fraction r of the period are learned.

Source: arXiv:1610.09513, after TensorFlow 1's PhasedLSTMCell, which learns tau and r directly; here log tau and logit r
are learned, which keeps tau > 0 and 0 < r < 1. Its derivative by tau ignores that the number of whole periods in t - s
depends on tau; here it is exact. Its peepholes are matrices; here they are vectors. As there, the leak also acts in
evaluation mode. There r starts at 0.1, for sequences of thousands of steps, and the forget gate's bias at 0; here they
start at 0.5 and 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.lstm_base import LSTMBase

State = tuple[Tensor, Tensor, Tensor]


class PhasedLSTMCell(LSTMBase):
    """A phased LSTM cell.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c, t): h and c (B, H), t (B, 1), an integer.
        forget_bias: initial bias of the forget gate.
        peepholes: let the gates see the cell state.
        leak: alpha.
        ratio_on: initial r.
        learn_ratio: learn r.
        period_min: shortest initial period, steps; periods are sampled uniformly in log tau.
        period_max: longest initial period, steps.

    Raises:
        BadOption: ``period_min`` is above ``period_max``.
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

    def initial_state(self, batch_size: int) -> State:  # type: ignore[override]
        """Return zeros (h, c, t): h and c (B, H), t (B, 1), an integer."""
        h_BH, c_BH = super().initial_state(batch_size)
        return h_BH, c_BH, torch.zeros(batch_size, 1, dtype=torch.long, device=c_BH.device)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for f, i, o and g, (B, T, 4 H)."""
        return self.input(x_BTI)

    def gate(self, t_B1: Tensor) -> Tensor:
        """Return the openness k (B, H) at time t."""
        turns_BH = (t_B1 - self.shift) * torch.exp(-self.log_period)
        phi_BH = torch.remainder(turns_BH, 1)
        ratio_H = torch.sigmoid(self.logit_ratio)
        open_BH = 1 - (phi_BH * (2 / ratio_H) - 1).abs()
        return torch.where(phi_BH < ratio_H, open_BH, self.leak * phi_BH)

    def step(self, p_BP: Tensor, state: State) -> tuple[Tensor, State]:
        """Compute one step by the module's equations."""
        h_BH, c_BH, t_B1 = state
        new_h_BH, new_c_BH = self.update(p_BP + self.recurrent(h_BH), c_BH)
        k_BH = self.gate(t_B1)
        h_BH, c_BH = torch.lerp(h_BH, new_h_BH, k_BH), torch.lerp(c_BH, new_c_BH, k_BH)
        return h_BH, (h_BH, c_BH, t_B1 + 1)
