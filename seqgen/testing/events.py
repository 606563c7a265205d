"""The events of a run, as hooks of a plugin get them."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.process_state import process_kept, record_changes

if TYPE_CHECKING:
    from seqgen.plugins import Plugins

EVENTS = ("on_run_start", "on_report", "on_checkpoint", "on_run_end")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what hooks say of a run to a file, which has a descriptor and a buffer as the usual streams have."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        yield


def replay_events(plugins: Plugins) -> list[str]:
    """Call the hooks of plugins with the events of a small run: trained, resumed, and ended by a user.

    Returns:
        The settings of the process that they change, which a run would restore in part only.
    """
    from seqgen.testing.exporters import small_run

    changed = list[str]()

    def emit(hook: str, **arguments: Any) -> None:
        plugins.call_hook(hook, lambda package: arguments)

    with tempfile.TemporaryDirectory() as folder, _silence():
        path = Path(folder) / "run"
        shutil.copytree(small_run().path, path)  # hooks may write into it
        settings = json.loads((path / "run.json").read_text(encoding="utf-8"))
        reports = (path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        with process_kept(), record_changes(changed):
            for reason in ("steps", "interrupted"):
                emit("on_run_start", path=path, settings=settings)
                for line in reports:
                    emit("on_report", path=path, metrics=json.loads(line), samples=["a sample", ""])
                for checkpoint in sorted((path / "checkpoints").glob("step-*")):
                    step = int(checkpoint.name.rpartition("-")[2])
                    emit("on_checkpoint", path=path, step=step, checkpoint=checkpoint)
                emit("on_run_end", path=path, reason=reason)
    return changed
