"""Checks of a model on a small batch before its first step: forms, sense, gradients and buffers.

Dimension letters: B batch, T steps, N positions, I input, P projected input, V vocabulary.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.cells import StepCell, step_cells, use_engine
from seqgen.engine.plan_runner import isolated
from seqgen.engine.torch_compat import own_buffers
from seqgen.errors import SeqgenError, is_out_of_memory
from seqgen.model import evaluation_mode
from seqgen.states import list_leaves, output_and_state, structure_difference
from seqgen.tokenizers import PAD
from seqgen.training.gradients import piece_bounds, take_piece
from seqgen.training.train_step import TrainStep

if TYPE_CHECKING:
    from seqgen.batches import Batch
    from seqgen.protocols import State

_NEAR = 3e-5  # by which numbers found in two ways may differ, relative to the largest; rounding makes 2e-7
_ALIKE = 1e-2  # the same after steps of large numbers, which may enlarge rounding
_MANY, _STEPS, _LARGE, _ALONE = 64, 8, 10.0, 2  # rows, steps, a factor on inputs, and rows that are run alone too
_NEAR_ONE = 1e-3  # by which the sum of probabilities may differ from 1
_ALONE_STEPS = 16  # steps that are also taken one by one
_CHANGES = (
    "gives something else each time, though it is not being trained: random numbers in evaluation mode, or something "
    "kept on self between steps"
)


class BrokenContract(Exception):
    """A broken contract of a model; the message follows the name of the part at fault."""


def find_fault(model: Any, *, batch: Batch, n_symbols: int, fresh: bool) -> tuple[BaseException | None, list[str]]:
    """Run a model and return its failure, None if it works, and the names of parameters that no gradient reaches.

    Args:
        model: on the CPU.
        batch: a small batch.
        n_symbols: the number of its symbols.
        fresh: whether the weights are untrained, so that NaN is the fault of the model.

    Raises:
        SeqgenError, OSError, MemoryError, RuntimeError: the part's own message for the user, or memory ran out.
    """
    model.eval()
    try:
        with torch.no_grad():
            _try(model, batch, n_symbols, fresh)
        unused = _check_gradients(model, batch, fresh)
    except (SeqgenError, OSError):
        raise
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise
        return error, []
    model.train()
    return None, unused


def _try(model: Any, batch: Batch, n_symbols: int, fresh: bool) -> None:
    ids_BT = batch.ids_BT
    for cell in step_cells(model):
        _check_step(cell)
        _check_rows_apart(cell)
    _check_state(model, ids_BT[:, :1])
    logits_BTV, _ = model(ids_BT, model.initial_state(len(ids_BT)))
    wanted = (*ids_BT.shape, n_symbols)
    if tuple(logits_BTV.shape) != wanted:
        raise BrokenContract(f" gives logits {tuple(logits_BTV.shape)}, not {wanted}")
    if fresh:
        _check_numbers(logits_BTV[batch.targets_BT != 0])
    _check_sense(model, ids_BT, logits_BTV)
    with evaluation_mode(model):  # as it is judged, where nothing can have a gradient
        model(ids_BT, model.initial_state(len(ids_BT)))


def _check_step(cell: StepCell) -> None:
    """A step gives an output of the right shape."""
    n_rows, n_steps = 2, 3
    start = _check_start(cell, n_rows)
    x_BTI = torch.randn(n_rows, n_steps, cell.input_size, generator=torch.Generator().manual_seed(0))
    try:
        for training in (False, True):
            _check_projection(cell.train(training), x_BTI)
    finally:
        cell.eval()
    p_BP = cell.noise(cell.project(x_BTI))[:, 0]
    given_BP = p_BP.clone()
    output: Any
    output, after = output_and_state(cell.step(p_BP, start), "step")
    _check_untouched(p_BP, given_BP, "step", "projection")
    _check_form(start, after)
    wanted = n_rows, cell.output_size
    if not isinstance(output, Tensor):
        raise BrokenContract(f": step must return (output, state); its output is a {type(output).__name__}")
    if tuple(output.shape) != wanted:
        raise BrokenContract(f": the output of step is {tuple(output.shape)}, not {wanted} (rows, output_size)")


def _check_projection(cell: StepCell, x_BTI: Tensor) -> None:
    """The projection maps each vector by itself, without random numbers: the first layer projects each symbol once."""

    def project(x_BTI: Tensor) -> tuple[Tensor, bool]:
        """Return the projection, and whether it has used random numbers."""
        with isolated(cell):
            before = torch.get_rng_state()
            return cell.project(x_BTI), not torch.equal(before, torch.get_rng_state())

    given_BTI = x_BTI.clone()
    p_BTP, is_random = project(x_BTI)
    _check_untouched(x_BTI, given_BTI, "project", "input")
    _check_sequence(p_BTP, x_BTI, "project")
    if not cell.training and not _near(cell.project(x_BTI), cell.project(x_BTI)):
        raise BrokenContract(f" {_CHANGES}")
    if is_random:
        raise BrokenContract(
            ": project uses random numbers, which all occurrences of a symbol would share: sample them in noise"
        )
    alone_BTP = torch.cat([torch.cat([project(x_1I[None, None])[0] for x_1I in x_TI], 1) for x_TI in x_BTI])
    if p_BTP.shape != alone_BTP.shape or not _near(alone_BTP, p_BTP):
        raise BrokenContract(
            ": project mixes steps or rows: it must map each vector by itself, whatever the two dimensions before it"
        )

    with isolated(cell):
        given_BTP = p_BTP.clone()
        _check_sequence(cell.noise(given_BTP), x_BTI, "noise")
        _check_untouched(given_BTP, p_BTP, "noise", "projection")


def _check_sequence(found: Any, x_BTI: Tensor, by: str) -> None:
    """A method gives a tensor of steps, (B, T, P)."""
    if not isinstance(found, Tensor):
        raise BrokenContract(f": {by} must return one tensor, not {type(found).__name__}")
    rows, steps, _ = x_BTI.shape
    if found.ndim != x_BTI.ndim or found.shape[:2] != (rows, steps):
        raise BrokenContract(f": {by} gives {tuple(found.shape)}, not ({rows}, {steps}, P) (rows, steps, features)")


def _check_untouched(now: Tensor, before: Tensor, by: str, what: str) -> None:
    if not _same(before, now):
        raise BrokenContract(f": {by} changes the {what} it is given: make a new tensor, x = x + y and not x += y")


def _check_rows_apart(cell: StepCell) -> None:
    """Rows of a large batch and large inputs come out as each does alone: a branch on all of them takes another way."""
    x_BTI = _LARGE * torch.randn(_MANY, _STEPS, cell.input_size, generator=torch.Generator().manual_seed(0))
    together_BTH = _stepped(cell, x_BTI)
    if not _near(_stepped(cell, x_BTI), together_BTH):
        raise BrokenContract(f" {_CHANGES}")
    for row in range(_ALONE):
        if not _near(_stepped(cell, x_BTI[row : row + 1]), together_BTH[row : row + 1], tolerance=_ALIKE):
            raise BrokenContract(" mixes rows: what step gives for one depends on the others of its batch")


def _stepped(cell: StepCell, x_BTI: Tensor) -> Tensor:
    state, outputs = cell.initial_state(len(x_BTI)), list[Tensor]()
    for p_BP in cell.noise(cell.project(x_BTI)).unbind(1):
        output, state = output_and_state(cell.step(p_BP, state), "step")
        outputs.append(output)
    return torch.stack(outputs, 1)


def _check_state(model: Any, ids_B1: Tensor) -> None:
    """One step: the state has the batch first and keeps its form, and the one given stays as it was."""
    n_rows = len(ids_B1)
    start = state = _check_start(model, n_rows)
    for _ in range(2):  # a first state of zeros is the same when it is multiplied
        before = [leaf.clone() for leaf in list_leaves(state)]
        try:
            found = model(ids_B1, state)
        except RuntimeError as error:
            given, now = ([tuple(leaf.shape) for leaf in list_leaves(one)] for one in (start, state))
            if given == now or is_out_of_memory(error):
                raise
            problem = f": initial_state gives {given}, a step gives back {now}, and fails on that"
            raise BrokenContract(problem) from error
        if not isinstance(found, tuple) or len(found) != 2:
            raise BrokenContract(f": forward must return (logits, state), not {type(found).__name__}")
        if not all(_same(was, is_now) for was, is_now in zip(before, list_leaves(state), strict=True)):
            raise BrokenContract(" changes the state it is given: make a new tensor, h = h + x and not h += x")
        _check_form(start, found[1])
        _check_rows(found[1], n_rows, f": the state that a step of {n_rows} rows gives back has")
        state = found[1]


def _check_start(part: Any, n_rows: int) -> State:
    """Return the initial state, which has the batch first; another dimension may be as large as one batch."""
    for n in (n_rows + 1, n_rows):
        state: State = part.initial_state(n)
        _check_rows(state, n, f": initial_state({n}) has")
    return state


def _check_form(start: State, after: Any) -> None:
    """The state after a step has the parts and keys of the initial one."""
    if (difference := structure_difference(start, after)) is not None:
        first, then = difference
        raise BrokenContract(f": initial_state gives {first}, a step gives back {then}; a state keeps its form")


def _same(was: Tensor, is_now: Tensor) -> bool:
    """Return whether two tensors are equal, with NaN equal to NaN."""
    return was.shape == is_now.shape and bool(((was == is_now) | ((was != was) & (is_now != is_now))).all())


def _check_rows(state: State, n_rows: int, what: str) -> None:
    for leaf in list_leaves(state):
        if leaf.shape[:1] != (n_rows,):
            raise BrokenContract(
                f"{what} a tensor {tuple(leaf.shape)}: its first dimension must be that of the batch, {n_rows}"
            )


def _check_numbers(logits_NV: Tensor) -> None:
    """Logits are numbers, and not already probabilities, from which nothing like them would be learned."""
    if logits_NV.isnan().any():
        raise BrokenContract(" gives NaN (not a number) on its first batch, before it has learned anything")
    sums_N = logits_NV.sum(-1)
    if len(sums_N) > 1 and (logits_NV >= 0).all() and torch.allclose(sums_N, torch.ones_like(sums_N), atol=_NEAR_ONE):
        raise BrokenContract(" gives probabilities, not logits: leave the softmax out, or give logarithms")


def _check_sense(model: Any, ids_BT: Tensor, logits_BTV: Tensor) -> None:
    """The same sequences in other ways, which must come out the same."""
    n_rows, n_steps = ids_BT.shape
    cut = n_steps // 2
    early_BTV, middle = logits_BTV[:, :0], model.initial_state(n_rows)
    if cut:
        early_BTV, middle = model(ids_BT[:, :cut], middle)
    late_BTV, _ = model(ids_BT[:, cut:], middle)
    again_BTV, _ = model(ids_BT, model.initial_state(n_rows))
    alone_BTV = torch.cat([model(ids_1T[None], model.initial_state(1))[0] for ids_1T in ids_BT])
    steps_BTV = _read_by_symbol(model, ids_BT[:, :_ALONE_STEPS])
    for found, expected, problem in (
        (again_BTV, logits_BTV, _CHANGES),
        (
            early_BTV,
            logits_BTV[:, :cut],
            "looks ahead: what it gives at a step depends on later ones, so losses say nothing",
        ),
        (late_BTV, logits_BTV[:, cut:], "gives something else when a sequence is read in two pieces, as in sampling"),
        (alone_BTV, logits_BTV, "mixes rows: what it gives for one depends on the others of its batch"),
    ):
        if not _near(found, expected, logits_BTV):
            raise BrokenContract(f" {problem}")
    if not _near(steps_BTV, logits_BTV[:, :_ALONE_STEPS], logits_BTV, _ALIKE):
        problem = "gives something else when a sequence is read symbol by symbol, as in sampling"
        raise BrokenContract(f" {problem}{_forms(model)}")


def _read_by_symbol(model: Any, ids_BT: Tensor) -> Tensor:
    """Return the logits of sequences that are read in steps of one symbol, as samples are."""
    state, found = model.initial_state(len(ids_BT)), []
    for step in range(ids_BT.shape[1]):
        logits_B1V, state = model(ids_BT[:, step : step + 1], state)
        found.append(logits_B1V)
    return torch.cat(found, 1)


def _forms(model: Any) -> str:
    """Return the clause of a message on the forms of cells for whole sequences; "" if there are none."""
    cells = step_cells(model)
    used = {"fused": any(cell.uses_fused() for cell in cells), "parallel": any(cell.uses_parallel() for cell in cells)}
    found = " and ".join(name for name, is_used in used.items() if is_used)
    return f": {found} must compute what step does" if found else ""


def _near(found: Tensor, expected: Tensor, scale: Tensor | None = None, tolerance: float = _NEAR) -> bool:
    """Return whether two tensors are equal but for rounding.

    NaN after a row's end is of no account; the same infinity on both sides is no difference.

    Args:
        found: a tensor.
        expected: one of its shape.
        scale: a tensor with the largest number that matters; None: ``expected``.
        tolerance: by how much they may differ, relative to that number.
    """
    scale = expected if scale is None else scale
    finite = scale[scale.isfinite()]
    limit = tolerance * (1 + finite.abs().amax()) if len(finite) else 0.0
    return not bool(((found - expected).abs() > limit).any() | (found.isinf() != expected.isinf()).any())


def _check_gradients(model: Any, batch: Batch, fresh: bool) -> list[str]:
    """The gradients of fresh weights are numbers; return the names of parameters that the loss does not depend on.

    The steps run under autograd, in evaluation mode, and leave nothing behind.
    """
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not parameters:
        return []
    engines = {cell: cell.engine for cell in step_cells(model)}
    use_engine(model, "eager")
    try:
        with torch.enable_grad():
            logits_BTV, _ = model(batch.ids_BT, model.initial_state(len(batch.ids_BT)))
            loss = functional.cross_entropy(logits_BTV.flatten(0, 1), batch.targets_BT.flatten(), ignore_index=PAD)
            if not loss.requires_grad:
                return list(parameters)
            found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    finally:
        for cell, engine in engines.items():
            cell.engine = engine
    gradients = dict(zip(parameters, found, strict=True))
    broken = [name for name, gradient in gradients.items() if gradient is not None and not gradient.isfinite().all()]
    if fresh and broken:
        raise BrokenContract(
            f" has a gradient that is no number on its first batch, of {broken[0]}, though its logits are numbers"
        )
    return [name for name, gradient in gradients.items() if gradient is None]


def find_divided_buffers(model: Any, batch: Batch, penalty_V: Tensor, precision: str) -> list[str]:
    """Return the buffers, as ``Class.name``, to which two processes that share a batch give other values than one.

    Each process has buffers of its own: a running mean, say, is that of the rows that the process sees. The model is
    restored.

    Args:
        model: on its device, set to its engine.
        batch: rows to train on.
        penalty_V: the result of ``penalty``.
        precision: of training.
    """
    bounds = piece_bounds(len(batch.ids_BT), 2)
    pieces = [take_piece(batch, *rows, int) for rows in itertools.pairwise(bounds) if rows[0] < rows[1]]
    step = TrainStep(model, penalty_V, weight_decay=0.0, clip_norm=0.0, precision=precision)

    def buffers_after(numbers: Sequence[int]) -> dict[tuple[nn.Module, str], Tensor]:
        with isolated(model):
            for number in numbers:
                torch.manual_seed(number)
                step.differentiate(pieces[number])
            return {(part, name): buffer.clone() for part in model.modules() for name, buffer in own_buffers(part)}

    was_training = model.training
    model.train()
    try:
        of_one = buffers_after(range(len(pieces)))
        of_each = [buffers_after(numbers) for numbers in ((0,), range(1, len(pieces)))]
    finally:
        model.train(was_training)
        model.zero_grad(set_to_none=True)
    return [
        f"{type(part).__name__}.{name}"
        for (part, name), buffer in of_one.items()
        if not all(_same(buffer, others.get((part, name), buffer)) for others in of_each)
    ]
