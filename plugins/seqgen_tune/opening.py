"""Opening a study: its settings are checked by planning a run, before anything is written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import seqgen
from seqgen_tune.definition import STUDY, Definition, digest_config
from seqgen_tune.dimension import PARTS, Dimension
from seqgen_tune.planning import Planner
from seqgen_tune.ranges import Given
from seqgen_tune.space import SpaceBuilder, first_values

_OTHER = {
    "corpus": "another corpus",
    "settings": "other settings",
    "space": "other settings to search",
    "pruner": "another pruner",
    "digest": "another content of the corpus",
}
_RESERVED = {"out": "each trial has a folder of its own", "refit": "its run has no held-out records"}


def define(
    corpus: str | Path | Sequence[str | Path] | None,
    given: Sequence[Given],
    fixed: Mapping[str, Any],
    pruner: str,
    trials: int,
    planner: Planner,
) -> Definition:
    """Return the definition of a study, checked by planning runs with its values, those of other parts the first ones.

    Raises:
        UsageError: a setting is impossible.
        CorpusError: the corpus is unreadable or empty, or has no validation part.
    """
    from seqgen_tune.sampling import make_pruner

    make_pruner(pruner)
    for name in [*fixed, *(fixed.get("options") or {})]:
        if (reason := _RESERVED.get(name.rpartition(".")[2])) is not None:
            raise seqgen.BadOption(f"cannot tune with {name}: {reason}")
    fixed = {name: str(value) if isinstance(value, Path) else value for name, value in fixed.items()}
    try:
        json.dumps(fixed)
    except TypeError:
        raise seqgen.BadOption("a part of a study is given by its registered name, not as a class or a spec") from None
    digest = digest_config(fixed.get("config"))  # before it is planned with, so that a change meanwhile is found
    plan = planner.plan(corpus, _first_parts(given), fixed)
    if plan.settings.train.refit:
        raise seqgen.BadOption(f"cannot tune with refit: {_RESERVED['refit']}; remove it from {fixed.get('config')!r}")
    resolved = plan.resolved
    parts = {"model": resolved.model.qualified, "tokenizer": resolved.tokenizer.qualified}
    if resolved.cells:
        parts["cell"] = ",".join(entry.qualified for entry in resolved.cells)
    if resolved.augmentation is not None:
        parts["augment"] = resolved.augmentation.qualified
    space = SpaceBuilder(given, fixed, parts, planner.plugins).build()
    for values in _values_to_check(space, _first_parts(given)):
        planner.plan(corpus, values, fixed)
    named, first = _names(corpus), first_values(space, plan.settings)
    of_corpus, seed = (resolved.title, plan.settings.corpus.digest), plan.settings.train.seed
    return Definition(named, fixed, tuple(space), pruner, trials, *of_corpus, first, seed, digest)


def _values_to_check(space: Sequence[Dimension], first: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield each choice, and one end of each range, with the first choices of the parts that have the setting.

    Options of tokenizers are left out, since each value would encode the corpus anew.
    """
    for one in space:
        if one.name in PARTS or one.name.startswith("tokenizer."):
            continue
        parts = {**first, one.of: one.only[0]} if one.of else first
        low = int(one.low) if one.whole else one.low
        yield from ({**parts, one.name: value} for value in one.choices or (low,))


def _first_parts(space: Sequence[Given | Dimension]) -> dict[str, str]:
    return {one.name: one.choices[0] for one in space if one.name in PARTS and one.choices}


def _names(corpus: str | Path | Sequence[str | Path] | None) -> str | list[str] | None:
    """Return a corpus, or its files, as JSON has them."""
    if corpus is None or isinstance(corpus, str | Path):
        return None if corpus is None else str(corpus)
    return [str(one) for one in corpus] if len(corpus) > 1 else str(corpus[0])


def open_again(path: Path, other: object, planner: Planner) -> seqgen.WorkFolder:
    """Return the folder of a study that goes on with its own settings.

    Args:
        path: the folder.
        other: settings that are given nevertheless.
        planner: plans a run, to see whether the corpus is there and is the same.

    Raises:
        UsageError: settings are given, or a plugin or the configuration file has changed.
        CorpusError: the corpus is unreadable, or has changed.
    """
    if other:
        again = f"to continue it: {planner.continue_command(path)}"
        raise seqgen.UsageError(f"{str(path)!r} has a study with settings of its own; {again}")
    folder = seqgen.WorkFolder.open(path, {})
    definition = Definition.read(folder)
    definition.check_config(path)
    plan = planner.plan(definition.corpus, _first_parts(definition.space), definition.settings)
    definition.check_corpus(plan)
    _refuse_changed(folder, planner)
    return folder


def open_folder(path: Path | None, definition: Definition, planner: Planner) -> seqgen.WorkFolder:
    """Return the folder of a study, created if it does not exist.

    Raises:
        UsageError: it has a study with other settings or plugins, or none, or the configuration file has changed.
    """
    files = {STUDY: definition.to_json()}
    if path is None:
        return seqgen.WorkFolder.create(f"tune-{definition.title[:60]}", files)
    folder = seqgen.WorkFolder.open(path, files)
    if not any(path.iterdir()):
        folder.write_json(STUDY, files[STUDY])
    known = Definition.read(folder)
    mine, there = definition.to_json(), known.to_json()
    if mine["settings"] == there["settings"]:  # first, since the file may name the corpus
        known.check_config(path)
    for name, what in _OTHER.items():
        if mine[name] != there[name]:
            again = f"to continue it: {planner.continue_command(path)}"
            raise seqgen.UsageError(f"{str(path)!r} has a study with {what}: give another --out; {again}")
    _refuse_changed(folder, planner)
    return folder


def _refuse_changed(folder: seqgen.WorkFolder, planner: Planner) -> None:
    """Refuse to continue a study whose trials were trained with other plugins: their losses cannot be compared.

    Raises:
        UsageError: they were.
    """
    for path in sorted(folder.path.glob("trial-*")):
        changed: list[str] = []
        with contextlib.suppress(seqgen.CheckpointError):  # another worker may have just discarded it
            run = folder.run(path.name, planner.plugins)
            changed = [] if run is None else run.changed_plugins()
        if changed:
            problem = f"cannot continue the study {str(folder.path)!r}: {path.name}: {changed[0]}"
            raise seqgen.UsageError(f"{problem}; give another --out, or load the plugin as it was")
