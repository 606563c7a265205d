"""The cells and models that a bench compares, and the training plan of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import seqgen
from seqgen_bench.render import PARTS

ALL = "all"
_STACKED = "+"  # between the cells of a stack, since a comma is between candidates
_OF_CELLS = "recurrent"  # the model in which cells are compared
FAILURES = (Exception, SystemExit)
"""Errors of a cell's code that do not end the bench; see ``seqgen.failure_reason``."""
_ENDS = {"steps": "steps", "epochs": "epochs", "time": "time_s"}  # keyword to setting
_OF_MODEL = ("hidden", "layers", "embedding", "dropout")
_RESERVED = {
    "seed": "use --seeds",
    "hidden": "use --hidden or --params",
    "refit": "its held-out records are what cells are compared by",
}

Options = Sequence[tuple[str | None, str, Any]]
"""Options as (part or None, name, value)."""


@dataclass(frozen=True)
class Candidate:
    """A cell, or a model that is not made of cells, and its training plan.

    Attributes:
        name: as it was given.
        plan: its training plan; None if it cannot be trained.
        problem: the reason, in one line.
        ignored_params: the budget of parameters that it cannot follow, since it has no width; else None.
        must_follow: whether that budget was given, and is not the default.
    """

    name: str
    plan: seqgen.TrainingPlan | None
    problem: str = ""
    ignored_params: int | None = None
    must_follow: bool = False

    def check_size(self, warn: Callable[[str], None]) -> None:
        """Warn of a trained model whose size the budget of parameters cannot set.

        Raises:
            BadOption: the budget was given.
        """
        if self.plan is None or self.ignored_params is None or not (n_parameters := self.plan.n_parameters):
            return  # sizes are equal, or it only counts
        problem = (
            f"--params {self.ignored_params:,} cannot set its size: it has no option 'hidden'; "
            f"its own options give it {n_parameters:,} parameters"
        )
        if self.must_follow:
            raise seqgen.BadOption(f"{problem}; set these (-o model.NAME=VALUE) in a bench without --params")
        warn(f"{self.name}: {problem}")


def choose(names: str | Sequence[str], plugins: Any) -> dict[str, Any]:
    """Return the specs of cells and models by name; "all" is every cell that remembers.

    Args:
        names: a list, or names with commas between; a stack of cells has a plus sign between layers: "rglru+mlp".
        plugins: the result of ``seqgen.choose_plugins``.

    Raises:
        UnknownName: neither a cell nor a model.
        UsageError: no name, or a model that is made of cells.
    """
    registry = plugins.registry
    given = [name.strip() for name in (names.split(",") if isinstance(names, str) else names) if name.strip()]
    remembering = [name for name in registry.names("cell") if registry.get("cell", name).spec.remembers]
    expanded = [name for one in given for name in (remembering if one == ALL else [one])]
    if not expanded:
        cells = ", ".join(registry.names("cell"))
        raise seqgen.UsageError(f"name the cells to compare: --cells a,b,c or --cells all; cells: {cells}")
    chosen: dict[str, Any] = {}
    for name in expanded:
        if _STACKED in name:
            chosen[name] = [registry.get("cell", cell, plugins.failed_hint).spec for cell in name.split(_STACKED)]
            continue
        kind = "cell" if registry.has("cell", name) else "model"
        if not registry.has(kind, name):
            models = [model for model in registry.names("model") if not registry.get("model", model).spec.uses_cell]
            raise seqgen.UnknownName("cell", name, [*registry.names("cell"), *models], plugins.failed_hint())
        spec = registry.get(kind, name).spec
        if kind == "model" and spec.uses_cell:
            raise seqgen.UsageError(f"the model {name!r} is made of cells: name the cells instead")
        chosen[name] = spec
    return chosen


