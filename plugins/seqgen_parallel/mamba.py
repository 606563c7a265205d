"""The Mamba block: a selective state space model.

    x, z = W_in u
    x = silu(conv(x))                               a causal convolution of each feature over time
    d, B, C = W_x x
    Delta = softplus(W_Delta d + b)
    h' = exp(Delta A) h + Delta B x                 h: N numbers per feature; A = -exp(A_log) is diagonal
    y = W_out ((C h' + D x) * silu(z))

A_log starts at log(1 .. N) in each feature, D at 1, and b such that softplus(b) is log-uniform between 0.001 and 0.1.
The W have no biases.

Source: arXiv:2312.00752, after the implementation state-spaces/mamba, which has Delta B for the zero-order hold of B.
N is 4 by default, where paper and implementation have 16 (states=16): a step costs in proportion to it. The norm before
the block and the residual connection are left to the model (norm=before, skip=residual). Weight decay applies to A_log,
which the implementation leaves out of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear_recurrence import CausalConvolution, SequenceCell, scan

_STEP_RANGE = 0.001, 0.1  # of the initial Delta


class MambaCell(SequenceCell):
    """A Mamba block.

    Dimension letters: E inner features, N states per feature, R features of d.

    Args:
        input_size: I.
        hidden_size: H; the state is (the convolution's last inputs (B, kernel - 1, E), h (B, E, N)).
        expand: E / H.
        states: N.
        kernel: kernel size of the convolution.
        rank: R; None: H / 16, rounded up.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        expand: float = 2.0,
        states: int = 4,
        kernel: int = 4,
        rank: int | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size)
        E, N, R = max(1, round(expand * hidden_size)), states, rank or math.ceil(hidden_size / 16)
        self.sizes = R, N, N
        self.input = nn.Linear(input_size, 2 * E, bias=False)
        self.convolution = CausalConvolution(E, kernel)
        self.select = seqgen.Recurrent(E, R + 2 * N)
        self.step_size = seqgen.Recurrent(R, E, bias=True)
        self.log_a = nn.Parameter(torch.log(torch.arange(1.0, N + 1)).repeat(E, 1))
        self.d = nn.Parameter(torch.ones(E))
        self.output = seqgen.Recurrent(E, hidden_size)
        step_E = torch.exp(torch.empty(E).uniform_(*map(math.log, _STEP_RANGE)))
        with torch.no_grad():
            before_E = step_E + torch.log(-torch.expm1(-step_E))  # the inverse of softplus
            self.step_size.bias.copy_(before_E)  # type: ignore[union-attr]

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (B, kernel - 1, E) and (B, E, N)."""
        return self.convolution.initial_state(batch_size), self.log_a.new_zeros(batch_size, *self.log_a.shape)

    def project(self, u_BTI: Tensor) -> Tensor:
        """Return x and silu(z), (B, T, 2 E)."""
        x_BTE, z_BTE = self.input(u_BTI).chunk(2, 2)
        return torch.cat((x_BTE, functional.silu(z_BTE)), 2)

    def run_sequence(self, p_TBP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute all steps by the module's equations."""
        (before_BKE, h_BEN), (x_TBE, z_TBE) = state, p_TBP.chunk(2, 2)
        x_TBE, before_BKE = self.convolution(x_TBE, before_BKE)
        x_TBE = functional.silu(x_TBE)
        d_TBR, b_TBN, c_TBN = self.select(x_TBE).split(self.sizes, 2)
        delta_TBE = functional.softplus(self.step_size(d_TBR))
        a_TBEN = torch.exp(delta_TBE[..., None] * -torch.exp(self.log_a))
        h_TBEN = scan(a_TBEN, (delta_TBE * x_TBE)[..., None] * b_TBN[:, :, None], h_BEN)
        y_TBE = (h_TBEN * c_TBN[:, :, None]).sum(3) + self.d * x_TBE
        return self.output(y_TBE * z_TBE), (before_BKE, h_TBEN[-1])
