"""The power of the test of copying on a real list: how often it finds a model that favours its training records.

    python benchmarks/copying_power.py [--draws N] [--work DIR]

A default run of ``vanilla`` on ``names`` scores the names that it has held out, so that it favours none of them. Of
these, 600 are drawn at random, and some of the 600 called held out; the probabilities of the others are multiplied by
a factor, or each gets an equal share of half their sum, as in a model that writes one of them half as often again.
The test is that of ``seqgen evaluate``, at 0.025; its n-gram counts the 600 names. "Error" is the standard deviation of
the difference between the log probabilities of model and n-gram. The table is stored in
benchmarks/results/copying_power.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import seqgen
from report import table, write_page
from seqgen.evaluation.copying import copy_ratio, reference_log_probs

_N, _LEVEL = 600, 0.025
_HELD_OUT = (60, 300)
_FACTORS = (1.0, 1.25, 1.7, 2.5, 4.0)
COPIER = "copies 1.5 times as often"


def rejections(run: seqgen.Run, n_held_out: int, n_draws: int) -> tuple[dict[str, float], float]:
    """Return the share of draws that the test rejects, by what the model does, and the error of the n-gram, nats."""
    known = {record.text for record in run.records("train")}
    texts = dict.fromkeys(record.text for part in ("valid", "test") for record in run.records(part))  # type: ignore[arg-type]
    held_out = [text for text in texts if text not in known]
    logs = dict(zip(held_out, (-score.nats for score in run.score(held_out)), strict=True))
    found: dict[str, int] = dict.fromkeys([*(f"{factor:g} times as probable" for factor in _FACTORS), COPIER], 0)
    errors = []
    for seed in range(n_draws):
        random = np.random.default_rng(seed)
        drawn = random.choice(held_out, _N, replace=False).tolist()
        is_train_N = np.ones(_N, dtype=bool)
        is_train_N[random.choice(_N, n_held_out, replace=False)] = False
        log_p_N, log_q_N = np.array([logs[text] for text in drawn]), reference_log_probs(drawn)
        errors.append(float(np.std(log_p_N - log_q_N)))
        share = 0.5 * np.exp(log_p_N)[is_train_N].sum() / is_train_N.sum()
        planted = {f"{factor:g} times as probable": log_p_N + np.log(factor) * is_train_N for factor in _FACTORS}
        planted[COPIER] = np.log(np.exp(log_p_N) + share * is_train_N)
        for name, log_N in planted.items():
            found[name] += copy_ratio(log_N, log_q_N, is_train_N, _N)[1] < _LEVEL
    return {name: number / n_draws for name, number in found.items()}, float(np.mean(errors))


def main() -> None:
    """Train the run, test the draws, and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--work", help="folder where the run is kept")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(args.work or folder) / "names"
        run = seqgen.load(path) if path.exists() else seqgen.train("names", cell="vanilla", out=path)
        columns = [rejections(run, n_held_out, args.draws) for n_held_out in _HELD_OUT]
    rows = [[name, *(f"{100 * shares[name]:.0f}%" for shares, _ in columns)] for name in columns[0][0]]
    head = ["training records are", *(f"{n} of {_N} held out" for n in _HELD_OUT)]
    write_page(
        "copying_power",
        "What the test of copying finds",
        f"Written by `python benchmarks/copying_power.py --draws {args.draws}`, which says how: the share of draws "
        f"that the test rejects at {_LEVEL}. Up to 1.25 times as probable counts as no memorization. Error of the "
        f"n-gram: {columns[0][1]:.1f} nats a record.",
        1,
        table(head, rows),
    )


if __name__ == "__main__":
    main()
