"""Wrappers of layers and of the steps of layers.

Dimension letters: B batch, T steps, I input, H output, P projection, K past outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqgen.cells.cell import Cell, Recurrent, StepCell, dropout_mask, time_mask
from seqgen.engine.torch_compat import first_parameter
from seqgen.errors import BadOption
from seqgen.protocols import State
from seqgen.states import has_features, list_leaves, map_pairs, map_state

_HUGE, _LARGE = 1e4, 100.0  # of an output, when a cell is asked whether it carries it
_EMPTY = -1e9  # added to the score of a slot that holds no output yet


class Around(Cell):
    """A layer with a norm or a skip connection around it; its state is that of the layer.

    Args:
        cell: the layer.
        norm: "before", "after" or "none": where to normalize features (arXiv:1607.06450).
        skip: "residual" adds the input to the output (arXiv:1512.03385); "highway" mixes them, y = g * cell(x) +
            (1 - g) * x with g = sigmoid(W x + b) and b = -1 at first (arXiv:1505.00387); "none": neither. If
            the sizes differ, the input passes a linear map first.
    """

    def __init__(self, cell: Cell, *, norm: str, skip: str) -> None:
        super().__init__(cell.input_size, cell.hidden_size)
        self.cell, self.output_size = cell, cell.output_size
        self.before = nn.LayerNorm(cell.input_size) if norm == "before" else nn.Identity()
        self.after = nn.LayerNorm(cell.output_size) if norm == "after" else nn.Identity()
        same = cell.input_size == cell.output_size
        self.skip = skip
        self.carry = (
            nn.Identity() if same or skip == "none" else nn.Linear(cell.input_size, cell.output_size, bias=False)
        )
        if skip == "highway":
            self.gate = nn.Linear(cell.input_size, cell.output_size)
            nn.init.constant_(self.gate.bias, -1.0)

    def initial_state(self, batch_size: int) -> State:
        """Return the initial state of the layer."""
        return self.cell.initial_state(batch_size)

    def forward(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the layer, its norm and its skip connection."""
        y_BTH, state = self.cell(self.before(x_BTI), state)
        if self.skip == "residual":
            y_BTH = self.carry(x_BTI) + y_BTH
        elif self.skip == "highway":
            carry_BTH, gate_BTH = self.carry(x_BTI), torch.sigmoid(self.gate(x_BTI))
            dtype = torch.promote_types(carry_BTH.dtype, y_BTH.dtype)  # under autocast maps are in bfloat16
            y_BTH = torch.lerp(carry_BTH.to(dtype), y_BTH.to(dtype), gate_BTH.to(dtype))
        return self.after(y_BTH), state


