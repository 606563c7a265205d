"""A plan run over time in chunks of eight steps that torch's compiler has fused; what is left by the loops.

Compiling takes tens of seconds; on a CPU what was made is kept on disk, and loaded within milliseconds. Layers of the
same form share it.

Dimension letters: T steps, C steps of a chunk, B batch, P projection, H output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from seqgen.engine.aot_cache import Compiled, compile_ahead
from seqgen.engine.codegen import Source
from seqgen.engine.loop_invariants import Steady
from seqgen.engine.loop_runner import Kept, Loops, room_for_outputs
from seqgen.engine.plan import Plan
from seqgen.engine.torch_compat import has_library_runner

CHUNK = 8
_STEPS = range(CHUNK)
_elsewhere: dict[Any, Callable[..., Any]] = {}


class Chunks:
    """The compiled chunks of a plan; has the methods of ``Loops``.

    Args:
        plan: of a step.
        loops: its loops, for the steps after the last whole chunk.
        p_BP: the projection of a step, of the size that will come.
        states: before it.
    """

    CHECKED_STEPS = CHUNK

    def __init__(self, plan: Plan, loops: Loops, p_BP: Tensor, states: Sequence[Tensor]) -> None:
        self._plan, self._loops, recording = plan, loops, plan.recording
        needed = [recording.output, *recording.states, *plan.kept]
        self._ahead = Steady(recording, plan.forward, ["p", *plan.states], needed)
        needed = [*plan.collected, *plan.before(), *(name for _, name, _ in plan.sums)]
        self._back = Steady(recording, plan.backward, ["dy", *plan.d_states, *plan.kept], needed)
        # What a wide product gave is kept as it lies: stacking it would be copying it.
        apart = self._ahead.begin([], []).wide_results(self._ahead.in_loop)
        self._parts = {
            name: [f"{name}_{step}" for step in _STEPS] if name in apart else [f"all_{name}"] for name in plan.kept
        }
        p_CBP, outside = p_BP.detach().expand(CHUNK, *p_BP.shape).contiguous(), self._ahead.examples()
        states = _as_compiled(states)
        y_C = [p_BP.new_empty(recording.shapes[recording.output]) for _ in _STEPS]
        self._forward = _compile(self._write_forward(), [p_CBP, *states, *outside, *y_C])
        kept = self._forward([p_CBP, *states, *outside, *y_C])[len(states) :]
        into = [p_BP.new_empty(recording.shapes[name]) for name in plan.collected for _ in _STEPS]
        d_ends = [torch.zeros_like(state) for state in states]
        outside = self._back.examples()
        self._backward = _compile(self._write_backward(), [torch.stack(y_C), *d_ends, *kept, *outside, *into])

    def forward(
        self, p_TBP: Tensor, states: Sequence[Tensor], *, own: bool = False
    ) -> tuple[Tensor, list[Tensor], Kept]:
        """The outputs (T, B, H), the states after the last step, and what ``backward`` needs."""
        # Whether they need a gradient is no reason to compile again.
        p_TBP, kept = p_TBP.detach(), []
        y_TBH, before_TBH = room_for_outputs(self._plan, p_TBP, states)
        whole = len(p_TBP) // CHUNK * CHUNK
        if whole:
            y_T, outside = y_TBH.unbind(0), self._ahead.values()
            for start, p_CBP in zip(range(0, whole, CHUNK), torch.split(p_TBP[:whole], CHUNK), strict=True):
                found = self._forward([p_CBP, *_as_compiled(states), *outside, *y_T[start : start + CHUNK]])
                states, kept_here = found[: len(states)], found[len(states) :]
                kept.append(kept_here)
        kept_last = None
        if whole < len(p_TBP):
            y_last_TBH, states, kept_last = self._loops.forward(p_TBP[whole:], states)
            y_TBH[whole:].copy_(y_last_TBH)
        return y_TBH, list(states), (kept, kept_last, before_TBH)

    def backward(
        self, dy_TBH: Tensor, d_ends: Sequence[Tensor], kept: Kept
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The gradients of the first states, those ``collected`` (T, B, ...) of all steps, and the sums over time."""
        plan, shapes, (kept_chunks, kept_last, _) = self._plan, self._plan.recording.shapes, kept
        collected = [dy_TBH.new_empty(len(dy_TBH), *shapes[name]) for name in plan.collected]
        sums: list[Any] = [0.0] * len(plan.sums)
        whole = len(kept_chunks) * CHUNK
        if kept_last is not None:
            d_ends, collected_last, sums = self._loops.backward(dy_TBH[whole:], d_ends, kept_last)
            for tensor, last in zip(collected, collected_last, strict=True):
                tensor[whole:].copy_(last)
        if whole:
            dy_TBH = dy_TBH.detach().contiguous()
            into, outside = [tensor.unbind(0) for tensor in collected], self._back.values()
            for start, kept_here in zip(range(whole - CHUNK, -1, -CHUNK), reversed(kept_chunks), strict=True):
                steps = slice(start, start + CHUNK)
                places = chain.from_iterable(parts[steps] for parts in into)
                found = self._backward([dy_TBH[steps], *_as_compiled(d_ends), *kept_here, *outside, *places])
                d_ends, more = found[: len(d_ends)], found[len(d_ends) :]
                sums = [total + here for total, here in zip(sums, more, strict=True)]
        return list(d_ends), collected, sums

    def over_time(self, kept: Kept, name: str) -> Tensor:
        """What a product saw at all steps, (T, B, ...)."""
        kept_chunks, kept_last, before_TBH = kept
        if name == self._plan.shifted:
            return before_TBH  # type: ignore[no-any-return]
        found = []
        for here in kept_chunks:
            by_part = dict(zip(chain(*self._parts.values()), here, strict=True))
            values = [by_part[part] for part in self._parts[name]]
            found.append(values[0] if len(values) == 1 else torch.stack(values))
        return torch.cat([*found, *([] if kept_last is None else [self._loops.over_time(kept_last, name)])])

    def _write_forward(self) -> Source:
        plan, recording = self._plan, self._plan.recording
        y_C = [f"y_{step}" for step in _STEPS]
        source = self._ahead.begin(["p_C", *plan.states], y_C)
        source.add(1, *(f"keep_{name} = []" for name in plan.kept), f"for p, y in zip(p_C, [{', '.join(y_C)}]):")
        source.plain(2, self._ahead.in_loop)
        source.add(2, f"y.copy_({recording.output})", *(f"keep_{name}.append({name})" for name in plan.kept))
        source.add(2, f"[{', '.join(plan.states)}] = [{', '.join(recording.states)}]")
        kept = [f"torch.stack(keep_{n})" if len(parts) == 1 else f"*keep_{n}" for n, parts in self._parts.items()]
        source.add(1, f"return [{', '.join([*plan.states, *kept])}]")
        return source

    def _write_backward(self) -> Source:
        plan = self._plan
        into = {name: [f"into_{name}_{step}" for step in _STEPS] for name in plan.collected}
        kept, sums = list(self._parts.values()), [f"sum_{index}" for index in range(len(plan.sums))]
        source = self._back.begin(["dy_C", *plan.d_states, *chain(*kept)], list(chain(*into.values())))
        source.add(1, *(f"{total} = 0" for total in sums))
        over = [names[0] if len(names) == 1 else f"[{', '.join(names)}]" for names in (*kept, *into.values())]
        each = ["dy", *plan.kept, *(f"into_{name}" for name in into)]
        source.add(1, f"for {', '.join(each)}, in list(zip({', '.join(['dy_C', *over])}))[::-1]:")
        source.plain(2, self._back.in_loop)
        source.add(2, *(f"into_{name}.copy_({name})" for name in into))
        source.add(2, *(f"{total} = {total} + {name}" for total, (_, name, _) in zip(sums, plan.sums, strict=True)))
        source.add(2, f"[{', '.join(plan.d_states)}] = [{', '.join(plan.before())}]")
        source.add(1, f"return [{', '.join([*plan.d_states, *sums])}]")
        return source


def _as_compiled(states: Sequence[Tensor]) -> list[Tensor]:
    """Values that go from chunk to chunk, as they lie in memory for a library, which does not look how they do."""
    return [state.detach().contiguous() for state in states]


def _compile(source: Source, examples: Sequence[Tensor]) -> Compiled:
    """The source as a compiled function of a list; the same source of the same shapes is compiled once."""
    if _is_cpu(examples) and has_library_runner():
        return compile_ahead(source.compile(), source.text(), examples)
    key = source.text(), tuple((example.shape, example.dtype, example.device) for example in examples)
    if key not in _elsewhere:
        _elsewhere[key] = torch.compile(source.compile(), fullgraph=True, dynamic=False)
    return lambda values: _elsewhere[key](*values)


def _is_cpu(examples: Sequence[Tensor]) -> bool:
    return all(example.device.type == "cpu" for example in examples)
