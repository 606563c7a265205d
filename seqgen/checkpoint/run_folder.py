"""The folder of a run: what is in it."""

from __future__ import annotations

import errno
import gc
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqgen.checkpoint.settings import CorpusSettings, RunSettings
from seqgen.checkpoint.snapshot import (
    MOST_JSON_BYTES,
    Snapshot,
    pack,
    read_bounded,
    read_logs,
    read_state,
    read_verified,
    unpack,
)
from seqgen.errors import CheckpointError, DiskError, UsageError
from seqgen.files import (
    JsonLines,
    last_holder,
    load_json,
    lock_file,
    publish_file,
    publish_folder,
    remove_folder,
    remove_temporaries,
    seal,
)

RUN, TOKENIZER, CORPUS, METRICS, SAMPLES, CHECKPOINTS = (
    "run.json", "tokenizer.json", "corpus.json", "metrics.jsonl", "samples.jsonl", "checkpoints",
)  # fmt: skip
_STEP = re.compile(r"step-(\d{8,12})")
_KEEP_LAST = 2


@dataclass(frozen=True)
class RunFolder:
    """A run on disk.

    Attributes:
        path: the folder.
    """

    path: Path

    @classmethod
    def create(cls, path: Path, files: Mapping[str, bytes]) -> RunFolder:
        """Make a run folder with its first files, atomically.

        Raises:
            UsageError: the name is taken, or a file is too large to be read again.
            DiskError: the disk refused.
        """
        for name, data in files.items():
            if len(data) > MOST_JSON_BYTES:
                raise UsageError(
                    f"{name} would have {len(data):,} bytes, the most is {MOST_JSON_BYTES:,}: use fewer symbols"
                )
        try:
            publish_folder(path, {**files, **lock_file()})
        except DiskError as error:
            taken = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in taken and path.exists():
                by = f", trained by {holder}" if (holder := last_holder(path)) else ""
                raise UsageError(
                    f"{str(path)!r} exists already{by}; choose another folder, or go on with it: seqgen resume {path}"
                ) from None
            raise
        return cls(path)

    @classmethod
    def create_numbered(cls, base: Path, stem: str, files: Mapping[str, bytes]) -> RunFolder:
        """Make ``base/stem-001``, or the next number that is free."""
        pattern = re.compile(re.escape(stem) + r"-(\d{3,})")
        while True:
            names = [path.name for path in base.iterdir()] if base.is_dir() else []
            numbers = [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
            try:
                return cls.create(base / f"{stem}-{max(numbers, default=0) + 1:03d}", files)
            except UsageError:
                continue  # another process took the number in between

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    @property
    def metrics(self) -> JsonLines:
        """Losses by step."""
        return JsonLines(self.path / METRICS)

    @property
    def samples(self) -> JsonLines:
        """Samples by step."""
        return JsonLines(self.path / SAMPLES)

    def read_json(self, name: str) -> Any:
        """A JSON file of the run.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        path = self.path / name
        data = read_bounded(path, MOST_JSON_BYTES)
        collects = gc.isenabled()
        gc.disable()  # millions of new lists make it look at them all again and again: five times as slow
        try:
            return load_json(data)
        except ValueError:
            raise CheckpointError(f"{str(path)!r} is damaged: it is not JSON") from None
        finally:
            if collects:
                gc.enable()

    def settings(self) -> RunSettings:
        """What run.json holds, with the corpus that the run went on with if it is another.

        Raises:
            CheckpointError: it is missing, damaged or too new.
        """
        said = self.read_json(RUN)
        settings = RunSettings.read(said, str(self.path / RUN))
        if not (self.path / CORPUS).exists():
            return settings
        return RunSettings.read({**said, "corpus": self._read_corpus()}, str(self.path / CORPUS))

    def _read_corpus(self) -> Any:
        """What corpus.json holds; one of before it had a checksum has none."""
        said = self.read_json(CORPUS)
        if isinstance(said, dict) and said.pop("sha256", None) is not None:
            path = self.path / CORPUS
            if read_bounded(path, MOST_JSON_BYTES) != seal(said):
                raise CheckpointError(f"{str(path)!r} is damaged: its checksum is not that of its content")
        return said

    def note_corpus(self, corpus: CorpusSettings) -> None:
        """Note that the run goes on with another corpus; run.json stays, since checkpoints vouch for it.

        Raises:
            DiskError: the disk refused.
        """
        publish_file(self.path / CORPUS, seal(corpus.model_dump(mode="json")))

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, verified or not, in order."""
        folder = self.path / CHECKPOINTS
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return sorted(int(match[1]) for name in names if (match := _STEP.fullmatch(name)))

    def checkpoint(self, step: int) -> Path:
        """Where the checkpoint of a step is."""
        return self.path / CHECKPOINTS / f"step-{step:08d}"

    def save(self, snapshot: Snapshot) -> Path:
        """Publish a checkpoint, then remove those that are neither the best nor among the last two.

        Raises:
            DiskError: the disk refused; older checkpoints are untouched.
            CheckpointError: run.json or tokenizer.json is gone.
        """
        step, best = snapshot.state["step"], snapshot.state.get("best_step")
        target = self.checkpoint(step)
        run_files = {name: read_bounded(self.path / name, MOST_JSON_BYTES) for name in (RUN, TOKENIZER)}
        if target.exists():  # a damaged one that a resumed run has reached again
            remove_folder(target)
        publish_folder(target, pack(snapshot, run_files))
        for old in [known for known in self.steps() if known <= step][:-_KEEP_LAST]:
            if old != best:
                remove_folder(self.checkpoint(old))
        return target

    def load(self, step: int) -> Snapshot:
        """The checkpoint of a step.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        folder = self.checkpoint(step)
        if not folder.is_dir():
            known = ", ".join(map(str, self.steps())) or "none"
            raise CheckpointError(f"the run {self.name!r} has no checkpoint of step {step}; it has: {known}")
        snapshot = unpack(read_verified(folder), folder)
        if snapshot.state["step"] != step:
            raise CheckpointError(f"the checkpoint {str(folder)!r} is damaged: it is of step {snapshot.state['step']}")
        return replace(snapshot, logs=read_logs(folder) or {})

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
        except CheckpointError as error:
            warn(f"{error}; using step {latest.state['step']} instead")
            return latest

    def latest_state(self) -> dict[str, Any] | None:
        """The JSON part of the newest checkpoint whose state verifies, or None; needs no torch."""
        for step in reversed(self.steps()):
            try:
                return read_state(self.checkpoint(step))
            except CheckpointError:
                continue
        return None

    def clean(self) -> None:
        """Remove what a killed process left half-written."""
        remove_temporaries(self.path)
        remove_temporaries(self.path / CHECKPOINTS)
