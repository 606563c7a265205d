"""The run folder and its files."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import re
import shlex
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from seqgen.checkpoint.checkpoints import CHECKPOINTS, Checkpoints
from seqgen.checkpoint.settings import CorpusSettings, RunSettings
from seqgen.checkpoint.snapshot import MAX_JSON_BYTES, NGRAM, read_bounded, read_logs, read_state, read_verified
from seqgen.errors import CheckpointError, DiskError, LinkRefused, NoSuchRun, UsageError, nearest_names, short_repr
from seqgen.files import (
    JsonLines,
    SafePath,
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
_REFIT = "-refit"  # after the name of a run, of its refit


class _Taken(UsageError):
    """The folder of a run that would be created is there."""


@dataclass(frozen=True)
class RunFolder(Checkpoints):
    """A run on disk."""

    def __fspath__(self) -> str:
        """Return the folder, so that listeners, which are given one, can pass it where a run is named."""
        return str(self.path)

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
            if len(data) > MAX_JSON_BYTES and name != NGRAM:
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
                run.refuse_existing()
            raise
        return run

    def refuse_existing(self) -> None:
        """Refuse a folder for a new run that is there already, and not empty.

        Raises:
            UsageError: it is.
        """
        path = self.path
        if not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
            return
        by = f", trained by {holder}" if (holder := last_holder(self.files)) else ""
        way, name = "", shlex.quote(str(path))
        if _is_run(path):
            ended = (_state(self) or {}).get("ended")
            way = f", or train on: seqgen train --from {name}" if ended else f", or run: seqgen resume {name}"
        raise _Taken(f"cannot create run folder {str(path)!r}: it exists{by}; pass another --out{way}")

    @classmethod
    def create_numbered(cls, base: Path, stem: str, files: Mapping[str, bytes]) -> RunFolder:
        """Create ``base/stem-001``, or the next number that is free, for a run and for its refit."""
        pattern = re.compile(rf"{re.escape(stem)}-(\d{{3,}})(?:{_REFIT})?")
        while True:
            names = [path.name for path in base.iterdir()] if base.is_dir() else []
            numbers = [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
            try:
                return cls.create(base / f"{stem}-{max(numbers, default=0) + 1:03d}", files)
            except _Taken:
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


# -- finding the folder that a user names

RUNS = Path("runs")
"""The folder of all runs, relative to the current folder."""
_MAX_LISTED = 5  # runs in a message


def list_runs(base: Path, *, beside: bool = False) -> list[RunFolder]:
    """Return the run folders in a folder, newest first; those with a damaged run.json come last.

    Args:
        base: the folder.
        beside: whether run folders next to it count too, where ``--out NAME`` puts them; links to folders do not, nor
            exported runs, which have no log.
    """

    def created(run: RunFolder) -> tuple[str, str]:
        try:
            data = run.read_json(RUN)
        except CheckpointError:
            data = None
        found = data.get("created") if isinstance(data, dict) else None
        return (found if isinstance(found, str) else "", run.name)

    try:
        paths = [path for path in base.iterdir() if path.name[0] != "."] if base.is_dir() else []
    except OSError as error:
        raise UsageError(f"cannot read the folder of runs {str(base)!r}: {error.strerror or error}") from None
    paths += [path for path in _folders(base.parent) if (path / METRICS).is_file()] if beside else []
    return sorted((RunFolder(path) for path in paths if _is_run(path)), key=created, reverse=True)


def _folders(path: Path) -> list[Path]:
    """Return the folders in a folder, but for hidden ones and links; none if it cannot be listed."""
    try:
        with os.scandir(path) as entries:
            return [
                Path(entry.path) for entry in entries if entry.name[0] != "." and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def find_run(name: str | PathLike[str] | None, base: Path = RUNS, *, unfinished: bool = False) -> RunFolder:
    """Find the run folder that a user names.

    Args:
        name: a folder, or a name under ``base``; None for the newest run with a checkpoint.
        base: the folder that contains the runs; those beside it count too if it is relative to the current folder.
        unfinished: whether None prefers the newest run that has not ended.

    Raises:
        NoSuchRun: there is no such run.
    """
    beside = not base.is_absolute()
    if name is None:
        runs = list_runs(base, beside=beside)
        found = next((run for run in runs if unfinished and (state := _state(run)) and not state["ended"]), None)
        found = found or next((run for run in runs if _state(run)), None)
        if found is None:
            raise NoSuchRun(f"no run with a checkpoint in {_searched(base)}; train one with seqgen train")
        return found
    name = os.fspath(name)
    with contextlib.suppress(OSError):  # a name that is too long for a file
        for path in (Path(name), base / name):
            if _is_run(path):
                return RunFolder(path)
        if Path(name).is_dir():
            inside = list_runs(Path(name))
            newest = f", but holds runs, of which the newest is {str(inside[0].path)!r}" if inside else ""
            raise NoSuchRun(f"{name!r} is not a run folder: it has no {RUN}{newest}")
    names = [run.name for run in list_runs(base, beside=beside)]
    with contextlib.suppress(OSError):
        if Path(name).is_file():
            raise NoSuchRun(f"no run {short_repr(name, 200)}: it is a file{_meant_by_file(Path(name), names)}")
    raise NoSuchRun(f"no run {short_repr(name, 200)}{_available_runs(names, name, base)}")


def _meant_by_file(path: Path, names: Sequence[str]) -> str:
    """Return the clause on what to give in place of a file that is taken for a run."""
    whole = next((folder for folder in path.absolute().parents if _is_run(folder)), None)
    if whole is not None:
        return f" of the run {str(whole)!r}: give that"
    named = [name for name in names if name == path.stem or name.startswith(f"{path.stem}-")]
    if named:
        return f"; did you mean {named[0]!r}?"
    return f"; train on it first: seqgen train --corpus {shlex.quote(str(path))}"


def name_for_commands(run: RunFolder) -> str:
    """Return what commands find a run by: its name, if it is in ``RUNS`` and no other run has the name, or its path."""
    listed = run.path.resolve().parent == RUNS.resolve() and not _is_run(Path(run.name))
    name = run.name if listed and run.name[0] != "-" else str(run.path)
    return f"./{name}" if name.startswith("-") else name


def _state(run: RunFolder) -> dict[str, Any] | None:
    """Return the state of the newest checkpoint; None if there is no usable one."""
    try:
        return run.latest_state()
    except LinkRefused:
        return None


def _is_run(path: Path) -> bool:
    """Return whether a folder has a run.json; a link counts, and is refused when it is read."""
    try:
        found = (SafePath(path) / RUN).status()
    except LinkRefused:
        return True
    except OSError:
        return False
    return found is not None and stat.S_ISREG(found.st_mode)


def _searched(base: Path) -> str:
    """Return the folders in which runs are searched for, for messages."""
    return f"{str(base)!r}" if base.is_absolute() else f"{str(base)!r} or the current folder"


def _available_runs(names: list[str], asked: str, base: Path) -> str:
    """Return a clause that says where a name was searched for and lists the newest runs, of which none has it."""
    if not names:
        return f"; there are no runs in {_searched(base)}: train one with seqgen train"
    more = f" and {len(names) - _MAX_LISTED:,} more (seqgen runs)" if len(names) > _MAX_LISTED else ""
    where = f" in {_searched(base)}" if Path(asked).name == asked else ""
    clause = f"{where}; the newest {'is' if len(names) == 1 else 'are'} {', '.join(names[:_MAX_LISTED])}{more}"
    return clause + nearest_names(asked, names)


# -- logs


def check_logs(run: RunFolder, step: int) -> list[str] | None:
    """Compare the logs with what the checkpoint of a step records of them; its other files are not read.

    Returns:
        A line for each damaged log; None if the checkpoint is from before logs were recorded.

    Raises:
        CheckpointError: the manifest is damaged.
    """
    checkpoint = run.safe_checkpoint(step)
    expected = read_logs(checkpoint)
    if expected is None:
        return None
    is_last = step == run.steps()[-1] and bool(read_state(checkpoint).get("ended"))  # nothing is logged after it
    logs = {name: JsonLines(run.files / name) for name in expected}
    return [line for name, log in logs.items() if (line := log.check(expected[name], whole=is_last))]


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


def refit_path(path: Path) -> Path:
    """Return the folder of the refit of a run, unless its user names another one."""
    return path.with_name(f"{path.name}{_REFIT}")
