"""A tracker: ``seqgen train --track lines=FILE`` appends the results of each evaluation to a file."""

import json
from pathlib import Path

import seqgen

files = {}


def check(place):
    if not place:
        raise seqgen.BadOption("cannot track with lines: it needs a file, as in --track lines=FILE")


@seqgen.hookimpl
def register_trackers(register):
    register("lines", check)


@seqgen.hookimpl
def on_run_start(path, settings):
    for wanted in settings["train"]["track"]:
        name, _, place = wanted.partition("=")
        if name == "lines":
            files[path] = Path(place)


@seqgen.hookimpl
def on_report(path, metrics, samples):
    if path in files:
        with files[path].open("a", encoding="utf-8") as file:
            file.write(json.dumps({"run": path.name, **metrics, "samples": list(samples)}) + "\n")
