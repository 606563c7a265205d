"""The contract of a cell.

Dimension letters: B batch, T steps, I cell input, H cell output.
"""

from __future__ import annotations

from torch import Tensor, nn

from seqgen.engine.torch_compat import first_parameter
from seqgen.protocols import State


class Cell(nn.Module):
    """A layer of the model: a function of (input, state) to (output, state).

    Subclass it to mix time freely; subclass :class:`seqgen.StepCell` to write only the equations of one step.

    Args:
        input_size: I, features of the input.
        hidden_size: the size of the state, and of the output unless ``output_size`` is set to another.
    """

    output_size: int

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = hidden_size

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step: a nested tuple, list or dict of tensors, every leaf (B, ...)."""
        raise NotImplementedError(f"{type(self).__name__} has no method initial_state")

    def forward(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        """Run over time.

        Args:
            x_BTI: the inputs; T is 1 when sampling.
            state: the state before the first of them; never modified.

        Returns:
            The outputs (B, T, H) and the state after the last step.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method forward")

    def zeros(self, batch_size: int) -> Tensor:
        """Return zeros (B, H) of the dtype and device of this module, for ``initial_state``."""
        like = first_parameter(self)
        assert like is not None, "a cell without parameters creates its own state"
        return like.new_zeros(batch_size, self.hidden_size)
