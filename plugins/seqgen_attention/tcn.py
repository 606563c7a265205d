"""Dilated causal convolutions: the temporal convolutional network or, gated, the WaveNet.

    a_0 = W_in x                                            a_0 = x if x has as many features as h
    conv(a)_t = b + sum_j W^j a_{t - j d}, j = 0 .. k - 1   d is the block's dilation; a is 0 before the first step
    plain, block n:  a_n = relu(a_{n-1} + relu(conv(relu(conv(a_{n-1})))));   h = a of the last block
    gated, block n:  z_n = tanh(conv_f(a_{n-1})) * sigmoid(conv_g(a_{n-1}))
                     a_n = a_{n-1} + R_n z_n;   h = relu(sum_n S_n z_n)

The receptive field is 1 + (k - 1) (sum of d) steps, or, plain, 1 + 2 (k - 1) (sum of d). The state holds the inputs
that the convolutions still need, so a step costs the same however long the text is. Biases of W_in, R and S are
omitted; the last block has no R, since its a_n is not used.

Source: plain, arXiv:1803.01271, without weight normalization and dropout (the model has dropout between layers); gated,
arXiv:1609.03499, up to the first ReLU after the skip connections; the rest is the model's head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class TCNCell(seqgen.Cell):
    """A stack of dilated causal convolutions.

    Args:
        input_size: I.
        hidden_size: H; the state is a tuple with each convolution's last inputs, (B, (kernel - 1) * dilation, H).
        kernel: k.
        dilations: the blocks' dilations in steps, comma-separated.
        gated: use WaveNet's gated blocks.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, kernel: int = 2, dilations: str = "1,2,4", gated: bool = False
    ) -> None:
        super().__init__(input_size, hidden_size)
        H, self.gated = hidden_size, gated
        self.input = nn.Linear(input_size, H) if input_size != H else nn.Identity()
        steps = [int(dilation) for dilation in dilations.split(",") for _ in range(1 if gated else 2)]
        self.convolutions = nn.ModuleList(Convolution(H, 2 * H if gated else H, kernel, d) for d in steps)
        self.mixes = nn.ModuleList(
            nn.Linear(H, H if index == len(steps) - 1 else 2 * H) for index in range(len(steps) if gated else 0)
        )

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return each convolution's initial state, zeros."""
        return tuple(convolution.initial_state(batch_size) for convolution in self.convolutions)  # type: ignore[operator]

    def forward(self, x_BTI: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute all steps by the module's equations."""
        after: list[Tensor] = []
        before, a_TBH = iter(state), self.input(x_BTI.transpose(0, 1))

        def convolve(convolution: nn.Module, a_TBH: Tensor) -> Tensor:
            y_TBO, last_inputs = convolution(a_TBH, next(before))
            after.append(last_inputs)
            return y_TBO

        if not self.gated:
            for one, two in zip(self.convolutions[::2], self.convolutions[1::2], strict=True):
                inner_TBH = torch.relu(convolve(one, a_TBH))
                a_TBH = torch.relu(a_TBH + torch.relu(convolve(two, inner_TBH)))
            return a_TBH.transpose(0, 1), tuple(after)
        skips_TBH = torch.zeros_like(a_TBH)
        for convolution, mix in zip(self.convolutions, self.mixes, strict=True):
            filter_TBH, gate_TBH = convolve(convolution, a_TBH).chunk(2, 2)
            s_TBH, *r_TBH = mix(torch.tanh(filter_TBH) * torch.sigmoid(gate_TBH)).split(self.hidden_size, 2)
            skips_TBH, a_TBH = skips_TBH + s_TBH, a_TBH + sum(r_TBH)
        return torch.relu(skips_TBH).transpose(0, 1), tuple(after)


class Convolution(nn.Module):
    """A causal convolution: y_t = b + sum_j W^j x_{t - j d}.

    Args:
        in_size: I, features of x.
        out_size: O, features of y.
        kernel: kernel size k.
        dilation: d, in steps.
    """

    def __init__(self, in_size: int, out_size: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.kernel, self.dilation = kernel, dilation
        self.linear = nn.Linear(kernel * in_size, out_size)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the inputs before the first step: zeros (B, (k - 1) d, I)."""
        in_size = self.linear.in_features // self.kernel
        return self.linear.weight.new_zeros(batch_size, (self.kernel - 1) * self.dilation, in_size)

    def forward(self, x_TBI: Tensor, before_BSI: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs (T, B, O), and the last inputs to replace ``before_BSI``."""
        T, all_TBI = len(x_TBI), torch.cat((before_BSI.transpose(0, 1), x_TBI))
        starts = range((self.kernel - 1) * self.dilation, -1, -self.dilation)  # of x_t, x_{t-d}, ...
        seen_TBI = torch.cat([all_TBI[start : start + T] for start in starts], 2)
        return self.linear(seen_TBI), all_TBI[T:].transpose(0, 1)
