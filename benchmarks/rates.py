"""The learning rate of every cell: four rates, at equal parameters and steps, on the shipped names.

    python benchmarks/rates.py [--cells a,b] [--seeds N] [--work DIR]

Each run is that of docs/cells.md: one layer of at most 50,000 parameters on ``names``, 1,000 steps, without the counts
of a blend, here at a rate of 0.001, 0.003, 0.01 or 0.03. The figure is the lowest held-out loss of the run in bits per
character, a mean over the seeds; the test part is not looked at. The last column has the rate that the cell recommends,
or the default. With --work, finished runs are kept in a file there and not trained again. The table is stored in
benchmarks/results/rates.md, and a test compares its last column with the cells.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import seqgen
from finished import Finished
from report import table, write_page
from seqgen.config import TrainSettings
from seqgen.plugins.selection import default_plugins

RATES = (0.001, 0.003, 0.01, 0.03)
_PARAMS, _STEPS = "50k", 1000
_WORSE = "diverged"


def loss(cell: str, rate: float, seed: int) -> float | None:
    """Return the lowest held-out loss of a run, bits per character; None if it diverged."""
    options = {"train.samples": 0, "train.patience": 0}
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = seqgen.train(
                "names", cell=cell, params=_PARAMS, steps=_STEPS, lr=rate, seed=seed, blend="none",
                out=Path(folder) / "run", options=options, warn=lambda line: None,
            )  # fmt: skip
        except seqgen.SeqgenError as error:
            if type(error).__name__ != "Diverged":
                raise
            return None
        return min(row["valid_bits_per_char"] for row in run.metrics)


def recommended(cell: str) -> float:
    """Return the rate of a run of this cell where nobody says otherwise."""
    spec = default_plugins().registry.get("cell", cell).spec
    rate = spec.recommended.get("train", {}).get("lr", TrainSettings.model_fields["lr"].default)
    return float(rate)


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", help="names, with commas between; default: all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder in which finished runs are kept")
    given = parser.parse_args()
    cells = given.cells.split(",") if given.cells else default_plugins().registry.names("cell")
    finished = Finished(given.work and given.work / "rates.jsonl")
    rows = []
    for cell in cells:
        if default_plugins().registry.get("cell", cell).spec.name == "mlp":  # passes nothing on over time
            continue
        shown = [cell]
        for rate in RATES:
            losses = [finished.of(loss, cell, rate, seed) for seed in range(given.seeds)]
            finite = [bits for bits in losses if bits is not None]
            shown.append(f"{statistics.mean(finite):.3f}" if len(finite) == len(losses) else _WORSE)
        rows.append([*shown, f"{recommended(cell):g}"])
        print(" ".join(rows[-1]), flush=True)
    if given.cells:
        return
    caption = [
        f"Written by `python benchmarks/rates.py --seeds {given.seeds}`, which says how: held-out bits per character",
        "on `names` at 50,000 parameters after 1,000 steps, by rate.",
    ]
    shown = table(["cell", *(f"{rate:g}" for rate in RATES), "recommended"], rows)
    write_page("rates", "Learning rates", "\n".join(caption), given.seeds, shown)


if __name__ == "__main__":
    main()
