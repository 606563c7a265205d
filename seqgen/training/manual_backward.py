"""The loss of the default model and its gradients by a hand-written backward pass.

It walks the pieces that ``RecurrentModel.pieces`` lists, as the forward pass of the model does. The look-up of the
input, traced steps, dropout, the head and the loss are differentiated here by their formulas; other pieces (a
projection, a cell that computes whole sequences) run under autograd, each with a small graph of its own. Under autograd
alone a tiny model spends half of its time there. The gradients are the same: tests compare them.

Dimension letters: T steps, B batch, P projection, H output, N positions with a target, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.batches import Batch
from seqgen.cells import Cell, Dropout, Stack, StepCell
from seqgen.engine.autograd_utils import as_normal_tensor, backward_from
from seqgen.engine.plan import Plan
from seqgen.engine.plan_runner import Runner, run_backward, step_by_step, traced_step
from seqgen.engine.torch_compat import has_hooks, have_hooks, log_softmax_backward
from seqgen.model import RecurrentModel
from seqgen.protocols import State
from seqgen.states import list_leaves, map_state
from seqgen.tokenizers import PAD

_aten = torch.ops.aten
Backward = Callable[[Tensor], Tensor | None]
"""The backward pass of a piece: adds to the gradients of its parameters; takes the gradient of its output and returns
that of its input."""


def supports_manual_backward(model: nn.Module) -> bool:
    """Return whether ``loss_and_gradients`` works: the default model without eager cells and without hooks."""
    if type(model) is not RecurrentModel or type(model.head) is not nn.Linear:
        return False
    state = model.initial_state(1)
    cells = [module for module in model.modules() if isinstance(module, StepCell)]
    if any(leaf.requires_grad for leaf in list_leaves(state)) or any(cell.engine == "eager" for cell in cells):
        return False
    within = {part for cell in cells for part in cell.modules() if part is not cell}  # called as modules in any case
    if any(has_hooks(module) for module in model.modules() if module not in within):
        return False
    return not have_hooks(model.parameters())


def loss_and_gradients(
    model: RecurrentModel,
    batch: Batch,
    penalty_V: Tensor,
    state: State,
    *,
    compiled: bool = False,
    carries: bool = True,
) -> tuple[Tensor, State]:
    """Return the loss summed over a batch, in nats; add the gradients of its mean to those of the parameters.

    Args:
        model: for which ``supports_manual_backward`` holds.
        batch: to train on.
        penalty_V: the result of ``penalty``.
        state: at the start of the batch, without a graph; None: the model's initial state.
        compiled: whether steps run in compiled chunks. Otherwise everything but the graphs is in inference mode, a
            tenth faster, for which the chunks would have to be compiled again.
        carries: whether to return the state at the end of the batch.

    Returns:
        The loss, 0-dimensional, and the state at the end of the batch; None without ``carries``.
    """
    ends: list[State] = []
    first = model.initial_state(batch.ids_BT.shape[0]) if state is None else state
    with torch.no_grad() if compiled else torch.inference_mode():
        tape: list[Backward] = []
        hidden_TBH = _forward(model, batch.ids_BT.t(), first, tape, ends)
        hidden_NH, targets_N = hidden_TBH.flatten(0, 1), batch.targets_BT.t().flatten()
        if batch.at_N is not None:
            hidden_NH, targets_N = hidden_NH.index_select(0, batch.at_N), targets_N.index_select(0, batch.at_N)
        nats, d_hidden_NH = _head(model.head, hidden_NH, targets_N, penalty_V, batch.n_targets)
        if batch.at_N is not None:
            d_hidden_NH = torch.zeros_like(hidden_TBH).flatten(0, 1).index_copy_(0, batch.at_N, d_hidden_NH)
        gradient: Tensor | None = d_hidden_NH.view_as(hidden_TBH)
        for back in reversed(tape):
            if gradient is None:
                break
            gradient = back(gradient)
    return nats, map_state(as_normal_tensor, tuple(ends)) if carries else None


def _head(
    head: nn.Linear, hidden_NH: Tensor, targets_N: Tensor, penalty_V: Tensor, n_targets: int
) -> tuple[Tensor, Tensor]:
    """Return the loss, and the gradient of its mean by the input of the head."""
    bias_V = penalty_V if head.bias is None else head.bias + penalty_V
    logits_NV = functional.linear(hidden_NH, head.weight, bias_V)
    log_probs_NV = torch.log_softmax(logits_NV, -1)
    nats, weight = _aten.nll_loss_forward(log_probs_NV, targets_N, None, 2, PAD)
    share = torch.full_like(nats, 1 / n_targets)
    d_logits_NV = _aten.nll_loss_backward(share, log_probs_NV, targets_N, None, 2, PAD, weight)
    d_logits_NV = log_softmax_backward(d_logits_NV, log_probs_NV)
    _accumulate_product(head.weight, d_logits_NV.t(), hidden_NH)
    _accumulate(head.bias, d_logits_NV.sum(0))
    return nats, d_logits_NV @ head.weight


def _forward(model: RecurrentModel, ids_TB: Tensor, first: State, tape: list[Backward], ends: list[State]) -> Tensor:
    """Return the input of the head (T, B, H); append the last states of the layers to ``ends``."""
    projected = model.uses_table(ids_TB.numel())
    tape.append(lambda d_VE: _accumulate(model.embedding.weight, d_VE))
    table_VP = model.embedding.weight.detach()
    if projected:
        table_VP = _project(model.stack.layers[0], table_VP, tape)
    x_TBI = _look_up(table_VP, ids_TB, tape)
    befores = [before for _, before in zip(model.stack.layers, first, strict=True)]
    for piece in _before_head(model):
        if isinstance(piece, Cell):
            x_TBI = _layer(piece, x_TBI, befores[len(ends)], projected and not ends, tape, ends)
        elif isinstance(piece, Dropout):
            x_TBI = _drop(piece, x_TBI, tape)
        elif not isinstance(piece, nn.Identity):
            x_TBI = _run_under_autograd(piece, x_TBI, tape)
    return x_TBI


def _before_head(model: RecurrentModel) -> Iterator[nn.Module]:
    """Iterate over the pieces between the embedding and the head, those of the stack one by one."""
    over_time, (*others, _) = model.pieces()
    for piece in (*over_time, *others):
        yield from piece.pieces() if isinstance(piece, Stack) else [piece]


def _project(cell: Cell, table_VE: Tensor, tape: list[Backward]) -> Tensor:
    """Return the projection of each symbol (V, P), traced as a single step."""
    assert isinstance(cell, StepCell)

    def step(x_V1E: Tensor, state: State) -> tuple[Tensor, State]:
        return cell.project(x_V1E), state

    n_symbols = len(table_VE)
    x_1V1E = table_VE.reshape(1, n_symbols, 1, -1)
    tape.append(lambda d_1V1E: d_1V1E.reshape(n_symbols, -1))
    found = traced_step(cell, "project").find_runner(cell, step, x_1V1E, (), compiled=False)
    if found is None:
        table_1V1P = _run_under_autograd(lambda x: cell.project(x[0])[None], x_1V1E, tape)
    else:
        table_1V1P, _ = _scan(*found, x_1V1E, [], tape)
    tape.append(lambda d_VP: d_VP.reshape(1, n_symbols, 1, -1))
    return table_1V1P.reshape(n_symbols, -1)


def _look_up(table_VP: Tensor, ids_TB: Tensor, tape: list[Backward]) -> Tensor:
    ids_N = ids_TB.flatten()

    def back(d_TBP: Tensor) -> Tensor:
        if d_TBP.device.type != "cpu":  # where adding at indices is not deterministic
            return _aten.embedding_dense_backward(d_TBP, ids_TB, len(table_VP), -1, False)  # type: ignore[no-any-return]
        return torch.zeros_like(table_VP).index_add_(0, ids_N, d_TBP.flatten(0, 1))

    tape.append(back)
    return table_VP.index_select(0, ids_N).view(*ids_TB.shape, -1)


def _drop(dropout: Dropout, x_TBH: Tensor, tape: list[Backward]) -> Tensor:
    mask_TBH = dropout.mask(x_TBH)
    if mask_TBH is None:
        return x_TBH
    tape.append(lambda dy_TBH: dy_TBH * mask_TBH)
    return x_TBH * mask_TBH


def _layer(cell: Cell, x_TBI: Tensor, state: State, projected: bool, tape: list[Backward], ends: list[State]) -> Tensor:
    """Return the output of a layer, by its traced step where that is how it runs; append its last state to ``ends``."""

    def first_of(found: tuple[Tensor, State]) -> Tensor:
        ends.append(map_state(Tensor.detach, found[1]))
        return found[0]

    if not isinstance(cell, StepCell) or not (projected or _is_plain(cell)):
        return _run_under_autograd(lambda x: first_of(cell(x.transpose(0, 1), state)).transpose(0, 1), x_TBI, tape)
    if not _is_plain(cell):
        scan = cell.scan
        return _run_under_autograd(lambda p: first_of(scan(p.transpose(0, 1), state)).transpose(0, 1), x_TBI, tape)
    if not projected:
        x_TBI = _run_under_autograd(cell.project, x_TBI, tape)
    fresh = projected  # just looked up, and read by nothing else
    if type(cell).noise is not StepCell.noise:
        noise, fresh = cell.noise, False
        x_TBI = _run_under_autograd(lambda p: noise(p.transpose(0, 1)).transpose(0, 1), x_TBI, tape)
    step = cell.step
    found = traced_step(cell).find_runner(cell, step, x_TBI, state, compiled=cell.engine == "compiled")
    if found is None:
        return _run_under_autograd(lambda p: first_of(step_by_step(step, p, state)), x_TBI, tape)
    y_TBH, last = _scan(*found, x_TBI, list_leaves(state), tape, may_overwrite=fresh)
    leaves = iter(last)
    ends.append(map_state(lambda leaf: next(leaves), state))
    return y_TBH


def _is_plain(cell: StepCell) -> bool:
    """Return whether a cell runs over time by ``project`` and ``step``, without a method of its own for sequences."""
    overrides = type(cell).forward is not StepCell.forward or type(cell).scan is not StepCell.scan
    return not (overrides or cell.uses_fused() or cell.uses_parallel())


def _scan(
    plan: Plan, runner: Runner, p_TBP: Tensor, first: list[Tensor], tape: list[Backward], *, may_overwrite: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Return the output of a layer and the leaves of its last state."""
    y_TBH, ends, saved = runner.forward(p_TBP.contiguous(), first, may_overwrite=may_overwrite)

    def back(dy_TBH: Tensor) -> Tensor | None:
        d_ends = [torch.zeros_like(end) for end in ends]
        d_input, _, of_parameters = run_backward(plan, runner, saved, dy_TBH, d_ends)
        for parameter, gradient in of_parameters:
            _accumulate(parameter, gradient)
        return d_input

    tape.append(back)
    return y_TBH, ends


