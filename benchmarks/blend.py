"""Default runs with and without the counts that they are blended with, on the shipped corpora.

    python benchmarks/blend.py [--corpora a,b] [--cells a,b] [--seeds N] [--work DIR]

Both runs of a pair have the same seed, and their networks are the same bit by bit; only the best step may differ.
Bits per character are of the test part, a stop counted as one character; the difference is the mean over the seeds
with a 95% interval of Student's t. The corpus pokemon, whose test part has 50 names, is split anew for each of ten
seeds. "n" is modified Kneser-Ney of the best order, "under both" how many bits fewer than it and the network alone.
Copies are the share of 2,000 samples that are training records, beside the share that is expected by chance. With
--work, finished runs are kept there and not trained again. The table is stored in benchmarks/results/blend.md.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import seqgen
from report import RESULTS, machine
from seqgen.evaluation.intervals import t_quantile
from timing import Setting

CORPORA = ["names", "titles", "pokemon"]  # the default leaves texts with a syntax alone
_SAMPLES = 2000
_COUNTS = ("baseline_5gram_bits_per_char", "baseline_kneser_ney_bits_per_char")
_SPLITS = {"pokemon": 10}  # seeds, each with a split of its own
_SHOWN = ("valid", "unique", "novel")


def measure(corpus: str, cell: str, seed: int, blend: str, folder: Path) -> dict[str, Any]:
    """Train with default settings, or open the finished run, and evaluate it."""
    out = folder / f"{corpus}-{cell}-{seed}-{blend}"
    if out.exists() and not seqgen.load(out).folder.load_latest(print).state["ended"]:
        shutil.rmtree(out)
    if out.exists():
        run = seqgen.load(out)
    else:
        split = {"train.split_seed": seed} if corpus in _SPLITS else {}
        run = seqgen.train(corpus, cell=cell, seed=seed, blend=blend, out=out, options=split)
    figures = run.evaluate(_SAMPLES)
    found = {"bits": figures["test_bits_per_char"], "copies": figures["copies"]}
    found |= {name: figures[name] for name in (*_SHOWN, *_COUNTS, "copies_chance") if name in figures}
    return found | {"gate": run.state.get("gate") is not None, "elapsed_s": run.state["elapsed_s"]}


def row(corpus: str, cell: str, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    """Return the row of a corpus from the figures without and with blending."""
    differences = [after["bits"] - before["bits"] for before, after in pairs]
    half = math.nan
    if len(pairs) > 1:
        half = t_quantile(len(pairs) - 1) * statistics.stdev(differences) / math.sqrt(len(pairs))

    def mean(place: int, name: str) -> float:
        return statistics.mean(pair[place].get(name, math.nan) for pair in pairs)

    better = statistics.mean(min(before[_COUNTS[1]], before["bits"]) - after["bits"] for before, after in pairs)
    counts = [f"{mean(0, name):.3f}" for name in _COUNTS]
    cells = [corpus, cell, *counts, f"{mean(0, 'bits'):.3f}", f"{mean(1, 'bits'):.3f}", f"{better:.3f}"]
    cells.append(f"{statistics.mean(differences):+.3f} ± {half:.3f}")
    cells.append(f"{sum(after['gate'] for _, after in pairs)} of {len(pairs)}")
    cells += [f"{mean(place, 'copies'):.1%} ({mean(place, 'copies_chance'):.1%})" for place in (0, 1)]
    cells += [f"{mean(0, name):.1%} / {mean(1, name):.1%}" for name in _SHOWN]
    cells.append(f"{mean(0, 'elapsed_s'):.0f} / {mean(1, 'elapsed_s'):.0f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default=",".join(CORPORA))
    parser.add_argument("--cells", default="vanilla,gru")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder of finished runs")
    given = parser.parse_args()
    head = ["corpus", "cell", "5-gram", "n", "alone", "blended", "under both", "difference", "decided to blend",
            "copies alone (chance)",
            "copies blended (chance)", "valid", "unique", "novel", "s"]  # fmt: skip
    lines = [
        "# Blending with counts",
        "",
        f"Written by `python benchmarks/blend.py --cells {given.cells} --seeds {given.seeds}`, which says how. Bits",
        "per character of the test part; pairs of figures are of the network alone and of the default run.",
        "",
        machine(Setting(given.seeds, quick=False)),
        "",
        "| " + " | ".join(head) + " |",
        "|---|" + "---:|" * (len(head) - 1),
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        for corpus in given.corpora.split(","):
            for cell in given.cells.split(","):
                pairs = []
                for seed in range(_SPLITS.get(corpus, given.seeds)):
                    before, after = (measure(corpus, cell, seed, blend, folder) for blend in ("none", "auto"))
                    pairs.append((before, after))
                lines.append(row(corpus, cell, pairs))
                print(lines[-1], flush=True)
    (RESULTS / "blend.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
