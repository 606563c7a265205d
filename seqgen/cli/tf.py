"""Equivalents of the RNN classes of TensorFlow 1."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqgen.registry import Registry
from seqgen.specs import CellSpec, ModelSpec

_BASES = {  # of what is not a recurrence but what recurrences are written as
    "RNNCell": ("StepCell", "base class: the equations of one step"),
    "LayerRNNCell": ("StepCell", "base class: the equations of one step; a torch module, so a layer too"),
    "FusedRNNCell": ("Cell", "base class: a whole sequence at once"),
}


@dataclass(frozen=True)
class Answer:
    """The equivalent of a class of TensorFlow 1.

    Attributes:
        tf: its name there.
        kind: "cell", "model" or "class".
        name: what answers it: the name of a cell or model, or of a class of ``seqgen``.
        options: those that make it so.
        summary: one line.
        package: that offers it.
    """

    tf: str
    kind: str
    name: str
    options: Mapping[str, Any]
    summary: str
    package: str

    @property
    def use(self) -> str:
        """The flags, or the Python name, that select it."""
        if self.kind == "class":
            return f"seqgen.{self.name}"
        chosen = (f"-o {self.kind}.{option}={_spell(value)}" for option, value in self.options.items())
        return " ".join((f"--{self.kind} {self.name}", *chosen))


def _spell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def tf_answers(registry: Registry) -> list[Answer]:
    """Return the registered equivalents of TensorFlow 1 classes, and core's base classes, by their names there."""
    answers = [Answer(tf, "class", name, {}, summary, "seqgen") for tf, (name, summary) in _BASES.items()]
    for kind in ("cell", "model"):
        for name, entry in zip(registry.names(kind), registry.entries(kind), strict=True):
            assert isinstance(entry.spec, CellSpec | ModelSpec)
            answers += [
                Answer(tf, kind, name, options, entry.spec.summary, entry.package)
                for tf, options in entry.spec.tf.items()
            ]
    return sorted(answers, key=lambda answer: (answer.tf, answer.package, answer.name))
