"""The learning rate of every cell: four rates at equal parameters and steps, and three in default runs, on names.

    python benchmarks/rates.py [--cells a,b] [--seeds N] [--default-seeds N] [--work DIR]

Each run of the sweep is that of docs/cells.md: one layer of at most 50,000 parameters on ``names``, 1,000 steps,
without the counts of a blend, here at a rate of 0.001, 0.003, 0.01 or 0.03. The figure is the lowest held-out loss of
the run in bits per character, a mean over the seeds; the test part is not looked at.

A cell whose former rate (``FORMER``, else what it recommends) is 0.03 bits or more from the best of its row is then
trained in default runs: the width and steps that ``names`` and the settings give, also without counts, which leaves the
loss to the network. The rates are the former one, the best of the sweep, and the one of 1, 2, 3 or 5 times a power of
ten that is closest to their geometric mean, with the figure at 50,000 parameters beside each. The rule picks the rate
with the lowest default loss, unless its loss at 50,000 parameters is more than 0.03 above that of another rate whose
default loss is within 0.01 of the lowest; then it picks, of these rates, the best at 50,000 parameters.

A second seed confirms a change: where the rule picks another rate than the former one, default runs of the next seed
(1; with --default-seeds N, N) follow at these two rates, and the rule, applied to the means over all seeds, chooses.

With --work, finished runs are kept in files there and not trained again. The tables are stored in
benchmarks/results/rates.md, and a test compares them with the cells.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import seqgen
from finished import Finished
from report import machine, table, write_page
from seqgen.config import TrainSettings
from seqgen.plugins.selection import default_plugins
from timing import Setting

RATES = (0.001, 0.003, 0.01, 0.03)
FORMER = {
    "bigridlstm": 0.01,
    "cifg": 0.003,
    "gridlstm": 0.01,
    "indrnn": 0.003,
    "indygru": 0.01,
    "indylstm": 0.01,
    "s5": 0.01,
    "ugrnn": 0.003,
}
"""The rates before the default runs of cells that these runs changed."""
DEFAULT_RUNS = """## Default runs

Held-out bits per character of one layer at 50,000 parameters / of default runs on `names`, without counts (`--blend
none`), by rate: of cells whose former rate is 0.03 or more from the best of the sweep, at that rate, at the best, and
between them. The script says how the rate is picked from these. Default runs have more units and more steps, and are
often best at a lower rate than 50,000 parameters are: `gru`, `lstm` and `vanilla`, for example, keep theirs."""
SECOND_SEED = """## Second seed

The same of each cell for which another rate than the former is picked above, at these two, with default runs of one
more seed: held-out bits per character at 50,000 parameters / mean of the default runs. The rule, applied to these,
chooses the recommended rate."""
_PARAMS, _STEPS = "50k", 1000
_FAR, _CLOSE = 0.03, 0.01
_WORSE = "diverged"


def loss(cell: str, rate: float, seed: int) -> float | None:
    """Return the lowest held-out loss of a run of the sweep, bits per character; None if it diverged."""
    return _lowest(cell, rate, seed, params=_PARAMS, steps=_STEPS, options={"train.patience": 0})


def default_loss(cell: str, rate: float, seed: int) -> float | None:
    """Return the lowest held-out loss of a default run, bits per character; None if it diverged."""
    return _lowest(cell, rate, seed, options={})


def _lowest(cell: str, rate: float, seed: int, options: dict[str, Any], **settings: Any) -> float | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = seqgen.train(
                "names", cell=cell, lr=rate, seed=seed, blend="none", out=Path(folder) / "run",
                options={"train.samples": 0, **options}, warn=lambda line: None, **settings,
            )  # fmt: skip
        except seqgen.Diverged:
            return None
        return min(float(row["valid_bits_per_char"]) for row in run.metrics)


def recommended(cell: str) -> float:
    """Return the rate of a run of this cell where nobody says otherwise."""
    spec = default_plugins().registry.get("cell", cell).spec
    rate = spec.recommended.get("train", {}).get("lr", TrainSettings.model_fields["lr"].default)
    return float(rate)


def former(cell: str) -> float:
    """Return the rate of a cell before its default runs."""
    return FORMER.get(cell, recommended(cell))


def between(low: float, high: float) -> float:
    """Return the rate of 1, 2, 3 or 5 times a power of ten that is closest to the geometric mean of two."""
    mean = math.sqrt(low * high)
    power = math.floor(math.log10(mean))
    return min((float(f"{digit}e{power}") for digit in (1, 2, 3, 5, 10)), key=lambda rate: abs(math.log(rate / mean)))


def chosen(small: dict[float, float], default: dict[float, float]) -> float:
    """Return the rate that the rule picks.

    Args:
        small: loss at 50,000 parameters by rate, bits per character.
        default: loss of default runs by the same rates.
    """
    best = min(default, key=lambda rate: default[rate])
    close = [rate for rate in default if default[rate] <= default[best] + _CLOSE]
    other = min(close, key=lambda rate: small[rate])
    return other if small[best] > small[other] + _FAR else best


class Rates:
    """Mean losses of runs by cell and rate.

    Args:
        work: folder in which finished runs are kept; None: nowhere.
        seeds: seeds of the sweep.
        default_seeds: seeds of the default runs; one more confirms a change.
    """

    def __init__(self, work: Path | None, seeds: int, default_seeds: int) -> None:
        self.sweep_runs = Finished(work and work / "rates.jsonl")
        self.default_runs = Finished(work and work / "rates_default.jsonl")
        self.seeds, self.default_seeds = seeds, default_seeds

    def small(self, cell: str, rate: float) -> float:
        """Return the loss at 50,000 parameters, infinite if a run diverged."""
        return _mean(self.sweep_runs, loss, cell, rate, self.seeds)

    def default(self, cell: str, rate: float) -> float:
        """Return the loss of default runs, infinite if a run diverged."""
        return _mean(self.default_runs, default_loss, cell, rate, self.default_seeds)

    def confirmed(self, cell: str, rate: float) -> float:
        """Return the loss of default runs with one more seed, infinite if a run diverged."""
        return _mean(self.default_runs, default_loss, cell, rate, self.default_seeds + 1)

    def candidates(self, cell: str) -> list[float]:
        """Return the rates of a cell's default runs; none if its former rate is close to the best of the sweep."""
        first, best = former(cell), min(RATES, key=lambda rate: self.small(cell, rate))
        if round(self.small(cell, first) - self.small(cell, best), 3) < _FAR:
            return []
        return sorted({first, between(first, best), best})


