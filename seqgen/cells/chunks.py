"""A plan run over time in chunks of eight steps that torch's compiler has fused; what is left by the loops.

Compiling takes tens of seconds, a few from the compiler's cache on disk; layers of the same form share it.

Dimension letters: T steps, B batch, P projection, H output.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from seqgen.cells.loops import Kept, Loops
from seqgen.cells.plan import Plan
from seqgen.cells.source import Source

CHUNK = 8
_OPTIONS: dict[str, Any] = {  # on a CPU
    "cpp_wrapper": True,  # what calls the kernels is compiled too: a tenth of the time of a small step
    "cpp.min_chunk_size": 4096,  # numbers a thread is worth waking for
}
_compiled: dict[Any, Callable[..., Any]] = {}


class Chunks:
    """The compiled chunks of a plan; has the methods of ``Loops``.

    Args:
        plan: of a step.
        loops: its loops, for the steps after the last whole chunk.
    """

    CHECKED_STEPS = CHUNK

    def __init__(self, plan: Plan, loops: Loops) -> None:
        self._plan, self._loops = plan, loops
        self._forward = _compile(self._write_forward(), plan)
        self._backward = _compile(self._write_backward(), plan)

    def forward(
        self, p_TBP: Tensor, states: Sequence[Tensor], *, own: bool = False
    ) -> tuple[Tensor, list[Tensor], Kept]:
        """The outputs (T, B, H), the states after the last step, and what ``backward`` needs."""
        plan, constants, outputs, kept = self._plan, self._plan.recording.constants.values(), list[Tensor](), []
        if plan.shifted is not None:
            outputs.append(states[plan.states.index(plan.shifted)][None])
        # Whether they need a gradient is no reason to compile again.
        p_TBP, states = p_TBP.detach(), [state.detach() for state in states]
        whole = len(p_TBP) // CHUNK * CHUNK
        for p_CBP in torch.split(p_TBP[:whole], CHUNK) if whole else ():
            y_CBH, states, kept_here = self._forward(p_CBP, *states, *constants)
            outputs.append(y_CBH)
            kept.append(kept_here)
        kept_last = None
        if whole < len(p_TBP):
            y_CBH, states, kept_last = self._loops.forward(p_TBP[whole:], states)
            outputs.append(y_CBH)
        all_TBH = torch.cat(outputs)
        if plan.shifted is None:
            return all_TBH, list(states), (kept, kept_last, None)
        return all_TBH[1:], list(states), (kept, kept_last, all_TBH[:-1])

    def backward(
        self, dy_TBH: Tensor, d_ends: Sequence[Tensor], kept: Kept
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The gradients of the first states, those ``collected`` (T, B, ...) of all steps, and the sums over time."""
        constants, parts = self._plan.recording.constants.values(), []
        sums: list[Any] = [0.0] * len(self._plan.sums)
        kept_chunks, kept_last, _ = kept
        whole = len(kept_chunks) * CHUNK
        if kept_last is not None:
            d_ends, collected, sums = self._loops.backward(dy_TBH[whole:], d_ends, kept_last)
            parts.append(collected)
        dy_chunks = torch.split(dy_TBH[:whole], CHUNK) if whole else ()
        for dy_CBH, kept_here in zip(reversed(dy_chunks), reversed(kept_chunks), strict=True):
            d_ends, collected, more = self._backward(dy_CBH.contiguous(), *d_ends, kept_here, *constants)
            parts.append(collected)
            sums = [total + here for total, here in zip(sums, more, strict=True)]
        return list(d_ends), [torch.cat(pieces[::-1]) for pieces in zip(*parts, strict=True)], sums

    def over_time(self, kept: Kept, name: str) -> Tensor:
        """What a product saw at all steps, (T, B, ...)."""
        kept_chunks, kept_last, before_TBH = kept
        if name == self._plan.shifted:
            return before_TBH  # type: ignore[no-any-return]
        parts = [here[self._plan.kept.index(name)] for here in kept_chunks]
        return torch.cat([*parts, *([] if kept_last is None else [self._loops.over_time(kept_last, name)])])

    def _write_forward(self) -> Source:
        plan, recording = self._plan, self._plan.recording
        source = Source(f"def loop({', '.join(['p_T', *plan.states, *recording.constants])}):", recording.shapes)
        source.add(1, "y_T = []", *(f"keep_{name} = []" for name in plan.kept), "for p in p_T.unbind(0):")
        source.plain(2, plan.forward)
        source.add(2, f"y_T.append({recording.output})", *(f"keep_{name}.append({name})" for name in plan.kept))
        source.add(2, f"[{', '.join(plan.states)}] = [{', '.join(recording.states)}]")
        kept = ", ".join(f"torch.stack(keep_{name})" for name in plan.kept)
        source.add(1, f"return torch.stack(y_T), [{', '.join(plan.states)}], [{kept}]")
        return source

    def _write_backward(self) -> Source:
        plan, recording = self._plan, self._plan.recording
        source = Source(
            f"def loop({', '.join(['dy_T', *plan.d_states, 'kept', *recording.constants])}):", recording.shapes
        )
        sums = [f"sum_{index}" for index in range(len(plan.sums))]
        source.add(1, *(f"{name} = 0" for name in sums), *(f"all_{name} = []" for name in plan.collected))
        steps = "zip(dy_T.unbind(0), *[value.unbind(0) for value in kept])"
        source.add(1, f"for {', '.join(['dy', *plan.kept])}, in list({steps})[::-1]:")
        source.plain(2, plan.backward)
        source.add(2, *(f"all_{name}.append({name})" for name in plan.collected))
        source.add(2, *(f"{total} = {total} + {name}" for total, (_, name, _) in zip(sums, plan.sums, strict=True)))
        source.add(2, f"[{', '.join(plan.d_states)}] = [{', '.join(plan.before())}]")
        collected = ", ".join(f"torch.stack(all_{name}[::-1])" for name in plan.collected)
        source.add(1, f"return [{', '.join(plan.d_states)}], [{collected}], [{', '.join(sums)}]")
        return source


def _compile(source: Source, plan: Plan) -> Callable[..., Any]:
    """The source as a compiled function; the same source of the same shapes is compiled once."""
    source.scope["minus_one"] = -1.0
    shapes = {name: plan.recording.shapes[name] for name in ("p", *plan.states, *plan.recording.constants)}
    dtypes = {name: constant.dtype for name, constant in plan.recording.constants.items()}
    key = repr(("\n".join(source.lines), shapes, dtypes))
    if key not in _compiled:
        on_cpu = all(constant.device.type == "cpu" for constant in plan.recording.constants.values())
        build = functools.partial(torch.compile, source.compile(), fullgraph=True, dynamic=False)
        try:
            _compiled[key] = build(options=_OPTIONS if on_cpu else None)
        except RuntimeError:  # this compiler does not know an option
            _compiled[key] = build()
    return _compiled[key]
