"""``seqgen bench`` with models that have no width: none is trained at another size than was asked for unsaid."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BIGRAM = Path(__file__).parents[3] / "docs" / "examples" / "bigram.py"


@pytest.fixture
def bench(cli, words, in_tmp):
    def call(cells, *arguments):
        return cli(
            "bench", "--corpus", words, "--cells", cells, "--steps", 4, "--split", "60/20/20", "--plugin", BIGRAM,
            *arguments, "--json",
        )  # fmt: skip

    yield call
    sys.modules.pop("bigram", None)


@pytest.mark.full
def test_a_model_that_cannot_have_so_many_parameters_is_not_trained(bench, in_tmp):
    found = bench("vanilla,bigram,ngram", "--params", "3k")
    assert found.code == 0, found.err
    assert "bigram failed: --params 3,000 cannot set its size: it has no option 'hidden'" in found.err
    assert not list(in_tmp.glob("runs/*/bigram-*"))
    assert list(in_tmp.glob("runs/*/vanilla-*")) and list(in_tmp.glob("runs/*/ngram-*")), "what counts has no size"


@pytest.mark.full
def test_without_a_budget_its_own_size_is_said(bench, in_tmp):
    found = bench("bigram")
    assert found.code == 0, found.err
    assert found.err.count("cannot set its size") == 1 and "its own options give it" in found.err
    assert list(in_tmp.glob("runs/*/bigram-*"))
    assert "cannot set its size" not in bench("bigram,vanilla", "--hidden", 8).err


def test_a_width_that_no_model_has_is_refused(bench, in_tmp):
    found = bench("bigram", "--hidden", 8)
    assert found.code == 2 and "has no option 'hidden'" in found.err, found.err
    assert not (in_tmp / "runs").exists()


def test_a_bench_of_a_column_with_held_out_files_and_a_domain(cli, in_tmp):
    """The options have the names that they have in train."""
    rows = "\n".join(f"{n},word{'abc'[n % 3]}" for n in range(60))
    (in_tmp / "table.csv").write_text(f"n,word\n{rows}\n")
    (in_tmp / "held.csv").write_text("n,word\n1,worda\n2,wordb\n")
    result = cli(
        "bench", "--corpus", "table.csv", "--text-field", "word", "--domain", "name", "--valid-file", "held.csv",
        "--cells", "gru", "--hidden", 4, "--steps", 2, "--seeds", 1, "--json", "--out", "b",
    )  # fmt: skip
    assert result.code == 0, result.err
    (run,) = (in_tmp / "b").glob("*/run.json")
    corpus = json.loads(run.read_text())["corpus"]
    assert corpus["domain"].endswith(":name") and corpus["parts"]["valid"] == 2
    assert "wordc" not in json.dumps(corpus) and '"text_field": "word"' in json.dumps(corpus)


def test_a_bench_in_which_all_fail_does(cli, words, in_tmp):
    result = cli("bench", "--corpus", words, "--cells", "gru,lstm", "--params", 3, "--steps", 1, "--out", "b")
    assert result.code == 2 and "cannot train any of 2 runs: " in result.err.splitlines()[-1]


def test_a_budget_that_is_too_small_for_all_leaves_no_folder(cli, words, in_tmp):
    result = cli("bench", "--corpus", words, "--cells", "gru,lstm", "--params", 2, "--steps", 1, "--out", "mine")
    assert result.code == 2 and "lstm: a budget of 2 parameters is too small" in result.err
    assert "cannot train any of 2 runs: a budget of 2 parameters" in result.err.splitlines()[-1]
    assert not (in_tmp / "mine").exists()
