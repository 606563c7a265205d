"""The job of sampling many rows to a file: how it is cut into shards, and what a worker does of it.

A shard is a range of candidates, rows before any filter. Its size depends on the number of rows that are wanted alone,
so that the same command goes on with other workers.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen import __version__
from seqgen.cli.sample_files import TABLES, described, row_end, row_texts
from seqgen.errors import UsageError
from seqgen.executors import Task

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.sampling import Sample

_MOST, _LEAST, _PARTS = 50_000, 1024, 64  # candidates of a shard, and shards of a few rows
_TRIED = 8  # candidates of a shard for each row under a constraint: a shard begins with its automaton and its trial
_EFFORT, _MIN_EFFORT = 200, 20_000  # candidates for each row that passes a filter, as for one process


@dataclass(frozen=True)
class Job:
    """A file of rows to sample.

    Attributes:
        run: the run.
        settings: as ``Run.sample`` takes them, JSON values.
        n: number of rows; None: all of ``rows`` that pass.
        rows: the range of candidates.
        out: the file.
        nul: whether texts end with NUL.
        constrained: whether many candidates may be rejected for each row.
        effort: limit on the rows that filters examine, where the candidates that satisfy a constraint are fewer; None:
            there is none but ``rows``.
    """

    run: Run
    settings: Mapping[str, Any]
    n: int | None
    rows: tuple[int, int | None]
    out: Path
    nul: bool = False
    constrained: bool = False
    effort: int | None = None

    @property
    def folder(self) -> Path:
        """The folder of the finished shards, which is there until the file is written."""
        return self.out.with_name(f"{self.out.name}.shards")

    @property
    def size(self) -> int:
        """The number of candidates of a shard."""
        if self.n is not None and self.constrained:
            return max(_LEAST, min(_MOST, _TRIED * self.n))
        wanted = self.n if self.n is not None else (self.rows[1] or 0) - self.rows[0]
        return max(_LEAST, min(_MOST, -(-wanted // _PARTS)))

    @property
    def n_candidates(self) -> int | None:
        """The number of candidates that are sampled; None where it depends on how many pass."""
        start, end = self.rows
        return end - start if end is not None and self.n in (None, end) else None

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges of the shards, without end if the candidates have none."""
        start, end = self.rows
        for first in itertools.count(start, self.size) if end is None else range(start, end, self.size):
            yield first, first + self.size if end is None else min(first + self.size, end)

    def to_json(self) -> dict[str, Any]:
        """Return what has to be equal for shards to be used again."""
        settings = {name: value for name, value in sorted(self.settings.items()) if not _is_unset(value)}
        return {
            "seqgen": __version__,
            "run": str(self.run.path.resolve()),
            "created": self.run.settings.created,  # another run may have taken the folder since
            "step": self.run.state["step"],
            "settings": settings,
            "n": self.n,
            "rows": list(self.rows),
            "effort": self.effort,
            "form": form_of(self.out),
            "nul": self.nul,
        }

    def task(self, span: tuple[int, int], *, in_worker: bool) -> Task:
        """Return the task that samples a shard; ``in_worker``: in a process of its own."""
        arguments = {
            "run": str(self.run.path.resolve()),
            "checkpoint": self.run.state["step"],
            "settings": {**self.settings, "rows": span},
            "form": form_of(self.out),
            "nul": self.nul,
            "in_worker": in_worker,
        }
        return Task("seqgen.cli.shard_job:sample_shard", arguments, f"rows {span[0]:,} to {span[1]:,}")


def _is_unset(value: Any) -> bool:
    """Return whether a setting is left out; 0 is a value, though it equals False."""
    return value is None or value is False or value in ((), {})


def form_of(out: Path) -> str:
    """Return how rows stand in shards of a file: "csv", "tsv", "jsonl", or "text"."""
    suffix = out.suffix.lower()
    return suffix[1:] if suffix in (".csv", ".tsv") else "jsonl" if suffix in TABLES else "text"


def job_of(run: Run, settings: Mapping[str, Any], n: int, out: Path, *, nul: bool) -> Job:
    """Return the job of a command; see ``Job``.

    Raises:
        UsageError: rows of beam search cannot be cut into shards.
        BadOption: a setting is not possible.
    """
    from seqgen.config import SampleConfig

    config = SampleConfig.validated(settings)
    if config.decode != "sample":
        raise UsageError(f"rows by {config.decode} depend on one another, so they cannot be cut into shards")
    settings = {name: value for name, value in settings.items() if name != "rows"}
    if config.rows is not None:
        return Job(run, settings, None, config.rows, out, nul)
    names = ("contains", "contains_any", "avoid", "ends", "template", "length", "regex")
    constrained = config.exact or any(getattr(config, name) for name in names)
    is_free = not (config.filters or constrained)
    effort = max(_EFFORT * n, _MIN_EFFORT) if config.effort is None else config.effort
    if config.filters and constrained and not config.exact:
        return Job(run, settings, n, (0, None), out, nul, constrained, effort)
    end = n if is_free else effort if config.filters or config.exact else None
    return Job(run, settings, n, (0, end), out, nul, constrained)


# -- in a worker


@functools.lru_cache(maxsize=1)
def _opened(run: str, checkpoint: int) -> tuple[Run, list[str]]:
    """Return the run, and its warnings: what it says once is said of every shard, since the command may show any."""
    import seqgen

    said = list[str]()
    opened = seqgen.load(run, checkpoint=checkpoint, warn=said.append)
    said.clear()  # the command has opened it too
    return opened, said


def sample_shard(
    *, run: str, checkpoint: int, settings: Mapping[str, Any], form: str, nul: bool, in_worker: bool
) -> dict[str, Any]:
    """Return the rows of a shard that pass, and how many its filters examined.

    Of each row: its number, its text in the file, its canonical form for ``unique``, and its place among those that
    were examined.
    """
    from seqgen.api.conditioning import as_conditions
    from seqgen.api.sample import iter_rows
    from seqgen.compute import within_share
    from seqgen.config import SampleConfig

    (opened, said), config = _opened(run, checkpoint), SampleConfig.validated(settings)
    warnings, place_of = list[str](), dict[int, int]()

    def examine(row: Sample) -> Sample:
        place_of[row.number] = len(place_of)
        return row

    with within_share() if in_worker else contextlib.nullcontext():
        rows = list(iter_rows(opened, 0, config, warnings.append, on_examined=examine))
    header, texts = "", []
    if form == "text":
        texts = [row.text + row_end(opened, nul=nul) for row in rows]
    elif rows:
        given = as_conditions(settings.get("given", {}), settings.get("label"))
        header, texts = row_texts(form, described(opened, rows, given))
    forms = [opened.canonical(row.text) for row in rows] if settings.get("unique") else None
    return {
        "numbers": [row.number for row in rows],
        "places": [place_of.get(row.number, 0) for row in rows],
        "examined": len(place_of),
        "texts": texts,
        "forms": forms,
        "header": header,
        "warnings": [*said, *warnings],
    }
