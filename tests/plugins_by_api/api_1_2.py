"""A plugin written for version 1.2 of the hooks, with what 1.1 does not have. It must keep working: never change it."""

from pathlib import Path

import seqgen

seqgen_api = "1.2"


def check(place):
    if not place:
        raise seqgen.BadOption("say where: --track lines=FILE")


@seqgen.hookimpl
def register_trackers(register):
    register("lines", check)


@seqgen.hookimpl
def on_run_start(path, settings):
    (wanted,) = settings["train"]["track"]
    (path / "place.txt").write_text(wanted.partition("=")[2])


@seqgen.hookimpl
def on_report(path, metrics, samples):
    with Path((path / "place.txt").read_text()).open("a") as file:
        file.write(f"{metrics['step']} {len(samples)} {type(samples[0]).__name__}\n")


@seqgen.hookimpl
def register_commands(app):
    @app.command()
    def lines(file: str):
        print(Path(file).read_text(), end="")
