"""Quality of each domain after a few minutes of training: held-out bits per character, n-grams, shares, a sample.

    python benchmarks/domains.py [--only names,tunes] [--minutes 2] [--molsets PATH] [--picture FOLDER]

Every run uses its corpus's defaults, except for the row's settings. Baselines on the same split are character n-grams
with Kneser-Ney smoothing (quality.py), fitted on at most three million characters. Shares are of 500 samples: valid by
the domain's validator, unique among the valid ones, new among the unique ones, compared by canonical form. The table is
stored in benchmarks/results/domains.md; rows that are not measured are kept.
"""

from __future__ import annotations

import argparse
import pydoc_data.topics
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seqgen
from quality import RESULTS, n_gram_bits
from seqgen.corpus import Splitter

MAX_CHARS, MOST_SHOWN = 3_000_000, 1000  # of a long text to learn, and of a sample to show
SAMPLES = "## A sample of each"
HEAD = ("corpus", "tokens", "records", "symbols", "bits/char", "1-gram", "5-gram", "valid", "unique", "new")


@dataclass(frozen=True)
class Row:
    """A training run of the table.

    Attributes:
        name: name of the row.
        corpus: a registered corpus, or "" for the text of ``write_long_text``.
        settings: more arguments of ``seqgen.train``.
        prefix: prefix of the sample shown.
    """

    name: str
    corpus: str
    settings: dict[str, Any] = field(default_factory=dict)
    prefix: str = ""


ROWS = (
    Row("names", "names"),
    Row("titles", "titles"),
    Row("titles bpe", "titles", {"tokenizer": "bpe"}),
    Row("smiles", "smiles"),
    Row("smiles, any atom first", "smiles", {"augment": "random-smiles"}),
    Row("moses", "moses", {"hidden": 256}),
    Row("tunes", "tunes"),
    Row("pokemon", "pokemon"),
    Row("cards", "cards"),
    Row("cards, fields in any order", "cards", {"augment": "shuffle-fields"}),
    Row("python", "python"),
    Row("long text", "", {"layout": "stream", "hidden": 256}, "The "),
)


def write_long_text(folder: Path) -> Path:
    """Write Python's help topics, half a million characters of prose, and return the path."""
    path = folder / "topics.txt"
    path.write_text("\n".join(pydoc_data.topics.topics.values()), encoding="utf-8")
    return path


def texts_of(run: seqgen.Run) -> tuple[list[str], list[str]]:
    """Return training and test texts; a long text is split in order."""
    splitter = Splitter(run.settings.train.split, run.settings.train.split_seed)
    if run.settings.corpus.layout == "stream":
        whole = "".join(record.text for record in run.corpus)
        ends = splitter.ends(len(whole))
        return [whole[: ends["train"]][:MAX_CHARS]], [whole[ends["valid"] :]]
    train = take_chars(MAX_CHARS, (record.text for record in run.corpus if splitter.part(record) == "train"))
    return list(train), list(take_chars(MAX_CHARS // 10, (r.text for r in run.corpus if splitter.part(r) == "test")))


def take_chars(n_chars: int, texts: Iterator[str]) -> Iterator[str]:
    """Yield texts while their total length is at most ``n_chars``."""
    total = 0
    for text in texts:
        total += len(text)
        if total > n_chars:
            return
        yield text


def measure(row: Row, given: argparse.Namespace, folder: Path) -> tuple[list[str], str]:
    """Train, evaluate, and return the cells of a row and a sample."""
    options = {"corpus.path": given.molsets} if row.corpus == "moses" else {}
    options |= {"train.threads": given.threads} if given.threads else {}
    corpus, out = row.corpus or write_long_text(folder), folder / re.sub(r"\W+", "-", row.name)
    run = seqgen.train(corpus, time=given.minutes * 60, options=options, out=out, **row.settings)
    pictures = given.picture
    figures = run.evaluate(500)
    train, test = texts_of(run)
    counted = [n_gram_bits(train, test, order) for order in (1, 5)]
    shares = [figures.get(name) for name in ("valid", "unique", "novel")]
    shown = ["" if share is None else f"{share:.1%}" for share in shares]
    sample = run.sample(1, seed=1, prefix=row.prefix, max_length=None if run.vocabulary.ends else 120)[0].text
    if pictures is not None and (suffixes := getattr(run.renderer, "suffixes", ())):
        texts = [drawn.text for drawn in run.sample(12, seed=1, valid="valid" in figures)]
        for suffix in suffixes:
            (pictures / f"{row.corpus}{suffix}").write_bytes(run.renderer.draw(texts, suffix))
    cells = [
        row.name,
        run.settings.tokenizer.name.rpartition(":")[2],
        f"{run.settings.corpus.n_records:,}",
        f"{run.vocabulary.tokenizer.n_symbols:,}",
        f"{figures['test_bits_per_char']:.3f}",
        *(f"{bits:.3f}" for bits in counted),
        *shown,
    ]
    return cells, sample if len(sample) <= MOST_SHOWN else f"{sample[:MOST_SHOWN]}…"


def main() -> None:
    """Measure, print and store the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(row.corpus or "long text" for row in ROWS))
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--molsets", help="wheel of molsets, or the folder it was unpacked to")
    parser.add_argument("--threads", type=int, help="threads of each run; left out: by model size")
    parser.add_argument("--picture", type=Path, help="folder for pictures of samples")
    given = parser.parse_args()
    wanted = given.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            if (row.corpus or "long text") not in wanted or (row.corpus == "moses" and not given.molsets):
                continue
            cells, sample = measure(row, given, Path(folder))
            print(f"| {' | '.join(cells)} |\n{sample}", flush=True)
            store(cells, sample, given.minutes)


def store(cells: list[str], sample: str, minutes: float) -> None:
    """Replace one row of the table and its sample, and keep the others."""
    path = RESULTS / "domains.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    there = re.findall(r"^\| (?!corpus|---)(.*?) \|(.*)$", text.partition(SAMPLES)[0], re.M)
    lines = {name: f"| {name} |{rest}" for name, rest in there} | {cells[0]: f"| {' | '.join(cells)} |"}
    samples = dict(re.findall(r"^([^\n]+):\n\n````text\n(.*?)\n````$", text, re.M | re.S)) | {cells[0]: sample}
    head = [f"| {' | '.join(HEAD)} |", f"| --- | --- |{' ---: |' * 8}"]
    title = (
        f"# Domain packs, at most {minutes:g} minutes of training each\n\nWritten by `python benchmarks/domains.py`.\n"
    )
    names = [row.name for row in ROWS if row.name in lines]
    shown = [f"\n{name}:\n\n````text\n{samples[name]}\n````" for name in names]
    body = [lines[name] for name in names]
    path.write_text("\n".join([title, *head, *body, f"\n{SAMPLES}", *shown, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
