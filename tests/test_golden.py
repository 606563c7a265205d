"""Golden losses of short training runs: a change that is not meant to change results reproduces them.

`python tests/test_golden.py` writes them anew; say why in CHANGELOG.md.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import seqgen
from conftest import WORDS

GOLDEN = Path(__file__).parent / "golden"
CELLS = ("vanilla", "gru", "lstm")


def losses(cell: str) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "words.txt"
        corpus.write_text("\n".join(WORDS))
        run = seqgen.train(
            corpus, cell=cell, hidden=16, embedding=8, layers=2, dropout=0.1, batch_size=8, steps=30, lr=0.01,
            split="80/10/10", options={"eval_every": 3, "patience": 0, "warmup_steps": 2}, out=Path(folder) / "run",
        )  # fmt: skip
        return [row[name] for row in run.metrics for name in ("train_loss_nats", "valid_loss_nats")]


@pytest.mark.parametrize("cell", CELLS)
def test_losses_are_the_golden_ones(cell):
    expected = [float(line) for line in (GOLDEN / f"{cell}.txt").read_text().split()]
    assert losses(cell) == pytest.approx(expected, abs=2e-4)


def test_a_run_of_ngram_from_before_there_was_a_choice_has_witten_bell_smoothing():
    run = seqgen.load(GOLDEN / "runs" / "ngram")
    assert "smoothing" not in run.settings.model.options and run.model.smoothing == "witten-bell"


if __name__ == "__main__":
    for name in CELLS:
        (GOLDEN / f"{name}.txt").write_text("".join(f"{loss:.6f}\n" for loss in losses(name)))
