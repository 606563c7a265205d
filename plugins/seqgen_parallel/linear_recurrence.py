"""Linear recurrences h' = a * h + b, where a and b depend only on the input, and the causal convolution before them.

Dimension letters: T steps, B batch, D features, N complex features, K kernel size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class LinearRecurrentCell(seqgen.StepCell):
    """A cell that is a linear recurrence; ``project`` returns a and b, (B, T, 2 H)."""

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equation."""
        a_BH, b_BH = p_BP.chunk(2, 1)
        h_BH = torch.addcmul(b_BH, a_BH, state)
        return h_BH, h_BH

    def parallel(self, p_BTP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all steps at once."""
        a_BTH, b_BTH = p_BTP.chunk(2, 2)
        h_BTH = seqgen.linear_scan(a_BTH, b_BTH, state)
        return h_BTH, h_BTH[:, -1]


def positive(x: Tensor) -> Tensor:
    """Return the papers' g: x + 0.5 where x >= 0, else sigmoid(x)."""
    return torch.where(x >= 0, x + 0.5, torch.sigmoid(x))


class SequenceCell(seqgen.StepCell):
    """A cell that computes whole sequences; a step is a sequence of length one."""

    def run_sequence(self, p_TBP: Tensor, state: seqgen.State) -> tuple[Tensor, seqgen.State]:
        """Return the outputs (T, B, H) from the projection, and the last state."""
        raise NotImplementedError

    def step(self, p_BP: Tensor, state: seqgen.State) -> tuple[Tensor, seqgen.State]:
        """Compute one step as a sequence of length one."""
        y_TBH, state = self.run_sequence(p_BP[None], state)
        return y_TBH[0], state

    def parallel(self, p_BTP: Tensor, state: seqgen.State) -> tuple[Tensor, seqgen.State]:
        """Compute all steps at once."""
        y_TBH, state = self.run_sequence(p_BTP.transpose(0, 1), state)
        return y_TBH.transpose(0, 1), state


def scan(a_TBD: Tensor, b_TBD: Tensor, h_BD: Tensor) -> Tensor:
    """Return all h_t = a_t * h_{t-1} + b_t, (T, B, D)."""
    if len(b_TBD) == 1:
        return torch.addcmul(b_TBD, a_TBD, h_BD)
    return seqgen.linear_scan(a_TBD.transpose(0, 1), b_TBD.transpose(0, 1), h_BD).transpose(0, 1)


def complex_scan(a: tuple[Tensor, Tensor], b_TBD: Tensor, h_BD: Tensor) -> Tensor:
    """Return all complex h_t = a_t * h_{t-1} + b_t as N real parts, then N imaginary parts, (T, B, D = 2 N).

    Args:
        a: real and imaginary part of the factors, each of a shape that expands to (T, B, N).
        b_TBD: the summands.
        h_BD: the state before the first step.
    """
    (b_re, b_im), (h_re, h_im), (a_re, a_im) = b_TBD.chunk(2, 2), h_BD.chunk(2, 1), a
    if len(b_TBD) == 1:
        re = b_re + a_re * h_re - a_im * h_im
        return torch.cat((re, b_im + a_re * h_im + a_im * h_re), 2)
    a_TBN = torch.complex(a_re, a_im).expand(b_re.shape)
    h_TBN = scan(a_TBN, torch.complex(b_re, b_im), torch.complex(h_re, h_im))
    return torch.cat((h_TBN.real, h_TBN.imag), 2)


def times(one: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    """Return a complex product by parts; ``x`` (..., D) holds its real parts, then its imaginary parts."""
    x_re, x_im = x.chunk(2, -1)
    return torch.cat((one[0] * x_re - one[1] * x_im, one[0] * x_im + one[1] * x_re), -1)


class CausalConvolution(nn.Module):
    """A depthwise causal convolution: y_t = b + sum_j w_j * x_{t - K + 1 + j}.

    Args:
        size: D.
        kernel: K, at least 2.
    """

    def __init__(self, size: int, kernel: int) -> None:
        super().__init__()
        bound = kernel**-0.5
        self.weight = nn.Parameter(torch.empty(kernel, size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(size).uniform_(-bound, bound))

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the K - 1 inputs before the first step: zeros (B, K - 1, D)."""
        return self.weight.new_zeros(batch_size, self.weight.shape[0] - 1, self.weight.shape[1])

    def forward(self, x_TBD: Tensor, before_BKD: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs (T, B, D), and the last K - 1 inputs (B, K - 1, D)."""
        T, all_TBD = len(x_TBD), torch.cat((before_BKD.transpose(0, 1), x_TBD))
        y_TBD: Tensor = self.bias
        for index, w_D in enumerate(self.weight.unbind()):
            y_TBD = torch.addcmul(y_TBD, w_D, all_TBD[index : index + T])
        return y_TBD, all_TBD[T:].transpose(0, 1)
