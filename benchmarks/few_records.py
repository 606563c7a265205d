"""Lists of fewer than 200 names: a best step by held-out loss or by copied samples, and a blend with counts.

    python benchmarks/few_records.py [--seeds N] [--time 60s]

A reference run is trained on all shipped names. For each list size and seed, random names are trained on with a file's
default settings, once with the best step chosen by held-out loss (``-o best_by=loss``), once by copies, the default,
and once blended with counts (``--blend ngram``). The table shows the step; the share of 500 plain samples that are not
in the list; the nats per symbol of these new samples under the reference run: the lower, the more they look like names;
and the bits per character of 500 other names, without those whose letters the list lacks. The last line has the nats of
real names. All are means over the seeds. The table is stored in benchmarks/results/few_records.md.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import tempfile
from pathlib import Path

import seqgen
from seqgen.plugins.selection import default_plugins

RESULTS = Path(__file__).parent / "results"
SIZES, SAMPLES = (30, 100, 150), 500
HEAD = [
    "| names | step chosen by | step | new samples | nats/symbol of new ones | bits/char of other names |",
    "|---:|---|---:|---:|---:|---:|",
]


def cost(reference: seqgen.Run, texts: list[str]) -> float:
    """Return the nats per symbol of texts under a run; not a number if there are none."""
    if not texts:
        return math.nan
    scores = reference.score(texts)
    return sum(score.nats for score in scores) / sum(len(score.nats_per_symbol) for score in scores)


def evaluate(run: seqgen.Run, names: list[str], others: list[str], reference: seqgen.Run) -> dict[str, float]:
    """Return the step, the share of new samples, their nats per symbol, and the bits per character of other names."""
    rows = [row.text for row in run.sample(SAMPLES)]
    new = [row for row in rows if row not in set(names)]
    readable = [name for name in others if set(name) <= set("".join(names))]
    nats, n_chars = sum(score.nats for score in run.score(readable)), sum(len(name) + 1 for name in readable)
    found = {"step": run.state["step"], "new": len(new) / len(rows), "cost": cost(reference, new)}
    return found | {"bits": nats / math.log(2) / n_chars}


def mean_of(values: list[float]) -> float:
    """Return the mean of those that are numbers."""
    return statistics.mean([value for value in values if not math.isnan(value)] or [math.nan])


def measure(folder: Path, names: list[str], others: list[str], reference: seqgen.Run) -> dict[str, dict[str, float]]:
    """Train on one list with both criteria, and blended, and evaluate."""
    path = folder / "names.txt"
    path.write_text("\n".join(names) + "\n")
    by_loss = seqgen.train(path, out=folder / "loss", options={"best_by": "loss"}, blend="none")
    by_copies = seqgen.train(path, out=folder / "copies")
    runs = {
        "held-out loss": by_loss,
        "copies": by_copies,
        "the last of the first": seqgen.load(by_loss.path, checkpoint="latest"),
        "held-out loss, blended": seqgen.train(path, out=folder / "blended", blend="ngram"),
    }
    return {criterion: evaluate(run, names, others, reference) for criterion, run in runs.items()}


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--time", default="60s")
    arguments = parser.parse_args()
    entry = default_plugins().registry.get("corpus", "names")
    names = sorted({record.text for record in entry.build(entry.options({}))})
    lines = [
        "# Lists of fewer than 200 names",
        "",
        f"Written by `python benchmarks/few_records.py`, which says how; {arguments.seeds} seeds.",
        "",
        *HEAD,
    ]
    with tempfile.TemporaryDirectory() as place:
        reference = seqgen.train("names", time=arguments.time, out=Path(place) / "reference")
        for size in SIZES:
            rounds = []
            for seed in range(arguments.seeds):
                folder = Path(place) / f"{size}-{seed}"
                folder.mkdir()
                chosen = random.Random(seed).sample(names, size + SAMPLES)
                rounds.append(measure(folder, chosen[:size], chosen[size:], reference))
            for criterion in rounds[0]:
                mean = {key: mean_of([row[criterion][key] for row in rounds]) for key in rounds[0][criterion]}
                lines.append(
                    f"| {size} | {criterion} | {mean['step']:.0f} | {mean['new']:.0%} | {mean['cost']:.2f} "
                    f"| {mean['bits']:.2f} |"
                )
                print(lines[-1], flush=True)
        lines += ["", f"Names of the corpus cost {cost(reference, random.Random(0).sample(names, SAMPLES)):.2f}."]
    (RESULTS / "few_records.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
