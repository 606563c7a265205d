"""Names on the published splits of makemore: all cells, the best ones for longer, and three runs of ten minutes.

    python benchmarks/published_splits.py --data FOLDER [--only cells,best,long] [--runs FOLDER]

The folder contains lecture-train.txt, -valid.txt and -test.txt (the 80/10/10 split of the lecture notebooks, seed 42)
and script-train.txt and -test.txt (the split of makemore.py): 32,033 given names. Nats are per symbol, including the
end symbol, as in makemore. The settings of the long runs, including the cells, were chosen among several by the same
held-out names; nothing within a run is chosen by them, but for the gate of the counts: each held-out name is mixed by a
gate that was fitted to others. The sections are stored in
benchmarks/results/names-published.md; sections that are not measured are kept. With --runs, runs are kept there and
finished ones are not trained again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqgen_bench.runner import bench

import seqgen
from report import RESULTS, machine, store, table
from timing import Setting

HEADING = """# Names on the published splits

Written by `python benchmarks/published_splits.py`. Nats per symbol, including the end symbol.
"""
PUBLISHED = {"22k": 2.022, "76k": 1.994, "200k": 1.92}
"""Nats of makemore (github.com/karpathy/makemore and nn-zero-to-hero): hierarchical networks, and a transformer."""


@dataclass(frozen=True)
class Long:
    """A run of ten minutes.

    Attributes:
        size: maximum number of parameters.
        split: "lecture", evaluated on its validation part, or "script", evaluated on its test part.
        goal: nats to reach alone.
        blended_goal: nats to reach with counts.
        settings: arguments of ``seqgen.train``.
        options: its options.
    """

    size: str
    split: str
    goal: float
    blended_goal: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


_OFTEN = {"final_lr_ratio": 0.01, "weight_decay": 0.1, "threads": 1}  # ten minutes are hundreds of epochs
LONG = (
    Long(
        "22k", "lecture", 1.995, 1.96,
        {"cell": "ugrnn", "dropout": 0.1, "embedding": 16, "batch_size": 256, "lr": 1e-2},
        {**_OFTEN, "recurrent_dropout": 0.05},
    ),
    Long(
        "76k", "lecture", 1.950, 1.92,
        {"cell": "mogrifier", "dropout": 0.3, "batch_size": 256, "lr": 6e-3}, {**_OFTEN, "recurrent_dropout": 0.25},
    ),
    Long(
        "200k", "script", 1.890, 1.87,
        {"cell": "mogrifier", "dropout": 0.45, "batch_size": 256, "lr": 4e-3}, {**_OFTEN, "recurrent_dropout": 0.3},
    ),
)  # fmt: skip


def files(data: Path, split: str) -> dict[str, Any]:
    """Return a split as arguments of ``seqgen.train``; the script's split has no validation part."""
    held_out = "valid" if split == "lecture" else "test"
    return {"corpus": data / f"{split}-train.txt", "valid": data / f"{split}-{held_out}.txt"}


def all_cells(given: argparse.Namespace, runs: Path) -> str:
    """Train every cell for 15 seconds."""
    return _bench(given, runs / "cells", "all", seeds=1, time=15)


def best_cells(given: argparse.Namespace, runs: Path) -> str:
    """Train the best eight cells after 15 seconds for a minute with three seeds each."""
    found = json.loads((runs / "cells" / "results.json").read_text(encoding="utf-8"))["rows"]
    names = [row["cell"] for row in found if not row["problem"]][:8]
    return _bench(given, runs / "best", names, seeds=3, time=60)


