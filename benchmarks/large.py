"""A corpus larger than memory: encoding speed, and anonymous memory during training.

    python benchmarks/large.py [--megabytes 1000] [--molsets PATH]

The corpora are a file of random words, about ten per line, and, if its wheel is given, the 1.76 million molecules of
MOSES. Speeds are measured in this process: a tokenizer on lists of 8,192 texts, and the whole pipeline from the file to
mapped arrays. Memory is the peak of ``RssAnon`` in /proc for a run of 20 steps in its own process, first with an empty
cache, then with a full one; for comparison that of ``import torch``, of the same run on forty words, and the cost of
refusing or skipping a line of 1 GB. The table is stored in benchmarks/results/large.md. ``refuse_long_line`` and
``peak_mb`` are also used by promises.py.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from report import RESULTS, table
from seqgen.api.corpora import open_corpus, sort_out_corpus
from seqgen.batches import cached, encode
from seqgen.corpus import Record, Splitter
from seqgen.plugins.selection import default_plugins
from seqgen.tokenizers import Vocabulary

BATCH_SIZE = 8192
TRAIN = [sys.executable, "-m", "seqgen", "train", "--steps", "20", "-o", "samples=0", "--corpus"]
HEAD = ("what", "first time", "again", "unit")


def write_words(path: Path, megabytes: int) -> None:
    """Write a file of lines of random words."""
    random.seed(0)
    words = ["".join(random.choices("etaoinshrdlucmfwypvbgkjqxz", k=random.randint(2, 9))) for _ in range(5000)]
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            file.writelines(" ".join(random.choices(words, k=random.randint(5, 15))) + "\n" for _ in range(20_000))


def chunks(records: Iterable[Record], most: int) -> Iterator[list[str]]:
    """Yield lists of texts until they have ``most`` characters."""
    total, chunk = 0, []
    for record in records:
        chunk.append(record.text)
        if len(chunk) == BATCH_SIZE:
            yield chunk
            total += sum(map(len, chunk))
            chunk = []
            if total > most:
                return


def tokenizer_speed(tokenizer: Any, records: Iterable[Record]) -> float:
    """Return the speed of a tokenizer, MB/s."""
    texts = list(chunks(records, 50_000_000))
    started = time.perf_counter()
    for chunk in texts:
        tokenizer.encode_many(chunk)
    return sum(len(text) for chunk in texts for text in chunk) / 1e6 / (time.perf_counter() - started)


def pipeline_speed(tokenizer: Any, records: Iterable[Record], n_chars: int, home: Path) -> float:
    """Return the speed from the corpus to mapped arrays, MB/s."""
    started = time.perf_counter()
    cached(home, {}, lambda make_sink: encode(records, Vocabulary(tokenizer), Splitter(), make_sink))
    return n_chars / 1e6 / (time.perf_counter() - started)


def peak_mb(command: list[str], folder: Path, code: int = 0) -> tuple[float, float]:
    """Return a process's peak anonymous memory, MB, and its run time, s; it must exit with ``code``."""
    started, peak = time.perf_counter(), 0.0
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        peak = max(peak, int(found[1]) / 1024 if found else 0.0)
        time.sleep(0.02)
    if process.returncode != code:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return peak, time.perf_counter() - started


def refuse_long_line(folder: Path, n_bytes: int = 1_000_000_000) -> dict[str, tuple[float, float]]:
    """Return the cost of refusing and of skipping a line of ``n_bytes``: seconds and MB above those of a short file.

    The line is a hole in a sparse file, so it takes no disk space; the file is removed.
    """
    path, short = folder / "one-line.txt", folder / "short.txt"
    short.write_text("anna\nben\n")
    path.write_text("anna\nben\n")
    with path.open("r+b") as file:
        file.truncate(n_bytes)
    show = [sys.executable, "-m", "seqgen", "show", "corpus"]
    try:
        base_mb, base_s = peak_mb([*show, str(short)], folder)
        found = {}
        for what, more, code in (("refusing", [], 3), ("skipping", ["-o", "long_lines=skip"], 0)):
            mb, took_s = peak_mb([*show, str(path), *more], folder, code)
            found[what] = max(0.0, took_s - base_s), max(0.0, mb - base_mb)
    finally:
        path.unlink()
    return found


def measure(name: str, corpus: str, options: dict[str, str], folder: Path) -> list[list[str]]:
    """Return the rows of a corpus."""
    entry, implied = sort_out_corpus(corpus, default_plugins())
    records = open_corpus(entry, entry.options(implied | options))
    registry = default_plugins().registry
    domain = registry.get("domain", entry.spec.domain or "text").spec
    n_chars, rows = sum(len(record.text) for record in records), []
    for tokenizer_name in dict.fromkeys([domain.tokenizer, "char", "byte"]):
        tokenizer = registry.get("tokenizer", tokenizer_name).load().fit(record.text for record in records)
        rows.append([f"{name}: tokenizer {tokenizer_name}", f"{tokenizer_speed(tokenizer, records):,.0f}", "", "MB/s"])
        if tokenizer_name == domain.tokenizer:
            speed = pipeline_speed(tokenizer, records, n_chars, folder / f"arrays-{len(corpus)}")
            rows.append([f"{name}: from file to arrays, {tokenizer_name}", f"{speed:,.0f}", "", "MB/s"])
    arguments = [part for key, value in options.items() for part in ("-o", f"corpus.{key}={value}")]
    command = [*TRAIN, corpus, *arguments]
    found = [peak_mb(command, folder) for _ in range(2)]
    rows.append([f"{name}: memory of a run", *(f"{peak:,.0f}" for peak, _ in found), "MB"])
    rows.append([f"{name}: a run of 20 steps, total", *(f"{took_s:,.0f}" for _, took_s in found), "s"])
    return rows


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--molsets", help="wheel of molsets, or the folder it was unpacked to")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_words(folder / "words.txt", args.megabytes)
        (folder / "few.txt").write_text("anna\nben\ncarla\ndora\nemil\nfred\ngina\nhans\n" * 5)
        torch_mb, _ = peak_mb([sys.executable, "-c", "import torch; torch.ones(9) @ torch.ones(9)"], folder)
        rows = [["import torch", f"{torch_mb:,.0f}", "", "MB"]]
        few_mb, _ = peak_mb([*TRAIN, "./few.txt"], folder)
        rows.append(["training on forty words", f"{few_mb:,.0f}", "", "MB"])
        for what, (took_s, mb) in refuse_long_line(folder).items():
            rows.append([f"{what} a line of 1 GB, above a short file", f"{took_s:.1f} s", f"{mb:,.0f} MB", ""])
        rows += measure(f"{args.megabytes:,} MB of lines", str(folder / "words.txt"), {}, folder)
        if args.molsets:
            rows += measure("MOSES", "moses", {"path": str(Path(args.molsets).resolve())}, folder)
    text = f"# A corpus larger than memory\n\n{table(HEAD, rows)}\n"
    (RESULTS / "large.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
