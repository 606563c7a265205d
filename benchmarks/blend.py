"""Default runs beside the former default, the network alone and counting, on the shipped corpora.

    python benchmarks/blend.py [--corpora a,b] [--cells a,b] [--seeds N] [--molsets WHEEL] [--long]
                                [--split-seed N] [--work DIR] [--finished]

Three runs of the same seed are compared: "before", the network under the settings that were the default before counts
were blended (FORMER); "alone", today's default with ``blend="none"``; and "default". The last two have the same network
bit by bit; only the best step may differ. Where the default does not blend they are one run, and it is trained once.
Bits per character are of the test part, a stop counted as one character; the difference is the mean of default less
before over the seeds, with a 95% interval of Student's t. The corpus pokemon, whose test part has 50 names, is split
anew for each of ten seeds. "n" is modified Kneser-Ney of order 1 to 12, chosen without the test part, "8" that of order
1 to 8 that suits the test part best; "under n" and "under 8" are how many bits fewer the default needs than the better
of these and "before". Copies are the share of 2,000 samples that are training records, beside the share that is
expected by chance. "topics" are Python's help topics, one long text. The row of names with units (LONG, asked
for by --long) is the best that two minutes on two idle cores gave. With --split-seed the records are split anew, into
parts by which nothing was chosen. With --work, runs and figures are kept there and not made again; with --finished no
others are, so that a corpus may have fewer seeds ("blends" says of how many). The tables are stored in
benchmarks/results/blend.md, those of another split in blend_new_split.md.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import seqgen
from domains import write_long_text
from rates import recommended as default_rate
from report import mean_text, table, write_page

CORPORA = {name: ["vanilla", "gru"] for name in ("names", "titles", "pokemon")}
CORPORA |= {name: ["gru"] for name in ("topics", "smiles", "tunes", "cards", "python", "moses")}
"""The corpora, and the cells that each is trained with."""
FORMER: dict[str, dict[str, Any]] = {
    "names": {"hidden": 128, "steps": 3000},
    "titles": {"hidden": 256, "batch_size": 32, "embedding": 32},
    "smiles": {"steps": 2000},
    "cards": {"dropout": 0.2},
    "topics": {"hidden": 128, "dropout": 0.0, "steps": 2000},
    "moses": {"lr": 0.002},
}
"""Settings of the former default that differ from today's, by corpus; the rate was otherwise 0.003."""
_RATE = 0.003
LONG: dict[str, Any] = {"cell": "lstm", "hidden": 512, "steps": 1500, "dropout": 0.5}
_SAMPLES = 2000
_COUNTS = ("baseline_5gram_bits_per_char", "at_most_8", "baseline_kneser_ney_bits_per_char")
SPLITS = {"pokemon": 10}  # seeds, each with a split of its own
_SHOWN = ("valid", "unique", "novel")
_KINDS = ("before", "none", "default")
LOSSES = [
    "corpus",
    "cell",
    "5-gram",
    "8",
    "n",
    "before",
    "alone",
    "default",
    "default - before",
    "under 8",
    "under n",
    "blends",
    "repeats",
    "s",
]
SHARES = ["corpus", "cell", "copies before (chance)", "copies default (chance)", "valid", "unique", "novel"]
_CAPTION = """Written by `python benchmarks/blend.py{options}`, which says how.

Bits per character of the test part: counts, the network under the former default, today's network alone, and the
default run. Seconds are of the former default and of the default, most of them while other programs used both cores."""
_SAMPLES_TITLE = "Shares of 2,000 samples under the former default and the default:"


