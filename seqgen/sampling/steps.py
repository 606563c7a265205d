"""The steps of a model as rows are drawn, with what conditions strengthen and a constraint keeps in mind.

Dimension letters: C rows computed, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqgen.model import device_of, make_stepper
from seqgen.protocols import State
from seqgen.sampling.constraint import Constraint
from seqgen.states import list_leaves
from seqgen.tokenizers import BOS, PAD


class Steps:
    """Steps of a model whose weights rest.

    With a guidance g the logits are u + g (c - u), c those under the conditions given and u those without any
    (classifier-free guidance, arXiv:2207.12598): above one, rows are more like what was asked for than the records are.
    It takes two steps for one.

    Args:
        model: keeps the contract of :class:`seqgen.Model`.
        n_slots: ids before the text: conditions.
        n_prefix: symbols that rows begin with.
        constraint: what rows must satisfy.
        guidance: how much conditions count; 1: as they were learned.
    """

    def __init__(
        self, model: Any, n_slots: int, n_prefix: int, constraint: Constraint | None = None, guidance: float = 1.0
    ) -> None:
        self._model, self._step = model, make_stepper(model)
        self._n_slots, self._n_prefix = n_slots, n_prefix
        self._constraint = constraint
        self._guidance = guidance if n_slots else 1.0

    def initial_state(self, width: int) -> State:
        """The state of some rows before anything is read."""
        return (
            self._model.initial_state(width),
            () if self._guidance == 1 else self._model.initial_state(width),
            () if self._constraint is None else self._constraint.initial_state(width),
        )

    def state_grows(self) -> bool:
        """Whether a row's state has more numbers after a step than before it, as a cache has."""
        before = self.initial_state(1)
        _, after = self(torch.full((1,), BOS, device=device_of(self._model)), before, 0)
        sizes = [sum(leaf.numel() for leaf in list_leaves(state)) for state in (before, after)]
        return sizes[1] > sizes[0]

    def __call__(self, ids_C: Tensor, held: State, n_drawn: int) -> tuple[Tensor, State]:
        """Logits (C, V) of what follows some ids, and the next state.

        Args:
            ids_C: the last ids: BOS, a condition or a symbol.
            held: the state before them.
            n_drawn: how many ids there are behind BOS, with these.
        """
        state, free, wanted_C = held
        logits_CV, state = self._step(ids_C, state)
        if self._guidance != 1:
            blind_C = torch.full_like(ids_C, PAD) if 0 < n_drawn <= self._n_slots else ids_C
            free_CV, free = self._step(blind_C, free)
            logits_CV = torch.lerp(free_CV, logits_CV, self._guidance)
        if self._constraint is not None and n_drawn > self._n_slots + self._n_prefix:
            wanted_C = self._constraint.advance(wanted_C, ids_C)
        return logits_CV, (state, free, wanted_C)

    def mask(self, logits_CV: Tensor, held: State, n_drawn: int) -> Tensor:
        """Logits, or log-probabilities, in which what a constraint forbids after some ids is minus infinity.

        Args:
            logits_CV: of what follows.
            held: the state after the ids.
            n_drawn: how many there are behind BOS.
        """
        if self._constraint is None or n_drawn < self._n_slots + self._n_prefix:
            return logits_CV
        return self._constraint.mask(logits_CV, held[2], n_drawn - self._n_slots)
