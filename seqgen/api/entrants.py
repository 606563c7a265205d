"""Who takes part in a bench: names become trainings that are alike in all but the cell."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seqgen.api.environment import option_fields
from seqgen.api.recipe import Recipe, resolve
from seqgen.api.request import Request
from seqgen.checkpoint import RunSettings
from seqgen.config import Layer, TrainSettings, merge
from seqgen.errors import FAULT_NOTE, BadOption, DiskError, Interrupted, SeqgenError, UnknownName, UsageError
from seqgen.plugins import Plugins
from seqgen.registry import Entry, one_line
from seqgen.signals import reraise_signal
from seqgen.specs import ModelSpec

ALL = "all"
_OF_CELLS = "recurrent"  # the model that cells are compared in
FAILURES = (Exception, SystemExit)
"""What a cell's code may do wrong without ending the bench; see ``reason``."""
_ENDS = ("steps", "epochs", "time_s")
_CHOSEN = {"seed": "--seeds", "hidden": "--hidden or --params"}


@dataclass(frozen=True)
class Entrant:
    """A cell, or a model that is not made of cells, and how it will be trained.

    Attributes:
        name: as it was given.
        recipe: its training; None if it cannot be trained.
        problem: why not, in one line.
        ignored_params: the budget of parameters that it cannot follow, since it has no width; else None.
        must_follow: whether that budget was asked for, not the default.
    """

    name: str
    recipe: Recipe | None
    problem: str = ""
    ignored_params: int | None = None
    must_follow: bool = False

    def size_problem(self, n_parameters: int) -> str:
        """Say that a model that is trained has a size of its own; "" where sizes are equal or it only counts."""
        if self.ignored_params is None or not n_parameters:
            return ""
        return (
            f"--params {self.ignored_params:,} cannot set its size: it has no option 'hidden'; "
            f"its own options give it {n_parameters:,} parameters"
        )


def reason(error: BaseException) -> str:
    """Why something failed, in one line.

    Raises:
        BaseException: ``error`` itself, where it says nothing of a cell: a signal, a full disk.
    """
    reraise_signal()
    if isinstance(error, Interrupted | DiskError):
        raise error
    if isinstance(error, SeqgenError):
        return one_line(error, limit=500)
    text = f"{type(error).__name__}: {one_line(error)}"
    notes = [note.removeprefix(FAULT_NOTE) for note in getattr(error, "__notes__", ()) if note.startswith(FAULT_NOTE)]
    return f"{notes[0]}: {text}" if notes else text


def choose(names: str | Sequence[str], plugins: Plugins) -> list[tuple[str, Entry]]:
    """The cells and models of some names, each once; "all" is every cell.

    Raises:
        UnknownName: neither a cell nor a model.
        UsageError: no name, or a model that is made of cells.
    """
    registry = plugins.registry
    wanted = [name.strip() for name in (names.split(",") if isinstance(names, str) else names) if name.strip()]
    spread = [name for given in wanted for name in (registry.names("cell") if given == ALL else [given])]
    whole = [name for name in registry.names("model") if not _uses_cell(registry.get("model", name))]
    if not spread:
        raise UsageError(
            f"say what to compare: --cells a,b,c or --cells all; cells: {', '.join(registry.names('cell'))}"
        )
    chosen = []
    for name in dict.fromkeys(spread):
        if registry.has("cell", name):
            chosen.append((name, registry.get("cell", name)))
        elif registry.has("model", name) and _uses_cell(registry.get("model", name)):
            raise UsageError(f"the model {name!r} is made of cells: name the cells instead")
        elif registry.has("model", name):
            chosen.append((name, registry.get("model", name)))
        else:
            raise UnknownName("cell", name, [*registry.names("cell"), *whole], plugins.failed_hint())
    return chosen


def _uses_cell(entry: Entry) -> bool:
    assert isinstance(entry.spec, ModelSpec)
    return entry.spec.uses_cell


def enter(
    chosen: Sequence[tuple[str, Entry]], asked: Request, plugins: Plugins, must_follow: bool = False
) -> list[Entrant]:
    """Resolve what is asked of all for each of them.

    An option that only some have is given to these; one that none has is refused.

    Args:
        chosen: names, with cells or models.
        asked: what is asked, cell and model left out.
        plugins: where parts come from.
        must_follow: whether the budget of parameters was asked for, not the default.

    Raises:
        UsageError: what is asked can be had with none of them.
    """
    for _, name, _ in asked.assignments:
        if name in _CHOSEN:
            raise BadOption(f"-o {name}=...: in a bench {_CHOSEN[name]} says so")
    fields = {name: _fields(entry, plugins) for name, entry in chosen}
    entrants, first = [], None
    for name, entry in chosen:
        try:
            request = _request(name, entry, asked, fields, plugins)
            ignored = asked.params if request.params is None else None
            entrants.append(Entrant(name, resolve(request, plugins), "", ignored, must_follow))
        except FAILURES as error:
            entrants.append(Entrant(name, None, reason(error)))
            first = first or error
    if first is not None and not any(entrant.recipe for entrant in entrants):
        raise first
    return entrants


def _fields(entry: Entry, plugins: Plugins) -> Mapping[str, Sequence[str]]:
    """The options by part that a cell or model has; none where its code cannot even say which."""
    parts = {"model": plugins.registry.get("model", _OF_CELLS), "cell": entry}
    if entry.spec.kind == "model":
        parts = {"model": entry}
    try:
        return {part: option_fields(found) for part, found in parts.items()}
    except FAILURES as error:
        reason(error)
        return {}


def _request(
    name: str, entry: Entry, asked: Request, fields: Mapping[str, Mapping[str, Sequence[str]]], plugins: Plugins
) -> Request:
    """What is asked of one of them."""
    own = fields[name]
    others = {(part, option) for each in fields.values() for part, names in each.items() for option in names}
    anywhere = {option for _, option in others}

    def concerns(part: str | None, option: str) -> bool:
        if part is None:
            mine = any(option in names for names in own.values()) or option in TrainSettings.model_fields
            return mine or option not in anywhere
        return option in own.get(part, ()) or (part, option) not in others

    assignments = [item for item in asked.assignments if concerns(item[0], item[1])]
    if entry.spec.kind == "cell":
        return dataclasses.replace(asked, cell=name, model=_OF_CELLS, assignments=assignments)
    has_width = "hidden" in own.get("model", ())
    model = {option: value for option, value in asked.flags.get("model", {}).items() if concerns("model", option)}
    flags = merge(_own_ends(entry), {**asked.flags, "model": model})
    params = asked.params if has_width else None
    return dataclasses.replace(asked, model=name, assignments=assignments, flags=flags, params=params)


def _own_ends(entry: Entry) -> Layer:
    """Where a model that is not made of cells recommends to end, at the latest: one that counts has then seen all."""
    assert isinstance(entry.spec, ModelSpec)
    recommended = entry.spec.recommended.get("train", {})
    return {"train": {name: value for name, value in recommended.items() if name in _ENDS}}


def of_seed(recipe: Recipe, settings: RunSettings, seed: int) -> tuple[Recipe, RunSettings]:
    """The same training with another seed, begun now."""
    train = recipe.train.model_copy(update={"seed": seed})
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    return dataclasses.replace(recipe, train=train), settings.model_copy(update={"train": train, "created": created})
