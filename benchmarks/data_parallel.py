"""Training by several processes beside one: optimizer steps a second.

    python benchmarks/data_parallel.py [--rounds N]

A small model on ``names`` (256 units, batch 128) and a large one on ``smiles`` (3 layers of 768 units, batch 64), each
trained as a whole by one process with one and with two threads, in 8 pieces by one, two and four processes, and in two
pieces by two.
Steps are counted from the first report of progress after a warm-up to the last, so that starting the processes does
not count; it is in a column of its own. The variants of a round follow one another, and "x" is the median of the ratios
to one process of two threads in the same round, with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seqgen
from report import table, write_page

_VARIANTS: dict[str, dict[str, Any]] = {
    "one process, 1 thread": {"threads": 1},
    "one process, 2 threads": {"threads": 2},
    "8 pieces, 1 worker": {"workers": 1},
    "8 pieces, 2 workers": {"workers": 2},
    "8 pieces, 4 workers": {"workers": 4},
    "2 pieces, 2 workers": {"workers": 2, "pieces": 2},
}
_AGAINST = "one process, 2 threads"
_MODELS: dict[str, dict[str, Any]] = {
    "names: vanilla, 1 x 256": {"corpus": "names", "cell": "vanilla", "hidden": 256, "steps": 1500, "batch_size": 128},
    "smiles: gru, 3 x 768": {
        "corpus": "smiles", "cell": "gru", "hidden": 768, "layers": 3, "steps": 12, "batch_size": 64,
    },
}  # fmt: skip
_WARM = 0.2  # share of the steps before the clock starts


@dataclass
class Clock:
    """A listener that times steps.

    Attributes:
        first: the step after which the clock starts.
        seen: steps and times of the reports of progress.
    """

    first: float
    seen: list[tuple[int, float]] = field(default_factory=list)

    def __call__(self, folder: object, event: Any) -> None:
        """Note when a step was taken."""
        if isinstance(event, seqgen.Progress) and event.step >= self.first:
            self.seen.append((event.step, time.perf_counter()))

    @property
    def rate(self) -> float:
        """Steps a second."""
        (step, at), (last, end) = self.seen[0], self.seen[-1]
        return (last - step) / (end - at)


def measure(model: dict[str, Any], variant: dict[str, Any], out: Path) -> tuple[float, float]:
    """Return the steps a second of a run, and the seconds until its first step is reported."""
    steps = model["steps"]
    clock, started = Clock(_WARM * steps), time.perf_counter()
    pieces = {name: value for name, value in variant.items() if name == "pieces"}  # a setting without a keyword
    flags = {name: value for name, value in variant.items() if name != "pieces"}
    options = {"eval_every": steps, "samples": 0, "eval_records": 64, **pieces}
    seqgen.train(**model, **flags, blend="none", options=options, listener=clock, out=out)
    return clock.rate, clock.seen[0][1] - started


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for title, model in _MODELS.items():
            rates: dict[str, list[float]] = {variant: [] for variant in _VARIANTS}
            first_s: dict[str, list[float]] = {variant: [] for variant in _VARIANTS}
            for number in range(given.rounds):
                for variant, settings in _VARIANTS.items():
                    rate, begun_s = measure(model, settings, Path(name) / f"{len(rows)}-{number}-{variant}")
                    rates[variant].append(rate)
                    first_s[variant].append(begun_s)
            for variant, found in rates.items():
                ratios = [mine / theirs for mine, theirs in zip(found, rates[_AGAINST], strict=True)]
                x = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
                begun = f"{statistics.median(first_s[variant]):.1f}"
                rows.append([title, variant, f"{statistics.median(found):,.1f}", x, begun])
    text = table(["model", "how", "steps/s", f"x {_AGAINST}", "seconds to a fifth of the steps"], rows)
    caption = "Written by `python benchmarks/data_parallel.py`, which says how."
    write_page("data_parallel", "Training by several processes", caption, given.rounds, text)
    print(text)


if __name__ == "__main__":
    main()