def settings_of(corpus: str, cell: str, kind: str, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the arguments of ``seqgen.train`` for a kind of run."""
    settings: dict[str, Any] = {"corpus": corpus, "cell": cell} | ({} if kind == "default" else {"blend": "none"})
    if corpus == "topics":
        settings |= {"corpus": write_long_text(folder), "layout": "stream"}
    if corpus == "moses":
        settings["options"] = {"corpus.path": given.molsets}
    return settings | ({"lr": _RATE, **FORMER.get(corpus, {})} if kind == "before" else {})


def measure(settings: dict[str, Any], seed: int, out: Path, split_seed: int | None) -> dict[str, Any]:
    """Train and evaluate, or return the figures of the finished run."""
    known = out.with_suffix(".json")
    if known.exists():
        return dict(json.loads(known.read_text(encoding="utf-8")))
    if out.exists() and not seqgen.load(out).folder.load_latest(print).state["ended"]:
        shutil.rmtree(out)
    if out.exists():
        run = seqgen.load(out)
    else:
        options = settings.pop("options", {}) | ({} if split_seed is None else {"train.split_seed": split_seed})
        run = seqgen.train(settings.pop("corpus"), seed=seed, out=out, options=options, **settings)
    figures = run.evaluate(_SAMPLES)
    found = {"bits": figures["test_bits_per_char"], "copies": figures.get("copies", math.nan)}
    figures["at_most_8"] = min(figures["baseline_kneser_ney_by_order"][:8])
    found |= {name: figures[name] for name in (*_SHOWN, *_COUNTS, "copies_chance") if name in figures}
    found |= {name: run.state.get(name) is not None for name in ("gate", "repeats")}
    found |= {"elapsed_s": run.state["elapsed_s"]}
    known.write_text(json.dumps(found), encoding="utf-8")
    return found


def differs(corpus: str, cell: str) -> bool:
    """Return whether the former default had other settings than today's network alone."""
    return corpus in FORMER or default_rate(cell) != _RATE


def compare(corpus: str, cell: str, seed: int, given: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the figures of the three runs of a seed; today's network alone is trained only if the default blends."""
    found: dict[str, dict[str, Any]] = {}
    split_seed = seed if corpus in SPLITS else given.split_seed
    for kind in ("default", "none", "before"):
        if kind == "none" and not (found["default"]["gate"] or found["default"]["repeats"]):
            found[kind] = found["default"]
            continue
        if kind == "before" and not differs(corpus, cell):
            found[kind] = found["none"]
            continue
        settings = settings_of(corpus, cell, kind, given, folder)
        found[kind] = measure(settings, seed, folder / f"{corpus}-{cell}-{seed}-{kind}", split_seed)
    return found


def rows(corpus: str, cell: str, runs: list[dict[str, dict[str, Any]]]) -> tuple[list[str], list[str]]:
    """Return the rows of losses and shares of a corpus from the figures of its runs, one dictionary a seed."""

    def mean(kind: str, name: str) -> float:
        return statistics.mean(found[kind].get(name, math.nan) for found in runs)

    def pair(name: str) -> str:
        shares = [mean(kind, name) for kind in ("before", "default")]
        return "" if math.isnan(shares[0]) else " / ".join(f"{share:.1%}" for share in shares)

    differences = [found["default"]["bits"] - found["before"]["bits"] for found in runs]

    def under(name: str) -> str:
        best = [min(found["before"][name], found["before"]["bits"]) - found["default"]["bits"] for found in runs]
        return f"{statistics.mean(best):.3f}"

    losses = [
        corpus,
        cell,
        *(f"{mean('before', name):.3f}" for name in _COUNTS),
        *(f"{mean(kind, 'bits'):.3f}" for kind in _KINDS),
        mean_text(differences, "+.3f"),
        *(under(name) for name in _COUNTS[1:]),
        f"{sum(found['default']['gate'] for found in runs)} of {len(runs)}",
        f"{sum(found['default']['repeats'] for found in runs)} of {len(runs)}",
        f"{mean('before', 'elapsed_s'):.0f} / {mean('default', 'elapsed_s'):.0f}",
    ]
    copies = [f"{mean(kind, 'copies'):.1%} ({mean(kind, 'copies_chance'):.1%})" for kind in ("before", "default")]
    return losses, [corpus, cell, *("" if "nan" in text else text for text in copies), *map(pair, _SHOWN)]


def longest(seeds: int, folder: Path) -> tuple[list[str], list[str]]:
    """Return the rows of the best that two minutes give on names."""
    runs = []
    for seed in range(seeds):
        found = measure({"corpus": "names", **LONG}, seed, folder / f"names-long-{seed}", None)
        runs.append(dict.fromkeys(_KINDS, found))
    losses, shares = rows("names", f"{LONG['cell']}, {LONG['hidden']} units", runs)
    losses[5] = losses[6] = losses[8] = shares[2] = ""  # there is no former default
    losses[9], losses[10] = (f"{float(losses[at]) - float(losses[7]):.3f}" for at in (3, 4))
    for at in (4, 5, 6):
        shares[at] = shares[at].partition(" / ")[2]
    losses[13] = losses[13].partition(" / ")[2]
    return losses, shares


def main() -> None:
    """Measure, print and store the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default=",".join(CORPORA))
    parser.add_argument("--cells", help="default: vanilla and gru for short lists, gru for others")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--molsets", help="wheel of molsets, without which moses is left out")
    parser.add_argument("--long", action="store_true", help="add the best of two minutes")
    parser.add_argument(
        "--split-seed", type=int, help="split the records anew, for a page of its own; needs a --work of its own"
    )
    parser.add_argument("--work", type=Path, help="folder of finished runs")
    parser.add_argument("--finished", action="store_true", help="only the finished runs: train nothing")
    given = parser.parse_args()
    losses, shares = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        cells = given.cells.split(",") if given.cells else None
        pairs = [(corpus, cell) for corpus in given.corpora.split(",") for cell in cells or CORPORA[corpus]]
        for corpus, cell in pairs:
            if corpus == "moses" and not given.molsets:
                continue
            seeds = list(range(SPLITS.get(corpus, given.seeds)))
            if given.finished:
                last = "before" if differs(corpus, cell) else "none"
                seeds = [seed for seed in seeds if (folder / f"{corpus}-{cell}-{seed}-{last}.json").exists()]
            found = rows(corpus, cell, [compare(corpus, cell, seed, given, folder) for seed in seeds])
            print(f"| {' | '.join((*found[0], *found[1][2:]))} |", flush=True)
            losses.append(found[0])
            shares.append(found[1])
        if given.long:
            found = longest(given.seeds, folder)
            losses.append(found[0])
            shares.append(found[1])
    if given.cells:  # a part of the table
        return
    options = "" if given.corpora == ",".join(CORPORA) else f" --corpora {given.corpora}"
    options += f" --seeds {given.seeds}{' --long' * given.long}"
    page, title = "blend", "Blending with counts"
    if given.split_seed is not None:
        options += f" --split-seed {given.split_seed}"
        page, title = "blend_new_split", "Blending with counts on another split"
    blocks = table(LOSSES, losses), _SAMPLES_TITLE, table(SHARES, shares)
    write_page(page, title, _CAPTION.format(options=options), given.seeds, *blocks)


if __name__ == "__main__":
    main()
