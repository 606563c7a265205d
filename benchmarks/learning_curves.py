"""Lists of 50 records and more under default settings, beside counting: which predicts new records best?

    python benchmarks/learning_curves.py [--corpora a,b] [--list NAME=FILE] [--sizes 50,100] [--seeds N] [--work DIR]

For each size, random records of a corpus, none of its test part, are written to a file and trained on with the
default settings of a file, `seqgen train --corpus list.jsonl --valid-file ... --test-file ...`, a tenth of them held
out; all are evaluated on the full test part of the corpus; the figures are bits per character. Kneser-Ney is the best
order on the same records. PPMd compresses each test record alone after the training records, as the others judge it,
the mean of at most 300 of them. "PPMd, all" compresses the whole test part after the training records, and so learns
from each test record before the next: on few records that is most of what it knows. Copies are the share of 500 samples
that are training records. With --list, the records of a file are a further corpus, a twentieth of them its test part.
The default corpora are names, titles, smiles, cards and tunes; means over the seeds. With --work, finished runs are
kept there, and with --finished no others are trained. The table is stored in benchmarks/results/learning_curves.md.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

from pyppmd import Ppmd7Encoder

import seqgen
from finished import Finished
from report import table, write_page
from seqgen.corpus import Splitter
from seqgen.evaluation.baselines import joined, ppmd_bits_per_char
from seqgen.plugins.selection import default_plugins

CORPORA = ["names", "titles", "smiles", "cards", "tunes"]
SIZES = [50, 100, 300, 1000, 3000, 10**9]
_SAMPLES, _HELD_OUT = 500, 0.1
_COMPRESSED = 300  # test records
_FIGURES = ("test_bits_per_char", "test_network_bits_per_char", "baseline_kneser_ney_bits_per_char", "ppmd",
            "baseline_ppmd_bits_per_char", "copies")  # fmt: skip
HEAD = ["corpus", "records", "default", "network alone", "Kneser-Ney", "PPMd", "PPMd, all", "under the best", "copies",
        "blended", "repeats", "s"]  # fmt: skip


def records_of(corpus: str, file: Path | None) -> tuple[list[str], list[str]]:
    """Return the distinct records of a corpus outside its test part, and those of its test part."""
    registry = default_plugins().registry
    if file is None:
        entry = registry.get("corpus", corpus)
        texts = [record.text for record in entry.build(entry.options({}))]
    else:
        texts = file.read_text(encoding="utf-8").splitlines()
    splitter = Splitter((0.9, 0.05, 0.05), 0)
    parts = {text: splitter.part(seqgen.Record(text)) for text in dict.fromkeys(texts) if text}
    return [text for text, part in parts.items() if part != "test"], [
        text for text, part in parts.items() if part == "test"
    ]


def write_list(path: Path, texts: list[str]) -> Path:
    """Write records, which may have several lines, as JSON lines."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def measure(texts: list[str], test: list[str], seed: int) -> dict[str, Any]:
    """Train on a list with the default settings of a file, and evaluate."""
    n_held_out = max(1, round(_HELD_OUT * len(texts)))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = {
            name: write_list(folder / f"{name}.jsonl", some)
            for name, some in (("list", texts[n_held_out:]), ("valid", texts[:n_held_out]), ("test", test))
        }
        run = seqgen.train(
            files["list"], valid=files["valid"], test=files["test"], seed=seed, out=folder / "run",
            options={"train.samples": 0}, warn=lambda line: None,
        )  # fmt: skip
        figures = run.evaluate(_SAMPLES)
        found = {name: figures[name] for name in _FIGURES if name in figures}
        found["ppmd"] = ppmd_of_each(texts[n_held_out:], test)
        mixed = {name: run.state.get(name) is not None for name in ("gate", "repeats")}
        return found | mixed | {"elapsed_s": run.state["elapsed_s"]}


def ppmd_of_each(train: list[str], test: list[str]) -> float:
    """Return the bits per character that a test record alone adds to the compressed training records, a mean.

    Sizes are whole bytes: in a new order for each record, the training records end at another fraction of one.
    """
    order, _ = ppmd_bits_per_char(train, test)

    def size(texts: list[str]) -> int:
        encoder = Ppmd7Encoder(order, 1 << 26)
        return len(encoder.encode(joined(texts, ends=True))) + len(encoder.flush())

    shuffled = random.Random(0)
    chosen, added = shuffled.sample(test, min(_COMPRESSED, len(test))), 0
    for text in chosen:
        train = shuffled.sample(train, len(train))
        added += size([*train, text]) - size(train)
    return 8 * added / sum(len(text) + 1 for text in chosen)


def row(corpus: str, size: int, rounds: list[dict[str, Any]]) -> list[str]:
    """Return the row of a list size."""

    def mean(name: str) -> float | None:
        values = [one[name] for one in rounds if name in one]
        return statistics.mean(values) if values else None

    bits, alone, kneser_ney, ppmd, ppmd_all, copies = map(mean, _FIGURES)
    assert bits is not None and kneser_ney is not None and ppmd is not None
    figures = [f"{value:.3f}" if value is not None else "" for value in (bits, alone, kneser_ney, ppmd, ppmd_all)]
    best = min(value for value in (alone, kneser_ney, ppmd) if value is not None)
    blended, repeating = (f"{sum(one[name] for one in rounds)} of {len(rounds)}" for name in ("gate", "repeats"))
    return [
        corpus, f"{size:,}", *figures, f"{best - bits:+.3f}", "" if copies is None else f"{copies:.1%}",
        blended, repeating, f"{mean('elapsed_s'):.0f}",
    ]  # fmt: skip


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default=",".join(CORPORA))
    parser.add_argument("--list", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder in which finished runs are kept")
    parser.add_argument("--finished", action="store_true", help="only the finished runs: train nothing")
    given = parser.parse_args()
    lists = {name: None for name in given.corpora.split(",") if name}
    lists |= {name: Path(file) for name, _, file in (one.partition("=") for one in given.list)}
    finished = Finished(given.work and given.work / "curves.jsonl")
    rows = []
    for corpus, file in lists.items():
        texts, test = records_of(corpus, file)
        for size in sorted({min(int(size), len(texts)) for size in given.sizes.split(",")}):
            if given.finished and (corpus, size, given.seeds - 1) not in finished.figures:
                continue

            def measured(corpus: str, size: int, seed: int, texts: Any = texts, test: Any = test) -> dict[str, Any]:
                return measure(random.Random(seed).sample(texts, size), test, seed)

            rounds = [finished.of(measured, corpus, size, seed) for seed in range(given.seeds)]
            rows.append(row(corpus, size, rounds))
            print(" | ".join(rows[-1]), flush=True)
    asked = " ".join([f"--seeds {given.seeds}", *(f"--list {one.partition('=')[0]}=FILE" for one in given.list)])
    caption = [
        f"Written by `python benchmarks/learning_curves.py {asked}`, which says how. Bits per character",
        "of the test part; PPMd judges each test record by itself, as the others do, but learns from its beginning,",
        '"PPMd, all" also from all test records before it. Validation records are in a file, so that lists of fewer',
        "than 200 records are blended too.",
    ]
    write_page("learning_curves", "Learning curves", "\n".join(caption), given.seeds, table(HEAD, rows))


if __name__ == "__main__":
    main()
