"""The journal of a study: a file to which every worker appends a line for each thing that happens to a trial."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

import seqgen

_NAME = "tune"
_GRACE_S = 10  # after which the lock of a killed process is broken; an append takes milliseconds


@contextlib.contextmanager
def journal_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the journal in a folder into those of seqgen."""
    try:
        yield
    except OSError as error:
        raise seqgen.DiskError(f"cannot write the journal of {str(folder)!r}: {error.strerror}") from None
    except ValueError as error:  # of a line that is no JSON, too
        raise seqgen.CheckpointError(f"the journal of {str(folder)!r} is damaged: {error}") from None


def open_journal(path: Path, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner) -> optuna.Study:
    """Return the study of a journal, a new one if it is not there; a last line that is not whole is removed.

    Raises:
        ValueError: a line is damaged.
        OSError: the disk refused.
    """
    lock = JournalFileOpenLock(str(path), grace_period=_GRACE_S)
    _mend(path, lock)
    try:
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock)),
            sampler=sampler,
            pruner=pruner,
            study_name=_NAME,
            load_if_exists=True,
        )
    except (LookupError, TypeError, AttributeError, AssertionError) as error:  # of JSON that is no record
        raise ValueError(f"a line is no record of a trial ({type(error).__name__})") from error


def _mend(path: Path, lock: JournalFileOpenLock) -> None:
    """Remove a last line of the journal that was not written to its end, which nobody could append to."""
    if not path.exists():
        return
    lock.acquire()
    try:
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            seqgen.write_atomic(path, content[: content.rfind(b"\n") + 1])
    finally:
        lock.release()
