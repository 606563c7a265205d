"""What run.json says of several runs: whether they are the same, and in what they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgen.checkpoint.settings import RunSettings
from seqgen.errors import UsageError

_LEARNING = ("corpus", "tokenizer", "model", "cell", "train", "conditions", "augmentation", "start")
_SAME = (*_LEARNING, "n_symbols", "max_length")
_SHOWN = (*_LEARNING, "engine", "environment")
_FOLLOW = (
    "start.sha256", "corpus.digest", "corpus.before", "corpus.n_records", "corpus.n_chars", "corpus.longest",
    "corpus.parts", "engine.how",
)  # fmt: skip
"""What follows from the corpus or the engine, and tells a reader nothing more."""


def flat(settings: RunSettings, tables: Sequence[str]) -> dict[str, Any]:
    """Some tables of the settings as one, by dotted name: "train.lr"."""

    def leaves(prefix: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            return {prefix: value}
        return {name: leaf for key, item in value.items() for name, leaf in leaves(f"{prefix}.{key}", item).items()}

    dumped = settings.model_dump(mode="json")
    return {name: leaf for table in tables for name, leaf in leaves(table, dumped[table]).items()}


def differing(runs: Mapping[str, RunSettings]) -> dict[str, dict[str, Any]]:
    """The settings that are not the same in all of some runs.

    Args:
        runs: by name.

    Returns:
        For each setting, as ``-o`` spells it, its value in each run, None where a run has no such setting.
    """
    tables = {run: flat(settings, _SHOWN) for run, settings in runs.items()}
    names = dict.fromkeys(name for table in tables.values() for name in table if not name.startswith(_FOLLOW))
    found = {name: {run: table.get(name) for run, table in tables.items()} for name in names}
    return {
        name.replace(".options.", "."): values
        for name, values in found.items()
        if len({repr(value) for value in values.values()}) > 1
    }


def check_same(planned: RunSettings, found: RunSettings, folder: Path) -> None:
    """Refuse to take a run for one with other settings.

    Args:
        planned: what the run should have.
        found: what it has.
        folder: where it is.

    Raises:
        UsageError: they differ; the line names the first difference.
    """
    before, now = (flat(settings, _SAME) for settings in (found, planned))
    for name in before | now:
        if before.get(name) != now.get(name):
            was, wanted = (repr(table.get(name))[:60] for table in (before, now))
            raise UsageError(f"{str(folder)!r} was made with {name} {was}, not {wanted}: give another --out")
