"""The parts of a mixture of a network, counts and what a record repeats, as a checkpoint has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from seqgen.counting.log_linear import GATE_SIZES
from seqgen.counting.repeats import N_REPEAT_FEATURES
from seqgen.errors import CheckpointError, short_repr

_OF_A_SUM = 19  # weights of a gate of older versions


@dataclass(frozen=True)
class Mixture:
    """The gates between the network of a run and the rest that it predicts with.

    Attributes:
        gate: weights of the gate between the network and the counts; None: no counts.
        kept_share: share of their probability that training records keep in a blend; None: all of it.
        repeats: weights of the gate of what a record repeats; None: that is left out.
    """

    gate: list[float] | None = None
    kept_share: float | None = None
    repeats: list[float] | None = None

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> Self:
        """Return the mixture of a checkpoint's state.

        Raises:
            CheckpointError: a gate has not as many finite numbers as it needs, or the share is not in (0, 1].
        """
        for name, sizes in (("gate", GATE_SIZES), ("repeats", (N_REPEAT_FEATURES,))):
            found = state.get(name)
            numbers = found if isinstance(found, list) else []
            finite = all(isinstance(one, float) and math.isfinite(one) for one in numbers)
            if name == "gate" and len(numbers) == _OF_A_SUM:
                raise CheckpointError("an older version blended this run, as a sum of probabilities; train it again")
            if found is not None and (len(numbers) not in sizes or not finite):
                raise CheckpointError(f"the checkpoint is damaged: its {name} is not {sizes[0]} numbers")
        share = state.get("kept_share")
        if share is not None and not (isinstance(share, float) and 0 < share <= 1):
            raise CheckpointError(
                f"the checkpoint is damaged: its kept_share is {short_repr(share, 40)}, not in (0, 1]"
            )
        return cls(state.get("gate"), share, state.get("repeats"))
