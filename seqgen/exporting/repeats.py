"""The gate between a model and what a record repeats, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqgen.counting import Repeats, blend_of
from seqgen.counting.repeats import BASE, LEAST_AGREEMENT, LONGEST, SHORTEST


@dataclass(frozen=True)
class RepeatGate:
    """The gate between a model and what a record repeats; ``seqgen.counting.repeats`` has the formula.

    Attributes:
        look_back: the number of last symbols in which matches are looked for.
        base: b of the weight b^m of a match of m symbols.
        shortest: the smallest m that counts.
        longest: the largest m that counts as such; longer matches count as these.
        least_agreement: A / (1 - p_model(end)) below which the gate sees no difference.
        weights: of the gate, in the order of the formula, the constant last.
    """

    look_back: int
    base: float
    shortest: int
    longest: int
    least_agreement: float
    weights: list[float]


def repeats_of(run: Any) -> RepeatGate | None:
    """Return what a run predicts of repetition, if it does.

    Args:
        run: a :class:`seqgen.Run`.
    """
    model = run.model
    if not isinstance(model, Repeats):
        return None
    return RepeatGate(model.look_back, BASE, SHORTEST, LONGEST, LEAST_AGREEMENT, model.weights_G.tolist())


def mixed_with(run: Any) -> str:
    """Return what the network of a run is blended with, as words; "" for nothing.

    Args:
        run: a :class:`seqgen.Run`.
    """
    found = ["counts"] if blend_of(run.model) is not None else []
    found += ["what a record repeats"] if isinstance(run.model, Repeats) else []
    return " and ".join(found)
