"""A command: ``seqgen seeds --n 3``, with the flags of ``seqgen train``, trains with several seeds."""

import seqgen
from seqgen import commands


@commands.with_train_settings("seed", "out")
@commands.results_on_stdout
def seeds(*, n: int = 2, settings: dict):
    """Train with several seeds, and show the loss of each run on held-out records."""
    settings["options"] = commands.parse_options(settings["options"] or ())
    rows = []
    for seed in range(n):
        run = seqgen.train(**settings, seed=seed)
        rows.append({"run": run.path.name, "seed": seed, "loss": run.metrics[-1]["valid_loss_nats"]})
    commands.show(commands.table(rows, ("run", "seed", "loss"), "seeds"))


@seqgen.hookimpl
def register_commands(app):
    app.command()(seeds)
