"""``seqgen train``, ``seqgen resume`` and ``seqgen refit``."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from seqgen.cli.common import RunName, complete_names, configured, everywhere, parse_options, run_argument, say
from seqgen.signals import describe_loss

_UNSAVED = "training had not begun, so nothing is saved (Ctrl-C saves a run once it trains)"


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(everywhere(train, flags=configured("train", "TrainConfig")))
    app.command()(everywhere(resume))
    app.command()(everywhere(refit))


def train(*, settings: dict[str, Any]) -> None:
    """Train a model on a corpus, in a new run folder."""
    display = None
    with describe_loss(lambda: "" if display is not None and display.started else _UNSAVED):
        import seqgen
        from seqgen.cli.display import TrainDisplay  # imports torch, which takes a while

        settings["options"] = parse_options(settings["options"] or ())
        with TrainDisplay() as display:
            run = seqgen.train(**settings, **display.callbacks)
    display.summary(run)


_Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Processes that share each batch, of a run that was trained with --workers.",
        show_default="this process alone",
    ),
]
_On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="NAME",
        help="Executor that runs the other workers.",
        autocompletion=complete_names("executor"),
        show_default="local",
    ),
]
_Options = Annotated[
    list[str] | None, typer.Option("-o", "--option", metavar="executor.NAME=VALUE", help="Option of the executor.")
]


def resume(
    *,
    run: Annotated[str | None, run_argument("the newest unfinished run")] = None,
    workers: _Workers = None,
    on: _On = None,
    option: _Options = None,
    allow_corpus_change: Annotated[
        bool, typer.Option("--allow-corpus-change", help="Resume even if the corpus has changed.")
    ] = False,
) -> None:
    """Resume a run from its newest valid checkpoint."""
    import seqgen
    from seqgen.cli.display import TrainDisplay

    with TrainDisplay() as display:
        finished = seqgen.resume(
            run,
            allow_corpus_change=allow_corpus_change,
            workers=workers,
            on=on,
            options=parse_options(option or ()),
            **display.callbacks,
        )
    if not display.started:
        longer = f"seqgen train --from {shlex.quote(str(finished.path))} --steps N"
        say(f"{finished.path} is complete; to train its weights further, in a new run: {longer}")
    display.summary(finished)


def refit(
    run: RunName = None,
    *,
    workers: _Workers = None,
    on: _On = None,
    option: _Options = None,
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="New run folder.", show_default="the run's name with -refit")
    ] = None,
) -> None:
    """Train a finished run anew on its training and validation records, for as many passes as were best."""
    import seqgen
    from seqgen.cli.display import TrainDisplay

    with TrainDisplay() as display:
        finished = seqgen.refit(
            run,
            out=out,
            workers=workers,
            on=on,
            options=parse_options(option or ()),
            **display.callbacks,
        )
    display.summary(finished)
