"""The step of a network as a module of tensors, the source of all exports.

Dimension letters: B batch, V ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from seqgen.counting import blend_of, network_of
from seqgen.errors import ExportRefused
from seqgen.model import evaluation_mode, make_stepper
from seqgen.protocols import State
from seqgen.states import list_leaves, map_state
from seqgen.tokenizers import BOS, EOS

_PHRASE = 5  # ids that a row repeats


class OneStep(nn.Module):
    """One step of a network: ids (B,) and the leaves of its state to logits (B, V) and the leaves after it.

    Args:
        model: implements :class:`seqgen.Model`; its weights must not change.

    Attributes:
        model: as given.
        growing: the number of a leaf and of its dimension, for each dimension that grows by each step.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.growing: list[tuple[int, int]] = []

    def initial_leaves(self, batch_size: int) -> list[Tensor]:
        """Return the leaves of the state before the first symbol, each (B, ...), in memory of their own."""
        with torch.no_grad():
            return [leaf.detach().clone() for leaf in list_leaves(self.model.initial_state(batch_size))]

    def forward(self, ids_B: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
        """Return the logits (B, V) of the next symbol, then the leaves of the state after the step."""
        logits_BV, state = make_stepper(self.model)(ids_B, self._state_of(leaves))
        return (logits_BV, *list_leaves(state))

    def _state_of(self, leaves: Sequence[Tensor]) -> State:
        remaining = iter(leaves)
        return map_state(lambda _: next(remaining), self.model.initial_state(1))


def one_step(model: Any, *, counts: bool = False) -> OneStep:
    """Return the step of a model.

    Args:
        model: that of a :class:`seqgen.Run`, or a copy of it with other weights.
        counts: whether the step is that of the whole mixture, if the network is mixed with counts or what records
            repeat: its logits are log probabilities; else it is that of the network alone.

    Raises:
        ExportRefused: the network is random in evaluation mode, or its state changes in structure or shape, other than
            by growing one entry a step; or its counts are too many for a table of all their distributions.
    """
    blend = blend_of(model)
    if blend is not None and counts and not blend.has_table:
        raise ExportRefused(
            f"cannot export this blend as a step: the {blend.graph.n_nodes:,} contexts of its counts are too many for "
            "a table; a run trained with --blend none has none"
        )
    step = OneStep(model if counts else network_of(model)).eval()
    with evaluation_mode(step), torch.inference_mode(False), torch.no_grad():
        begin, ids_B = step.initial_leaves(2), torch.full((2,), BOS)
        random = torch.get_rng_state()
        _, *after = step(ids_B, *begin)
        if not torch.equal(random, torch.get_rng_state()):
            raise ExportRefused(
                "cannot export this model: it is random in evaluation mode, so that no form has the "
                "same rows; random numbers of a step belong in noise(), which is not called there"
            )
        _, *later = step(ids_B, *after)
    step.growing = _growing(begin, after, later)
    return step


def _growing(begin: list[Tensor], after: list[Tensor], later: list[Tensor]) -> list[tuple[int, int]]:
    """Return the leaves and dimensions that grow by each step."""
    found: list[tuple[int, int]] = []
    if len({len(begin), len(after), len(later)}) > 1:
        raise ExportRefused("cannot export this model: the parts of its state change from step to step")
    for number, leaves in enumerate(zip(begin, after, later, strict=True)):
        shapes = [tuple(leaf.shape) for leaf in leaves]
        if len({len(shape) for shape in shapes}) > 1 or len({leaf.dtype for leaf in leaves}) > 1:
            raise ExportRefused("cannot export this model: a part of its state changes in dimensions or type")
        for dim, (first, second, third) in enumerate(zip(*shapes, strict=True)):
            if (second - first, third - second) == (1, 1):
                found.append((number, dim))
            elif first != second or second != third:
                raise ExportRefused(
                    f"cannot export this model: a part of its state has {first}, {second}, then {third} "
                    "entries, and only sizes that stay or grow by one a step can be exported"
                )
    return found


def replayed(model: Any, rows: Sequence[Sequence[int]]) -> list[Tensor]:
    """Return the logits (T + 1, V) after the mark before a text and after each id of a row, for some rows.

    Args:
        model: implements :class:`seqgen.Model`: the network, or a blend, whose logits are log probabilities.
        rows: the ids of each row, without the mark and the end.
    """
    found: list[Tensor] = []
    with evaluation_mode(model):
        step = make_stepper(model)
        for ids_T in rows:
            state, logits = model.initial_state(1), []
            for index in (BOS, *ids_T):
                logits_BV, state = step(torch.tensor([index]), state)
                logits.append(logits_BV[0])
            found.append(torch.stack(logits))
    return found


def probe_rows(n_rows: int, n_ids: int, symbols: Sequence[int], seed: int = 0) -> list[list[int]]:
    """Return rows of random symbols, on which an export is compared with its run; every other one repeats itself.

    Args:
        n_rows: number of rows.
        n_ids: ids of each row.
        symbols: the ids to choose from; the end is left out.
        seed: of the rows.
    """
    random = Random(seed)
    chosen = [index for index in symbols if index != EOS]
    rows = [random.choices(chosen, k=n_ids) if chosen else [] for _ in range(n_rows)]
    return [row if at % 2 else (row[:_PHRASE] * (n_ids // _PHRASE + 1))[:n_ids] for at, row in enumerate(rows)]
