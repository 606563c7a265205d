"""Training on a few molecules of a kind, from scratch and from a run trained on others: ``seqgen train --from``.

    python benchmarks/warm_start.py [--kind 'S(=O)(=O)'] [--few N] [--seeds N] [--time 90s]

The shipped molecules whose text contains ``--kind`` are set aside: ``--few`` for training, as many for validation, and
the rest, if all runs know their symbols, for testing. The first run is trained on all other molecules. Compared are
this run as it is, a run on the few molecules from scratch, and one on them from the weights of the first. Bits per
character are of the test part, means over the seeds; `valid` and `of the kind` are shares of 500 plain samples. The
table is in benchmarks/results/warm_start.md.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from pathlib import Path

import seqgen
from seqgen.plugins.selection import default_plugins

RESULTS = Path(__file__).parent / "results"
SAMPLES = 500


def evaluate(run: seqgen.Run, texts: list[str], kind: str) -> dict[str, float]:
    """Return the bits per character of texts, and shares of samples."""
    chars = [len(text) + 1 for text in texts]
    bits = sum(score.bits_per_char * n for score, n in zip(run.score(texts), chars, strict=True)) / sum(chars)
    rows = [row.text for row in run.sample(SAMPLES)]
    return {
        "bits": bits,
        "valid": sum(run.verdict(row).ok for row in rows) / SAMPLES,
        "kind": sum(kind in row for row in rows) / SAMPLES,
        "seconds": run.folder.latest_state()["elapsed_s"],
        "steps": run.state["step"],
    }


def encodable(text: str, run: seqgen.Run) -> bool:
    """Return whether a run knows every symbol of a text."""
    try:
        return len(run.vocabulary.encode(text)) > 0
    except seqgen.UnknownSymbol:
        return False


def measure(arguments: argparse.Namespace, seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """Train and evaluate the first run and the two that are compared with it."""
    entry = default_plugins().registry.get("corpus", "smiles")
    texts = [record.text for record in entry.build(entry.options({}))]
    of_kind = sorted(text for text in texts if arguments.kind in text)
    random.Random(seed).shuffle(of_kind)
    few = arguments.few
    files = {"train": of_kind[:few], "valid": of_kind[few : 2 * few]}
    files["others"] = [text for text in texts if arguments.kind not in text]
    for name, lines in files.items():
        (folder / f"{name}.smi").write_text("\n".join(lines) + "\n")
    same = {"domain": "smiles", "cell": "gru", "hidden": 256, "seed": seed}
    first = seqgen.train(folder / "others.smi", time=arguments.time, out=folder / "first", **same)
    held_out = {"valid": folder / "valid.smi"}
    alone = seqgen.train(
        folder / "train.smi",
        steps=1000,
        dropout=0.5,
        out=folder / "alone",
        options={"eval_every": 25},
        **held_out,
        **same,
    )
    warm = seqgen.train(
        folder / "train.smi", start=first.path, steps=300, lr=1e-3, dropout=0.3, out=folder / "warm",
        options={"eval_every": 25}, **held_out,
    )  # fmt: skip
    test = [text for text in of_kind[2 * few :] if encodable(text, alone) and encodable(text, first)]
    return {
        "the other molecules alone": evaluate(first, test, arguments.kind),
        f"{few} of the kind alone": evaluate(alone, test, arguments.kind),
        f"{few} of the kind, `--from` the first": evaluate(warm, test, arguments.kind),
    }


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", default="S(=O)(=O)")
    parser.add_argument("--few", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--time", default="90s")
    arguments = parser.parse_args()
    rounds = []
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(measure(arguments, seed, Path(folder)))
        print(rounds[-1], flush=True)
    lines = [
        f"# {arguments.few} molecules that contain `{arguments.kind}`",
        "",
        f"Written by `python benchmarks/warm_start.py`; {arguments.seeds} seeds, a gru of 256 units, "
        f"{arguments.time} for the first run.",
        "",
        "| trained on | test bits/char | valid | of the kind | best step | seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in rounds[0]:
        mean = {key: statistics.mean(row[name][key] for row in rounds) for key in rounds[0][name]}
        lines.append(
            f"| {name} | {mean['bits']:.3f} | {mean['valid']:.1%} | {mean['kind']:.1%} | {mean['steps']:.0f} "
            f"| {mean['seconds']:.0f} |"
        )
    table = "\n".join(lines) + "\n"
    print(table)
    (RESULTS / "warm_start.md").write_text(table)


if __name__ == "__main__":
    main()
