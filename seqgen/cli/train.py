"""``seqgen train`` and ``seqgen resume``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqgen.cli.common import RunName, complete_names, complete_runs, everywhere, say, session, warn


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(everywhere(train))
    app.command()(everywhere(resume))


_MODEL, _ENDS, _DATA, _MORE = "The model", "When it ends", "The data", "More"


def _name(flag: str, panel: str, text: str, kind: str = "") -> Any:
    complete = complete_names(kind or flag)
    return typer.Option(f"--{flag}", metavar="NAME", help=text, autocompletion=complete, rich_help_panel=panel)


def train(
    *,
    corpus: Annotated[
        str | None,
        typer.Option(
            "--corpus",
            metavar="NAME|FILE",
            help="A registered corpus (see seqgen list corpora), or a text file with a record a line.",
            autocompletion=complete_names("corpus"),
            rich_help_panel=_DATA,
        ),
    ] = None,
    cell: Annotated[str | None, _name("cell", _MODEL, "The layer.  [default: gru]")] = None,
    model: Annotated[str | None, _name("model", _MODEL, "The model.  [default: recurrent]")] = None,
    tokenizer: Annotated[str | None, _name("tokenizer", _DATA, "How text becomes symbols.")] = None,
    domain: Annotated[str | None, _name("domain", _DATA, "What the texts are.")] = None,
    hidden: Annotated[int | None, typer.Option(help="Units of a layer.", rich_help_panel=_MODEL)] = None,
    layers: Annotated[int | None, typer.Option(help="Layers of cells.", rich_help_panel=_MODEL)] = None,
    embedding: Annotated[int | None, typer.Option(help="Features of a symbol.", rich_help_panel=_MODEL)] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Share of features dropped while training.", rich_help_panel=_MODEL)
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.", rich_help_panel=_ENDS)] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training part.", rich_help_panel=_ENDS)] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Like 60s, 5m or 1h, over all resumes.", rich_help_panel=_ENDS),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Records a step.", rich_help_panel=_MORE)] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.", rich_help_panel=_MORE)] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same run.", rich_help_panel=_MORE)] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="A/B/C|none",
            help="Training, validation and test.  [default: 90/5/5]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(metavar="lines|stream", help="Records, or one long text: a novel.", rich_help_panel=_DATA),
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(metavar="F", help="The field of a JSON or CSV file that is the text.", rich_help_panel=_DATA),
    ] = None,
    label_field: Annotated[
        str | None, typer.Option(metavar="F", help="The field that is the label.", rich_help_panel=_DATA)
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(metavar="F,...", help="Tell the model label or fields, to ask for later.", rich_help_panel=_DATA),
    ] = None,
    augment: Annotated[
        str | None, _name("augment", _DATA, "Write records anew each epoch.", kind="augmentation")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Begin with the weights of a run; what is not said is as it was there.",
            autocompletion=complete_runs,
            rich_help_panel=_MORE,
        ),
    ] = None,
    valid_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Validation records.", rich_help_panel=_DATA)
    ] = None,
    test_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Test records.", rich_help_panel=_DATA)] = None,
    valid: Annotated[Path | None, typer.Option(metavar="FILE", hidden=True)] = None,
    test: Annotated[Path | None, typer.Option(metavar="FILE", hidden=True)] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=_MORE)] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="How steps run over time: auto, fused, scan, compiled or eager.", rich_help_panel=_MORE),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(metavar="N", help="Choose --hidden for so many parameters, like 50k.", rich_help_panel=_MODEL),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run folder.  [default: the next one in runs/]", rich_help_panel=_MORE),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Tables [train] [model] [cell] [tokenizer] [corpus].",
            rich_help_panel=_MORE,
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--option",
            metavar="PART.NAME=VALUE",
            help="Any other setting, like zoneout=0.1 or cell.activation=tanh, several values as NAME=A,B; may be "
            "repeated (see seqgen show train, show model recurrent, show cell vanilla).",
            rich_help_panel=_MORE,
        ),
    ] = None,
) -> None:
    """Train a model on a corpus, in a new run folder."""
    import seqgen
    from seqgen.cli.display import TrainDisplay
    from seqgen.config import parse_assignments

    options = {f"{part}.{name}" if part else name: value for part, name, value in parse_assignments(option or ())}
    with TrainDisplay() as display:
        run = seqgen.train(
            corpus,
            cell=cell,
            model=model,
            tokenizer=tokenizer,
            domain=domain,
            hidden=hidden,
            layers=layers,
            embedding=embedding,
            dropout=dropout,
            steps=steps,
            epochs=epochs,
            time=time,
            batch_size=batch_size,
            lr=lr,
            seed=seed,
            split=split,
            valid=valid_file or valid,  # the short names are those of earlier versions
            test=test_file or test,
            device=device,
            engine=engine,
            params=params,
            layout=layout,
            condition=condition or (),
            augment=augment,
            start=start,
            text_field=text_field,
            label_field=label_field,
            options=options,
            config=config,
            out=out,
            plugins=session.plugins,
            listener=display.on_event,
            warn=warn,
            progress=display.on_progress,
        )
    display.summary(run)


def resume(
    *,
    run: RunName = None,
    allow_corpus_change: Annotated[
        bool, typer.Option("--allow-corpus-change", help="Go on even if the corpus is not what it was.")
    ] = False,
) -> None:
    """Go on with a run from its newest valid checkpoint."""
    import seqgen
    from seqgen.cli.display import TrainDisplay

    with TrainDisplay() as display:
        finished = seqgen.resume(
            run,
            allow_corpus_change=allow_corpus_change,
            plugins=session.plugins,
            listener=display.on_event,
            warn=warn,
            progress=display.on_progress,
        )
    if not display.started:
        longer = f"seqgen train --from {finished.path} --steps N"
        say(f"{finished.path} had ended already; to go on from its weights, in a new run: {longer}")
    display.summary(finished)
