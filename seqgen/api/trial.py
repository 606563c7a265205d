"""A model tried out on a few records before a run begins: what breaks its contract is told in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqgen.api.data import Data
from seqgen.api.setup import computing
from seqgen.errors import PluginError
from seqgen.registry import Entry

if TYPE_CHECKING:
    from torch import Tensor

    from seqgen.protocols import State

_NEAR = 1e-3  # by which the logits of two ways may differ, relative to the largest


def try_out(model: Any, data: Data, entry: Entry, layer: Entry) -> None:
    """Run the model once, so that a part that cannot work, or whose losses would mean nothing, is told before a run.

    Args:
        model: on the CPU.
        data: the corpus.
        entry: the model's.
        layer: that of its cell, if it is made of such.

    Raises:
        PluginError: the logits or the state have the wrong shape; the state that is given is changed, or comes back in
            another form; a step depends on later symbols, or a row on others; a sequence that is read in two pieces
            comes out another.
    """
    import torch

    from seqgen.batches import make_feed
    from seqgen.model import at_rest

    ids_BT = make_feed(data.encoded["train"], batch_size=2, window=8, seed=0).trial().ids_BT
    model.eval()
    with computing(), torch.no_grad():
        _check_state(model, ids_BT[:, :1], layer.who)
        logits_BTV, _ = model(ids_BT, model.initial_state(len(ids_BT)))
        wanted = (*ids_BT.shape, data.vocabulary.size)
        if tuple(logits_BTV.shape) != wanted:
            raise PluginError(f"{entry.who} gives logits {tuple(logits_BTV.shape)}, not {wanted}")
        _check_sense(model, ids_BT, logits_BTV, layer.who)
        with at_rest(model):  # as it is judged, where nothing can have a gradient
            model(ids_BT, model.initial_state(len(ids_BT)))
    model.train()


def _check_state(model: Any, ids_B1: Tensor, who: str) -> None:
    """One step: the state has the batch first and keeps its form, and the one given stays as it was."""
    import torch

    from seqgen.cells import form_difference, list_leaves

    n_rows = len(ids_B1)
    start = model.initial_state(n_rows)
    _check_rows(start, n_rows, f"{who}: initial_state({n_rows}) has")
    state = start
    for _ in range(2):  # a first state of zeros is the same when it is multiplied
        before = [leaf.clone() for leaf in list_leaves(state)]
        found = model(ids_B1, state)
        if not isinstance(found, tuple) or len(found) != 2:
            raise PluginError(f"{who}: forward must return (logits, state), not {type(found).__name__}")
        if not all(torch.equal(was, is_now) for was, is_now in zip(before, list_leaves(state), strict=True)):
            raise PluginError(f"{who} changes the state it is given: make a new tensor, h = h + x and not h += x")
        if (difference := form_difference(start, found[1])) is not None:
            first, then = difference
            raise PluginError(f"{who}: initial_state gives {first}, a step gives back {then}; a state keeps its form")
        _check_rows(found[1], n_rows, f"{who}: the state that a step of {n_rows} rows gives back has")
        state = found[1]


def _check_rows(state: State, n_rows: int, what: str) -> None:
    from seqgen.cells import list_leaves

    for leaf in list_leaves(state):
        if leaf.shape[:1] != (n_rows,):
            raise PluginError(f"{what} a tensor {tuple(leaf.shape)}, batch first")


def _check_sense(model: Any, ids_BT: Tensor, logits_BTV: Tensor, who: str) -> None:
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
        # What is not a number is told of in training; the same infinity on both sides is no difference.
        if bool(((found - expected).abs() > limit).any()) or bool((found.isinf() != expected.isinf()).any()):
            raise PluginError(f"{who} {problem} (seqgen plugins check finds out more)")
