"""Verification of a run's logs against its checkpoints."""

from __future__ import annotations

from seqgen.checkpoint.run_folder import RunFolder
from seqgen.checkpoint.snapshot import read_logs, read_verified
from seqgen.errors import CheckpointError
from seqgen.files import JsonLines


def check_logs(run: RunFolder, step: int) -> list[str] | None:
    """Compare the logs with what the checkpoint of a step records of them; its other files are not read.

    Returns:
        A line for each damaged log; None if the checkpoint is from before logs were recorded.

    Raises:
        CheckpointError: the manifest is damaged.
    """
    expected = read_logs(run.safe_checkpoint(step))
    if expected is None:
        return None
    return [line for name, found in expected.items() if (line := JsonLines(run.files / name).check(found))]


def damaged_logs(run: RunFolder) -> list[str]:
    """Return a line for each log that does not match the newest checkpoint that verifies."""
    for step in reversed(run.steps()):
        try:
            problems = check_logs(run, step) or []
            if problems:  # ignore a damaged checkpoint: the run may have continued from an older one
                read_verified(run.safe_checkpoint(step))
        except CheckpointError:
            continue
        return problems
    return []
