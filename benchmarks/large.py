"""What a corpus that is larger than memory costs: encoding speed, and anonymous memory while training.

    python benchmarks/large.py [--megabytes 1000] [--molsets PATH]

A file of random words, a dozen a line, and, if its wheel is given, the 1.76 million molecules of MOSES. Speeds are of
this process: a tokenizer on lists of 8,192 texts, and the whole way from the file to mapped arrays. Memory is the most
that ``RssAnon`` shows in /proc for a training of 20 steps in a process of its own, first with an empty cache, then
with a full one; beside it that of ``import torch`` alone, and of the same training on forty words; and what it costs
to refuse, or to skip, a line of a gigabyte. The table is stored in benchmarks/results/large.md. ``refusing`` and
``peak_mb`` may be called by themselves.
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

TOGETHER = 8192
TRAIN = [sys.executable, "-m", "seqgen", "train", "--steps", "20", "-o", "samples=0", "--corpus"]
HEAD = ("what", "first time", "again", "unit")


def write_words(path: Path, megabytes: int) -> None:
    """A file of lines."""
    random.seed(0)
    words = ["".join(random.choices("etaoinshrdlucmfwypvbgkjqxz", k=random.randint(2, 9))) for _ in range(5000)]
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            file.writelines(" ".join(random.choices(words, k=random.randint(5, 15))) + "\n" for _ in range(20_000))


def chunks(records: Iterable[Record], most: int) -> Iterator[list[str]]:
    """The texts of records, many at a time, until there are so many characters."""
    total, chunk = 0, []
    for record in records:
        chunk.append(record.text)
        if len(chunk) == TOGETHER:
            yield chunk
            total += sum(map(len, chunk))
            chunk = []
            if total > most:
                return


def tokenizer_speed(tokenizer: Any, records: Iterable[Record]) -> float:
    """Megabytes that a tokenizer encodes a second."""
    texts = list(chunks(records, 50_000_000))
    started = time.perf_counter()
    for chunk in texts:
        tokenizer.encode_many(chunk)
    return sum(len(text) for chunk in texts for text in chunk) / 1e6 / (time.perf_counter() - started)


def whole_speed(tokenizer: Any, records: Iterable[Record], n_chars: int, home: Path) -> float:
    """Megabytes a second from the corpus to mapped arrays."""
    started = time.perf_counter()
    cached(home, {}, lambda make_sink: encode(records, Vocabulary(tokenizer), Splitter(), make_sink))
    return n_chars / 1e6 / (time.perf_counter() - started)


def peak_mb(command: list[str], folder: Path, code: int = 0) -> tuple[float, float]:
    """The most anonymous memory of a process, MB, and how long it ran, s; it must end with ``code``."""
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


def refusing(folder: Path, n_bytes: int = 1_000_000_000) -> dict[str, tuple[float, float]]:
    """What refusing, and skipping, a line of so many bytes costs: by what is done, seconds and MB over a short file.

    The line is a hole in a file, so it takes no disk; the file is removed.
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
    """The rows of a corpus."""
    entry, implied = sort_out_corpus(corpus, default_plugins())
    records = open_corpus(entry, entry.options(implied | options))
    registry = default_plugins().registry
    domain = registry.get("domain", entry.spec.domain or "text").spec
    n_chars, rows = sum(len(record.text) for record in records), []
    for of in dict.fromkeys([domain.tokenizer, "char", "byte"]):
        tokenizer = registry.get("tokenizer", of).load().fit(record.text for record in records)
        rows.append([f"{name}: tokenizer {of}", f"{tokenizer_speed(tokenizer, records):,.0f}", "", "MB/s"])
        if of == domain.tokenizer:
            speed = whole_speed(tokenizer, records, n_chars, folder / f"arrays-{len(corpus)}")
            rows.append([f"{name}: from file to arrays, {of}", f"{speed:,.0f}", "", "MB/s"])
    given = [part for key, value in options.items() for part in ("-o", f"corpus.{key}={value}")]
    command = [*TRAIN, corpus, *given]
    found = [peak_mb(command, folder) for _ in range(2)]
    rows.append([f"{name}: memory of a training", *(f"{peak:,.0f}" for peak, _ in found), "MB"])
    rows.append([f"{name}: training of 20 steps, all in all", *(f"{took_s:,.0f}" for _, took_s in found), "s"])
    return rows


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--molsets", help="the wheel of molsets, or the folder it was unpacked to")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_words(folder / "words.txt", given.megabytes)
        (folder / "few.txt").write_text("anna\nben\ncarla\ndora\nemil\nfred\ngina\nhans\n" * 5)
        torch_mb, _ = peak_mb([sys.executable, "-c", "import torch; torch.ones(9) @ torch.ones(9)"], folder)
        rows = [["import torch", f"{torch_mb:,.0f}", "", "MB"]]
        few_mb, _ = peak_mb([*TRAIN, "./few.txt"], folder)
        rows.append(["training on forty words", f"{few_mb:,.0f}", "", "MB"])
        for what, (took_s, mb) in refusing(folder).items():
            rows.append([f"{what} a line of 1 GB: more than for a short file", f"{took_s:.1f} s", f"{mb:,.0f} MB", ""])
        rows += measure(f"{given.megabytes:,} MB of lines", str(folder / "words.txt"), {}, folder)
        if given.molsets:
            rows += measure("MOSES", "moses", {"path": str(Path(given.molsets).resolve())}, folder)
    text = f"# A corpus larger than memory\n\n{table(HEAD, rows)}\n"
    (RESULTS / "large.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