def plan_all(
    chosen: Mapping[str, Any],
    corpus: str | Path,
    settings: Mapping[str, Any],
    plugins: Any,
    *,
    part: Literal["valid", "test"],
    warn: Callable[[str], None],
    progress: Any = None,
    must_follow: bool = False,
) -> list[Candidate]:
    """Plan the same training run for each cell and model; the corpus is read once.

    An option that only some have is given to these; one that none has is refused.

    Args:
        chosen: specs by name.
        corpus: the corpus.
        settings: keywords of ``seqgen.train``, without cell and model; ``options`` and ``params`` are among them.
        plugins: the result of ``seqgen.choose_plugins``.
        part: the held-out part that is evaluated, and must have a record.
        warn: called with one line for each warning, once.
        progress: called while the corpus is read.
        must_follow: whether the budget of parameters was given, and is not the default.

    Raises:
        UsageError: none of them can have these settings.
        CorpusError: the corpus is unreadable or empty, or the part is.
    """
    given = _split_options(settings["options"])
    if not any(option == "blend" for _, option, _ in given):
        given = [*given, ("train", "blend", "none")]  # cells are compared, not the counts that they all share
    for _, name, _ in given:
        if name in _RESERVED:
            raise seqgen.BadOption(f"cannot use -o {name}=... in a bench: {_RESERVED[name]}")
    fields = {name: _option_names(spec, name, plugins) for name, spec in chosen.items()}
    candidates, first, cache, warned = list[Candidate](), None, dict[str, Any](), set[str]()

    def warn_once(line: str) -> None:
        if line not in warned:
            warned.add(line)
            warn(line)

    for name, spec in chosen.items():
        try:
            own = _settings_of(name, spec, settings, given, fields)
            ignored = settings["params"] if own["params"] is None else None
            plan = seqgen.plan(corpus, plugins=plugins, warn=warn_once, progress=progress, cache=cache, **own)
            _check_part(plan, part)
            candidates.append(Candidate(name, plan, "", ignored, must_follow))
        except seqgen.CorpusError:
            raise
        except FAILURES as error:
            candidates.append(Candidate(name, None, seqgen.failure_reason(error)))
            first = first or error
    if first is not None and not cache:  # the corpus was not even read: the settings are wrong for all of them
        raise first
    return candidates


def _check_part(plan: seqgen.TrainingPlan, part: Literal["valid", "test"]) -> None:
    if not len(plan.data.encoded[part]):
        title, more = plan.resolved.title, plan.resolved.split_hint
        raise seqgen.CorpusError(
            f"corpus {title!r} has no record in its {PARTS[part]} part; try {more} or --{part}-file FILE"
        )


def _split_options(options: Mapping[str, Any]) -> Options:
    parted = ((name.rpartition("."), value) for name, value in options.items())
    return [(part or None, name, value) for (part, _, name), value in parted]


def _option_names(spec: Any, name: str, plugins: Any) -> dict[str, Sequence[str]]:
    """Return the options by part of a cell, a stack or a model; none where its code fails."""
    cells = name.split(_STACKED) if isinstance(spec, list) else [name]
    try:
        if not isinstance(spec, list) and spec.kind == "model":
            return {"model": seqgen.option_names("model", name, plugins=plugins)}
        of_cells = [option for cell in cells for option in seqgen.option_names("cell", cell, plugins=plugins)]
        return {"model": seqgen.option_names("model", _OF_CELLS, plugins=plugins), "cell": of_cells}
    except FAILURES as error:
        seqgen.failure_reason(error)
        return {}


def _settings_of(
    name: str,
    spec: Any,
    settings: Mapping[str, Any],
    given: Options,
    fields: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[str, Any]:
    """Return the keywords of one of them, without the options that only others have."""
    own = fields[name]
    others = {(part, option) for each in fields.values() for part, names in each.items() for option in names}
    anywhere = {option for _, option in others}

    def concerns(part: str | None, option: str) -> bool:
        if part is None:
            mine = any(option in names for names in own.values()) or option in seqgen.option_names("train")
            return mine or option not in anywhere
        if part.startswith("cell."):
            return isinstance(spec, list)
        return option in own.get(part, ()) or (part, option) not in others

    options = {f"{part}.{option}" if part else option: value for part, option, value in given if concerns(part, option)}
    if isinstance(spec, list) or spec.kind == "cell":
        return {**settings, "cell": name.replace(_STACKED, ","), "model": _OF_CELLS, "options": options}
    kept = {key: value for key, value in settings.items() if key not in _OF_MODEL or concerns("model", key)}
    params = settings["params"] if "hidden" in own.get("model", ()) else None
    # A model that is not made of cells ends as it recommends: one that counts has then seen all.
    recommended = spec.recommended.get("train", {})
    ends = {keyword: recommended[setting] for keyword, setting in _ENDS.items() if setting in recommended}
    return {**ends, **kept, "model": name, "options": options, "params": params}
