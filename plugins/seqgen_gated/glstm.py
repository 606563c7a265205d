"""The group LSTM: independent LSTMs side by side, each on a part of the input and of the units.

    f_k, i_k, o_k, g_k = W_k x_k + U_k h_k + b_k        for each group k

and c' and h' as in ``lstm_base``. x_k, h_k and c_k are the k-th parts of x, h and c: K groups have K times fewer
weights than an LSTM of the same size.

Source: arXiv:1703.10722, after TensorFlow 1's GLSTMCell, whose projection, as here, is one matrix over all groups'
units and so mixes the groups. Where the parts cannot be equal they differ by one feature; TensorFlow refuses such
sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.affine_lstm import AffineLSTM


def group_sizes(n: int, groups: int) -> list[int]:
    """Split n features among the groups as evenly as possible."""
    return [n // groups + (k < n % groups) for k in range(groups)]


class GroupedLinear(nn.Module):
    """A block-diagonal linear map: each group sees its own part of the features.

    Args:
        in_size: input features.
        hidden_size: H, units of all groups.
        groups: number of groups.
        linear: factory of a group's linear map, called with (in, out).
    """

    def __init__(self, in_size: int, hidden_size: int, groups: int, linear: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.sizes = group_sizes(in_size, groups)
        self.maps = nn.ModuleList(
            linear(size, 4 * units) for size, units in zip(self.sizes, group_sizes(hidden_size, groups), strict=True)
        )

    def forward(self, x_BI: Tensor) -> Tensor:
        """Return pre-activations for f, i, o and g, (B, 4 H), each in the order of the groups."""
        of_groups = [linear(x).chunk(4, -1) for linear, x in zip(self.maps, x_BI.split(self.sizes, -1), strict=True)]
        return torch.cat([part for gate in zip(*of_groups, strict=True) for part in gate], -1)


class GLSTMCell(AffineLSTM):
    """A group LSTM cell.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), h (B, R) and c (B, H), where R is ``projection``, or H without one.
        groups: number of groups; None: 2, or 1 if there is a single unit or feature.
        forget_bias: initial bias of the forget gates; the other biases start at 0.
        more: peepholes, clip, projection and projection_clip, see ``LSTMBase``.

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
                f"cannot split {input_size} input features, {hidden_size} units and {self.output_size} output features "
                f"into {groups} groups: set groups to at most {fewest}"
            )
        self.set_maps(
            GroupedLinear(input_size, hidden_size, groups, lambda i, o: nn.Linear(i, o, bias=False)),
            GroupedLinear(self.output_size, hidden_size, groups, seqgen.Recurrent),
            forget_bias,
        )
