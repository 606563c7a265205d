"""The checkpoints of a run: written atomically, verified before use, old ones removed."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from seqgen.checkpoint.snapshot import (
    MAX_JSON_BYTES,
    NGRAM,
    RUN_FILES,
    TRAIN,
    Snapshot,
    pack,
    read_bounded,
    read_logs,
    read_state,
    read_verified,
    unpack,
)
from seqgen.errors import BadOption, CheckpointError, DiskError, LinkRefused
from seqgen.files import FolderLock, SafePath, find_holder, remove_folders, write_folder_atomic

CHECKPOINTS = "checkpoints"
_STEP = re.compile(r"step-(\d{8,12})")
_KEEP_LAST = 2
_MAX_COUNTS = 1 << 34  # bytes


def _current_folder() -> Path:
    """Return the current folder; "." where it has been removed."""
    with contextlib.suppress(OSError):
        return Path.cwd()
    return Path()


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in a run folder.

    Attributes:
        path: the run folder.
        root: the folder below which no link is followed, such as a bench folder; None for the run folder itself.
    """

    path: Path
    root: Path | None = None
    _lock: FolderLock | None = field(default=None, repr=False, compare=False)
    _here: Path = field(default_factory=_current_folder, repr=False, compare=False)

    @property
    def files(self) -> SafePath:
        """Return the run folder as a path that follows no link below the root, wherever the process goes."""
        if self.root is None:
            return SafePath(self._here / self.path)
        return SafePath(self._here / self.root, self.path.relative_to(self.root).parts)

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.name

    @contextlib.contextmanager
    def locked(self) -> Iterator[Self]:
        """Lock the run folder for this process; yield the run, whose ``save`` verifies that it is still locked.

        Raises:
            RunLocked: another process is training the run.
        """
        lock = FolderLock(self.files)
        try:
            yield replace(self, _lock=lock)
        finally:
            lock.release()

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, verified or not, in ascending order.

        Raises:
            LinkRefused: the folder of checkpoints is a link.
        """
        names = (self.files / CHECKPOINTS).listing()
        found = {int(match[1]): name for name in names if (match := _STEP.fullmatch(name))}
        return sorted(step for step, name in found.items() if name == _step_name(step))

    def checkpoint(self, step: int) -> Path:
        """Return the path of the checkpoint of a step."""
        return self.path / CHECKPOINTS / _step_name(step)

    def save(self, snapshot: Snapshot) -> Path:
        """Write a checkpoint atomically, then remove all but the best and the last two.

        An old one that cannot be removed is tried again by the next call.

        Raises:
            RunLocked: the lock file was removed, and another process is training the run.
            LinkRefused: something in the run folder is a link.
            DiskError: writing failed; older checkpoints are unchanged.
            CheckpointError: run.json or tokenizer.json is missing.
        """
        if self._lock is not None:
            self._lock.ensure_held()
        step, best = snapshot.state["step"], snapshot.state.get("best_step")
        folder = self.files / CHECKPOINTS
        run_files = {name: read_bounded(self.files / name, MAX_JSON_BYTES) for name in sorted(RUN_FILES)}
        if (self.files / NGRAM).exists():
            run_files[NGRAM] = self.read_counts()
        # There is one already if it is damaged and a resumed run reached it again, or if it lacks an evaluation.
        write_folder_atomic(folder / _step_name(step), pack(snapshot, run_files), replaces=True)
        old = [other for other in self.steps() if other <= step][:-_KEEP_LAST]
        with contextlib.suppress(DiskError):
            remove_folders(folder, [_step_name(other) for other in old if other != best])
        return self.checkpoint(step)

    def read_counts(self) -> bytes:
        """Return the file of the counts that the model is blended with.

        Raises:
            CheckpointError: it is missing, a link or too large.
        """
        return read_bounded(self.files / NGRAM, _MAX_COUNTS)

    def load(self, step: int) -> Snapshot:
        """Load the checkpoint of a step.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        return self._read(step)[0]

    def verify(self, step: int) -> int:
        """Verify everything that loading the checkpoint of a step needs, and return its size in bytes.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        return self._read(step)[1]

    def _read(self, step: int) -> tuple[Snapshot, int]:
        folder = self.safe_checkpoint(step)
        if not folder.is_folder():
            available = ", ".join(map(str, self.steps())) or "none"
            raise CheckpointError(f"the run {self.name!r} has no checkpoint of step {step}; it has: {available}")
        files = read_verified(folder)
        snapshot = unpack(files, folder.path)
        if snapshot.state["step"] != step:
            raise CheckpointError(
                f"the checkpoint {str(folder.path)!r} is damaged: it is of step {snapshot.state['step']}"
            )
        return replace(snapshot, logs=read_logs(folder) or {}), sum(map(len, files.values()))

    def load_latest(self, warn: Callable[[str], None]) -> Snapshot | None:
        """Load the newest checkpoint that verifies; return None if the run has never saved one.

        Args:
            warn: called with one line if a damaged checkpoint is skipped.

        Raises:
            CheckpointError: all checkpoints are damaged.
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
            raise CheckpointError(f"the run {self.name!r} has no usable checkpoint: {problem}")
        return None

    def load_best(self, warn: Callable[[str], None]) -> Snapshot:
        """Load the checkpoint with the lowest held-out loss, or the latest if none was measured or it is damaged.

        Raises:
            CheckpointError: no checkpoint is usable.
        """
        latest = self.load_latest(warn)
        if latest is None:
            raise self._without_checkpoint()
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

    def best_state(self, warn: Callable[[str], None]) -> dict[str, Any]:
        """Return the state of the checkpoint that ``load_best`` loads, by files of which its tensors may be damaged.

        Args:
            warn: called with one line if the state of the best step is damaged, and that of the latest is returned.

        Raises:
            CheckpointError: no checkpoint is usable.
        """
        latest = self.latest_state()
        if latest is None:
            return dict(self.load_best(warn).state)  # raises the error that says why
        best = latest.get("best_step")
        if best is None or best == latest["step"]:
            return latest
        try:
            return read_state(self.safe_checkpoint(best))
        except LinkRefused:
            raise
        except CheckpointError as error:
            warn(f"{error}; using step {latest['step']} instead")
            return latest

    def is_export(self) -> bool:
        """Return whether no checkpoint has the state of the optimizer, without which a run is not trained on."""
        return not any((self.safe_checkpoint(step) / TRAIN).exists() for step in self.steps())

    def _without_checkpoint(self) -> CheckpointError:
        """Return the error of a run that has no checkpoint yet, or whose folder has been removed."""
        if not self.files.is_folder():
            return CheckpointError(f"the run folder {str(self.path)!r} is no longer there")
        problem = f"the run {self.name!r} has no checkpoint yet"
        if (holder := find_holder(self.files)) is not None and holder.may_run:
            return CheckpointError(
                f"{problem}: process {holder.pid} on {holder.host} trains it; wait for its first evaluation"
            )
        return CheckpointError(f"{problem}; run: seqgen resume {shlex.quote(str(self.path))}")

    def load_chosen(self, checkpoint: str | int, warn: Callable[[str], None]) -> Snapshot:
        """Load the checkpoint "best", "latest" or of a step; see the methods of each.

        Raises:
            CheckpointError: it is missing or damaged, or the run has none.
            BadOption: it is none of these.
        """
        if checkpoint == "best":
            return self.load_best(warn)
        if checkpoint == "latest":
            if (snapshot := self.load_latest(warn)) is None:
                raise self._without_checkpoint()
            return snapshot
        if not str(checkpoint).isdecimal():
            raise BadOption(f"a checkpoint is best, latest or a step, not {checkpoint!r}")
        return self.load(int(checkpoint))

    def latest_state(self) -> dict[str, Any] | None:
        """Return the state of the newest checkpoint whose state verifies, or None; needs no torch."""
        for step in reversed(self.steps()):
            try:
                return read_state(self.safe_checkpoint(step))
            except LinkRefused:
                raise
            except CheckpointError:
                continue
        return None

    def safe_checkpoint(self, step: int) -> SafePath:
        """Return the folder of a checkpoint as a path that follows no link."""
        return self.files / CHECKPOINTS / _step_name(step)


def _step_name(step: int) -> str:
    return f"step-{step:08d}"
