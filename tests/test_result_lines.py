"""The lines that say how a run ended, on a terminal and in notebooks."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

import seqgen
from conftest import finish, run_seqgen
from seqgen.api.run_metadata import with_blend
from seqgen.api.training_run import how_to_continue
from seqgen.config import LEAST_HELD_OUT
from seqgen.render import progress
from seqgen.render.result_lines import result_lines


def lines_of(run, **state):
    return result_lines(run.settings, {**run.state, **state}, run.metrics, run.model)


def test_the_best_step_is_said_with_its_loss(tiny_run):
    _, line, *_ = lines_of(tiny_run)  # after one on copies, since it has few records
    best = tiny_run.state["best_step"]
    bits = next(row["valid_bits_per_char"] for row in tiny_run.metrics if row["step"] == best)
    assert line.endswith(f"{tiny_run.state['best_loss_nats']:.3f} nats/symbol, {bits:.3f} bits/char, at step {best:,}")


def test_an_absurd_loss_is_said_to_be_one(tiny_run):
    assert not any("worse than guessing" in line for line in lines_of(tiny_run))
    assert any("worse than guessing" in line for line in lines_of(tiny_run, best_loss_nats=1e6))


@pytest.mark.parametrize("by_copies", [True, False])
def test_a_step_that_few_held_out_records_choose_is_said_to_be_one(by_copies, tiny_run):
    steps = [row["step"] for row in tiny_run.metrics if "valid_loss_nats" in row]
    rows = [{**row, "expected_copies": 0.1} for row in tiny_run.metrics]
    if not by_copies:
        rows = [{name: value for name, value in row.items() if name != "expected_copies"} for row in rows]

    def said(n_held_out, best):
        parts = {**tiny_run.settings.corpus.parts, "valid": n_held_out}
        settings = tiny_run.settings.with_values("corpus", {"parts": parts})
        return "\n".join(result_lines(settings, {**tiny_run.state, "best_step": best}, rows, tiny_run.model))

    why = "later steps copy more" if by_copies else "chosen by only 1 held-out record"
    assert f"{why}; the last step, {steps[-1]:,}: --checkpoint latest" in said(1, steps[0])
    assert "--checkpoint" in said(LEAST_HELD_OUT - 1, steps[0])
    assert "--checkpoint" not in said(1, steps[-1]) + said(LEAST_HELD_OUT, steps[0])


def test_records_too_few_to_choose_the_best_step_decide_on_no_blend(tiny_run):
    train = tiny_run.settings.train.model_copy(update={"blend": None, "repeats": None, "best_by": "loss"})
    resolved = SimpleNamespace(counts=None, domain=SimpleNamespace(syntax=False))

    def blended(n_held_out):
        data = SimpleNamespace(encoded={"valid": range(n_held_out)}, vocabulary=tiny_run.vocabulary)
        return with_blend(train, data, resolved)

    assert (blended(LEAST_HELD_OUT).blend, blended(LEAST_HELD_OUT).repeats) == ("auto", "auto")
    assert (blended(LEAST_HELD_OUT - 1).blend, blended(LEAST_HELD_OUT - 1).repeats) == ("none", "none")


def test_notebooks_show_them_at_the_end(words, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(progress.NotebookDisplay, "rewrite", lambda self, live, **_: shown.append(live))
    run = seqgen.train(
        words, cell="vanilla", hidden=4, steps=4, split="80/10/10", out=tmp_path / "run", blend="ngram",
        listener=progress.NotebookDisplay(), options={"eval_every": 2},
    )  # fmt: skip
    ended, best, *_ = shown[-1].splitlines()
    assert ended.startswith("ended at step 4") and "nats/symbol" in best and "blended with an n-gram" in shown[-1]
    assert f"at step {run.state['best_step']}" in run._repr_html_() and "-gram: " in run._repr_html_()
    shutil.rmtree(run.path / "checkpoints")
    assert "vanilla" in seqgen.load(run.path)._repr_html_()  # one that has none yet


@pytest.mark.full
@pytest.mark.parametrize(
    ("content", "said"), [("Anna, Ben, Carl", True), pytest.param("Anna\nBen", False, marks=pytest.mark.full)]
)
def test_a_list_in_one_line_is_told(content, said, tmp_path):
    (tmp_path / "list.txt").write_text(content)
    small = ("--cell", "vanilla", "--hidden", 4, "--steps", 1, "--split", "none", "-o", "samples=0")
    result = finish(run_seqgen("train", "--corpus", "./list.txt", *small, cwd=tmp_path))
    assert result.code == 0 and ("a single record: in a text file each line is one" in result.err) == said, result.err


def test_the_way_on_is_python_in_a_notebook(tiny_run, monkeypatch):
    way = how_to_continue(tiny_run.folder, tiny_run.settings)
    assert way == f"continue with: seqgen resume {tiny_run.path}"
    monkeypatch.setattr(progress, "in_ipython", lambda: True)
    assert (
        how_to_continue(tiny_run.folder, tiny_run.settings) == f"continue with: seqgen.resume({str(tiny_run.path)!r})"
    )
