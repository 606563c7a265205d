"""``seqgen bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqgen.cli.common import Json, complete_names, everywhere, say, session, show, show_json, warn
from seqgen.errors import SeqgenError, UsageError

if TYPE_CHECKING:
    from seqgen.api.scores import BenchResult, RunScore


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(bench))


_MODEL, _ENDS, _DATA = "The models", "When each run ends", "The data"


def bench(
    *,
    corpus: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE", help="What to learn.", autocompletion=complete_names("corpus"), rich_help_panel=_DATA
        ),
    ],
    cells: Annotated[
        str, typer.Option(metavar="A,B,..|all", help="Cells, or models that are not made of cells.")
    ] = "all",
    params: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="The most parameters of each; the width follows.  [default: 50k]", rich_help_panel=_MODEL
        ),
    ] = None,
    hidden: Annotated[int | None, typer.Option(help="Units of a layer, instead.", rich_help_panel=_MODEL)] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each.")] = 3,
    time: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Like 60s or 5m.  [default: 60s]", rich_help_panel=_ENDS),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.", rich_help_panel=_ENDS)] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training part.", rich_help_panel=_ENDS)] = None,
    part: Annotated[
        str, typer.Option(metavar="valid|test", help="The held-out part that is judged.", rich_help_panel=_DATA)
    ] = "valid",
    layers: Annotated[int | None, typer.Option(help="Layers of cells.", rich_help_panel=_MODEL)] = None,
    embedding: Annotated[int | None, typer.Option(help="Features of a symbol.", rich_help_panel=_MODEL)] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Share of features dropped while training.", rich_help_panel=_MODEL)
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(help="Peak learning rate of all.  [default: as each recommends]", rich_help_panel=_MODEL),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Records a step.", rich_help_panel=_MODEL)] = None,
    tokenizer: Annotated[
        str | None, typer.Option(metavar="NAME", help="How text becomes symbols.", rich_help_panel=_DATA)
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the records are.", rich_help_panel=_DATA)
    ] = None,
    text_field: Annotated[
        str | None, typer.Option(help="The field of a JSON or CSV file that is the text.", rich_help_panel=_DATA)
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="A/B/C", help="Training, validation and test.", rich_help_panel=_DATA)
    ] = None,
    valid_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Validation records.", rich_help_panel=_DATA)
    ] = None,
    test_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Test records.", rich_help_panel=_DATA)] = None,
    valid: Annotated[Path | None, typer.Option(metavar="FILE", hidden=True)] = None,
    test: Annotated[Path | None, typer.Option(metavar="FILE", hidden=True)] = None,
    layout: Annotated[
        str | None,
        typer.Option(metavar="lines|stream", help="Records, or one long text.", rich_help_panel=_DATA),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where all is kept; what is finished there is not trained again."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table there too.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg|.png", help="Draw a plot (extra: plot).")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="PART.NAME=VALUE", help="Any option; given to those that have it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare cells: each at as many parameters, trained for as long, with its own recommended settings."""
    import seqgen.api.bench
    from seqgen.config import parse_assignments
    from seqgen.render import check_plot

    if plot is not None:
        check_plot(plot.suffix.lower())
    options = {f"{where}.{name}" if where else name: value for where, name, value in parse_assignments(option or ())}
    so_far: list[BenchResult] = []

    def told(result: BenchResult, cell: str, seed: int, score: RunScore | None) -> None:
        so_far[:] = [result]
        say(_line(result, cell, seed, score))

    try:
        result = seqgen.api.bench.bench(
            corpus, cells, params=params, hidden=hidden, seeds=seeds, time=time, steps=steps, epochs=epochs,
            part=part,  # type: ignore[arg-type]  # looked at there
            layers=layers, embedding=embedding, dropout=dropout, lr=lr, batch_size=batch_size, tokenizer=tokenizer,
            domain=domain, text_field=text_field, split=split, valid=valid_file or valid, test=test_file or test,
            layout=layout, options=options, out=out, plugins=session.plugins, on_run=told, warn=warn, tell=say,
        )  # fmt: skip
    except SeqgenError:
        for stopped in so_far:  # what was measured before a signal came, or the disk was full
            _finish(stopped, csv, plot, as_json)
        raise
    _finish(result, csv, plot, as_json)
    if not result.runs:
        raise UsageError(f"none of the {len(result.problems)} could be trained: {next(iter(result.problems.values()))}")


def _line(result: BenchResult, cell: str, seed: int, score: RunScore | None) -> str:
    """A run that ended, in one line."""
    from seqgen.render import duration

    if score is None:
        return f"{cell} failed: {result.problems[cell]}"
    speed = "" if score.tokens_per_s is None else f", {score.tokens_per_s:,.0f} tokens/s"
    return (
        f"{cell} seed {seed}: {score.bits_per_char:.3f} bits/char, {score.steps:,} steps in "
        f"{duration(score.trained_s)}{speed}, {score.samples_per_s:,.0f} samples/s"
    )


def _finish(result: BenchResult, csv: Path | None, plot: Path | None, as_json: bool) -> None:
    """Show what there is, and write the files that were asked for."""
    from seqgen.files import write_atomic
    from seqgen.render import bench_csv, bench_plot, bench_table, visible

    part = {"valid": "validation", "test": "test"}[result.part]
    seeds = result.asked["seeds"]
    title = f"{visible(result.corpus)}, {part} part, {seeds} seed{'s' if seeds > 1 else ''}: {result.folder}"
    if as_json:
        show_json({"folder": str(result.folder), **result.to_json()})
    else:
        show(bench_table(result.rows, title))
    if csv is not None:
        write_atomic(csv, bench_csv(result.rows))
    if plot is not None:
        write_atomic(plot, bench_plot(result.rows, title, plot.suffix.lower()))