class StepWrapper(StepCell):
    """A step cell whose steps are those of another one, changed; the base class of such wrappers."""

    def __init__(self, cell: Cell, option: str) -> None:
        if not isinstance(cell, StepCell):
            raise BadOption(f"{option} needs a cell written as steps; {type(cell).__name__} computes whole sequences")
        super().__init__(cell.input_size, cell.hidden_size)
        self.cell, self.output_size, self.scaled = cell, cell.output_size, cell.scaled

    def initial_state(self, batch_size: int) -> State:
        """Return the initial state of the cell."""
        return self.cell.initial_state(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return the projection of the cell."""
        p_BTP: Tensor = self.cell.project(x_BTI)
        return p_BTP

    def noise(self, p_BTP: Tensor) -> Tensor:
        """Append the noise of the cell."""
        noisy_BTP: Tensor = self.cell.noise(p_BTP)
        return noisy_BTP


class Zoneout(StepWrapper):
    """A step cell with zoneout: while training, each feature of the state keeps its old value with some probability.

    In evaluation mode the state takes the expected value.

    Source: arXiv:1606.01305, section 3.2; one rate for all parts of the state.

    Args:
        cell: the step cell.
        share: the probability.

    Raises:
        BadOption: the cell is not written as steps, or a part of its state is the scale of another.
    """

    def __init__(self, cell: Cell, share: float) -> None:
        super().__init__(cell, "zoneout")
        if self.scaled:
            raise BadOption("zoneout needs a state whose features can be held one by one; here one part scales another")
        self.share = share
        self.sizes = [leaf.numel() for leaf in list_leaves(cell.initial_state(1)) if has_features(leaf)]
        if not self.sizes:
            raise BadOption(
                f"zoneout needs a cell with a state of real or complex numbers, unlike {type(cell).__name__}"
            )

    def noise(self, p_BTP: Tensor) -> Tensor:
        """Append masks for every feature of the state: 1 where it keeps its value."""
        p_BTP = super().noise(p_BTP)
        if not self.training:
            return p_BTP
        mask_TBS = time_mask(p_BTP.new_empty(p_BTP.shape[1], p_BTP.shape[0], sum(self.sizes)), 1 - self.share)
        return torch.cat((p_BTP, (mask_TBS != 0).to(p_BTP.dtype).transpose(0, 1)), 2)

    def step(self, p_BP: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the step; features of the state keep their old value by the masks."""
        masks: list[Tensor] = []
        if self.training:
            p_BP, *masks = p_BP.split([p_BP.shape[1] - sum(self.sizes), *self.sizes], 1)  # type: ignore[no-untyped-call]
        y_BH, after = self.cell.step(p_BP, state)
        held, output = iter(masks), [y_BH]

        def hold(new: Tensor, old: Tensor) -> Tensor:
            if not has_features(new):
                return new
            share = next(held).view_as(new) if masks else self.share
            mixed = new + share * (old - new)
            if new is y_BH:
                output[0] = mixed
            return mixed

        after = map_pairs(hold, after, state)
        return output[0], after


class RecurrentDropout(StepWrapper):
    """A step cell with dropout of the output that the next step multiplies, with one mask for all steps of a batch.

    Where a step carries the old output past its ``Recurrent`` maps, as a GRU does, the mask is on the arguments of the
    maps alone: what is carried would be scaled again at every step.

    Source: arXiv:1512.05287, section 4 ("variational").

    Args:
        cell: the step cell; its output must be part of its state.
        share: of the features that are dropped while training.

    Raises:
        BadOption: the cell is not written as steps, or its output is no part of its state; while training, it carries
            its output and maps none of it.
    """

    def __init__(self, cell: Cell, share: float) -> None:
        super().__init__(cell, "recurrent_dropout")
        self.share = share
        y_BH, after = _try_step(self.cell)
        self._is_output = [leaf is y_BH for leaf in list_leaves(after)]
        if not any(self._is_output):
            name = type(cell).__name__
            raise BadOption(f"recurrent_dropout needs a cell whose output is a part of its state, unlike {name}")
        largest, reading = _try_outputs(self.cell, self._is_output)
        self._carries = largest > _LARGE
        self._maps = reading if self._carries else []

    def noise(self, p_BTP: Tensor) -> Tensor:
        """Append the mask to each step; not to the state, which a long text carries from batch to batch."""
        p_BTP = super().noise(p_BTP)
        if not self.training:
            return p_BTP
        if self._carries and not self._maps:
            name = type(self.cell).__name__
            raise BadOption(f"recurrent_dropout needs a cell that maps what it carries by a Recurrent, unlike {name}")
        mask_BH = dropout_mask(p_BTP.new_empty(p_BTP.shape[0], self.output_size), self.share)
        return torch.cat((p_BTP, mask_BH[:, None].expand(-1, p_BTP.shape[1], -1)), 2)

    def step(self, p_BP: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the step with the mask applied to the output before, or to the arguments of its maps."""
        if not self.training:
            return self.cell.step(p_BP, state)
        p_BP, mask_BH = p_BP.split([p_BP.shape[1] - self.output_size, self.output_size], 1)  # type: ignore[no-untyped-call]
        if not self._carries:
            is_output = iter(self._is_output)
            return self.cell.step(p_BP, map_state(lambda leaf: leaf * mask_BH if next(is_output) else leaf, state))
        for one in self._maps:
            one.mask_BI = mask_BH
        try:
            return self.cell.step(p_BP, state)
        finally:
            for one in self._maps:
                one.mask_BI = None


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


def _try_step(cell: StepCell, change: Callable[[Tensor], Tensor] = lambda leaf: leaf) -> tuple[Tensor, State]:
    """Return what a step of zeros gives from the initial state, changed leaf by leaf; nothing is random."""
    training = cell.training
    cell.eval()
    try:
        with torch.no_grad():
            return cell.step(cell.noise(project_zeros(cell))[:, 0], map_state(change, cell.initial_state(1)))
    finally:
        cell.train(training)


def _try_outputs(cell: StepCell, is_output: list[bool]) -> tuple[float, list[Recurrent]]:
    """Run a step after a huge output, from which no map gets anything.

    Args:
        cell: the cell.
        is_output: for each leaf of its state whether it is the output.

    Returns:
        The largest value of the next output, and the maps that read the old one: what they read depends on it, though
        no map was between.
    """
    maps = [one for one in cell.modules() if isinstance(one, Recurrent)]
    largest, read = 0.0, list[dict[Recurrent, Tensor]]()

    def remember(one: Recurrent, given: tuple[Tensor]) -> None:
        read[-1].setdefault(one, given[0].clone())

    hooks = [one.register_forward_pre_hook(remember) for one in maps]
    try:
        for one in maps:
            one.mask_BI = torch.zeros((), device=one.weight.device, dtype=one.weight.dtype)
        for before in (0.0, _HUGE):
            read.append({})
            flags = iter(is_output)
            y_BH, _ = _try_step(cell, lambda leaf: _spread(leaf, before) if next(flags) else leaf)  # noqa: B023
            largest = float(y_BH.abs().max())
    finally:
        for hook in hooks:
            hook.remove()
        for one in maps:
            one.mask_BI = None
    reading = [one for one in maps if one in read[0] and not torch.equal(read[0][one], read[1][one])]
    return largest, [one for one in reading if one.weight.shape[1] == cell.output_size]  # others read a part of it


def _spread(like: Tensor, largest: float) -> Tensor:
    """Return different numbers up to one, which a norm does not make all the same."""
    return torch.linspace(-1, 1, like.numel()).to(like).view_as(like) * largest


def project_zeros(cell: StepCell) -> Tensor:
    """Return the projection of a step of zeros, (1, 1, P)."""
    like = first_parameter(cell)
    with torch.no_grad():
        x_BTI = torch.zeros(1, 1, cell.input_size) if like is None else like.new_zeros(1, 1, cell.input_size)
        p_BTP: Tensor = cell.project(x_BTI)
    return p_BTP
