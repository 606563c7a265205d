"""The power of shared substrings and nearest records: whom they accuse that copies nothing, and whom they find.

    python benchmarks/similarity_power.py [--draws N]

There are no models here, only their samples, so that what they copy is known. "Sums" are texts like 12+34=46: of the
10,000 sums of two numbers below 100, or of the million of two below 1,000, 1,000 are records, some of which are held
out. 500 samples are sums drawn anew or, from a copier, training records; in a share of them one digit is wrong.
"Passages" are texts of 60 letters by a Markov chain of 12 letters; a copier writes 25 letters of a training record into
some of its samples. Exact copies are left out. The table has the share of draws in which the interval of shared
substrings, or that of the nearest record, accuses the model; and in which it is the first one alone, while the p-value
of the labels "training" and "held out" is above 0.025, so that a note says so. It is stored in
benchmarks/results/similarity_power.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from report import table, write_page
from seqgen.evaluation import LEVEL, similarity_metrics

_RECORDS, _SAMPLES, _HELD_OUT = 1000, 500, (100, 300)
_LETTERS, _LENGTH, _PASSAGE = 12, 60, 25
COLUMNS = ["texts", "held out", "copied", "shared substrings", "nearest record", "either", "with the note"]


def sums(random: np.random.Generator, n: int, below: int) -> list[str]:
    """Return sums of two numbers."""
    return [f"{a}+{b}={a + b}" for a, b in random.integers(0, below, (n, 2)).tolist()]


def with_error(random: np.random.Generator, text: str) -> str:
    """Return a sum with one wrong digit."""
    at = random.choice([place for place, character in enumerate(text) if character.isdigit()])
    return f"{text[:at]}{(int(text[at]) + random.integers(1, 10)) % 10}{text[at + 1 :]}"


def draw_sums(seed: int, n_held_out: int, copied: float, below: int, errors: float) -> tuple[list[str], ...]:
    """Return samples, held-out and training records."""
    random = np.random.default_rng(seed)
    records = list(dict.fromkeys(sums(random, 3 * _RECORDS, below)))[:_RECORDS]
    held_out, training = records[:n_held_out], records[n_held_out:]
    samples = []
    for new in sums(random, _SAMPLES, below):
        text = training[random.integers(len(training))] if random.random() < copied else new
        samples.append(with_error(random, text) if random.random() < errors else text)
    return samples, held_out, training


def draw_passages(seed: int, n_held_out: int, copied: float) -> tuple[list[str], ...]:
    """Return samples, held-out and training records."""
    random = np.random.default_rng(seed)
    ends = np.random.default_rng(99).dirichlet(np.full(_LETTERS, 0.4), _LETTERS).cumsum(1)
    letters, made = np.zeros((_RECORDS + _SAMPLES, _LENGTH), dtype=np.int64), random.integers(_LETTERS, size=1500)
    for place in range(_LENGTH):
        made = (random.random(len(made))[:, None] > ends[made]).sum(1).clip(max=_LETTERS - 1)
        letters[:, place] = made
    texts = ["".join(chr(97 + letter) for letter in row) for row in letters.tolist()]
    held_out, training = texts[:n_held_out], texts[n_held_out:_RECORDS]
    samples = []
    for text in texts[_RECORDS:]:
        if random.random() < copied:
            source, (start, at) = training[random.integers(len(training))], random.integers(_LENGTH - _PASSAGE, size=2)
            text = text[:at] + source[start : start + _PASSAGE] + text[at + _PASSAGE :]
        samples.append(text)
    return samples, held_out, training


def row(name: str, n_held_out: int, copied: float, draws: Iterator[tuple[list[str], ...]]) -> list[str]:
    """Return a row of the table."""
    found = []
    for samples, held_out, training in draws:
        known = set(training)
        new = [text for text in dict.fromkeys(samples) if text not in known]
        metrics = similarity_metrics(new, held_out, training, training)
        shared, nearest = metrics["shared_difference_chars_low"] > 0, metrics["nearest_difference_high"] < 0
        noted = shared and not nearest and metrics["shared_p"] > LEVEL
        found.append((shared, nearest, shared or nearest, noted))
    return [name, str(n_held_out), f"{copied:.0%}", *(f"{share:.0%}" for share in np.mean(found, 0))]


def main() -> None:
    """Draw, measure, and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    n_draws = parser.parse_args().draws
    rows = []
    for n_held_out in _HELD_OUT:
        for below in (100, 1000):
            for errors in (0.5, 0.9):
                for copied in (0.0, 0.05, 0.1, 0.2):
                    draws = (draw_sums(seed, n_held_out, copied, below, errors) for seed in range(n_draws))
                    name = f"sums below {below:,}, {errors:.0%} wrong"
                    rows.append(row(name, n_held_out, copied, draws))
                    print(*rows[-1], sep="  ", flush=True)
        for copied in (0.0, 0.02, 0.05, 0.1):
            draws = (draw_passages(seed, n_held_out, copied) for seed in range(n_draws))
            rows.append(row("passages", n_held_out, copied, draws))
            print(*rows[-1], sep="  ", flush=True)
    caption = (
        f"Written by `python benchmarks/similarity_power.py --draws {n_draws}`, which says how: the share of draws."
    )
    write_page("similarity_power", "What shared substrings and nearest records show", caption, 1, table(COLUMNS, rows))


if __name__ == "__main__":
    main()
