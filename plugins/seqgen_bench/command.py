"""The commands ``seqgen bench`` and ``seqgen compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import seqgen
from seqgen import commands

if TYPE_CHECKING:
    from seqgen_bench.results import BenchResult, RunScore

_MODEL, _ENDS, _DATA = "The models", "When each run ends", "The data"


@commands.results_on_stdout
def compare(
    *,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...", help="Run folders, or names under runs/.", autocompletion=commands.complete_runs
        ),
    ],
    part: Annotated[
        str, typer.Option(metavar="valid|test", help="Held-out part whose loss sorts the runs and pairs their records.")
    ] = "test",
    n: Annotated[int, typer.Option("-n", "--num", help="Samples of each to evaluate; 0: none.", min=0)] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the samples.", min=0)] = 0,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Checkpoint to load.")] = "best",
    as_json: commands.Json = False,
) -> None:
    """Put runs side by side: their losses, the distance to the best, and the settings that differ."""
    import dataclasses

    from seqgen_bench.compare import compare as compare_runs

    found = compare_runs(
        runs,
        part=part,  # type: ignore[arg-type]  # checked there
        n=n,
        seed=seed,
        checkpoint=checkpoint,
        warn=commands.warn,
    )
    for note in found.notes:
        commands.warn(note)
    if as_json:
        commands.show_json(dataclasses.asdict(found))
    else:
        commands.show(found.view())


@commands.results_on_stdout
def bench(
    *,
    corpus: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Corpus to train on.",
            autocompletion=commands.complete_names("corpus"),
            rich_help_panel=_DATA,
        ),
    ],
    cells: Annotated[
        str,
        typer.Option(
            metavar="A,B,..|all", help="Cells, stacks (A+B: one a layer), or models that are not made of cells."
        ),
    ] = "all",
    params: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="The most parameters of each; the width follows.  [default: 50k]", rich_help_panel=_MODEL
        ),
    ] = None,
    hidden: Annotated[
        int | None, typer.Option(help="Units of a layer, instead of --params.", rich_help_panel=_MODEL)
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each cell.")] = 3,
    time: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Like 60s or 5m.  [default: 60s]", rich_help_panel=_ENDS),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.", rich_help_panel=_ENDS)] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training part.", rich_help_panel=_ENDS)] = None,
    part: Annotated[
        str, typer.Option(metavar="valid|test", help="The held-out part that is evaluated.", rich_help_panel=_DATA)
    ] = "valid",
    layers: Annotated[int | None, typer.Option(help="Layers of cells.", rich_help_panel=_MODEL)] = None,
    embedding: Annotated[
        int | None, typer.Option(help="Size of the embedding of each symbol.", rich_help_panel=_MODEL)
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(help="Dropout probability between layers and before the head.", rich_help_panel=_MODEL),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(help="Peak learning rate of all.  [default: as each recommends]", rich_help_panel=_MODEL),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Records a step.", rich_help_panel=_MODEL)] = None,
    tokenizer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Tokenizer of the text.", rich_help_panel=_DATA)
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="NAME", help="Domain of the records.", rich_help_panel=_DATA)
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
        typer.Option(metavar="DIR", help="Folder of the runs; runs finished there are not trained again."),
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", help="Runs that are trained at once.", min=1)] = 1,
    on: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Executor of the workers.", autocompletion=commands.complete_names("executor")
        ),
    ] = "local",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table there too.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg|.png", help="Draw a plot (extra: plot).")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--option", metavar="PART.NAME=VALUE", help="Any option; it goes to the cells that have it."
        ),
    ] = None,
    as_json: commands.Json = False,
) -> None:
    """Compare cells: each at as many parameters, trained for as long, with its own recommended settings."""
    from seqgen_bench.plot import check_plot
    from seqgen_bench.runner import bench as run_bench

    if plot is not None:
        check_plot(plot.suffix.lower())
    for path in filter(None, (csv, plot)):
        commands.check_file(path)
    executor, others = commands.split_executor(option or ())
    options = commands.parse_options(others)
    so_far: list[BenchResult] = []

    def on_run(result: BenchResult, cell: str, seed: int, score: RunScore | None) -> None:
        so_far[:] = [result]
        commands.log(_line(result, cell, seed, score))

    try:
        result = run_bench(
            corpus, cells, params=params, hidden=hidden, seeds=seeds, time=time, steps=steps, epochs=epochs,
            part=part,  # type: ignore[arg-type]  # checked there
            layers=layers, embedding=embedding, dropout=dropout, lr=lr, batch_size=batch_size, tokenizer=tokenizer,
            domain=domain, text_field=text_field, split=split, valid=valid_file or valid, test=test_file or test,
            layout=layout, options=options, out=out, on_run=on_run, warn=commands.warn, log=commands.log,
            workers=workers, on=on, executor=executor,
        )  # fmt: skip
    except seqgen.SeqgenError:
        for stopped in so_far:  # the scores before a signal came, or the disk was full
            _finish(stopped, csv, plot, as_json)
        raise
    _finish(result, csv, plot, as_json)
    for line in result.remarks:
        commands.warn(line)
    if not result.runs:
        first = next(iter(result.problems.values()))
        raise seqgen.UsageError(f"cannot train any of {commands.counted(len(result.problems), 'run')}: {first}")


def _line(result: BenchResult, cell: str, seed: int, score: RunScore | None) -> str:
    """Return a line about a run that ended."""
    if score is None:
        return f"{cell} failed: {result.problems[cell]}"
    from seqgen_bench.render import speed

    tokens = "" if score.tokens_per_s is None else f", {speed(score.tokens_per_s):,} tokens/s"
    return (
        f"{cell} seed {seed}: {score.bits_per_char:.3f} bits/char, {score.steps:,} steps in "
        f"{commands.duration(score.trained_s)}{tokens}, {speed(score.samples_per_s):,} samples/s"
    )


def _finish(result: BenchResult, csv: Path | None, plot: Path | None, as_json: bool) -> None:
    """Show the results so far, and write the files that were asked for."""
    from seqgen_bench.plot import bench_plot
    from seqgen_bench.render import bench_csv

    if as_json:
        commands.show_json({"folder": str(result.folder), **result.to_json()})
    else:
        commands.show(result.view())
    if csv is not None:
        seqgen.write_atomic(csv, bench_csv(result.rows))
        commands.log(f"wrote {csv}")
    if plot is not None:
        seqgen.write_atomic(plot, bench_plot(result.rows, result.title, plot.suffix.lower()))
        commands.log(f"wrote {plot}")
