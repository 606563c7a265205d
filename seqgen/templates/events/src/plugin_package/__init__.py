"""Event hooks for seqgen: a line on stderr when a run has ended."""

import sys

import seqgen

seqgen_api = "plugin-api"
_steps = {}


@seqgen.hookimpl
def on_run_start(path, settings):
    """Start recording when training starts or resumes; ``settings`` is the content of run.json."""
    _steps[path] = []


@seqgen.hookimpl
def on_report(path, metrics):
    """Note an evaluation; ``metrics`` is a line of metrics.jsonl."""
    _steps[path].append(metrics["step"])


@seqgen.hookimpl
def on_run_end(path, reason):
    """Report the steps and the reason of the end: "steps", "time", "interrupted", ..."""
    sys.stderr.write(f"plugin-name: evaluated at steps {_steps.pop(path)}, ended by {reason}\n")
