"""Whether the disk has room for a run's checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqgen.checkpoint import RunFolder
from seqgen.files import free_bytes

_KEPT = 3  # checkpoints of a run, for most of its time: the last two and the best


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
