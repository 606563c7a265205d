"""Every cell at one common rate and at the rate that it recommends, at equal parameters and steps, on names.

    python benchmarks/bench_cells.py [--seeds N] [--work DIR] [--finished] [--cells a,b]

Each run is that of docs/cells.md: one layer of at most 50,000 parameters on ``names``, 1,000 steps, without the counts
of a blend. The figure is that of the test part in bits per character, the stop counted as one, of the checkpoint with
the lowest held-out loss: a mean over the seeds, with a 95% interval of Student's t. "Under the best count" is how many
fewer these are than those of the best count on the same test part: modified Kneser-Ney n-grams of orders 1 to 12 (the
order that is best on the test part, which favours counting), the 5-gram with Witten-Bell smoothing, and PPMd. With
--work, finished runs are kept in a file there and not trained again; --finished trains nothing, and takes the seeds
of which all runs are there. The table is stored in benchmarks/results/bench_cells.md; with --cells, only the rows of
these cells are measured and replaced there, and the page says when.
"""

from __future__ import annotations

import argparse
import math
import re
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import seqgen
from finished import Finished
from rates import recommended
from report import RESULTS, machine, mean_text, table, write_page
from seqgen.evaluation.baselines import kneser_ney_bits_per_char, ppmd_bits_per_char
from seqgen.plugins.selection import default_plugins
from timing import Setting

COMMON = 0.003
_PARAMS, _STEPS = "50k", 1000
_OPTIONS = {"train.samples": 0, "train.patience": 0}
HEAD = ["cell", "parameters", "units", f"rate {COMMON:g}", "under the best count", "recommended rate",
        "bits per character", "under the best count"]  # fmt: skip
PAGE = RESULTS / "bench_cells.md"


class Bench:
    """Training runs on one corpus, which is read once."""

    def __init__(self) -> None:
        self.cache: dict[str, Any] = {}
        self.plans: dict[tuple[str, float], seqgen.TrainingPlan] = {}
        self.test: list[str] = []

    def measure(self, cell: str, rate: float, seed: int) -> dict[str, Any]:
        """Train a cell, and return its size and the bits per character of the test part, None if it diverged."""
        if (cell, rate) not in self.plans:
            self.plans[cell, rate] = seqgen.plan(
                "names", cell=cell, params=_PARAMS, steps=_STEPS, lr=rate, blend="none", options=_OPTIONS,
                cache=self.cache, warn=lambda line: None,
            )  # fmt: skip
        plan = self.plans[cell, rate].with_seed(seed)
        with tempfile.TemporaryDirectory() as folder:
            try:
                run = plan.train(Path(folder) / "run")
            except seqgen.Diverged:
                bits = None
            else:
                bits = bits_of_test(run, self.test or self.read(run))
        return {"bits": bits, "parameters": plan.n_parameters, "units": plan.settings.model.options["hidden"]}

    def read(self, run: seqgen.Run) -> list[str]:
        """Return the test part of the corpus of a run."""
        self.test = [record.text for record in run.records("test")]
        return self.test


def bits_of_test(run: seqgen.Run, test: Sequence[str]) -> float:
    """Return the bits per character of test texts, each stop counted as a character."""
    return sum(score.nats for score in run.score(test)) / math.log(2) / sum(len(text) + 1 for text in test)


def counts(name: str) -> dict[str, float]:
    """Return the bits per character of a corpus's test part under counts, by the name of a baseline."""
    with tempfile.TemporaryDirectory() as folder:
        run = seqgen.train(
            name, model="ngram", options={"model.smoothing": "witten-bell", "model.order": 5},
            out=Path(folder) / "run", warn=lambda line: None,
        )  # fmt: skip
        train, test = ([record.text for record in run.records(part)] for part in ("train", "test"))  # type: ignore[arg-type]
        found = {"5-gram, Witten-Bell": bits_of_test(run, test)}
        alphabet = {character for record in run.learned for character in record.text}
    by_order = kneser_ney_bits_per_char(train, test, alphabet).by_order
    order, ppmd = ppmd_bits_per_char(train, test)
    found |= {f"modified Kneser-Ney n={n}": bits for n, bits in enumerate(by_order, 1)}
    return found | {f"PPMd n={order}": ppmd}


