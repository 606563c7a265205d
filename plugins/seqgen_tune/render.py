"""Tables of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

import seqgen
from seqgen import commands
from seqgen_tune.dimension import combinations

if TYPE_CHECKING:
    from seqgen_tune.results import TrialResult, TuneResult

_RESULTS = ("trial", "bits/char", "params", "steps", "trained")
_SHOWN = 10  # of the best trials
_PROBLEMS = 5


def trial_line(result: TuneResult, trial: TrialResult) -> str:
    """Return a line about a trial that ended, with the best so far."""
    values = " ".join(f"{short(name)}={value}" for name, value in trial.values.items())
    if trial.bits_per_char is None:
        said = f"{trial.state}: {trial.problem}" if trial.problem else trial.state
    else:
        said = f"{trial.bits_per_char:.3f} bits/char, best {result.ranked[0].bits_per_char:.3f}"
    same = "" if trial.same_as is None else f" (as trial {trial.same_as})"
    return f"trial {trial.number}: {values}: {said}{same}"


def short(name: str) -> str:
    """Return a setting without the part that goes without saying: "lr" for "train.lr", "hidden" for "model.hidden"."""
    part, _, option = name.rpartition(".")
    return option if part in ("train", "model") else name


def _heading(name: str) -> str:
    """Return the heading of a setting, other than those of results."""
    if short(name) in _RESULTS:
        return name if name != short(name) else f"--{name}"
    return short(name)


def tune_view(result: TuneResult) -> RenderableType:
    """Return the best trials, the importance of each setting, the reasons of failures, and the command of the best."""
    views: list[RenderableType] = []
    best = result.ranked[:_SHOWN]
    if best:
        names = list(dict.fromkeys(name for one in best for name in one.values))
        columns = [*_RESULTS[:2], *map(_heading, names), *_RESULTS[2:]]
        views.append(commands.table([_row(one) for one in best], columns, _title(result)))
    else:
        views.append(Text(_title(result)))
    every = combinations(result.space)
    tried = {repr(sorted(one.values.items())) for one in result.trials}
    if every is not None and len(every) == len(tried):
        views.append(Text(f"all {len(every):,} combinations of the settings were tried"))
    if result.importance:
        rows = [{"setting": short(name), "importance": f"{share:.0%}"} for name, share in result.importance.items()]
        views.append(commands.table(rows, ("setting", "importance")))
    wrong = [one for one in result.trials if one.problem and one.same_as is None]
    views += [Text(seqgen.visible(f"trial {one.number} {one.state}: {one.problem}")) for one in wrong[:_PROBLEMS]]
    if len(wrong) > _PROBLEMS:
        views.append(Text(f"and {len(wrong) - _PROBLEMS:,} more; --json lists them"))
    if result.command:
        views.append(Text(f"train the best: {seqgen.visible(result.command)}", no_wrap=True, overflow="ignore"))
    return Group(*views)


def _title(result: TuneResult) -> str:
    return f"{seqgen.visible(result.corpus)}, validation part, {result.counts}: {result.folder}"


def _row(trial: TrialResult) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "bits/char": None if trial.bits_per_char is None else f"{trial.bits_per_char:.3f}",
        **{_heading(name): str(value) for name, value in trial.values.items()},
        "params": trial.parameters,
        "steps": trial.steps,
        "trained": None if trial.trained_s is None else commands.duration(trial.trained_s),
    }
