"""The group LSTM: independent LSTMs side by side, each with a part of the input and of the units.

    f_k, i_k, o_k, g_k = W_k x_k + U_k h_k + b_k        for each group k

and c' and h' as in ``memory``. x_k, h_k and c_k are the k-th parts of x, h and c: with K groups there are K times fewer
weights than in an LSTM of as many units.

Source: arXiv:1703.10722, after GLSTMCell in TensorFlow 1, whose projection, as here, is one matrix over the units of
all groups: through it they meet. Parts that cannot be equal differ by one feature, where TensorFlow refuses them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.sums import SumsCell


def share(n: int, groups: int) -> list[int]:
    """How many of n features each group has."""
    return [n // groups + (k < n % groups) for k in range(groups)]


class Grouped(nn.Module):
    """The gates of groups that see a part of the features each.

    Args:
        in_size: features of the argument.
        hidden_size: H, units of all groups.
        groups: how many groups.
        linear: makes the linear map of a group, of its two sizes.
    """

    def __init__(self, in_size: int, hidden_size: int, groups: int, linear: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.sizes = share(in_size, groups)
        self.maps = nn.ModuleList(
            linear(size, 4 * units) for size, units in zip(self.sizes, share(hidden_size, groups), strict=True)
        )

    def forward(self, x_BI: Tensor) -> Tensor:
        """The sums for f, i, o and g (B, 4 H), within each of them group by group."""
        of_groups = [own(x).chunk(4, -1) for own, x in zip(self.maps, x_BI.split(self.sizes, -1), strict=True)]
        return torch.cat([part for gate in zip(*of_groups, strict=True) for part in gate], -1)


class GLSTMCell(SumsCell):
    """LSTMs side by side.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, R), R being H or the projection, and c (B, H).
        groups: how many there are; None takes two, or one where there is a single unit or feature.
        forget_bias: start of the forget gates' biases; the other biases start at 0.
        more: peepholes, clip, projection and projection_clip, see ``MemoryCell``.

    Raises:
        BadOption: there are more groups than units or features.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, groups: int | None = None, forget_bias: float = 1.0, **more: Any
    ) -> None:
        super().__init__(input_size, hidden_size, **more)
        fewest = min(input_size, hidden_size, self.output_size)
        groups = min(2, fewest) if groups is None else groups
        if groups > fewest:
            raise seqgen.BadOption(
                f"{groups} groups cannot share {input_size} features of the input, {hidden_size} units and "
                f"{self.output_size} of the output: at most {fewest} groups can"
            )
        self.sum_of(
            Grouped(input_size, hidden_size, groups, lambda i, o: nn.Linear(i, o, bias=False)),
            Grouped(self.output_size, hidden_size, groups, seqgen.Recurrent),
            forget_bias,
        )
