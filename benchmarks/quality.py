"""Quality of cells on a corpus with default settings, compared with n-grams.

    python benchmarks/quality.py [--corpus NAME] [--cells a,b,c] [--seeds N] [--quick]

Bits per character of the test part (the end symbol counts as one character), mean over the seeds; time is training and
evaluation, without start-up. Baselines on the same split, as in ``seqgen evaluate``: uniform over the symbols, n-grams
with interpolated Kneser-Ney smoothing and one discount an order, modified Kneser-Ney of the best order n, and the
compressors PPMd and xz. "Alone" is the network without the counts that a default run is blended with, and "under the
best count" how many bits a default run needs less than the best of the baselines. The table is stored in
benchmarks/results/quality-<corpus>.md; --quick trains a few steps, as a smoke test, and stores nothing.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from pathlib import Path

import numpy as np

import seqgen
from seqgen.evaluation import count_bits_per_char
from seqgen.evaluation.baselines import Grams

RESULTS = Path(__file__).parent / "results"


def n_gram_bits(train: list[str], test: list[str], order: int) -> float:
    """Return bits per character of an n-gram with interpolated Kneser-Ney smoothing, as in ``seqgen evaluate``."""
    alphabet = set().union(*train, *test)
    return float(-np.log2(Grams(train, test, alphabet, order).probabilities(order)).mean())


def measure(corpus: str, cell: str, seed: int, folder: Path, *, quick: bool = False) -> dict[str, float]:
    """Train with default settings, or a few steps, and evaluate."""
    ends = {"steps": 3} if quick else {}
    run = seqgen.train(corpus, cell=cell, seed=seed, out=folder / f"{cell}-{seed}", **ends)
    last = run.folder.load_latest(print)
    figures = run.evaluate(500)
    return {
        "parameters": run.settings.n_parameters,
        "alone": figures.get("test_network_bits_per_char", figures["test_bits_per_char"]),
        "bits": figures["test_bits_per_char"],
        "unique": figures["unique"],
        "novel": figures["novel"],
        "seconds": last.state["elapsed_s"] if last else math.nan,
        "steps": last.state["step"] if last else 0,
    }


def baselines(corpus: str, folder: Path) -> dict[str, float]:
    """Return the bits per character of the test part by the name of a baseline."""
    from seqgen.corpus import Splitter

    run = seqgen.train(corpus, steps=1, hidden=2, out=folder / "split")
    splitter = Splitter()
    records = list(run.corpus)
    train = [record.text for record in records if splitter.part(record) == "train"]
    test = [record.text for record in records if splitter.part(record) == "test"]
    alphabet = {character for record in records for character in record.text}
    few = {"uniform": math.log2(len(alphabet) + 1)} | {f"{n}-gram": n_gram_bits(train, test, n) for n in (1, 2)}
    return few | count_bits_per_char(train, test, alphabet)


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="names")
    parser.add_argument("--cells", default="vanilla,gru,lstm")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a few steps, as a smoke test")
    given = parser.parse_args()
    rows = [
        f"# Cells on {given.corpus}, defaults, {given.seeds} seed{'s' if given.seeds > 1 else ''}\n",
        "Written by `python benchmarks/quality.py`.\n",
        "| model | parameters | alone | test bits/char | under the best count | unique | novel | steps | s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        counts = baselines(given.corpus, Path(folder))
        rows += [f"| {name} | | | {bits:.3f} | | | | | |" for name, bits in counts.items()]
        best = min(counts.values())
        for cell in given.cells.split(","):
            runs = [measure(given.corpus, cell, seed, Path(folder), quick=given.quick) for seed in range(given.seeds)]
            mean = {name: statistics.mean(run[name] for run in runs) for name in runs[0]}
            rows.append(
                f"| {cell} | {mean['parameters']:,.0f} | {mean['alone']:.3f} | {mean['bits']:.3f} "
                f"| {best - mean['bits']:+.3f} | {mean['unique']:.1%} | {mean['novel']:.1%} "
                f"| {mean['steps']:,.0f} | {mean['seconds']:.0f} |"
            )
            print(rows[-1], flush=True)
    text = "\n".join([*rows, ""])
    if not given.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"quality-{given.corpus}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
