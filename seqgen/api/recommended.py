"""What is not said of a training: as the parts recommend it, or as it was in the run whose weights it begins with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from seqgen.config import Layer, merge
from seqgen.errors import BadOption, PluginError
from seqgen.registry import Entry
from seqgen.specs import CellSpec, CorpusSpec, ModelSpec

if TYPE_CHECKING:
    from seqgen.checkpoint import RunSettings

DEFAULT_STEPS = 2000
_ENDS = ("steps", "epochs", "time_s")


def recommended(parts: Iterable[Entry], fields: Mapping[str, list[str]], asked: Layer) -> Layer:
    """What the parts recommend, as far as this run has such options; a later part wins over an earlier one."""
    layers = [part.spec.recommended for part in parts if isinstance(part.spec, CorpusSpec | ModelSpec | CellSpec)]
    merged = merge({"train": {}}, *layers)
    for name in merged["train"]:
        if name not in fields["train"]:
            raise PluginError(f"train has no option {name!r}, which a part of this run recommends")
    known = _known(merged, fields)
    if _ends_said(asked):
        known["train"] = _without_ends(known["train"])
    elif not any(end in known["train"] for end in _ENDS):
        known["train"]["steps"] = DEFAULT_STEPS
    return known


def as_in(
    settings: RunSettings,
    fields: Mapping[str, list[str]],
    asked: Layer,
    read_as: Mapping[str, Any],
    other: Entry | None,
) -> Layer:
    """The options of another run, as far as there still are such options; its ends unless others are asked for.

    Args:
        settings: the run.
        fields: the options that there are, by part.
        asked: the options that are asked for.
        read_as: the options by which the corpus is read as that of the run was.
        other: the corpus, if it is another: how it recommends to train, and how much to drop, is then
            above what served that one; sizes are those of the weights.

    Raises:
        BadOption: a part no longer has an option that the weights were made with.
    """
    parts = {"model": settings.model, "cell": settings.cell, "tokenizer": settings.tokenizer}
    there = {name: part.options for name, part in parts.items() if part is not None} | {"corpus": dict(read_as)}
    for kind, part in parts.items():
        for name, value in part.options.items() if part is not None else ():
            if name not in fields.get(kind, ()):
                gone = f"the {kind} of that run had the option {name!r}, {value!r}, which it has no more"
                raise BadOption(f"{gone}: use the plugin as it was")
    there["train"] = settings.train.model_dump(exclude={"best_by"})  # it goes by the records of the run
    better: Layer = {"train": {}}
    if other is not None:
        assert isinstance(other.spec, CorpusSpec)
        said = other.spec.recommended
        better["train"] = dict(said.get("train", {}))
        better["model"] = {name: value for name, value in said.get("model", {}).items() if name == "dropout"}
    if _ends_said(asked):
        there["train"], better["train"] = map(_without_ends, (there["train"], better["train"]))
    elif _ends_said(better):
        there["train"] = _without_ends(there["train"])
    return _known(merge(there, better), fields)


def _without_ends(train: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in train.items() if name not in _ENDS}


def _ends_said(asked: Layer) -> bool:
    return any(asked.get("train", {}).get(end) is not None for end in _ENDS)


def _known(layer: Layer, fields: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Those of some options that this run has."""
    return {
        part: {name: value for name, value in values.items() if name in fields.get(part, ())}
        for part, values in layer.items()
    }
