"""A corpus larger than memory: encoding speed, and anonymous memory during training.

    python benchmarks/large.py [--megabytes 1000] [--molsets PATH]

The corpora are a file of random words, about ten per line, and, if its wheel is given, the 1.76 million molecules of
MOSES. Speeds are measured in this process: a tokenizer on lists of 8,192 texts, and the whole pipeline from the file to
mapped arrays. Memory is the peak of ``RssAnon`` in /proc for a run of 20 steps in its own process, first with an empty
cache, then with a full one; for comparison that of ``import torch``, of the same run on forty words, and the cost of
refusing or skipping a line of 1 GB. The table is stored in benchmarks/results/large.md. ``refuse_long_line`` and
``peak_mb`` are also used by promises.py.

    python benchmarks/large.py --read 1 --workers 2 [--folder DIR]

This measures ``seqgen train --workers N --steps 1`` on a file of that many gigabytes of distinct lines, with an empty
cache, and puts the row into benchmarks/results/large_corpus.md: the seconds and CPU seconds of all processes, and the
peak memory of each, with what it maps of files (``VmHWM``) and without (``RssAnon``). The folder needs 2.5 times the
size.
"""

from __future__ import annotations

import argparse
import itertools
import json
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

from report import RESULTS, machine, table
from seqgen.api.corpora import open_corpus, sort_out_corpus
from seqgen.batches import cached, encode
from seqgen.corpus import Record, Splitter
from seqgen.plugins.selection import default_plugins
from seqgen.tokenizers import Vocabulary
from timing import Setting

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


# -- read by several processes

_READ_HEAD = (
    "corpus, GB", "workers", "records", "s", "CPU s", "peak of each process, MB", "of these anonymous, MB",
    "all at once, MB", "anonymous, MB",
)  # fmt: skip
_CAPTION = """# Large corpora, read by several processes

`python benchmarks/large.py --read GB --workers N` writes a row: `seqgen train --corpus FILE --steps 1 --workers N` on a
file of distinct lines of about 60 characters, with an empty cache, until the run has ended. Processes that only read
come and go: those of counting, those of encoding, then those that train. Mapped files, such as the libraries of torch,
count in the peak of each process; the system takes their memory back when it needs it. {machine}
"""


def write_distinct(path: Path, n_bytes: float) -> None:
    """Write a file of distinct lines of random words."""
    random.seed(0)
    words = ["".join(random.choices("etaoinshrdlucmfwypvbgkjqxz", k=random.randint(2, 9))) for _ in range(5000)]
    rests = [" ".join(random.choices(words, k=random.randint(4, 14))) for _ in range(200_000)]
    with path.open("w") as file:
        for letters in itertools.product("etaoinshrdlucm", repeat=4):
            if file.tell() >= n_bytes:
                return
            head = "".join(letters)
            file.write(f"{head} " + f"\n{head} ".join(rests) + "\n")


def processes(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from processes(int(child))
    except OSError:  # it has ended
        return


def tree_peaks(command: list[str], folder: Path) -> tuple[float, dict[int, dict[str, float]], dict[str, float]]:
    """Return the seconds of a command, the peaks of each of its processes, MB, and those of their sums."""
    started, peaks, sums = time.perf_counter(), dict[int, dict[str, float]](), {"VmRSS": 0.0, "RssAnon": 0.0}
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            now = dict.fromkeys(sums, 0.0)
            for pid in list(processes(process.pid)):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                except OSError:
                    continue
                found = {name: int(kb) / 1024 for name, kb in re.findall(r"(VmHWM|VmRSS|RssAnon):\s+(\d+)", status)}
                found["cpu_s"] = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
                known = peaks.setdefault(pid, {})
                known.update({name: max(value, known.get(name, 0.0)) for name, value in found.items()})
                now = {name: now[name] + found.get(name, 0.0) for name in now}
            sums = {name: max(sums[name], now[name]) for name in sums}
            time.sleep(0.1)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - started, peaks, sums


def measure_reading(gigabytes: float, workers: int, folder: Path) -> list[str]:
    """Return the row of a corpus of some size, read by some processes."""
    path = folder / "distinct.txt"
    write_distinct(path, gigabytes * 1e9)
    out = folder / "run"
    command = [*TRAIN[:4], "--steps", "1", "-o", "samples=0", "-q", "--workers", str(workers), "--out", str(out)]
    took_s, peaks, sums = tree_peaks([*command, "--corpus", str(path)], folder)
    n_records = json.loads((out / "run.json").read_text())["corpus"]["n_records"]
    of_each = [sorted((peak.get(name, 0.0) for peak in peaks.values()), reverse=True) for name in ("VmHWM", "RssAnon")]
    each = [" + ".join(f"{peak:,.0f}" for peak in some if peak >= 1) for some in of_each]
    cpu_s = sum(peak["cpu_s"] for peak in peaks.values())
    return [
        f"{gigabytes:g}", str(workers), f"{n_records:,}", f"{took_s:,.0f}", f"{cpu_s:,.0f}", *each,
        f"{sums['VmRSS']:,.0f}", f"{sums['RssAnon']:,.0f}",
    ]  # fmt: skip


def store_reading(row: list[str]) -> str:
    """Put a row into the page, instead of the one of the same size and number of workers; return the page."""
    page = RESULTS / "large_corpus.md"
    lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
    rows = [line.strip("| ").split(" | ") for line in lines if re.match(r"\| [\d.]+ \|", line)]
    rows = sorted([*(known for known in rows if known[:2] != row[:2]), row], key=lambda row: tuple(map(float, row[:2])))
    text = _CAPTION.format(machine=machine(Setting(1, False))) + f"\n{table(_READ_HEAD, rows)}\n"
    page.write_text(text, encoding="utf-8")
    return text


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--molsets", help="wheel of molsets, or the folder it was unpacked to")
    parser.add_argument("--read", type=float, metavar="GB", help="measure how a corpus of this size is read, only")
    parser.add_argument("--workers", type=int, default=1, help="processes that read it")
    parser.add_argument("--folder", help="where files are written meanwhile")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        if args.read is not None:
            print(store_reading(measure_reading(args.read, args.workers, Path(name))))
            return
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
    text = f"# A corpus larger than memory\n\nWritten by `python benchmarks/large.py`.\n\n{table(HEAD, rows)}\n"
    (RESULTS / "large.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
