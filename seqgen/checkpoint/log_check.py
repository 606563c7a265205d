"""The logs of a run, compared with what its checkpoints say of them."""

from __future__ import annotations

from seqgen.checkpoint.run_folder import RunFolder
from seqgen.checkpoint.snapshot import read_logs, read_verified
from seqgen.errors import CheckpointError
from seqgen.files import JsonLines


def check_logs(run: RunFolder, step: int) -> list[str] | None:
    """Compare the logs with what the checkpoint of a step says of them, whose other files are not looked at.

    Returns:
        A line for each log that is damaged; None if the checkpoint was made before it said anything of logs.

    Raises:
        CheckpointError: the manifest is damaged.
    """
    expected = read_logs(run.safe_checkpoint(step))
    if expected is None:
        return None
    return [line for name, found in expected.items() if (line := JsonLines(run.files / name).check(found))]


def damaged_logs(run: RunFolder) -> list[str]:
    """Return a line for each log that is not what the newest checkpoint that verifies says it was."""
    for step in reversed(run.steps()):
        try:
            problems = check_logs(run, step) or []
            if problems:  # a damaged checkpoint has no say: the run may have gone on from an older one
                read_verified(run.safe_checkpoint(step))
        except CheckpointError:
            continue
        return problems
    return []
