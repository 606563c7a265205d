"""Gain of a refit: default runs, and the same trained anew on training and validation records.

    python benchmarks/refit.py [--corpora a,b] [--cell NAME] [--seeds N] [--work DIR]

Figures are bits per character of the test part, a stop counted as one character, means over the seeds; the difference
is paired, with a 95% interval of Student's t. The corpus pokemon, whose test part has 50 names, is split anew for each
of ten seeds. Copies are the share of 2,000 samples that are records that the run has learned from, beside the share
that is expected by chance. With --work, finished runs are kept there and not trained again, in the folders that
blend.py takes. The table is stored in benchmarks/results/refit.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import seqgen
from blend import SPLITS, measure
from report import mean_text, table, write_page

HEAD = ["corpus", "training records", "with the validation records", "default", "refit", "difference",
        "copies (chance)", "copies of the refit (chance)", "s"]  # fmt: skip


def row(corpus: str, cell: str, seeds: int, folder: Path) -> list[str]:
    """Return the row of a corpus."""
    pairs, sizes = [], (0, 0)
    for seed in range(SPLITS.get(corpus, seeds)):
        out = folder / f"{corpus}-{cell}-{seed}-default"
        split_seed = seed if corpus in SPLITS else None
        before = measure({"corpus": corpus, "cell": cell}, seed, out, split_seed)
        again = out.with_name(out.name + "-refit")
        if not again.exists():
            seqgen.refit(out, out=again, progress=False)
        pairs.append((before, measure({}, seed, again, None)))
        sizes = tuple(seqgen.load(run).settings.corpus.parts["train"] for run in (out, again))
    bits, copies, chance, took_s = (
        [statistics.mean(pair[at][name] for pair in pairs) for at in (0, 1)]
        for name in ("bits", "copies", "copies_chance", "elapsed_s")
    )
    return [
        corpus,
        *(f"{size:,}" for size in sizes),
        *(f"{value:.3f}" for value in bits),
        mean_text([after["bits"] - before["bits"] for before, after in pairs], "+.3f"),
        *(f"{share:.1%} ({expected:.1%})" for share, expected in zip(copies, chance, strict=True)),
        f"{took_s[0]:.0f} / {took_s[1]:.0f}",
    ]


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default="names,titles,pokemon")
    parser.add_argument("--cell", default="vanilla")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder of finished runs")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for corpus in given.corpora.split(","):
            rows.append(row(corpus, given.cell, given.seeds, given.work or Path(temporary)))
            print(" | ".join(rows[-1]), flush=True)
    caption = f"Written by `python benchmarks/refit.py --cell {given.cell} --seeds {given.seeds}`, which says how."
    write_page("refit", "What a refit gains", caption, given.seeds, table(HEAD, rows))


if __name__ == "__main__":
    main()
