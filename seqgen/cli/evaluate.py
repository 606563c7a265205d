"""``seqgen evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqgen.cli.common import Json, RunName, configured, everywhere, parse_options, say, session, show, show_json, warn
from seqgen.errors import BadOption
from seqgen.metrics import by_model
from seqgen.render import evaluation_view

_MANY = 50_000  # records or samples, for the stages to be worth a line


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(evaluate, flags=configured("evaluate", "EvaluateConfig")))


def evaluate(
    *,
    run: RunName = None,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Checkpoint to load.")] = "best",
    as_json: Json = False,
    settings: dict[str, Any],
) -> None:
    """Evaluate a run: held-out losses beside baselines, and samples: valid, novel, memorized, metrics of the domain."""
    import seqgen
    from seqgen.api.evaluate import evaluate as evaluate_run
    from seqgen.config import EvaluateConfig

    named = [_named_file(one) for one in settings["reports"] or ()]
    reports = dict(named)
    for name, file in named:
        if file != reports[name]:
            raise BadOption(f"the report {name} is to be {str(file)!r} and {str(reports[name])!r}: give one")
    config = EvaluateConfig.validated(
        settings | {"options": parse_options(settings["options"] or ()), "reports": reports}
    )
    loaded = seqgen.load(
        run,
        checkpoint=checkpoint,
        plugins=session.plugins,
        warn=warn,
    )
    is_long = session.verbose or max(loaded.settings.corpus.n_records, config.n) > _MANY or config.reference is not None

    def log(stage: str) -> None:
        if is_long:
            say(f"{stage} ...")

    metrics, labels, files, failures = evaluate_run(loaded, config, log)
    for file in files:
        say(f"wrote {file}")
    if as_json:
        show_json(metrics)
    else:
        published = by_model(metrics.pop("published", {}))
        show(evaluation_view(metrics, published, labels))
    if failures:
        raise failures[0]


def _named_file(text: str) -> tuple[str, Path]:
    """Return the two sides of ``NAME=FILE``.

    Raises:
        BadOption: one is missing.
    """
    name, _, file = text.partition("=")
    if not name or not file:
        raise BadOption(f"cannot use --report {text!r}: write NAME=FILE, as in html=page.html")
    return name, Path(file)
