"""What each cell reaches on a corpus with its defaults, beside what counting reaches.

    python benchmarks/quality.py [--corpus NAME] [--cells a,b,c] [--seeds N]

Bits per character of the test part (the stop counts as one character), with the mean over the seeds; time is that of
training and evaluation, without start-up. Baselines on the same split: uniform over the symbols, and n-gram counts
with add-one smoothing backed off by interpolation. The table is stored in benchmarks/results/quality-<corpus>.md.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections import Counter
from pathlib import Path

import seqgen

RESULTS = Path(__file__).parent / "results"
END = "\0"


def n_gram_bits(train: list[str], test: list[str], order: int, n_symbols: int) -> float:
    """Bits per character of an interpolated n-gram model of characters.

    p_n(c | context) = (count(context c) + k p_{n-1}(c | shorter context)) / (count(context) + k), with k = 5 and
    p_0 uniform over the symbols and the stop.
    """
    counts: Counter[str] = Counter()
    contexts: Counter[str] = Counter()
    for text in train:
        framed = END * (order - 1) + text + END
        for at in range(order - 1, len(framed)):
            for length in range(order):
                contexts[framed[at - length : at]] += 1
                counts[framed[at - length : at + 1]] += 1
    nats, n = 0.0, 0
    for text in test:
        framed = END * (order - 1) + text + END
        for at in range(order - 1, len(framed)):
            share = 1 / (n_symbols + 1)
            for length in range(order):
                context = framed[at - length : at]
                share = (counts[context + framed[at]] + 5 * share) / (contexts[context] + 5)
            nats -= math.log(share)
            n += 1
    return nats / n / math.log(2)


def measure(corpus: str, cell: str, seed: int, folder: Path) -> dict[str, float]:
    """Train with the defaults and judge."""
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
    """Rows for what needs no network."""
    run = seqgen.train(corpus, steps=1, hidden=2, out=folder / "split")
    from seqgen.corpus import Splitter

    splitter = Splitter()
    records = list(run.corpus)
    train = [record.text for record in records if splitter.part(record) == "train"]
    test = [record.text for record in records if splitter.part(record) == "test"]
    n_symbols = len({character for record in records for character in record.text})
    rows = [f"| uniform | | {math.log2(n_symbols + 1):.3f} | | | | |"]
    for order, name in ((1, "1-gram"), (2, "2-gram"), (5, "5-gram")):
        rows.append(f"| {name} | | {n_gram_bits(train, test, order, n_symbols):.3f} | | | | |")
    return rows


def main() -> None:
    """Measure, print and store."""
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
