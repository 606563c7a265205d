"""What a bench has measured: a row for each run, and one for each cell over its seeds."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqgen.files import SafePath, dump_json, write_atomic
from seqgen.render import bench_csv

RESULTS, RESULTS_CSV = "results.json", "results.csv"


@dataclass(frozen=True)
class RunScore:
    """What was measured of one run.

    Attributes:
        cell: the cell, or the model that is not made of cells.
        seed: of the training.
        run: the name of its folder.
        part: the held-out part that was judged, "valid" or "test".
        parameters: trainable ones.
        width: units of a layer; None where there are none.
        steps: optimizer steps done.
        trained_s: seconds of training and evaluation.
        bits_per_char: of all records of the part, with the best checkpoint, the stop counted as a character.
        tokens_per_s: targets learned from a second of training, evaluations left out.
        samples_per_s: rows drawn a second.
        lr: the peak learning rate; None of a model that only counts.
    """

    cell: str
    seed: int
    run: str
    part: str
    parameters: int
    width: int | None
    steps: int
    trained_s: float
    bits_per_char: float
    tokens_per_s: float | None
    samples_per_s: float
    lr: float | None = None


@dataclass
class BenchResult:
    """A bench, as far as it is.

    Attributes:
        folder: where it is kept.
        corpus: how people call the corpus.
        part: the held-out part that is judged.
        asked: what all were given: parameters, seeds, ends.
        cells: who takes part, in the order they were named.
        earlier: what an earlier bench in the same folder measured, by cell and seed.
        runs: what was measured of each run.
        problems: why a cell is out, in one line each.
    """

    folder: Path
    corpus: str
    part: str
    asked: dict[str, Any]
    cells: Sequence[str]
    earlier: dict[tuple[str, int], RunScore] = field(default_factory=dict)
    runs: list[RunScore] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row a cell, the lowest bits per character first; then what failed, then what has not run."""
        rows = [_row(cell, [run for run in self.runs if run.cell == cell], self.problems) for cell in self.cells]
        missing = float("inf")

        def order(row: dict[str, Any]) -> tuple[bool, float]:
            bits = row["bits_per_char"]
            return bool(row["problem"]), missing if bits is None else bits

        return sorted(rows, key=order)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, with what stands in the folder besides."""
        runs = self.earlier | {(run.cell, run.seed): run for run in self.runs}
        return {
            "corpus": self.corpus,
            "part": self.part,
            "asked": self.asked,
            "rows": self.rows,
            "runs": [dataclasses.asdict(run) for run in runs.values()],
        }

    def keep(self) -> None:
        """Publish results.json and results.csv.

        Raises:
            LinkRefused: one of them is a link.
            DiskError: the disk refused.
        """
        write_atomic(SafePath(self.folder) / RESULTS, dump_json(self.to_json()), make_parents=True)
        write_atomic(SafePath(self.folder) / RESULTS_CSV, bench_csv(self.rows))


def _row(cell: str, runs: Sequence[RunScore], problems: dict[str, str]) -> dict[str, Any]:
    """The mean over the seeds of a cell."""
    from seqgen.evaluation import mean_interval

    row: dict[str, Any] = {
        "cell": cell, "bits_per_char": None, "interval": None, "parameters": None, "width": None, "steps": None,
        "lr": None, "tokens_per_s": None, "samples_per_s": None, "seeds": len(runs), "problem": problems.get(cell, ""),
    }  # fmt: skip
    if not runs:
        return row
    row["bits_per_char"], row["interval"] = mean_interval([run.bits_per_char for run in runs])
    speeds = [run.tokens_per_s for run in runs if run.tokens_per_s is not None]
    return row | {
        "lr": runs[0].lr,
        "parameters": runs[0].parameters,
        "width": runs[0].width,
        "steps": round(statistics.fmean(run.steps for run in runs)),
        "tokens_per_s": statistics.fmean(speeds) if speeds else None,
        "samples_per_s": statistics.fmean(run.samples_per_s for run in runs),
    }


def read_scores(folder: Path) -> dict[tuple[str, int], RunScore]:
    """What an earlier bench in a folder measured, by cell and seed; what cannot be read is measured again.

    Raises:
        LinkRefused: the file is a link.
    """
    try:
        listed = json.loads((SafePath(folder) / RESULTS).read())["runs"]
        scores = [RunScore(**run) for run in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {(score.cell, score.seed): score for score in scores}
