"""Trackers of training runs: ``seqgen train --track tensorboard|mlflow|wandb|trackio[=PLACE]``.

Every tracker gets its events from a thread of its own, so that one that hangs or fails costs a line and no time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import seqgen

NAMES = ("tensorboard", "mlflow", "wandb", "trackio")


@seqgen.hookimpl
def register_trackers(register: Callable[[str, Callable[[str], None]], None]) -> None:
    """Offer the trackers."""
    for name in NAMES:
        register(name, _check(name))


@seqgen.hookimpl
def on_run_start(path: Path, settings: Mapping[str, Any]) -> None:
    """Start a thread for each tracker of ours that the run is to be sent to."""
    wanted = [one for one in settings["train"].get("track", ()) if one.partition("=")[0] in NAMES]
    if wanted:
        from seqgen_tracking.session import start

        start(path, settings, wanted)


@seqgen.hookimpl
def on_report(path: Path, metrics: Mapping[str, Any], samples: Sequence[str]) -> None:
    """Queue the results of an evaluation."""
    from seqgen_tracking.session import report

    report(path, metrics, samples)


@seqgen.hookimpl
def on_run_end(path: Path, reason: str) -> None:
    """Queue the reason of the end, and wait for trackers that answer."""
    from seqgen_tracking.session import end

    end(path, reason)


def _check(name: str) -> Callable[[str], None]:
    def check(place: str) -> None:
        from seqgen_tracking.trackers import check_installed

        check_installed(name)

    return check
