"""Default runs with and without what a record repeats of itself, on the shipped corpora.

    python benchmarks/repeats.py [--corpora a,b] [--cell C] [--seeds N] [--work DIR] [--finished]

Each run is trained with the default settings, and evaluated twice: as it is, and by the same weights and counts without
what records repeat. Bits per character are of the test part, a stop counted as one character; the difference is a mean
over the seeds with a 95% interval of Student's t. "n" is modified Kneser-Ney of the best order; "under" is how many
bits fewer the run needs than the better of it and of the network alone. Shares and lengths are of 2,000 samples each;
"again" is the share of bars (of tunes) or lines (of other texts) of a sample, of more than three characters, that
occur in it before, also of training records; "rows/s" compares sampling without and with. "topics" are Python's help
topics, one long text. With --work, figures are kept there and not measured again; with --finished no others are. The
table is stored in benchmarks/results/repeats.md.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import seqgen
from domains import write_long_text
from finished import Finished
from report import mean_text, table, write_page
from seqgen.counting import Repeats, network_of
from seqgen.evaluation import penalty, record_losses
from seqgen.measure import read_corpus

CORPORA = ["tunes", "python", "topics", "titles", "cards", "smiles", "names", "pokemon"]
_SAMPLES = 2000
LOSSES = ["corpus", "n", "network", "without", "with", "with - without", "under", "used", "rows/s", "s"]
SHARES = ["corpus", "valid", "unique", "novel", "characters", "(records)", "again", "(records)"]


def again(texts: list[str]) -> float:
    """Return the mean share of the bars or lines of a text that occur in it before."""
    shares = []
    for text in texts:
        parts = [part for part in text.replace("\n", "|").split("|") if len(part) > 3]
        shares.append(1 - len(set(parts)) / max(1, len(parts)))
    return statistics.mean(shares)


def bits_of(run: seqgen.Run, model: Any, test: Any) -> float:
    """Return the bits per character of the test part."""
    return record_losses(model, test, run.vocabulary, penalty(run.vocabulary, model)).bits_per_char


def look(run: seqgen.Run, test: Any) -> dict[str, float]:
    """Return the figures of a run."""
    evaluated = run.evaluate(_SAMPLES if run.vocabulary.ends else 1)
    found = {"bits": bits_of(run, run.model, test), "n": evaluated["baseline_kneser_ney_bits_per_char"]}
    if not run.vocabulary.ends:
        return found
    started = time.perf_counter()
    texts = [row.text for row in run.sample(_SAMPLES, seed=1)]
    found |= {"rows_s": _SAMPLES / (time.perf_counter() - started)}
    found |= {"characters": statistics.mean(map(len, texts)), "again": again(texts)}
    return found | {name: evaluated[name] for name in ("valid", "unique", "novel") if name in evaluated}


def measure(corpus: str, cell: str, seed: int, folder: Path) -> dict[str, Any]:
    """Train and evaluate."""
    source: Any = write_long_text(folder) if corpus == "topics" else corpus
    layout = {"layout": "stream"} if corpus == "topics" else {}
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "run"
        run = seqgen.train(source, cell=cell, seed=seed, out=out, options={"train.samples": 0}, **layout)
        test = read_corpus(run).encoded["test"]
        found: dict[str, Any] = {"with": look(run, test), "elapsed_s": run.state["elapsed_s"]}
        found |= {"used": isinstance(run.model, Repeats), "network": bits_of(run, network_of(run.model), test)}
        without = seqgen.load(out)
        if isinstance(without.model, Repeats):
            without.__dict__["_loaded"] = (without.model.predictor, without.state)
        found["without"] = look(without, test) if found["used"] else found["with"]
        if run.vocabulary.ends:
            records = [record.text for record in itertools.islice(run.corpus, 10_000)]
            found |= {"characters": statistics.mean(map(len, records)), "again": again(records)}
    return found


def rows(corpus: str, runs: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the rows of losses and of samples of a corpus."""

    def mean(kind: str, name: str) -> float:
        return statistics.mean(run[kind][name] for run in runs)

    def both(name: str, form: str) -> str:
        known = all(name in run["with"] for run in runs)
        return " / ".join(format(mean(kind, name), form) for kind in ("without", "with")) if known else ""

    def of_records(name: str, form: str) -> str:
        return format(runs[0][name], form) if name in runs[0] else ""

    differences = [run["with"]["bits"] - run["without"]["bits"] for run in runs]
    under = statistics.mean(min(run["with"]["n"], run["network"]) - run["with"]["bits"] for run in runs)
    losses = [
        corpus, f"{mean('with', 'n'):.3f}", f"{statistics.mean(run['network'] for run in runs):.3f}",
        f"{mean('without', 'bits'):.3f}", f"{mean('with', 'bits'):.3f}", mean_text(differences, "+.3f"), f"{under:.3f}",
        f"{sum(run['used'] for run in runs)} of {len(runs)}", both("rows_s", ",.0f"),
        f"{statistics.mean(run['elapsed_s'] for run in runs):.0f}",
    ]  # fmt: skip
    shares = [both(name, ".1%") for name in ("valid", "unique", "novel")]
    shares += [both("characters", ".0f"), of_records("characters", ".0f")]
    return losses, [corpus, *shares, both("again", ".1%"), of_records("again", ".1%")]


def main() -> None:
    """Measure, print and store the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default=",".join(CORPORA))
    parser.add_argument("--cell", default="gru")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder in which figures are kept")
    parser.add_argument("--finished", action="store_true", help="only the finished runs: train nothing")
    given = parser.parse_args()
    finished = Finished(given.work and given.work / "repeats.jsonl")
    losses, shares = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for corpus in given.corpora.split(","):
            if given.finished and (corpus, given.cell, given.seeds - 1) not in finished.figures:
                continue

            def measured(corpus: str, cell: str, seed: int) -> dict[str, Any]:
                return measure(corpus, cell, seed, Path(temporary))

            found = rows(corpus, [finished.of(measured, corpus, given.cell, seed) for seed in range(given.seeds)])
            print(" | ".join((*found[0], *found[1][1:])), flush=True)
            losses.append(found[0])
            shares.append(found[1])
    caption = (
        f"Written by `python benchmarks/repeats.py --seeds {given.seeds}`, which says how: default runs of\n"
        f"`{given.cell}`, the same weights without and with what a record repeats; other programs used a core."
    )
    body = "\n\n".join((table(LOSSES, losses), "Of 2,000 samples, without and with:", table(SHARES, shares)))
    write_page("repeats", "What a record repeats", caption, given.seeds, body)


if __name__ == "__main__":
    main()
