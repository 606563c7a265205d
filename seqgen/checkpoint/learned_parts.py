"""Held-out records of a run that the weights it starts from have learned from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from seqgen.checkpoint.run_folder import RunFolder
from seqgen.checkpoint.settings import RunSettings, WarmStartSettings
from seqgen.config import TrainSettings
from seqgen.corpus import Splitter, real_paths
from seqgen.errors import SeqgenError

_TITLES = {"valid": "validation", "test": "test"}


def learned_parts(
    before: RunSettings,
    train: TrainSettings,
    files: Sequence[str | Path | None],
    parts: Collection[str],
    *,
    divided: bool,
) -> tuple[str, ...] | None:
    """Return the held-out parts with records that the weights of another run of the same corpus have learned from.

    Args:
        before: settings of that run.
        train: settings of training of the run that starts from it.
        files: its validation and test file, or None.
        parts: its parts that have records.
        divided: whether its split holds validation records out beside the test file.

    Returns:
        None where nobody knows what that run's own first weights had learned from, and it learned from no such records.
    """
    earlier = () if before.start is None else before.start.learned
    seen = _learned_of(before)
    there, here = (_real_files(pair) for pair in ((before.corpus.valid, before.corpus.test), files))
    found = set(_TITLES)
    if "test" not in seen:
        whole = there != [None, None] and not before.corpus.divided
        shares = (1.0, 0.0, 0.0) if whole else before.train.split
        former, by_text = Splitter(shares, before.train.split_seed, "valid" in seen), before.corpus.layout == "lines"
        found = set(Splitter(train.split, train.split_seed).learned_by(former, by_text=by_text))
    if here != [None, None]:  # other files are new to the weights
        found = {*(learned_files(before, files, parts) or ()), *(found & {"valid"} if divided else ())}
        if None in _with_former(before) and any(path not in [*there, None] for path in here):
            earlier = None
    learned = tuple(part for part in _TITLES if part in found and part in parts)
    return None if earlier is None and not learned else learned


def learned_files(
    before: RunSettings, files: Sequence[str | Path | None], parts: Collection[str]
) -> tuple[str, ...] | None:
    """Return the held-out parts with files that the weights of another run have learned from.

    Args:
        before: settings of that run; the runs that it goes back to count as well.
        files: the validation and test file of the run that starts from it, or None.
        parts: its parts that have records.

    Returns:
        None where there are no such files: other records may still be the same.
    """
    seen = {file for run in _with_former(before) if run is not None for file in _learned_files(run)}
    pairs = zip(_real_files(files), _TITLES, strict=True)
    return tuple(part for paths, part in pairs if paths and part in parts and not seen.isdisjoint(paths)) or None


def _real_files(files: Sequence[str | Path | None]) -> list[list[str] | None]:
    return [None if path is None else real_paths(str(path)) for path in files]


def _with_former(run: RunSettings) -> Iterator[RunSettings | None]:
    """Yield the settings of a run and of those that it goes back to; at the end None if one is not there any more.

    Another run may have been given the folder of one that was removed, even one that goes back to the first.
    """
    yield run
    passed = set[str]()
    while run.start is not None and run.start.run not in passed:
        passed.add(run.start.run)
        try:
            run = RunFolder(Path(run.start.run)).settings()
        except (SeqgenError, OSError):
            break
        yield run
    if run.start is not None:
        yield None


def _learned_of(run: RunSettings) -> set[str]:
    """Return the held-out parts with records that the weights of a run have learned from, as a refit's have."""
    return {*((run.start and run.start.learned) or ()), *(["valid"] if run.refit is not None else [])}


def _learned_files(run: RunSettings) -> list[str]:
    """Return the files that the weights of a run have learned from: its corpus, and those of held-out records."""
    own, seen = run.corpus.options.get("path"), _learned_of(run)
    pairs = zip(_real_files((run.corpus.valid, run.corpus.test)), _TITLES, strict=True)
    held_out = [file for files, part in pairs if files is not None and part in seen for file in files]
    return held_out if own is None else [*real_paths(own), *held_out]


def describe_leakage(start: str, learned: Collection[str] | None) -> str:
    """Return a line on held-out records that the weights of a run have learned from; "" if none are known.

    Args:
        start: the folder of the run.
        learned: the parts that have such records.
    """
    if not learned:
        return ""
    titles = " and ".join(_TITLES[part] for part in learned)
    chosen = ", and so does a best step that they choose" if "valid" in learned else ""
    learned_from = f"the weights of {Path(start).name} have learned from {titles} records of this run"
    return f"{learned_from}: losses on them say little{chosen}"


def leakage_notes(start: WarmStartSettings | None) -> list[str]:
    """Return a note on the held-out records of a run that its first weights had learned from; else none."""
    line = "" if start is None else describe_leakage(start.run, start.learned)
    return [line] if line else []
