"""The run folder and its files."""

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
        """Create a run folder with its first files, atomically.

        Args:
            path: the run folder.
            files: the content of each file by name.
            root: as for the class.

        Raises:
            LinkRefused: a folder between root and path is a link.
            UsageError: the name is taken, or a file is too large to be read again.
            DiskError: writing failed.
        """
        for name, data in files.items():
            if len(data) > MAX_JSON_BYTES:
                raise UsageError(
                    f"cannot write {name}: it would have {len(data):,} bytes (at most {MAX_JSON_BYTES:,}); "
                    "use fewer symbols"
                )
        run = cls(path, root)
        try:
            write_folder_atomic(path if root is None else run.files, {**files, **lock_file()})
        except DiskError as error:
            taken = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in taken and os.path.lexists(path):
                by = f", trained by {holder}" if (holder := last_holder(run.files)) else ""
                raise UsageError(
                    f"cannot create run folder {str(path)!r}: it exists{by}; pass another --out, or run: "
                    f"seqgen resume {path}"
                ) from None
            raise
        return run

    @classmethod
    def create_numbered(cls, base: Path, stem: str, files: Mapping[str, bytes]) -> RunFolder:
        """Create ``base/stem-001``, or the next free number."""
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
        """Return the log of losses by step."""
        return JsonLines(self.files / METRICS)

    @property
    def samples(self) -> JsonLines:
        """Return the log of samples by step."""
        return JsonLines(self.files / SAMPLES)

    def read_json(self, name: str) -> Any:
        """Read a JSON file of the run.

        Raises:
            CheckpointError: it is missing or damaged, or a link.
        """
        path = self.path / name
        data = read_bounded(self.files / name, MAX_JSON_BYTES)
        collects = gc.isenabled()
        gc.disable()  # millions of new lists trigger many collections: five times as slow
        try:
            return load_json(data)
        except ValueError:
            raise CheckpointError(f"{str(path)!r} is damaged: it is not JSON") from None
        finally:
            if collects:
                gc.enable()

    def settings(self) -> RunSettings:
        """Return the content of run.json, with the corpus that the run was continued with, if it is another.

        Raises:
            CheckpointError: it is missing, damaged or of a newer format.
        """
        stored = self.read_json(RUN)
        settings = RunSettings.read(stored, str(self.path / RUN))
        if not (self.files / CORPUS).exists():
            return settings
        return RunSettings.read({**stored, "corpus": self._read_corpus()}, str(self.path / CORPUS))

    def _read_corpus(self) -> Any:
        """Return the content of corpus.json; old ones have no checksum."""
        stored = self.read_json(CORPUS)
        has_checksum = isinstance(stored, dict) and stored.pop("sha256", None) is not None
        if has_checksum and read_bounded(self.files / CORPUS, MAX_JSON_BYTES) != dump_checksummed(stored):
            raise CheckpointError(f"{str(self.path / CORPUS)!r} is damaged: its checksum does not match its content")
        return stored

    def record_corpus(self, corpus: CorpusSettings) -> None:
        """Record that the run continues with another corpus; run.json stays, since checkpoints have its checksum.

        Raises:
            LinkRefused: corpus.json is a link.
            DiskError: writing failed.
        """
        write_atomic(self.files / CORPUS, dump_checksummed(corpus.model_dump(mode="json")))

    def clean(self) -> None:
        """Remove temporary files of killed processes."""
        remove_temporaries(self.files)
        remove_temporaries(self.files / CHECKPOINTS)