def _mean(runs: Finished, measure: Callable[..., float | None], cell: str, rate: float, seeds: int) -> float:
    losses = [runs.of(measure, cell, rate, seed) for seed in range(seeds)]
    return math.inf if None in losses else statistics.mean(losses)


def _text(bits: float) -> str:
    return f"{bits:.3f}" if math.isfinite(bits) else _WORSE


def _both(small: float, default: float) -> str:
    return f"{_text(small)} / {_text(default)}"


def default_table(found: Rates, cells: Sequence[str]) -> tuple[str, dict[str, float]]:
    """Measure and return the table of default runs of the cells that need them, and the rate picked for each."""
    by_cell = {cell: several for cell in cells if (several := found.candidates(cell))}
    rates = sorted({rate for several in by_cell.values() for rate in several})
    rows, picked = [], {}
    for cell, candidates in by_cell.items():
        small = {rate: found.small(cell, rate) for rate in candidates}
        default = {rate: found.default(cell, rate) for rate in candidates}
        picked[cell] = chosen(small, default)
        shown = [_both(small[rate], default[rate]) if rate in small else "" for rate in rates]
        rows.append([cell, f"{former(cell):g}", *shown, f"{picked[cell]:g}"])
        print(" | ".join(rows[-1]), flush=True)
    return table(["cell", "former", *(f"{rate:g}" for rate in rates), "picked"], rows), picked


def confirmation_table(found: Rates, picked: dict[str, float]) -> str:
    """Measure and return the table of the cells for which another rate than the former is picked, with one more seed.

    Args:
        found: the losses.
        picked: the rate picked by cell.
    """
    rows = []
    for cell, rate in picked.items():
        pair = (former(cell), rate)
        if rate == pair[0]:
            continue
        small = {one: found.small(cell, one) for one in pair}
        default = {one: found.confirmed(cell, one) for one in pair}
        shown = [text for one in pair for text in (f"{one:g}", _both(small[one], default[one]))]
        rows.append([cell, *shown, f"{chosen(small, default):g}"])
        print(" | ".join(rows[-1]), flush=True)
    return table(["cell", "former", "bits at it", "picked", "bits at that", "chosen"], rows)


def main() -> None:
    """Measure, print and store the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", help="names, with commas between; default: all")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of each run of the sweep")
    parser.add_argument("--default-seeds", type=int, default=1, help="seeds of each default run; one more confirms")
    parser.add_argument("--work", type=Path, help="folder in which finished runs are kept")
    given = parser.parse_args()
    registry = default_plugins().registry
    alone = [name for name in registry.names("cell") if registry.get("cell", name).spec.remembers]
    cells = given.cells.split(",") if given.cells else alone
    found, rows = Rates(given.work, given.seeds, given.default_seeds), []
    for cell in cells:
        rows.append([cell, *(_text(found.small(cell, rate)) for rate in RATES), f"{recommended(cell):g}"])
        print(" ".join(rows[-1]), flush=True)
    second, picked = default_table(found, cells)
    third = confirmation_table(found, picked)
    if given.cells:
        return
    caption = (
        f"Written by `python benchmarks/rates.py --seeds {given.seeds} --default-seeds {given.default_seeds}`, which "
        "says how: held-out bits per character on `names` at 50,000 parameters after 1,000 steps, by rate."
    )
    first = table(["cell", *(f"{rate:g}" for rate in RATES), "recommended"], rows)
    default = [DEFAULT_RUNS, machine(Setting(given.default_seeds)), second]
    confirmed = [SECOND_SEED, machine(Setting(given.default_seeds + 1)), third]
    write_page("rates", "Learning rates", caption, given.seeds, first, *default, *confirmed)


if __name__ == "__main__":
    main()
