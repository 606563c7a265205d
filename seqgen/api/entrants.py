"""Who takes part in a bench: names become trainings that are alike in all but the cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.api.train import TrainingPlan, plan
from seqgen.config import TrainSettings, split_names
from seqgen.errors import (
    FAULT_NOTE,
    BadOption,
    CorpusError,
    DiskError,
    Interrupted,
    SeqgenError,
    UnknownName,
    UsageError,
)
from seqgen.plugins import Plugins
from seqgen.registry import Entry, one_line
from seqgen.signals import reraise_signal
from seqgen.specs import ModelSpec

ALL = "all"
_OF_CELLS = "recurrent"  # the model that cells are compared in
FAILURES = (Exception, SystemExit)
"""What a cell's code may do wrong without ending the bench; see ``reason``."""
_ENDS = {"steps": "steps", "epochs": "epochs", "time": "time_s"}  # keyword to setting
_OF_MODEL = ("hidden", "layers", "embedding", "dropout")
_CHOSEN = {"seed": "--seeds", "hidden": "--hidden or --params"}


@dataclass(frozen=True)
class Entrant:
    """A cell, or a model that is not made of cells, and how it will be trained.

    Attributes:
        name: as it was given.
        plan: its training run; None if it cannot be trained.
        problem: why not, in one line.
        ignored_params: the budget of parameters that it cannot follow, since it has no width; else None.
        must_follow: whether that budget was asked for, not the default.
    """

    name: str
    plan: TrainingPlan | None
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
    chosen: Sequence[tuple[str, Entry]],
    corpus: str | Path,
    settings: Mapping[str, Any],
    plugins: Plugins,
    *,
    warn: Callable[[str], None],
    progress: Callable[[str, int, int | None], None],
    check: Callable[[EncodedCorpus, str], None],
    must_follow: bool = False,
) -> list[Entrant]:
    """Plan the same training run for each of some cells and models; the corpus is read once.

    An option that only some have is given to these; one that none has is refused.

    Args:
        chosen: names, with cells or models.
        corpus: the corpus.
        settings: keywords of ``seqgen.train``, without cell and model.
        plugins: the registered parts.
        warn: called with one line for each warning, once.
        progress: called while the corpus is read.
        check: refuses an encoded corpus, given its title.
        must_follow: whether the number of parameters was given, not the default.

    Raises:
        UsageError: none of them can be trained so.
        CorpusError: the corpus is unreadable or empty, or refused.
    """
    for _, name, _ in split_names(settings["options"]):
        if name in _CHOSEN:
            raise BadOption(f"-o {name}=...: in a bench {_CHOSEN[name]} says so")
    fields = {name: _fields(entry, plugins) for name, entry in chosen}
    entrants, first, cache, said = [], None, dict[str, EncodedCorpus](), set[str]()

    def warn_once(line: str) -> None:
        if line not in said:
            said.add(line)
            warn(line)

    for name, entry in chosen:
        try:
            own = _settings_of(name, entry, settings, fields)
            ignored = settings["params"] if own["params"] is None else None
            planned = plan(corpus, plugins=plugins, warn=warn_once, progress=progress, cache=cache, **own)
            check(planned.data, planned.resolved.title)
            entrants.append(Entrant(name, planned, "", ignored, must_follow))
        except CorpusError:
            raise
        except FAILURES as error:
            entrants.append(Entrant(name, None, reason(error)))
            first = first or error
    if first is not None and not any(entrant.plan for entrant in entrants):
        raise first
    return entrants


def _fields(entry: Entry, plugins: Plugins) -> Mapping[str, Sequence[str]]:
    """The options by part that a cell or model has; none where its code cannot even say which."""
    parts = {"model": plugins.registry.get("model", _OF_CELLS), "cell": entry}
    if entry.spec.kind == "model":
        parts = {"model": entry}
    try:
        return {part: found.option_names() for part, found in parts.items()}
    except FAILURES as error:
        reason(error)
        return {}


def _settings_of(
    name: str,
    entry: Entry,
    settings: Mapping[str, Any],
    fields: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[str, Any]:
    """Return the keywords of one of them, without the options that only others have."""
    own = fields[name]
    others = {(part, option) for each in fields.values() for part, names in each.items() for option in names}
    anywhere = {option for _, option in others}

    def concerns(part: str | None, option: str) -> bool:
        if part is None:
            mine = any(option in names for names in own.values()) or option in TrainSettings.model_fields
            return mine or option not in anywhere
        return option in own.get(part, ()) or (part, option) not in others

    options = {
        f"{part}.{option}" if part else option: value
        for part, option, value in split_names(settings["options"])
        if concerns(part, option)
    }
    if entry.spec.kind == "cell":
        return {**settings, "cell": name, "model": _OF_CELLS, "options": options}
    kept = {key: value for key, value in settings.items() if key not in _OF_MODEL or concerns("model", key)}
    params = settings["params"] if "hidden" in own.get("model", ()) else None
    return {**_own_ends(entry), **kept, "model": name, "options": options, "params": params}


def _own_ends(entry: Entry) -> dict[str, Any]:
    """Return the recommended end of a model that is not made of cells: one that counts has then seen all."""
    assert isinstance(entry.spec, ModelSpec)
    recommended = entry.spec.recommended.get("train", {})
    return {keyword: recommended[name] for keyword, name in _ENDS.items() if name in recommended}
