"""A plan run over time by two loops, forward and backward, without autograd and with few calls.

What does not change from step to step stands before the loop, and results are written where they are wanted.

Dimension letters: T steps, B batch, P projection, H output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from seqgen.engine.buffers import reuse, spare_cats
from seqgen.engine.codegen import Source
from seqgen.engine.plan import Plan

Kept = Any


def room_for_outputs(plan: Plan, p_TBP: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Room for the outputs (T, B, H), and the outputs before each step if a product sees these: they overlap."""
    shape = plan.recording.shapes[plan.recording.output]
    if plan.shifted is None:
        return p_TBP.new_empty(len(p_TBP), *shape), None
    all_TBH = p_TBP.new_empty(len(p_TBP) + 1, *shape)
    all_TBH[0].copy_(states[plan.states.index(plan.shifted)])
    return all_TBH[1:], all_TBH[:-1]


class Loops:
    """Both loops of a plan.

    Args:
        plan: of a step.
    """

    CHECKED_STEPS = 3

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._forward = {own: self._write_forward(own=own) for own in (False, True)}
        self._pieces: list[list[int] | None] = []
        self._backward = self._write_backward()

    def forward(
        self, p_TBP: Tensor, states: Sequence[Tensor], *, own: bool = False
    ) -> tuple[Tensor, list[Tensor], Kept]:
        """The outputs (T, B, H), the states after the last step, and what ``backward`` needs.

        With ``own`` the projection may be written over.
        """
        recording = self._plan.recording
        y_TBH, before_TBH = room_for_outputs(self._plan, p_TBP, states)
        ends, kept = self._forward[own](p_TBP.unbind(0), y_TBH.unbind(0), *states, *recording.constants.values())
        return y_TBH, ends, (kept, before_TBH)

    def same_over_its_input(self, p_TBP: Tensor, states: Sequence[Tensor]) -> bool:
        """Whether ``forward`` gives and keeps the same, to the bit, when it may write over the projection."""
        with torch.no_grad():
            (y, ends, kept), (own_y, own_ends, own_kept) = (
                self.forward(p_TBP.clone(), states, own=own) for own in (False, True)
            )
        pairs = [(y, own_y), *zip(ends, own_ends, strict=True)]
        for values, own_values in zip(kept[0], own_kept[0], strict=True):
            pairs += zip(values, own_values, strict=True)
        return all(torch.equal(one, other) for one, other in pairs)

    def backward(
        self, dy_TBH: Tensor, d_ends: Sequence[Tensor], kept: Kept
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The gradients of the first states, those ``collected`` (T, B, ...) of all steps, and the sums over time."""
        plan, shapes = self._plan, self._plan.recording.shapes
        collected = [dy_TBH.new_empty(len(dy_TBH), *shapes[name]) for name in plan.collected]
        into = [
            part.unbind(0)
            for tensor, sizes in zip(collected, self._pieces, strict=True)
            for part in (tensor, *(torch.split(tensor, sizes, -1) if sizes else ()))
        ]
        d_states, sums = self._backward(dy_TBH.unbind(0), *d_ends, kept[0], into, *plan.recording.constants.values())
        return d_states, collected, sums

    def over_time(self, kept: Kept, name: str) -> Tensor:
        """What a product saw at all steps, (T, B, ...)."""
        values, before_TBH = kept
        return before_TBH if name == self._plan.shifted else torch.stack(values[self._plan.kept.index(name)])

    def _write_forward(self, *, own: bool) -> Callable[..., Any]:
        plan, recording = self._plan, self._plan.recording
        source = Source(f"def loop({', '.join(['p_T', 'y_T', *plan.states, *recording.constants])}):", recording.shapes)
        in_loop, wide = source.hoist(plan.forward, recording.constants)
        source.multiply(wide, "len(p_T)")
        source.add(1, *(f"keep_{name} = []" for name in plan.kept), "for p, y in zip(p_T, y_T):")
        lasting = {*plan.kept, *recording.states, recording.output}
        fixed, given = source.wide_results(in_loop), ["p"] if own else []
        source.operations(
            2, in_loop, reuse(in_loop, {recording.output: "y"}, lasting, recording, fixed=fixed, given=given)
        )
        source.add(2, *(f"keep_{name}.append({name})" for name in plan.kept))
        source.add(2, f"[{', '.join(plan.states)}] = [{', '.join(recording.states)}]")
        source.add(1, f"return [{', '.join(plan.states)}], [{', '.join(f'keep_{name}' for name in plan.kept)}]")
        return source.compile()

    def _write_backward(self) -> Callable[..., Any]:
        plan, recording = self._plan, self._plan.recording
        arguments = ["dy_T", *plan.d_states, "kept", "into", *recording.constants]
        source = Source(f"def loop({', '.join(arguments)}):", recording.shapes)
        in_loop, wide = source.hoist(plan.backward, recording.constants)
        source.multiply(wide, "len(dy_T)")
        carried = [name for name in recording.d_states if name]
        spared = spare_cats(in_loop, plan.collected, carried, recording.shapes)
        into = [place for name in plan.collected for place in spared.into(name)]
        self._pieces = [spared.sizes.get(name) for name in plan.collected]
        sums = [f"sum_{index}" for index in range(len(plan.sums))]
        source.add(1, *spared.scratch, *(f"{name} = 0" for name in sums))
        source.add(1, "step_T = list(zip(dy_T, *kept, *into))", "step_T.reverse()")
        source.add(1, f"for {', '.join(['dy', *plan.kept, *into])}, in step_T:")
        fixed = source.wide_results(in_loop)
        lasting = {*plan.collected, *carried, *spared.places, *(name for _, name, _ in plan.sums)}
        places = {name: f"into_{name}" for name in plan.collected} | spared.places
        source.operations(2, in_loop, reuse(in_loop, places, lasting, recording, fixed=fixed), spared)
        source.add(2, *(f"{total} += {name}" for total, (_, name, _) in zip(sums, plan.sums, strict=True)))
        source.add(2, f"[{', '.join(plan.d_states)}] = [{', '.join(plan.before())}]")
        source.add(1, f"return [{', '.join(plan.d_states)}], [{', '.join(sums)}]")
        return source.compile()
