"""Event hooks for seqgen: a line in the run folder for each evaluation."""

import seqgen

seqgen_api = "plugin-api"


def _note(path, line):
    with (path / "plugin-name.txt").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@seqgen.hookimpl
def on_run_start(path, settings):
    """Note that training starts or resumes; ``settings`` is the content of run.json."""
    _note(path, f"start: {settings['corpus']['title']}")


@seqgen.hookimpl
def on_report(path, metrics):
    """Note an evaluation; ``metrics`` is a line of metrics.jsonl."""
    _note(path, f"step {metrics['step']}")


@seqgen.hookimpl
def on_run_end(path, reason):
    """Note why training ended: "steps", "time", "interrupted", ..."""
    _note(path, f"end: {reason}")
