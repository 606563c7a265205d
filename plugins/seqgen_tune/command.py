"""The command ``seqgen tune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import seqgen
from seqgen import commands

if TYPE_CHECKING:
    from seqgen_tune.results import TrialResult, TuneResult

_STUDY = "The study"


@commands.with_train_settings("time_s", "out", "refit", "workers")
@commands.results_on_stdout
def tune(
    *,
    space: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=A..B[:log]|NAME=A|B|PART.*]...", help="Settings to search; PART.*: its declared ranges."
        ),
    ] = None,
    space_file: Annotated[
        Path | None,
        typer.Option("--space", metavar="FILE.toml", help="Settings to search, in tables.", rich_help_panel=_STUDY),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="Trials of the study.  [default: 20]", min=1, rich_help_panel=_STUDY)
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Begin no trial after this time, like 30m; a run's own end: -o time_s=60s.",
            rich_help_panel=_STUDY,
        ),
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            metavar="median|hyperband|none", help="Stops trials early.  [default: median]", rich_help_panel=_STUDY
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the study; one that exists goes on.", rich_help_panel=_STUDY),
    ] = None,
    workers: Annotated[
        int, typer.Option(metavar="N", help="Trials that are trained at once.", min=1, rich_help_panel=_STUDY)
    ] = 1,
    on: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Executor of the workers; -o executor.NAME=VALUE sets its options.",
            autocompletion=commands.complete_names("executor"),
            rich_help_panel=_STUDY,
        ),
    ] = "local",
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg|.png", help="Draw a plot (extra: plot).", rich_help_panel=_STUDY)
    ] = None,
    as_json: commands.Json = False,
    settings: dict[str, Any],
) -> None:
    """Search for the settings with the lowest held-out loss; the options of train are fixed settings."""
    from seqgen_tune.plot import check_plot
    from seqgen_tune.ranges import read_toml
    from seqgen_tune.render import trial_line
    from seqgen_tune.runner import tune as run_tune

    if plot is not None:
        check_plot(plot.suffix.lower())
        commands.check_file(plot)
    so_far: list[TuneResult] = []

    def on_trial(result: TuneResult, trial: TrialResult) -> None:
        so_far[:] = [result]
        commands.log(trial_line(result, trial))

    given = [*(read_toml(space_file) if space_file is not None else ()), *(space or ())]
    settings["options"] = commands.parse_options(settings["options"] or ()) or None
    try:
        result = run_tune(
            space=given, trials=trials, time=time, pruner=pruner, workers=workers, on=on, out=out, on_trial=on_trial,
            warn=commands.warn, log=commands.log, **settings,
        )  # fmt: skip
    except seqgen.SeqgenError:
        for stopped in so_far:  # the trials before a signal came, or the disk was full
            _finish(stopped, plot, as_json)
        raise
    _finish(result, plot, as_json)
    result.check()


def _finish(result: TuneResult, plot: Path | None, as_json: bool) -> None:
    """Show the results so far, and draw them if asked to."""
    from seqgen_tune.plot import tune_plot

    if as_json:
        commands.show_json(result.to_json())
    else:
        commands.show(result.view())
    if plot is not None:
        seqgen.write_atomic(plot, tune_plot(result, plot.suffix.lower()))
        commands.log(f"wrote {plot}")
