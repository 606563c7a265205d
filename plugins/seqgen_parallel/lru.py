"""The linear recurrent unit.

    x' = Lambda x + exp(gamma) * (B u)            Lambda = exp(-exp(nu) + i exp(theta)), diagonal
    y = Re(C x') + D u
    h = (W_1 gelu(y) + b_1) * sigmoid(W_2 gelu(y) + b_2)

x, B and C are complex. Lambda starts uniform on the ring between r_min and r_max with an angle below max_phase, and
exp(gamma) at sqrt(1 - |Lambda|^2). The last line is the layer's only nonlinearity. The norm and the residual connection
of the paper's block are left to the model (norm=before, skip=residual).

Source: arXiv:2303.06349; the last line and the initial B and C after the implementation NicolasZucchet/minimal-LRU,
where D is diagonal.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear_recurrence import SequenceCell, complex_scan

_EDGE = 1e-4  # distance from the edges of the ring, where logarithms are infinite


class LRUCell(SequenceCell):
    """An LRU layer: a diagonal complex recurrence and a gated linear unit.

    Args:
        input_size: I.
        hidden_size: H.
        states: N, complex features; the state is their real and imaginary parts, (B, 2 N). None: H / 2.
        r_min: smallest initial absolute value of Lambda.
        r_max: largest initial absolute value of Lambda.
        max_phase: largest initial angle of Lambda, radians.

    Raises:
        BadOption: r_min is not below r_max.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        states: int | None = None,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if not r_min < r_max:
            raise seqgen.BadOption(f"r_min={r_min:g} must be below r_max={r_max:g}")
        N = self.states = states or max(1, hidden_size // 2)
        area_N, phase_N = (torch.empty(N).uniform_(_EDGE, 1 - _EDGE) for _ in range(2))
        square_N = area_N * (r_max**2 - r_min**2) + r_min**2
        self.nu = nn.Parameter(torch.log(-0.5 * torch.log(square_N)))
        self.theta = nn.Parameter(torch.log(max_phase * phase_N))
        self.gamma = nn.Parameter(0.5 * torch.log(1 - square_N))
        self.input = nn.Linear(input_size, 2 * N + hidden_size, bias=False)  # parts of B, then D
        self.output = seqgen.Recurrent(2 * N, hidden_size)  # Re C, -Im C
        self.glu = seqgen.Recurrent(hidden_size, 2 * hidden_size, bias=True)
        nn.init.normal_(self.input.weight, std=(2 * input_size) ** -0.5)
        nn.init.normal_(self.output.weight, std=N**-0.5)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (B, 2 N): real parts, then imaginary parts."""
        return self.nu.new_zeros(batch_size, 2 * self.states)

    def project(self, u_BTI: Tensor) -> Tensor:
        """Return the parts of exp(gamma) * (B u), then D u, (B, T, 2 N + H)."""
        bu_BTN, du_BTH = self.input(u_BTI).split((2 * self.states, self.hidden_size), 2)
        return torch.cat((torch.exp(self.gamma).repeat(2) * bu_BTN, du_BTH), 2)

    def run_sequence(self, p_TBP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all steps by the module's equations."""
        bu_TBN, du_TBH = p_TBP.split((2 * self.states, self.hidden_size), 2)
        radius_N, angle_N = torch.exp(-torch.exp(self.nu)), torch.exp(self.theta)
        x_TBN = complex_scan((radius_N * torch.cos(angle_N), radius_N * torch.sin(angle_N)), bu_TBN, state)
        y_TBH = functional.gelu(self.output(x_TBN) + du_TBH)
        one_TBH, two_TBH = self.glu(y_TBH).chunk(2, 2)
        return one_TBH * torch.sigmoid(two_TBH), x_TBN[-1]
