"""Whether the disk has room for a run's checkpoints, and the memory for its weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from seqgen.checkpoint import RunFolder
from seqgen.errors import BadOption
from seqgen.files import free_bytes

_WEIGHT_BYTES = 4
_KEPT = 3  # checkpoints of a run, for most of its time: the last two and the best


def refuse_beyond_memory(budget: int) -> None:
    """A model whose weights alone are more than the machine has memory is not looked for: that takes minutes.

    Args:
        budget: its parameters.

    Raises:
        BadOption: it is one.
    """
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # a system that does not say
        return
    needed = budget * _WEIGHT_BYTES
    if needed > memory > 0:
        raise BadOption(
            f"a budget of {budget:,} parameters is too large: their weights take {needed:,} bytes, "
            f"this machine has {memory:,}"
        )


def warn_of_little_room(folder: RunFolder, model: Any, warn: Callable[[str], None]) -> None:
    """A disk that will be full after an hour is told of before the first step.

    Args:
        folder: the run's.
        model: what is trained.
        warn: is told, in one line.
    """
    needed, free = _KEPT * _checkpoint_bytes(model), free_bytes(folder.path)
    if free is not None and free < needed:
        warn(
            f"{_KEPT} checkpoints of {str(folder.path)!r} need {needed:,} bytes, the disk has {free:,} free: the run "
            "will end when it is full; make room, or choose another --out"
        )


def _checkpoint_bytes(model: Any) -> int:
    """Size of a checkpoint: weights, two moments of each parameter, and some kilobytes that are left out here."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    tensors = [*model.state_dict().values(), *trained, *trained]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
