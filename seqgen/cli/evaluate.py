"""``seqgen evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqgen.cli.common import Json, RunName, everywhere, say, session, show, show_json, warn
from seqgen.errors import BadOption

_MANY = 50_000  # records or samples, for the stages to be worth a line


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(evaluate))


def evaluate(
    *,
    run: RunName = None,
    n: Annotated[int, typer.Option("-n", "--num", help="Samples to judge.", min=1)] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Which checkpoint.")] = "best",
    reference: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="A corpus that metrics compare with.  [default: held-out records]"),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--option", metavar="PART.NAME=VALUE", help="An option of the reference, a metric or a report."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots too: one file, no network.")
    ] = None,
    report: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Write another report (seqgen list reports); may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge a run: held-out losses beside baselines; shares of its samples; memorisation; metrics of its domain."""
    import seqgen
    from seqgen.api import evaluate as judging
    from seqgen.config import parse_assignments
    from seqgen.render import by_model, evaluation_view

    loaded = seqgen.load(
        run,
        checkpoint=checkpoint,
        plugins=session.plugins,
        warn=warn,
    )
    options = {f"{part}.{name}" if part else name: value for part, name, value in parse_assignments(option or ())}
    is_long = session.verbose or max(loaded.settings.corpus.n_records, n) > _MANY or reference is not None

    reports = dict(_named_file(one) for one in report or ()) | ({} if html is None else {"html": html})

    def tell(stage: str) -> None:
        if is_long:
            say(f"{stage} ...")

    figures, labels, files = judging.evaluate(loaded, n, seed, reference, options, reports, tell)
    for file in files:
        say(f"wrote {file}")
    if as_json:
        show_json(figures)
        return
    published = by_model(figures.pop("published", {}))
    show(evaluation_view(figures, published, labels))


def _named_file(text: str) -> tuple[str, Path]:
    """Return the two sides of ``NAME=FILE``.

    Raises:
        BadOption: one is missing.
    """
    name, _, file = text.partition("=")
    if not name or not file:
        raise BadOption(f"cannot use --report {text!r}: write NAME=FILE, as in html=page.html")
    return name, Path(file)
