"""A model tried out on a few records before a run begins: what breaks its contract is reported in one line.

Where a plugin's model is made of cells, the cell is also tried alone, in core's own model, so that the part at fault is
the one that is named.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from seqgen.api.data import Data
from seqgen.api.environment import computing
from seqgen.errors import PluginError, SeqgenError, is_out_of_memory
from seqgen.registry import Entry, find_plugin_frame, one_line

if TYPE_CHECKING:
    from torch import Tensor

    from seqgen.batches import Batch
    from seqgen.protocols import State

_NEAR = 1e-3  # by which the logits of two ways may differ, relative to the largest
_CORE = "seqgen"
_MORE = "seqgen plugins check finds out more"


class _Broken(Exception):
    """A promise that a model does not keep; the message goes on after the name of the part at fault."""


def try_out(
    model: Any, data: Data, entry: Entry, cell: Entry | None, alone: Callable[[], Any], *, fresh: bool = True
) -> None:
    """Run the model once, so that a part that cannot work, or whose losses would mean nothing, is named before a run.

    Args:
        model: on the CPU.
        data: the corpus.
        entry: the model's.
        cell: that of its cell, if it is made of cells.
        alone: builds core's model around the same cell; called only where the model and the cell are both suspects.
        fresh: whether the weights have learned nothing yet, so that what is not a number is the part's fault.

    Raises:
        PluginError: it raises; the logits or the state have the wrong shape; the logits are not numbers, or are
            probabilities; the state that is given is changed, or comes back in another form; a step depends on later
            symbols, or a row on others; a sequence that is read in two pieces comes out another.
        UsageError, OSError: what the part itself raises for the user.
    """
    from seqgen.batches import make_feed

    batch = make_feed(data.encoded["train"], batch_size=2, window=8, seed=0).probe_batch()
    with computing():
        look = partial(_fault, batch=batch, n_symbols=data.vocabulary.size, fresh=fresh)
        fault = look(model)
        if fault is None:
            return
        culprit = entry
        if cell is not None:
            of_cell = fault if entry.package == _CORE else _fault_alone(alone, look)
            culprit, fault = (entry, fault) if of_cell is None else (cell, of_cell)
    raise PluginError(f"{culprit.full_label}{_told(fault, culprit)}") from fault


def part_at_fault(entry: Entry, cell: Entry | None) -> Entry:
    """The part that is suspected first where a model fails: its cell if the model is core's, else the model."""
    return cell if cell is not None and entry.package == _CORE else entry


def _told(fault: BaseException, culprit: Entry) -> str:
    """What went wrong, as it is said after the name of the part, with its line where it raised."""
    if isinstance(fault, _Broken):
        return str(fault)
    found = find_plugin_frame(fault, (culprit.package,))
    place = f"{found[1]}; " if found is not None else ""
    return f" fails on its first batch: {type(fault).__name__}: {one_line(fault)} ({place}{_MORE})"


def _fault_alone(alone: Callable[[], Any], look: Callable[[Any], BaseException | None]) -> BaseException | None:
    """What is wrong with a cell in core's model; None if nothing is, or if it cannot be built there."""
    try:
        model = alone()
    except SeqgenError:
        return None
    return look(model)


def _fault(model: Any, *, batch: Batch, n_symbols: int, fresh: bool) -> BaseException | None:
    """What is wrong with a model, by trying it; None if nothing is.

    Raises:
        SeqgenError, OSError, MemoryError, RuntimeError: what is no fault of the contract: something that the part says
            itself, or that memory ran out.
    """
    import torch

    model.eval()
    try:
        with torch.no_grad():
            _try(model, batch, n_symbols, fresh)
    except (SeqgenError, OSError):
        raise
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise
        return error
    model.train()
    return None


def _try(model: Any, batch: Batch, n_symbols: int, fresh: bool) -> None:
    from seqgen.model import evaluation_mode

    ids_BT = batch.ids_BT
    _check_state(model, ids_BT[:, :1])
    logits_BTV, _ = model(ids_BT, model.initial_state(len(ids_BT)))
    wanted = (*ids_BT.shape, n_symbols)
    if tuple(logits_BTV.shape) != wanted:
        raise _Broken(f" gives logits {tuple(logits_BTV.shape)}, not {wanted}")
    if fresh:
        _check_numbers(logits_BTV[batch.targets_BT != 0])
    _check_sense(model, ids_BT, logits_BTV)
    with evaluation_mode(model):  # as it is judged, where nothing can have a gradient
        model(ids_BT, model.initial_state(len(ids_BT)))


