"""The simplified state space layer.

    Lambda' = exp(Lambda Delta),   B' = Lambda^-1 (Lambda' - 1) B        the zero-order hold of dx/dt = Lambda x + B u
    x' = Lambda' x + B' u                                                Lambda on the diagonal
    y = 2 Re(C x') + D u
    h = gelu(y) * sigmoid(W gelu(y) + b)

x, Lambda, B and C are complex; every feature stands for a conjugate pair, hence the 2. Delta = exp(log_step), one a
feature. The last line is what makes it a layer: there is no other nonlinearity. The norm and the way around it are left
to the model (norm=before, skip=residual).

Lambda starts with the eigenvalues of the normal part of the HiPPO-LegS matrix, and its real part is kept below
-0.0001, without which states may grow for ever. B and C start at random (in the paper turned by the eigenvectors as
well, of which several blocks may be used).

Source: arXiv:2208.04933; the bound, the last line and how values start after the implementation lindermanlab/S5 (its
clip_eigs, half_glu1 and complex_normal), where D is diagonal.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear import SequenceCell, complex_scan, times


class S5Cell(SequenceCell):
    """A diagonal complex state space and a gate.

    Args:
        input_size: I.
        hidden_size: H.
        states: N, conjugate pairs; the state is their real and imaginary parts, (B, 2 N). None: half of H, at most 256.
        step_min: the least Delta at the start.
        step_max: the largest.

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
            raise seqgen.BadOption(f"step_min is {step_min:g}, above step_max, {step_max:g}: choose a smaller one")
        N = self.states = states or min(256, max(1, hidden_size // 2))
        self.real = nn.Parameter(torch.full((N,), -0.5))
        self.imaginary = nn.Parameter(hippo_frequencies(N, self.real.device).clone())
        self.log_step = nn.Parameter(torch.empty(N).uniform_(math.log(step_min), math.log(step_max)))
        self.input = nn.Linear(input_size, 2 * N + hidden_size, bias=False)  # B by its parts, D
        self.output = seqgen.Recurrent(2 * N, hidden_size)  # 2 Re C, -2 Im C
        self.gate = seqgen.Recurrent(hidden_size, hidden_size, bias=True)
        nn.init.normal_(self.input.weight, std=input_size**-0.5)
        nn.init.normal_(self.output.weight, std=(2 / N) ** 0.5)

    def initial_state(self, batch_size: int) -> Tensor:
        """X = 0."""
        return self.real.new_zeros(batch_size, 2 * self.states)

    def project(self, u_BTI: Tensor) -> Tensor:
        """B' u by its parts, then D u."""
        bu_BTN, du_BTH = self.input(u_BTI).split((2 * self.states, self.hidden_size), 2)
        (a_re, a_im), re, im = self._discretise(), self._real(), self.imaginary
        # (Lambda' - 1) / Lambda = (Lambda' - 1) conj(Lambda) / |Lambda|^2
        square_N = re**2 + im**2
        hold = ((a_re - 1) * re + a_im * im) / square_N, (a_im * re - (a_re - 1) * im) / square_N
        return torch.cat((times(hold, bu_BTN), du_BTH), 2)

    def over_time(self, p_TBP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equations."""
        bu_TBN, du_TBH = p_TBP.split((2 * self.states, self.hidden_size), 2)
        x_TBN = complex_scan(self._discretise(), bu_TBN, state)
        y_TBH = functional.gelu(self.output(x_TBN) + du_TBH)
        return y_TBH * torch.sigmoid(self.gate(y_TBH)), x_TBN[-1]

    def _real(self) -> Tensor:
        return torch.clamp(self.real, max=-1e-4)

    def _discretise(self) -> tuple[Tensor, Tensor]:
        """The parts of Lambda'."""
        step_N = torch.exp(self.log_step)
        radius_N, angle_N = torch.exp(self._real() * step_N), self.imaginary * step_N
        return radius_N * torch.cos(angle_N), radius_N * torch.sin(angle_N)


@functools.cache
def hippo_frequencies(n: int, device: torch.device) -> Tensor:
    """The positive imaginary parts of the eigenvalues of HiPPO-LegS's normal part, 2 n rows; the real are all -1/2."""
    root = torch.sqrt(torch.arange(2 * n, dtype=torch.float64, device=device) + 0.5)
    lower = -torch.outer(root, root).tril(-1)
    return torch.linalg.eigvalsh(1j * (lower - lower.t()))[n:].float()
