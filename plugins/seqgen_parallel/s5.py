"""The simplified state space layer.

    Lambda' = exp(Lambda Delta),   B' = Lambda^-1 (Lambda' - 1) B        the zero-order hold of dx/dt = Lambda x + B u
    x' = Lambda' x + B' u                                                Lambda is diagonal
    y = 2 Re(C x') + D u
    h = gelu(y) * sigmoid(W gelu(y) + b)

x, Lambda, B and C are complex; every feature represents a conjugate pair, hence the 2. Delta = exp(log_step), one per
feature. The last line is the layer's only nonlinearity. The norm and the residual connection are left to the model
(norm=before, skip=residual).

Lambda starts with the eigenvalues of the normal part of the HiPPO-LegS matrix; its real part is kept below -0.0001,
without which states may grow without bound. B and C start at random, each part normal: those of B with the standard
deviation 1 / (2 sqrt(N)), those of C with sqrt(1/2), for N complex features. (The implementation samples a real B and
transforms it by the eigenvectors, of which it may use several blocks; parts of B are then as large as here.)

Source: arXiv:2208.04933; the bound, the last line and the initial values after the implementation lindermanlab/S5 (its
clip_eigs, half_glu1 and complex_normal). There D is diagonal and its entries start with the standard deviation 1; here
D is dense, with 1 / sqrt(I).
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear_recurrence import SequenceCell, complex_scan, times

_C_SCALE = 0.5**0.5  # standard deviation of each part of C


class S5Cell(SequenceCell):
    """An S5 layer: a diagonal complex state space model and a gate.

    Args:
        input_size: I.
        hidden_size: H.
        states: N, conjugate pairs; the state is their real and imaginary parts, (B, 2 N). None: H / 2, at most 256.
        step_min: smallest initial Delta.
        step_max: largest initial Delta.

    Raises:
        BadOption: step_min is above step_max.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        states: int | None = None,
        step_min: float = 0.001,
        step_max: float = 0.1,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if step_min > step_max:
            raise seqgen.BadOption(f"step_min={step_min:g} must not be above step_max={step_max:g}")
        N = self.states = states or min(256, max(1, hidden_size // 2))
        self.real = nn.Parameter(torch.full((N,), -0.5))
        self.imaginary = nn.Parameter(hippo_frequencies(N, self.real.device).clone())
        self.log_step = nn.Parameter(torch.empty(N).uniform_(math.log(step_min), math.log(step_max)))
        self.input = nn.Linear(input_size, 2 * N + hidden_size, bias=False)  # parts of B, then D
        self.output = seqgen.Recurrent(2 * N, hidden_size)  # 2 Re C, -2 Im C
        self.gate = seqgen.Recurrent(hidden_size, hidden_size, bias=True)
        b_and_d = self.input.weight.detach()
        nn.init.normal_(b_and_d[: 2 * N], std=0.5 * N**-0.5)
        nn.init.normal_(b_and_d[2 * N :], std=input_size**-0.5)
        nn.init.normal_(self.output.weight, std=2 * _C_SCALE)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (B, 2 N): real parts, then imaginary parts."""
        return self.real.new_zeros(batch_size, 2 * self.states)

    def project(self, u_BTI: Tensor) -> Tensor:
        """Return the parts of B' u, then D u, (B, T, 2 N + H)."""
        bu_BTN, du_BTH = self.input(u_BTI).split((2 * self.states, self.hidden_size), 2)
        (a_re, a_im), re, im = self._discretize(), self._real(), self.imaginary
        # (Lambda' - 1) / Lambda = (Lambda' - 1) conj(Lambda) / |Lambda|^2
        square_N = re**2 + im**2
        hold = ((a_re - 1) * re + a_im * im) / square_N, (a_im * re - (a_re - 1) * im) / square_N
        return torch.cat((times(hold, bu_BTN), du_BTH), 2)

    def run_sequence(self, p_TBP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all steps by the module's equations."""
        bu_TBN, du_TBH = p_TBP.split((2 * self.states, self.hidden_size), 2)
        x_TBN = complex_scan(self._discretize(), bu_TBN, state)
        y_TBH = functional.gelu(self.output(x_TBN) + du_TBH)
        return y_TBH * torch.sigmoid(self.gate(y_TBH)), x_TBN[-1]

    def _real(self) -> Tensor:
        return torch.clamp(self.real, max=-1e-4)

    def _discretize(self) -> tuple[Tensor, Tensor]:
        """Return real and imaginary part of Lambda'."""
        step_N = torch.exp(self.log_step)
        radius_N, angle_N = torch.exp(self._real() * step_N), self.imaginary * step_N
        return radius_N * torch.cos(angle_N), radius_N * torch.sin(angle_N)


@functools.cache
def hippo_frequencies(n: int, device: torch.device) -> Tensor:
    """Return the n positive imaginary parts of the eigenvalues of HiPPO-LegS's normal part; all real parts are -1/2."""
    root = torch.sqrt(torch.arange(2 * n, dtype=torch.float64, device=device) + 0.5)
    lower = -torch.outer(root, root).tril(-1)
    return torch.linalg.eigvalsh(1j * (lower - lower.t()))[n:].float()