def _check_state(model: Any, ids_B1: Tensor) -> None:
    """One step: the state has the batch first and keeps its form, and the one given stays as it was."""
    from seqgen.states import list_leaves, structure_difference

    n_rows = len(ids_B1)
    start = model.initial_state(n_rows)
    _check_rows(start, n_rows, f": initial_state({n_rows}) has")
    state = start
    for _ in range(2):  # a first state of zeros is the same when it is multiplied
        before = [leaf.clone() for leaf in list_leaves(state)]
        found = model(ids_B1, state)
        if not isinstance(found, tuple) or len(found) != 2:
            raise _Broken(f": forward must return (logits, state), not {type(found).__name__}")
        if not all(_same(was, is_now) for was, is_now in zip(before, list_leaves(state), strict=True)):
            raise _Broken(" changes the state it is given: make a new tensor, h = h + x and not h += x")
        if (difference := structure_difference(start, found[1])) is not None:
            first, then = difference
            raise _Broken(f": initial_state gives {first}, a step gives back {then}; a state keeps its form")
        _check_rows(found[1], n_rows, f": the state that a step of {n_rows} rows gives back has")
        state = found[1]


def _same(was: Tensor, is_now: Tensor) -> bool:
    """Whether two tensors are equal, what is not a number (NaN) included."""
    return was.shape == is_now.shape and bool(((was == is_now) | ((was != was) & (is_now != is_now))).all())


def _check_rows(state: State, n_rows: int, what: str) -> None:
    from seqgen.states import list_leaves

    for leaf in list_leaves(state):
        if leaf.shape[:1] != (n_rows,):
            raise _Broken(f"{what} a tensor {tuple(leaf.shape)}, batch first")


def _check_numbers(logits_NV: Tensor) -> None:
    """Logits are numbers, and not already probabilities, from which nothing like them would be learned."""
    import torch

    if logits_NV.isnan().any():
        raise _Broken(" gives NaN (not a number) on its first batch, before it has learned anything")
    sums_N = logits_NV.sum(-1)
    if len(sums_N) > 1 and (logits_NV >= 0).all() and torch.allclose(sums_N, torch.ones_like(sums_N), atol=_NEAR):
        raise _Broken(" gives probabilities, not logits: leave the softmax out, or give logarithms")


def _check_sense(model: Any, ids_BT: Tensor, logits_BTV: Tensor) -> None:
    """The same sequences in other ways, which must come out the same."""
    import torch

    n_rows, n_steps = ids_BT.shape
    cut = n_steps // 2
    early_BTV, middle = logits_BTV[:, :0], model.initial_state(n_rows)
    if cut:
        early_BTV, middle = model(ids_BT[:, :cut], middle)
    late_BTV, _ = model(ids_BT[:, cut:], middle)
    again_BTV, _ = model(ids_BT, model.initial_state(n_rows))
    alone_BTV = torch.cat([model(ids_1T[None], model.initial_state(1))[0] for ids_1T in ids_BT])
    limit = _NEAR * (1 + logits_BTV[logits_BTV.isfinite()].abs().amax()) if logits_BTV.isfinite().any() else 0.0
    for found, expected, problem in (
        (again_BTV, logits_BTV, "gives something else each time, though it is not being trained"),
        (
            early_BTV,
            logits_BTV[:, :cut],
            "looks ahead: what it gives at a step depends on later ones, so losses say nothing",
        ),
        (late_BTV, logits_BTV[:, cut:], "gives something else when a sequence is read in two pieces, as in sampling"),
        (alone_BTV, logits_BTV, "mixes rows: what it gives for one depends on the others of its batch"),
    ):
        # NaN after a row's end is of no account; the same infinity on both sides is no difference.
        if bool(((found - expected).abs() > limit).any()) or bool((found.isinf() != expected.isinf()).any()):
            raise _Broken(f" {problem} ({_MORE})")
