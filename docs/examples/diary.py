import datetime
import json
from pathlib import Path

import seqgen


def note(path, **what):
    with (path / "diary.jsonl").open("a", encoding="utf-8") as diary:
        diary.write(json.dumps({"at": f"{datetime.datetime.now():%H:%M:%S}", **what}) + "\n")


@seqgen.hookimpl
def on_run_start(path, settings):
    note(path, started=settings["corpus"]["title"])


@seqgen.hookimpl
def on_report(path, metrics):
    note(path, step=metrics["step"], loss_nats=metrics.get("valid_loss_nats"))


@seqgen.hookimpl
def on_checkpoint(path, step, checkpoint):
    note(path, saved=checkpoint.name)


@seqgen.hookimpl
def on_run_end(path, reason):
    note(path, ended=reason)


@seqgen.hookimpl
def register_commands(app):
    @app.command()
    def diary(run: Path):
        """Show the diary of a run."""
        print((run / "diary.jsonl").read_text(encoding="utf-8"), end="")
