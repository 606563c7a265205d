"""Settings that the user does not give: those that parts recommend, or those of the run that this one starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from seqgen.config import Layer, merge
from seqgen.errors import BadOption, PluginError
from seqgen.registry import Entry
from seqgen.specs import CellSpec, CorpusSpec, ModelSpec

if TYPE_CHECKING:
    from seqgen.checkpoint import RunSettings
    from seqgen.config import TrainSettings
    from seqgen.corpus import Survey

FEW_RECORDS = 200
"""Number of records below which the best step is the last that copies few of them."""
_MAX_WIDTH = 65_536
_TRIES = 64  # widths in a row that a model may refuse, as attention heads that must divide them do
DEFAULT_STEPS = 2000
_ENDS = ("steps", "epochs", "time_s")


def recommended(parts: Iterable[Entry], fields: Mapping[str, list[str]], asked: Layer) -> Layer:
    """Return the recommended values of the parts for options of this run; a later part wins."""
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
    """Return the options of the run to start from that still exist, with its end unless another is given.

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
    """Return the options that this run has."""
    return {
        part: {name: value for name, value in values.items() if name in fields.get(part, ())}
        for part, values in layer.items()
    }


def with_best_by(settings: RunSettings, counted: Survey, *, counts: bool) -> TrainSettings:
    """Return the training settings of a new run, with the criterion of its best step.

    A handful of held-out records cannot decide which step is best, and the last step repeats the records. With fewer
    than 200 records the best step is the last at which few samples would be copies, and evaluations are frequent;
    ``benchmarks/few_records.py`` compares the two. A run still goes by the loss if it starts from the weights of
    another and so already knows how records look; if its validation records are in a file, or it has none; if most of
    its records are the same, so that copies are the goal; and if its model counts.

    Args:
        settings: settings of the run.
        counted: counts of its corpus.
        counts: whether its model learns by counting.

    Raises:
        BadOption: copies are the criterion, and the corpus is one long text.
    """
    train, corpus = settings.train, settings.corpus
    if train.best_by == "copies" and corpus.layout != "lines":
        raise BadOption("best_by=copies needs records, and one long text (--layout stream) has none")
    chosen = settings.start is not None or corpus.valid is not None or not train.split[1]
    few = counted.n_records < FEW_RECORDS and 2 * counted.n_distinct >= counted.n_records
    by = "copies" if few and corpus.layout == "lines" and not chosen and not counts else "loss"
    return train.model_copy(update={"best_by": train.best_by or by})


def solve_width(count: Callable[[int], int], budget: int) -> int:
    """Return the largest width whose model has at most a number of parameters.

    Args:
        count: returns the trainable parameters at a width; may refuse one with BadOption.
        budget: the most parameters.

    Raises:
        BadOption: even the smallest model has more.
    """

    def smallest(width: int) -> tuple[int, int]:
        """Return the first width from this one that the model does not refuse, and its parameters."""
        for candidate in range(width, width + _TRIES):
            try:
                return candidate, count(candidate)
            except BadOption as error:
                problem = error
        raise problem

    best, least = smallest(1)
    if least > budget:
        raise BadOption(f"a budget of {budget:,} parameters is too small: the model has {least:,} at width {best}")
    too_wide = best
    while too_wide < _MAX_WIDTH:
        too_wide *= 2
        width, n_parameters = smallest(too_wide)
        if n_parameters > budget:
            break
        best = too_wide = width
    while too_wide - best > 1:
        middle = (best + too_wide) // 2
        width, n_parameters = smallest(middle)
        if n_parameters <= budget:
            best = width
        else:
            too_wide = middle
    return best
