"""Cost of a blend: the time of a run, the rate of sampling, and the memory of counting ten million characters.

    python benchmarks/blend_cost.py [--rounds N] [--megabytes 10]

Both runs on ``names`` have default settings, and their networks are the same bit by bit; the time is that of the whole
run, with counting and the fit of the gate. Each then draws 10,000 names. The runs of a round follow one another, and
"x" is the median of the ratios of the rounds, with the smallest and the largest. Memory is the peak of ``RssAnon`` of a
process that trains for 20 steps on lines of Python's library, with and without counting them. The table is stored in
benchmarks/results/blend_cost.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import seqgen
from large import peak_mb
from report import table, write_page

_SAMPLES = 10_000
_TRAIN = [sys.executable, "-m", "seqgen", "train", "--steps", "20", "-o", "samples=0", "--corpus", "./code.txt"]
_KINDS = ("none", "ngram")
_WARM = 100  # samples before the clock starts


def write_code(path: Path, megabytes: float) -> int:
    """Write lines of Python's library until there are enough, and return the number of characters."""
    n_chars = 0
    with path.open("w", encoding="utf-8") as file:
        for source in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
            if "site-packages" in source.parts:
                continue
            for line in source.read_text(encoding="utf-8", errors="ignore").splitlines():
                if not 0 < len(line) < 200:
                    continue
                file.write(line + "\n")
                n_chars += len(line) + 1
                if n_chars >= megabytes * 1e6:
                    return n_chars
    return n_chars


def rounds_of(cell: str, rounds: int, folder: Path) -> list[list[str]]:
    """Return the rows of training and of sampling with a cell."""
    train_s: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    rates: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    for number in range(rounds):
        for kind in _KINDS if number % 2 else reversed(_KINDS):
            started = time.perf_counter()
            run = seqgen.train(
                "names", cell=cell, seed=number, blend=kind, repeats="none", out=folder / f"{cell}-{number}-{kind}"
            )
            train_s[kind].append(time.perf_counter() - started)
            run.sample(_WARM)
            started = time.perf_counter()
            n_drawn = len(run.sample(_SAMPLES, seed=number))
            rates[kind].append(n_drawn / (time.perf_counter() - started))
    speed = [none / blended for none, blended in zip(*train_s.values(), strict=True)]
    drawn = [blended / none for none, blended in zip(*rates.values(), strict=True)]
    return [
        [f"{cell}: a run", *(f"{statistics.median(train_s[kind]):.1f} s" for kind in _KINDS), _ratio(speed), "0.8"],
        [
            f"{cell}: names a second",
            *(f"{statistics.median(rates[kind]):,.0f}" for kind in _KINDS),
            _ratio(drawn),
            "0.2",
        ],
    ]


def _ratio(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=10)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_chars = write_code(folder / "code.txt", given.megabytes)
        peaks, times_s = [], []
        for kind in _KINDS:
            peak_mb([*_TRAIN, "--blend", kind, "--out", f"./first-{kind}"], folder)  # fills the cache of the corpus
            mb, took_s = peak_mb([*_TRAIN, "--blend", kind, "--out", f"./{kind}"], folder)
            peaks.append(mb)
            times_s.append(took_s)
        size_mb = (folder / "ngram" / "ngram.safetensors").stat().st_size / 1e6
        more_mb, more_s = peaks[1] - peaks[0], times_s[1] - times_s[0]
        what = f"{n_chars:,} characters"
        rows.append([f"{what}: peak memory", *(f"{mb:,.0f} MB" for mb in peaks), f"{more_mb:+,.0f} MB", "+300 MB"])
        rows.append([f"{what}: 20 steps", *(f"{took:.0f} s" for took in times_s), f"{more_s:+.0f} s", "+120 s"])
        rows.append([f"{what}: the file of counts", "", f"{size_mb:,.0f} MB", "", ""])
        for cell in ("vanilla", "gru"):
            rows += rounds_of(cell, given.rounds, folder)
    text = table(["what", "without counts", "blended", "x or difference", "goal"], rows)
    caption = "Written by `python benchmarks/blend_cost.py`, which says how."
    write_page("blend_cost", "What a blend costs", caption, given.rounds, text)
    print(text)


if __name__ == "__main__":
    main()
