"""The notebook's own figures, on its own names; they are looked for in the folder SEQGEN_TEST_DATA."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

import seqgen

DATA = Path(os.environ.get("SEQGEN_TEST_DATA", "")) / "names-kantrowitz"
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        "SEQGEN_TEST_DATA" not in os.environ or not DATA.is_dir(),
        reason="the notebook's names are not there: set SEQGEN_TEST_DATA to the folder that holds names-kantrowitz",
    ),
]
NOTEBOOK = {
    "cell": "vanilla", "blend": "none", "hidden": 64, "embedding": 16, "batch_size": 32, "lr": 1e-3, "steps": 1000,
    "options": {"decay": "none", "warmup_steps": 0, "weight_decay": 0, "clip_norm": 0},
}  # fmt: skip


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The two lists one after the other, as the notebook reads them."""
    path = tmp_path_factory.mktemp("notebook") / "names"
    path.write_text((DATA / "female.txt").read_text() + (DATA / "male.txt").read_text())
    return path


@pytest.fixture(scope="module")
def run(names):
    return seqgen.train(names, **NOTEBOOK, out=names.parent / "run")


def test_the_corpus_is_the_notebooks(names, run):
    corpus = run.settings.corpus
    assert corpus.n_records == 7944
    assert run.vocabulary.tokenizer.n_symbols == 55  # its start token, the space, also stands inside three names
    assert corpus.longest + 1 == 16


def test_the_notebooks_configuration_reaches_its_loss(run):
    """A 2-gram model has 2.345 nats a symbol, the stop counted."""
    last = run.metrics[-1]
    assert last["step"] == 1000 and last["valid_loss_nats"] <= 2.27
    assert run.settings.n_parameters == 58 * 16 + 64 * (16 + 64 + 1) + 58 * (64 + 1)


def test_samples_end_by_themselves(run):
    """The notebook pads with the id of "s" and has no end, so all its samples end in "ssss"."""
    for prefix in ("", "Trump"):
        rows = run.sample(10, prefix=prefix)
        assert len(rows) == 10 and all(row.text.startswith(prefix) for row in rows)
        assert not any(row.text.endswith("sss") for row in rows) and not all(row.cut for row in rows)


def test_lengths_are_those_of_the_corpus(names, tmp_path):
    default = seqgen.train(names, cell="vanilla", out=tmp_path / "run")
    sampled = Counter(len(row.text) for row in default.sample(2000))
    real = Counter(len(name) for name in names.read_text().split("\n") if name)
    n_real = sum(real.values())
    distance = sum(abs(sampled[n] / 2000 - real[n] / n_real) for n in sampled | real) / 2
    assert distance <= 0.15