def measured() -> dict[str, float]:
    """Return the bits per character of each cell at its recommended rate, as the page has them."""
    rows = [line.split("|")[1:-1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return {name.strip(): float(bits.split()[0]) for name, _, _, _, _, rate, bits, _ in rows[2:] if rate.strip()}


def cells_alone() -> list[str]:
    """Return the names of the cells that are a model alone."""
    registry = default_plugins().registry
    return [name for name in registry.names("cell") if registry.get("cell", name).spec.remembers]


def columns(bits: Sequence[float | None], best: float) -> list[str]:
    """Return the mean over seeds with its interval, and how far it is under the best count."""
    finite = [one for one in bits if one is not None]
    if len(finite) < len(bits):
        return ["diverged", ""]
    return [mean_text(finite), f"{best - statistics.fmean(finite):+.3f}"]


def row(cell: str, figures: dict[float, list[dict[str, Any]]], best: float) -> list[str]:
    """Return the row of a cell.

    Args:
        cell: its name.
        figures: those of ``Bench.measure``, one a seed, at the common and at the recommended rate.
        best: bits per character of the best count.
    """
    own, first = recommended(cell), figures[COMMON][0]
    bits = {rate: columns([one["bits"] for one in several], best) for rate, several in figures.items()}
    return [cell, f"{first['parameters']:,}", str(first["units"]), *bits[COMMON], f"{own:g}", *bits[own]]


def replace_rows(rows: Sequence[Sequence[str]], seeds: int) -> None:
    """Replace rows of the page, and say below its date which and when."""
    text = PAGE.read_text(encoding="utf-8")
    for one in rows:
        line = f"| {' | '.join(one)} |"
        text, n = re.subn(rf"^\| {re.escape(one[0])} \|.*$", lambda _, line=line: line, text, flags=re.M)
        assert n == 1, f"the page has {n} rows of {one[0]}"
    note = f"Rows of {', '.join(one[0] for one in rows)}: {machine(Setting(seeds)).replace('Measured', 'measured')}"
    head, _, body = text.partition("\n\n| cell |")
    PAGE.write_text(f"{head}\n\n{note}\n\n| cell |{body}", encoding="utf-8")


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder in which finished runs are kept")
    parser.add_argument("--finished", action="store_true", help="only the finished runs: train nothing")
    parser.add_argument("--cells", help="names, with commas between: replace their rows; default: all")
    given = parser.parse_args()
    finished, bench = Finished(given.work and given.work / "bench_cells.jsonl"), Bench()
    cells, seeds = given.cells.split(",") if given.cells else cells_alone(), []
    for seed in range(given.seeds):
        wanted = [(cell, COMMON, seed) for cell in cells] + [(cell, recommended(cell), seed) for cell in cells]
        if given.finished and not finished.figures.keys() >= set(wanted):
            break
        for key in wanted:
            found = finished.of(bench.measure, *key)
            print(*key, found["bits"], flush=True)
        seeds.append(seed)
    found = counts("names")
    best = min(found.values())
    rows = []
    for cell in cells:
        at = {rate: [finished.figures[cell, rate, seed] for seed in seeds] for rate in (COMMON, recommended(cell))}
        rows.append(row(cell, at, best))
    if given.cells:
        replace_rows(rows, len(seeds))
        return
    rows = [[name, *([""] * 5), f"{bits:.3f}", f"{best - bits:+.3f}"] for name, bits in found.items()] + rows
    caption = (
        f"Written by `python benchmarks/bench_cells.py --seeds {given.seeds}`, which says how: bits per character of "
        f"the test part of `names` at 50,000 parameters after 1,000 steps, mean and 95% interval of {len(seeds)} seeds."
    )
    title = "Cells at a common and at the recommended rate"
    write_page("bench_cells", title, caption, len(seeds), table(HEAD, rows))


if __name__ == "__main__":
    main()
