"""Results of a bench: a row for each run, and a row for each cell over its seeds."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import RenderableType

import seqgen
from seqgen import commands, measure
from seqgen_bench.plot import bench_plot
from seqgen_bench.render import COLUMNS, PARTS, bench_csv, bench_table

_UNEVEN = 1.5
RESULTS, RESULTS_CSV = "results.json", "results.csv"
EMPTY: dict[str, Any] = {RESULTS: {"runs": []}}
"""The files of a bench that has not begun, as JSON values."""


@dataclass(frozen=True)
class RunScore:
    """The measurements of one run.

    Attributes:
        cell: the cell, or the model that is not made of cells.
        seed: of the run.
        run: the name of its folder.
        part: the held-out part that was evaluated, "valid" or "test".
        parameters: trainable parameters.
        width: units of a layer; None where there are none.
        steps: optimizer steps done.
        trained_s: seconds of training and evaluation.
        bits_per_char: of all records of the part, with the best checkpoint, the stop counted as a character.
        tokens_per_s: targets per second of training, evaluations left out; of a run that is too short for that, some
            seconds, or whose results were lost, per second of the whole run.
        samples_per_s: rows sampled per second.
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


_GIVEN = ("lr", "batch_size", "dropout", "layers", "embedding")  # settings that a title names


@dataclass
class BenchResult(seqgen.Tabular):
    """The results of a bench so far.

    Attributes:
        folder: its folder.
        corpus: the title of the corpus.
        part: the held-out part that is evaluated.
        asked: settings of all runs: parameters, seeds, ends.
        cells: the cells, in the order given.
        earlier: the scores that its folder has from earlier benches, by cell and seed.
        runs: the scores of this bench.
        problems: reasons by cell, of those that failed.
        counts: bits per character that counting reaches on the same part, by name.
    """

    folder: Path
    corpus: str
    part: Literal["valid", "test"]
    asked: dict[str, Any]
    cells: list[str]
    earlier: dict[tuple[str, int], RunScore] = field(default_factory=dict)
    runs: list[RunScore] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The corpus, the part, the number of seeds, the settings that were given for all, and the folder."""
        seeds = commands.counted(self.asked["seeds"], "seed")
        given = [f", {name}={self.asked[name]}" for name in _GIVEN if name in self.asked]
        given += [f", {name}={value}" for name, value in self.asked.get("options", {}).items()]
        part = PARTS[self.part]
        return f"{seqgen.visible(self.corpus)}, {part} part, {seeds}{seqgen.visible(''.join(given))}: {self.folder}"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each cell: by bits per character, then those that failed, then those that have not run."""
        rows = [_row(cell, [run for run in self.runs if run.cell == cell], self.problems) for cell in self.cells]
        for row in rows:
            if self.counts and row["bits_per_char"] is not None:
                row["under_best_count"] = min(self.counts.values()) - row["bits_per_char"]
        missing = float("inf")

        def order(row: dict[str, Any]) -> tuple[bool, float]:
            bits = row["bits_per_char"]
            return bool(row["problem"]), missing if bits is None else bits

        rows.sort(key=order)
        for row in rows[1:]:
            row["above_best"], row["above_best_interval"] = self._difference(row["cell"], rows[0]["cell"])
        return rows

    def _difference(self, cell: str, best: str) -> tuple[float | None, float | None]:
        """Return by how much a cell is above the best one with the same seeds, and the half-width of its interval."""
        bits = {(run.cell, run.seed): run.bits_per_char for run in self.runs}
        seeds = [seed for of, seed in bits if of == cell and (best, seed) in bits]
        above = [bits[cell, seed] - bits[best, seed] for seed in seeds]
        return measure.mean_interval(above) if len(above) > 1 else (None, None)

    @property
    def remarks(self) -> list[str]:
        """A line for each cell whose seeds had unequal numbers of steps in the same time."""
        if self.asked.get("time_s") is None:
            return []
        steps = {cell: [run.steps for run in self.runs if run.cell == cell] for cell in self.cells}
        return [
            f"{cell}: its seeds took {min(some):,} to {max(some):,} steps in the same time, as when other programs "
            "compute; --steps gives each run as many"
            for cell, some in steps.items()
            if some and max(some) > _UNEVEN * min(some)
        ]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows."""
        return self.rows

    def view(self) -> RenderableType:
        """Return the table that a terminal shows."""
        return bench_table(self.rows, self.title, self.counts)

    def plot(self) -> seqgen.Picture:
        """Return a plot of bits per character and both speeds.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        return seqgen.Picture(bench_plot(self.rows, self.title, ".svg"))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values, earlier scores of the folder included."""
        runs = self.earlier | {(run.cell, run.seed): run for run in self.runs}
        return {
            "corpus": self.corpus,
            "part": self.part,
            "asked": self.asked,
            "counts": self.counts,
            "rows": self.rows,
            "runs": [dataclasses.asdict(run) for run in runs.values()],
        }

    def save(self, folder: seqgen.WorkFolder) -> None:
        """Write results.json and results.csv.

        Raises:
            CheckpointError: one of them is a link.
            DiskError: the disk refused.
        """
        folder.write_json(RESULTS, self.to_json())
        folder.write(RESULTS_CSV, bench_csv(self.rows))


def _row(cell: str, runs: Sequence[RunScore], problems: dict[str, str]) -> dict[str, Any]:
    """Return the means over the seeds of a cell."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"cell": cell, "seeds": len(runs), "problem": problems.get(cell, "")}
    if not runs:
        return row
    row["bits_per_char"], row["interval"] = measure.mean_interval([run.bits_per_char for run in runs])
    speeds = [run.tokens_per_s for run in runs if run.tokens_per_s is not None]
    return row | {
        "lr": runs[0].lr,
        "parameters": runs[0].parameters,
        "width": runs[0].width,
        "steps": round(statistics.fmean(run.steps for run in runs)),
        "tokens_per_s": statistics.fmean(speeds) if speeds else None,
        "samples_per_s": statistics.fmean(run.samples_per_s for run in runs),
    }


def read_scores(folder: seqgen.WorkFolder) -> dict[tuple[str, int], RunScore]:
    """Return the scores that a folder has, by cell and seed; those that cannot be read are measured again.

    Raises:
        CheckpointError: the file is a link.
    """
    try:
        listed = json.loads(folder.read(RESULTS))["runs"]
        scores = [RunScore(**run) for run in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {(score.cell, score.seed): score for score in scores}


def run_name(name: str, seed: int) -> str:
    """Return the name of a run's folder; names of cells have no dot, so all differ."""
    return f"{name.replace(':', '.')}-seed{seed}"