def _bench(given: argparse.Namespace, out: Path, cells: Any, **settings: Any) -> str:
    parts = files(given.data, "lecture")
    result = bench(cells=cells, params="50k", out=out, **parts, **settings)
    head = ["cell", "nats", "± 95%", "bits/char", "parameters", "units", "steps", "tokens/s", "samples/s"]
    rows = []
    for row in result.rows:
        if row["problem"]:
            rows.append([row["cell"], row["problem"], *[""] * (len(head) - 2)])
            continue
        nats, interval = row["bits_per_char"] * math.log(2), row["interval"]
        spread = "" if interval is None else f"{interval * math.log(2):.4f}"
        figures = [f"{row[name]:,.0f}" for name in ("parameters", "width", "steps", "tokens_per_s", "samples_per_s")]
        rows.append([row["cell"], f"{nats:.4f}", spread, f"{row['bits_per_char']:.3f}", *figures])
    return table(head, rows)


def long_runs(given: argparse.Namespace, runs: Path) -> str:
    """Train three runs of ten minutes with the best settings found, alone and with counts, and show their curves."""
    head = ["parameters", "split", "nats", "goal", "met", "published", "with counts", "goal", "met", "training nats",
            "steps", "settings"]  # fmt: skip
    rows, curves = [], []
    for long in (long for long in LONG if long.size in given.sizes.split(",")):
        run = _train(given, long, runs / f"long-{long.size}")
        bits = [row["valid_network_bits_per_char"] for row in run.metrics if "valid_network_bits_per_char" in row]
        losses = [math.log(2) * one for one in bits]  # every symbol is a character or an end
        reached, last = losses[-1], run.metrics[-1]
        blended = last["valid_loss_nats"]
        shown_settings = ", ".join(f"{name} {value}" for name, value in [*long.settings.items(), *long.options.items()])
        rows.append(
            [
                f"{run.settings.n_parameters:,}", f"{long.split} {'validation' if long.split == 'lecture' else 'test'}",
                f"{reached:.4f}", f"{long.goal}", "yes" if reached <= long.goal else "no", f"{PUBLISHED[long.size]}",
                f"{blended:.4f}", f"{long.blended_goal}", "yes" if blended <= long.blended_goal else "no",
                f"{last['train_loss_nats']:.3f}", f"{last['step']:,}", shown_settings,
            ]
        )  # fmt: skip
        shown = [losses[round(at * (len(losses) - 1) / 11)] for at in range(12)]
        curves.append([long.size, *(f"{loss:.3f}" for loss in shown)])
    return "\n\n".join(
        [
            table(head, rows),
            "Held-out nats of the network, evenly spaced over each run:",
            table(["run", *(f"{part}/12" for part in range(1, 13))], curves),
        ]
    )


def _train(given: argparse.Namespace, long: Long, out: Path) -> seqgen.Run:
    if out.exists():
        return seqgen.load(out)
    options = {"samples": 0, "patience": 0, "blend": "ngram", "repeats": "none"} | dict(long.options)
    parts = files(given.data, long.split)
    corpus = parts.pop("corpus")
    return seqgen.train(
        corpus, params=long.size, time=given.minutes * 60, options=options, out=out, **parts, **long.settings
    )


SECTIONS = {"cells": all_cells, "best": best_cells, "long": long_runs}
TITLES = {
    "cells": "every cell for 15 seconds",
    "best": "the eight that were best for 15 seconds, three times for a minute",
    "long": "three runs of ten minutes with the best settings found, alone and with counts",
}


def main() -> None:
    """Measure, print and store the sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the published splits")
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument(
        "--sizes", default=",".join(long.size for long in LONG), help="sizes of the long runs, comma-separated"
    )
    parser.add_argument("--minutes", type=float, default=10, help="minutes of each long run")
    parser.add_argument("--runs", type=Path, help="folder to keep the runs in")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = given.runs or Path(folder)
        for name in given.only.split(","):
            section = SECTIONS[name]
            text = f"## {name}: {TITLES[name]}\n\n{machine(Setting(1))}\n\n{section(given, runs)}\n"
            print(text, flush=True)
            store(RESULTS / "names-published.md", HEADING, {name: text}, list(SECTIONS))


if __name__ == "__main__":
    main()
