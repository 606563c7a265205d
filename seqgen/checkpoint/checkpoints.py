"""The checkpoints of a run: published whole, verified before use, the old ones removed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from seqgen.checkpoint.snapshot import (
    MAX_JSON_BYTES,
    RUN_FILES,
    Snapshot,
    pack,
    read_bounded,
    read_logs,
    read_state,
    read_verified,
    unpack,
)
from seqgen.errors import CheckpointError, DiskError, LinkRefused
from seqgen.files import FolderLock, SafePath, remove_folders, write_folder_atomic

CHECKPOINTS = "checkpoints"
_STEP = re.compile(r"step-(\d{8,12})")
_KEEP_LAST = 2


@dataclass(frozen=True)
class Checkpoints:
    """The folder of a run, as far as its checkpoints go.

    Attributes:
        path: the folder.
        root: the folder below which no link is followed: that of a bench; None: the run folder itself.
    """

    path: Path
    root: Path | None = None
    _lock: FolderLock | None = field(default=None, repr=False, compare=False)

    @property
    def files(self) -> SafePath:
        """The folder, through which no link below the root is followed."""
        return SafePath(self.path) if self.root is None else SafePath(self.root, self.path.relative_to(self.root).parts)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    @contextlib.contextmanager
    def locked(self) -> Iterator[Self]:
        """Lock the folder for this process; yields the run, whose ``save`` makes sure that it is still locked.

        Raises:
            RunLocked: another process trains it.
        """
        lock = FolderLock(self.files)
        try:
            yield replace(self, _lock=lock)
        finally:
            lock.release()

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, verified or not, in order.

        Raises:
            LinkRefused: the folder of checkpoints is a link.
        """
        names = (self.files / CHECKPOINTS).listing()
        found = {int(match[1]): name for name in names if (match := _STEP.fullmatch(name))}
        return sorted(step for step, name in found.items() if name == _step_name(step))

    def checkpoint(self, step: int) -> Path:
        """Where the checkpoint of a step is."""
        return self.path / CHECKPOINTS / _step_name(step)

    def save(self, snapshot: Snapshot) -> Path:
        """Publish a checkpoint, then remove those that are neither the best nor among the last two.

        An old one that cannot be removed stays, and is tried again by the next call.

        Raises:
            RunLocked: another process trains the run since the lock file was removed.
            LinkRefused: something in the run folder is a link.
            DiskError: the disk refused; older checkpoints are untouched.
            CheckpointError: run.json or tokenizer.json is gone.
        """
        if self._lock is not None:
            self._lock.ensure_held()
        step, best = snapshot.state["step"], snapshot.state.get("best_step")
        folder = self.files / CHECKPOINTS
        run_files = {name: read_bounded(self.files / name, MAX_JSON_BYTES) for name in sorted(RUN_FILES)}
        if (folder / _step_name(step)).exists():  # a damaged one that a resumed run has reached again
            remove_folders(folder, [_step_name(step)])
        write_folder_atomic(folder / _step_name(step), pack(snapshot, run_files))
        old = [known for known in self.steps() if known <= step][:-_KEEP_LAST]
        with contextlib.suppress(DiskError):
            remove_folders(folder, [_step_name(known) for known in old if known != best])
        return self.checkpoint(step)

    def load(self, step: int) -> Snapshot:
        """The checkpoint of a step.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        return self._read(step)[0]

    def verify(self, step: int) -> int:
        """Return the bytes of the checkpoint of a step, once all that loading it needs is known to be sound.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        return self._read(step)[1]

    def _read(self, step: int) -> tuple[Snapshot, int]:
        folder = self.safe_checkpoint(step)
        if not folder.is_folder():
            known = ", ".join(map(str, self.steps())) or "none"
            raise CheckpointError(f"the run {self.name!r} has no checkpoint of step {step}; it has: {known}")
        files = read_verified(folder)
        snapshot = unpack(files, folder.path)
        if snapshot.state["step"] != step:
            raise CheckpointError(
                f"the checkpoint {str(folder.path)!r} is damaged: it is of step {snapshot.state['step']}"
            )
        return replace(snapshot, logs=read_logs(folder) or {}), sum(map(len, files.values()))

    def load_latest(self, warn: Callable[[str], None]) -> Snapshot | None:
        """The newest checkpoint that verifies, or None when the run has never saved one.

        Args:
            warn: is told, in one line, of each damaged one that is passed over.

        Raises:
            CheckpointError: there are checkpoints, and all are damaged.
        """
        problem: CheckpointError | None = None
        for step in reversed(self.steps()):
            try:
                snapshot = self.load(step)
            except LinkRefused:
                raise
            except CheckpointError as error:
                problem = problem or error
                continue
            if problem is not None:
                warn(f"{problem}; using step {step} instead")
            return snapshot
        if problem is not None:
            raise CheckpointError(f"the run {self.name!r} has no checkpoint that can be used: {problem}")
        return None

    def load_best(self, warn: Callable[[str], None]) -> Snapshot:
        """The checkpoint with the lowest held-out loss, or the latest if none was measured or it is damaged.

        Raises:
            CheckpointError: no checkpoint can be used.
        """
        latest = self.load_latest(warn)
        if latest is None:
            raise CheckpointError(f"the run {self.name!r} has no checkpoint yet: seqgen resume {self.path}")
        best = latest.state.get("best_step")
        if best is None or best == latest.state["step"]:
            return latest
        try:
            return self.load(best)
        except LinkRefused:
            raise
        except CheckpointError as error:
            warn(f"{error}; using step {latest.state['step']} instead")
            return latest

    def latest_state(self) -> dict[str, Any] | None:
        """The JSON part of the newest checkpoint whose state verifies, or None; needs no torch."""
        for step in reversed(self.steps()):
            try:
                return read_state(self.safe_checkpoint(step))
            except LinkRefused:
                raise
            except CheckpointError:
                continue
        return None

    def safe_checkpoint(self, step: int) -> SafePath:
        """Return the folder of a checkpoint, on the way to which no link is followed."""
        return self.files / CHECKPOINTS / _step_name(step)


def _step_name(step: int) -> str:
    return f"step-{step:08d}"
