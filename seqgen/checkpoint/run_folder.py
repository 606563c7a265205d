"""The folder of a run: what is in it."""

from __future__ import annotations

import errno
import gc
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgen.checkpoint.checkpoints import CHECKPOINTS, Checkpoints
from seqgen.checkpoint.settings import CorpusSettings, RunSettings
from seqgen.checkpoint.snapshot import MAX_JSON_BYTES, read_bounded
from seqgen.errors import CheckpointError, DiskError, UsageError
from seqgen.files import (
    JsonLines,
    dump_checksummed,
    last_holder,
    load_json,
    lock_file,
    remove_temporaries,
    write_atomic,
    write_folder_atomic,
)

RUN, TOKENIZER, CORPUS, METRICS, SAMPLES = (
    "run.json", "tokenizer.json", "corpus.json", "metrics.jsonl", "samples.jsonl",
)  # fmt: skip


@dataclass(frozen=True)
class RunFolder(Checkpoints):
    """A run on disk."""

    @classmethod
    def create(cls, path: Path, files: Mapping[str, bytes], root: Path | None = None) -> RunFolder:
        """Make a run folder with its first files, atomically.

        Args:
            path: its place.
            files: their content by name.
            root: see the class.

        Raises:
            LinkRefused: a folder between root and path is a link.
            UsageError: the name is taken, or a file is too large to be read again.
            DiskError: the disk refused.
        """
        for name, data in files.items():
            if len(data) > MAX_JSON_BYTES:
                raise UsageError(
                    f"{name} would have {len(data):,} bytes, the most is {MAX_JSON_BYTES:,}: use fewer symbols"
                )
        run = cls(path, root)
        try:
            write_folder_atomic(path if root is None else run.files, {**files, **lock_file()})
        except DiskError as error:
            taken = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in taken and os.path.lexists(path):
                by = f", trained by {holder}" if (holder := last_holder(run.files)) else ""
                raise UsageError(
                    f"{str(path)!r} exists already{by}; choose another folder, or go on with it: seqgen resume {path}"
                ) from None
            raise
        return run

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
    def metrics(self) -> JsonLines:
        """Losses by step."""
        return JsonLines(self.files / METRICS)

    @property
    def samples(self) -> JsonLines:
        """Samples by step."""
        return JsonLines(self.files / SAMPLES)

    def read_json(self, name: str) -> Any:
        """A JSON file of the run.

        Raises:
            CheckpointError: it is missing or damaged, or a link.
        """
        path = self.path / name
        data = read_bounded(self.files / name, MAX_JSON_BYTES)
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
        if not (self.files / CORPUS).exists():
            return settings
        return RunSettings.read({**said, "corpus": self._read_corpus()}, str(self.path / CORPUS))

    def _read_corpus(self) -> Any:
        """What corpus.json holds; one of before it had a checksum has none."""
        said = self.read_json(CORPUS)
        sealed = isinstance(said, dict) and said.pop("sha256", None) is not None
        if sealed and read_bounded(self.files / CORPUS, MAX_JSON_BYTES) != dump_checksummed(said):
            raise CheckpointError(f"{str(self.path / CORPUS)!r} is damaged: its checksum is not that of its content")
        return said

    def record_corpus(self, corpus: CorpusSettings) -> None:
        """Note that the run goes on with another corpus; run.json stays, since checkpoints vouch for it.

        Raises:
            LinkRefused: corpus.json is a link.
            DiskError: the disk refused.
        """
        write_atomic(self.files / CORPUS, dump_checksummed(corpus.model_dump(mode="json")))

    def clean(self) -> None:
        """Remove what a killed process left half-written."""
        remove_temporaries(self.files)
        remove_temporaries(self.files / CHECKPOINTS)