def _run_under_autograd(function: Callable[[Tensor], Tensor], x: Tensor, tape: list[Backward]) -> Tensor:
    """Return the output of a piece that runs under autograd, which takes no inference tensors."""
    with torch.inference_mode(False), torch.enable_grad():
        inner = as_normal_tensor(x).requires_grad_()
        y = function(inner)
        detached = y.detach()

    def back(dy: Tensor) -> Tensor | None:
        if y.requires_grad:
            with torch.inference_mode(False):
                backward_from(y, as_normal_tensor(dy))
        return inner.grad

    tape.append(back)
    return detached


def _accumulate_product(parameter: Tensor, left_ON: Tensor, right_NI: Tensor) -> None:
    if parameter.grad is None:
        _accumulate(parameter, left_ON @ right_NI)
    elif parameter.requires_grad:
        parameter.grad.addmm_(left_ON, right_NI)


def _accumulate(parameter: Tensor | None, gradient: Tensor | None) -> None:
    if parameter is None or gradient is None or not parameter.requires_grad:
        return
    if parameter.grad is None:
        with torch.inference_mode(False):  # a copy: what is added later must not reach a gradient that shares memory
            parameter.grad = gradient.clone(memory_format=torch.contiguous_format)
    else:
        parameter.grad.add_(gradient)
