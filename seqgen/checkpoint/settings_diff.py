"""Comparison of the settings of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgen.checkpoint.settings import RunSettings
from seqgen.errors import UsageError

_LEARNING = ("corpus", "tokenizer", "model", "cell", "train", "conditions", "augmentation", "start")
_SAME = (*_LEARNING, "n_symbols", "max_length")
_SHOWN = (*_LEARNING, "refit", "engine", "environment")
_DERIVED = (
    "start.sha256", "corpus.digest", "corpus.before", "corpus.n_records", "corpus.n_chars", "corpus.longest",
    "corpus.parts", "engine.how", "refit.step", "refit.gate", "refit.kept_share", "refit.repeats",
)  # fmt: skip
"""Settings that follow from the corpus, the engine or the run of a refit, and are not shown."""
_OF_REFIT = tuple(f"train.{name}" for name in ("steps", "epochs", "time_s", "best_by", "refit", "blend", "repeats"))
"""Settings that a refit does not take over from its run."""
_MAX_VALUE = 60  # characters of a value in a message


def flatten(settings: RunSettings, tables: Sequence[str]) -> dict[str, Any]:
    """Return some sections of the settings as one dictionary with dotted names such as "train.lr"."""

    def leaves(prefix: str, value: Any) -> dict[str, Any]:
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            value = {str(n): item for n, item in enumerate(value, 1)}
        if not isinstance(value, dict):
            return {prefix: value}
        return {name: leaf for key, item in value.items() for name, leaf in leaves(f"{prefix}.{key}", item).items()}

    dumped = settings.model_dump(mode="json")
    return {name: leaf for table in tables for name, leaf in leaves(table, dumped[table]).items()}


def find_differences(runs: Mapping[str, RunSettings]) -> dict[str, dict[str, Any]]:
    """Return the settings that differ between runs.

    Args:
        runs: the settings of each run, by name.

    Returns:
        For each setting, named as in ``-o``, its value in each run; None where a run lacks it. Of a refit, its run is
        shown, and not what follows from it.
    """
    hidden = _DERIVED + (_OF_REFIT if any(settings.refit for settings in runs.values()) else ())
    tables = {run: flatten(settings, _SHOWN) for run, settings in runs.items()}
    names = dict.fromkeys(name for table in tables.values() for name in table if not name.startswith(hidden))
    found = {name: {run: table.get(name) for run, table in tables.items()} for name in names}
    return {
        name.replace(".options.", "."): values
        for name, values in found.items()
        if len({repr(value) for value in values.values()}) > 1
    }


def check_same(planned: RunSettings, found: RunSettings, folder: Path) -> None:
    """Refuse an existing run with other settings than planned.

    Args:
        planned: the settings that the run should have.
        found: the settings that it has.
        folder: the run folder.

    Raises:
        UsageError: they differ; the line names the first difference.
    """
    before, now = (flatten(settings, _SAME) for settings in (found, planned))
    for name in before | now:
        if before.get(name) != now.get(name):
            was, wanted = (_with(name, table.get(name)) for table in (before, now))
            raise UsageError(f"cannot continue {str(folder)!r}: it was trained {was}, not {wanted}; pass another --out")


def _with(name: str, value: Any) -> str:
    """Return how a message says that a setting has a value."""
    return f"without {name}" if value is None else f"with {name} {repr(value)[:_MAX_VALUE]}"
