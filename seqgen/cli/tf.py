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
    "LSTMBlockWrapper": ("Cell", "base class: a whole sequence at once"),
    "FusedRNNCellAdaptor": ("StepCell", "not needed: core runs the steps of any cell over whole sequences"),
}
_WRAPPERS: dict[str, tuple[str, dict[str, Any], str]] = {  # options of the default model, or of training
    "DropoutWrapper": ("model", {"dropout": 0.1}, "dropout of outputs; variational: recurrent_dropout"),
    "ResidualWrapper": ("model", {"skip": "residual"}, "residual connection around each layer"),
    "HighwayWrapper": ("model", {"skip": "highway"}, "highway connection around each layer"),
    "AttentionCellWrapper": ("model", {"attention": 8}, "attention over past outputs; empty slots get no weight"),
    "EmbeddingWrapper": ("model", {}, "every model starts with an embedding"),
    "InputProjectionWrapper": ("model", {}, "not needed: the embedding is the projection"),
    "OutputProjectionWrapper": ("model", {}, "every model ends with a linear head"),
    "CompiledWrapper": ("train", {"engine": "compiled"}, "steps compiled in chunks by torch's compiler"),
    "DeviceWrapper": ("train", {"device": "cuda"}, "one device for the whole model"),
}
_MODEL = "recurrent"  # of core
_DIMENSIONS = "a grid over time and depth; nearest: the answer to GridLSTMCell"
_ONE = "one dimension, depth: it keeps no state from step to step"
_NOTHING = {
    "GridRNNCell": "a grid over any number of dimensions; nearest: the answer to GridLSTMCell",
    "Grid1BasicRNNCell": _ONE,
    "Grid1BasicLSTMCell": _ONE,
    "Grid1LSTMCell": _ONE,
    "Grid2BasicRNNCell": "a grid over time and depth; nearest: two layers of the answer to BasicRNNCell",
    "Grid2BasicLSTMCell": _DIMENSIONS,
    "Grid2LSTMCell": _DIMENSIONS,
    "Grid2GRUCell": "a grid over time and depth; nearest: two layers of the answer to GRUCell",
    "Grid3LSTMCell": "a grid over three dimensions; nearest: the answer to GridLSTMCell",
    "TimeReversedFusedRNN": "it reads backward in time: models here see earlier symbols only",
    "AttentionWrapper": "attention over an encoder's outputs: models here have no encoder",
}
"""Classes of tf.contrib.grid_rnn, tf.contrib.rnn and tf.contrib.seq2seq that nothing answers, and the reason."""


@dataclass(frozen=True)
class Answer:
    """The equivalent of a class of TensorFlow 1.

    Attributes:
        tf: its name there.
        kind: "cell", "model", "class", "train" for settings of training, or "none" if nothing answers it.
        name: what answers it: the name of a cell or model, or of a class of ``seqgen``; else "".
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
        if self.kind == "none":
            return "nothing"
        chosen = [f"-o {self.kind}.{option}={_spell(value)}" for option, value in self.options.items()]
        return " ".join(chosen if self.kind == "train" else (f"--{self.kind} {self.name}", *chosen))


def _spell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def tf_answers(registry: Registry) -> list[Answer]:
    """Return the registered equivalents of TensorFlow 1 classes, and core's own answers, by their names there."""
    answers = [Answer(tf, "class", name, {}, summary, "seqgen") for tf, (name, summary) in _BASES.items()]
    answers += [Answer(tf, "none", "", {}, summary, "seqgen") for tf, summary in _NOTHING.items()]
    for tf, (kind, options, summary) in _WRAPPERS.items():
        answers.append(Answer(tf, kind, _MODEL if kind == "model" else "", options, summary, "seqgen"))
    for kind in ("cell", "model"):
        for name, entry in zip(registry.names(kind), registry.entries(kind), strict=True):
            assert isinstance(entry.spec, CellSpec | ModelSpec)
            answers += [
                Answer(tf, kind, name, options, entry.spec.summary, entry.package)
                for tf, options in entry.spec.tf.items()
            ]
    return sorted(answers, key=lambda answer: (answer.tf, answer.package, answer.name))
