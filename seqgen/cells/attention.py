"""Attention over past outputs as a wrapper of step cells.

Dimension letters: B batch, T steps, I input, H output, P projection, K past outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqgen.cells.cell import Cell, Recurrent
from seqgen.cells.wrappers import StepWrapper, project_zeros
from seqgen.protocols import State

_EMPTY = -1e9  # added to the score of a slot that holds no output yet


class PastAttention(StepWrapper):
    """A step cell whose steps attend to its last K outputs.

        u, s' = cell(W_x x + W_d d, s)                          d: the attention of the step before
        e_j = v . tanh(W_h y_j + W_u u), j = 1 .. K             y_j: the past outputs
        d' = sum_j softmax_j(e_j) y_j
        y' = W_y [u, d']

    Biases of W_x, W_u and W_y are omitted. As d enters before the projection of the cell, that projection is computed
    step by step, so that this wrapper costs more than the others.

    Source: arXiv:1601.06733, in the form of TensorFlow 1's AttentionCellWrapper. It differs in two points: slots that
    hold no output yet get no weight (there they are zeros with as much weight as others), and the query is the output
    of the cell (there its whole state), so that it does not grow with the state.

    Args:
        cell: the step cell.
        window: K.
    """

    def __init__(self, cell: Cell, window: int) -> None:
        super().__init__(cell, "attention")
        I, H = self.input_size, self.output_size  # noqa: E741
        self.window = window
        self.input = nn.Linear(I, I)
        self.mixed = Recurrent(H, I)
        self.key = Recurrent(H, H)
        self.query = Recurrent(H, H, bias=True)
        self.score = nn.Parameter(torch.empty(H).uniform_(-(H**-0.5), H**-0.5))
        self.output = Recurrent(2 * H, H, bias=True)
        self._projected = project_zeros(self.cell).shape[2]

    def initial_state(self, batch_size: int) -> State:
        """Return the state of the cell, d, the past outputs, W_h of them, and the bias of their scores."""
        like, H = self.score, self.output_size
        past_BKH = like.new_zeros(batch_size, self.window, H)
        empty_BK = like.new_full((batch_size, self.window), _EMPTY)
        return super().initial_state(batch_size), like.new_zeros(batch_size, H), past_BKH, past_BKH, empty_BK

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W_x x."""
        u_BTI: Tensor = self.input(x_BTI)
        return u_BTI

    def noise(self, p_BTP: Tensor) -> Tensor:
        """Append the noise that the cell appends to its own projection."""
        blank_BTP = p_BTP.new_zeros(*p_BTP.shape[:2], self._projected)
        return torch.cat((p_BTP, super().noise(blank_BTP)[..., self._projected :]), 2)

    def step(self, p_BP: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the output y' and the state after this step."""
        inner, d_BH, past_BKH, keys_BKH, empty_BK = state
        x_BI = p_BP[:, : self.input_size] + self.mixed(d_BH)
        q_BP = self.cell.project(x_BI[:, None])[:, 0]
        if p_BP.shape[1] > self.input_size:
            q_BP = torch.cat((q_BP, p_BP[:, self.input_size :]), 1)
        u_BH, inner = self.cell.step(q_BP, inner)
        e_BK = (torch.tanh(keys_BKH + self.query(u_BH)[:, None]) * self.score).sum(2) + empty_BK
        d_BH = (torch.softmax(e_BK, 1)[:, :, None] * past_BKH).sum(1)
        y_BH = self.output(torch.cat((u_BH, d_BH), 1))
        after = (
            _push(past_BKH, y_BH),
            _push(keys_BKH, self.key(y_BH)),
            _push(empty_BK, torch.zeros_like(empty_BK[:, 0])),
        )
        return y_BH, (inner, d_BH, *after)


def _push(past_BK: Tensor, new_B: Tensor) -> Tensor:
    """Append a value to the last K and drop the first; any further dimensions are kept."""
    return torch.cat((past_BK, new_B[:, None]), 1)[:, 1:]
