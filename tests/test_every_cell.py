"""What every registered cell and model must do in whole runs: rows that stand for themselves, and learning.

Nothing here is particular to a cell; a new one is tested as soon as it is registered.
"""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

import seqgen
from conftest import cells_in_tiers, in_tiers, registered

CELLS = [entry.qualified for entry in registered("cell")]
REMEMBERING = [entry.qualified for entry in registered("cell") if entry.spec.remembers]  # others are 2-grams at best
COUNTING = [entry.qualified for entry in registered("model") if not entry.spec.uses_cell]
PARTS = [*({"cell": cell} for cell in CELLS), *({"model": model} for model in COUNTING)]
CASES = in_tiers(
    (pytest.param(part, id="".join(part.values())) for part in PARTS),
    lambda part: "model" in part or part["cell"].split(":")[-1] in {"vanilla", "gru", "lstm", "mingru", "transformer"},
)


def name(part):
    return next(iter(part.values()))


def texts(rows):
    return [(row.number, row.text, row.cut) for row in rows]


@pytest.mark.full
@pytest.mark.parametrize("part", CASES)
def test_rows_do_not_depend_on_how_many_are_drawn_nor_on_how_many_together(words, tmp_path, part):
    sizes = {"hidden": 24, "embedding": 10, "layers": 2} if "cell" in part else {}
    run = seqgen.train(words, **part, **sizes, steps=1, split="none", options={"samples": 0}, out=tmp_path / "run")
    few = texts(run.sample(10, seed=5))
    assert len({text for _, text, _ in few}) > 5
    many = texts(run.sample(1100, seed=5))
    assert len(many) == 1100 and many[:10] == few
    assert texts(run.sample(1100, seed=5, batch_size=32)) == many
    assert texts(run.sample(40, seed=5, batch_size=1)) == many[:40]
    assert texts(run.sample(10, seed=6)) != few
    prefixed = texts(run.sample(40, seed=5, prefix="an", temperature=0.8, top_k=9))
    assert texts(run.sample(3, seed=5, prefix="an", temperature=0.8, top_k=9)) == prefixed[:3]


@pytest.mark.full
@pytest.mark.parametrize("part", [{"hidden": 257}, {"hidden": 100, "layers": 3}])
def test_rows_of_a_larger_model(words, tmp_path, part):
    """Products that are shared out among threads, of sizes that fit no vector."""
    run = seqgen.train(
        words, cell="gru", **part, steps=1, split="none", options={"threads": 2, "model.tie": True}, out=tmp_path / "r"
    )
    assert run.settings.engine.threads == 2
    few, many = texts(run.sample(10)), texts(run.sample(1500))
    assert many[:10] == few and texts(run.sample(1100, batch_size=64)) == many[:1100]


@pytest.mark.parametrize("part", CASES)
def test_scores_do_not_depend_on_what_is_scored_together(words, tmp_path, part):
    sizes = {"hidden": 24, "embedding": 10} if "cell" in part else {}
    run = seqgen.train(words, **part, **sizes, steps=1, split="none", options={"samples": 0}, out=tmp_path / "run")
    together = run.score(["anna", "u", "maximilian" * 3, "ben"])
    for one in together:
        alone = run.score([one.text])[0]
        assert alone.nats == pytest.approx(one.nats, rel=1e-4) and one.nats == pytest.approx(
            sum(one.nats_per_symbol), rel=1e-4
        )


@pytest.fixture(scope="module")
def two_gram(tmp_path_factory):
    """Bits per character of the validation part of names by counting pairs of symbols."""
    run = seqgen.train("names", model="ngram", options={"model.order": 2}, out=tmp_path_factory.mktemp("2") / "run")
    return run.metrics[-1]["valid_bits_per_char"]


def test_the_two_gram_is_where_it_should_be(two_gram):
    assert 3.2 < two_gram < 3.6


@pytest.mark.parametrize("cell", cells_in_tiers(REMEMBERING, ("slow", "release")))
def test_every_cell_falls_below_the_two_gram_in_a_thousand_steps(two_gram, tmp_path, cell):
    """With its own recommendations, and no others."""
    run = seqgen.train("names", cell=cell, steps=1000, blend="none", options={"samples": 0}, out=tmp_path / "run")
    losses = [row["valid_bits_per_char"] for row in run.metrics]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < two_gram - 0.2 and min(losses) < losses[0] - 0.2


@pytest.mark.full
def test_a_run_of_every_cell_is_read_by_a_new_process(words, tmp_path):
    """What a cell keeps in its module must not be what tells a training process from another."""
    for part in PARTS:
        sizes = {"hidden": 6, "embedding": 4} if "cell" in part else {}
        options = {"samples": 0, "eval_every": 1}
        run = seqgen.train(
            words, **part, **sizes, steps=1, split="80/10/10", options=options, out=tmp_path / name(part)
        )
        expected = "\n".join(sample.text for sample in run.sample(4, seed=1))
        (run.path / "expected.txt").write_text(expected, encoding="utf-8")
    program = (
        "import pathlib, seqgen\n"
        f"for path in sorted(pathlib.Path({str(tmp_path)!r}).glob('seqgen_*')):\n"
        "    found = '\\n'.join(sample.text for sample in seqgen.load(path).sample(4, seed=1))\n"
        "    assert found == (path / 'expected.txt').read_text(encoding='utf-8'), path\n"
        "    print(path)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(PARTS)
