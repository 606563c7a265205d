"""Quality of cells on a corpus with default settings, compared with n-grams.

    python benchmarks/quality.py [--corpus NAME] [--cells a,b,c] [--seeds N]

Bits per character of the test part (the end symbol counts as one character), mean over the seeds; time is training and
evaluation, without start-up. Baselines on the same split: uniform over the symbols, and n-grams with interpolated
Kneser-Ney smoothing. The table is stored in benchmarks/results/quality-<corpus>.md.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from pathlib import Path

import numpy as np

import seqgen
from seqgen.evaluation.baselines import Grams

RESULTS = Path(__file__).parent / "results"


def n_gram_bits(train: list[str], test: list[str], order: int) -> float:
    """Return bits per character of an n-gram with interpolated Kneser-Ney smoothing, as in ``seqgen evaluate``."""
    alphabet = set().union(*train, *test)
    return float(-np.log2(Grams(train, test, alphabet, order).probabilities(order)).mean())


def measure(corpus: str, cell: str, seed: int, folder: Path) -> dict[str, float]:
    """Train with default settings and evaluate."""
    run = seqgen.train(corpus, cell=cell, seed=seed, out=folder / f"{cell}-{seed}")
    last = run.folder.load_latest(print)
    figures = run.evaluate(500)
    return {
        "parameters": run.settings.n_parameters,
        "bits": figures["test_bits_per_char"],
        "unique": figures["unique"],
        "novel": figures["novel"],
        "seconds": last.state["elapsed_s"] if last else math.nan,
        "steps": last.state["step"] if last else 0,
    }


def baselines(corpus: str, folder: Path) -> list[str]:
    """Return the rows of the uniform and n-gram baselines."""
    run = seqgen.train(corpus, steps=1, hidden=2, out=folder / "split")
    from seqgen.corpus import Splitter

    splitter = Splitter()
    records = list(run.corpus)
    train = [record.text for record in records if splitter.part(record) == "train"]
    test = [record.text for record in records if splitter.part(record) == "test"]
    n_symbols = len({character for record in records for character in record.text})
    rows = [f"| uniform | | {math.log2(n_symbols + 1):.3f} | | | | |"]
    for order, name in ((1, "1-gram"), (2, "2-gram"), (5, "5-gram")):
        rows.append(f"| {name} | | {n_gram_bits(train, test, order):.3f} | | | | |")
    return rows


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="names")
    parser.add_argument("--cells", default="vanilla,gru,lstm")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    rows = [
        f"# Cells on {given.corpus}, defaults, {given.seeds} seed(s)\n",
        "| model | parameters | test bits/char | unique | novel | steps | s |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        rows += baselines(given.corpus, Path(folder))
        for cell in given.cells.split(","):
            runs = [measure(given.corpus, cell, seed, Path(folder)) for seed in range(given.seeds)]
            mean = {name: statistics.mean(run[name] for run in runs) for name in runs[0]}
            rows.append(
                f"| {cell} | {mean['parameters']:,.0f} | {mean['bits']:.3f} | {mean['unique']:.1%} "
                f"| {mean['novel']:.1%} | {mean['steps']:,.0f} | {mean['seconds']:.0f} |"
            )
            print(rows[-1], flush=True)
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join([*rows, ""])
    (RESULTS / f"quality-{given.corpus}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
