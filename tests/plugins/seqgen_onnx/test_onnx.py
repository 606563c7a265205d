"""A step of a run in onnxruntime."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from conftest import registered
from seqgen import exporting
from seqgen.errors import ExportRefused, MissingExtra
from seqgen.model import RecurrentModel

onnx = pytest.importorskip("onnx", reason="onnx is not installed: it comes with the extra 'onnx'")
pytest.importorskip("onnxscript", reason="onnxscript is not installed: it comes with the extra 'onnx'")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it comes with the extra 'onnx'")

from seqgen_onnx.exporter import OnnxExporter, _difference, onnx_model  # noqa: E402

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "export.md"
TWELVE = ["vanilla", "gru", "lstm", "mamba", "transformer", "mingru", "ntm", "slstm", "s5", "tcn", "convlstm", "phased"]
SYMBOLS = exporting.Symbols(11, 3, (), (), True, list(range(2, 11)), None, "none", {}, 20)


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    with pytest.raises(MissingExtra, match=r"seqgen-lm\[onnx\]"):
        OnnxExporter()


@pytest.mark.parametrize("at", [0, 5])
def test_logits_that_are_no_numbers_are_a_difference(at, tmp_path, monkeypatch):
    calls = itertools.count()

    class Session:
        def __init__(self, *_, **__):
            pass

        def run(self, names, inputs):
            return [np.full((len(inputs["ids"]), 11), np.nan if next(calls) == at else 0.0, np.float32)]

    class Step:
        initial_leaves = staticmethod(lambda width: [])

        def __call__(self, ids_B):
            return [torch.zeros(len(ids_B), 11)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert math.isnan(_difference(tmp_path / "model.onnx", Step(), SYMBOLS))


def sampled_by_the_guide():
    """Return the rows that the script of the guide samples from the model in the current folder."""
    (script,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    lines = [line for line in script.splitlines() if line and not line.startswith("import ")]
    assert len(lines) == 11 and max(map(len, lines)) <= 120 and "seqgen" not in script.replace('["seqgen"]', "")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(script, "guide", "exec"), {})
    return printed.getvalue().splitlines()


@pytest.mark.full
@pytest.mark.parametrize("repeats", ["none", "on"])
def test_a_blend_is_exported_with_its_counts_and_sampled_by_the_script_of_the_guide(
    tmp_path, words, monkeypatch, repeats
):
    settings = {"hidden": 12, "embedding": 6, "steps": 60, "blend": "ngram", "repeats": repeats}
    run = seqgen.train(words, cell="gru", out=tmp_path / "run", **settings)
    found = run.export("onnx", tmp_path / "model.onnx")
    assert found.difference <= 1e-4
    facts = {one.key: one.value for one in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert json.loads(facts["seqgen"])["licence"] == run.settings.corpus.licence
    monkeypatch.chdir(tmp_path)
    rows = sampled_by_the_guide()
    assert len(rows) == 10 and all(len(row) <= run.settings.max_length for row in rows)
    assert len(set(rows)) > 5
    assert sum(score.bits_per_char for score in run.score(rows)) / 10 < 5


@pytest.mark.full
@pytest.mark.parametrize("tokenizer", ["byte", "char"])
def test_the_script_of_the_guide_writes_characters_of_several_bytes(tmp_path, monkeypatch, tokenizer):
    names = [f"{first}{second}" for first in "éàüß" for second in ("mile", "lan", "€", "日本")]
    (tmp_path / "names.txt").write_text("\n".join(names * 4) + "\n", encoding="utf-8")
    run = seqgen.train(
        tmp_path / "names.txt", cell="gru", hidden=32, steps=200, lr=0.02, blend="none", split="none",
        tokenizer=tokenizer, out=tmp_path / "run",
    )  # fmt: skip
    run.export("onnx", tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    rows = sampled_by_the_guide()
    assert len(rows) == 10 and sum(row in names for row in rows) > 5


@pytest.mark.full
def test_the_script_of_the_guide_samples_a_run_with_conditions(tmp_path, monkeypatch):
    """It leaves them open; without them the state after the beginning is that of no row."""
    rows = [("anna", "girl", "old"), ("otto", "boy", "old"), ("ida", "girl", "new"), ("max", "boy", "new")] * 12
    (tmp_path / "n.csv").write_text("text,label,age\n" + "\n".join(map(",".join, rows)) + "\n")
    given = {"condition": "label,age", "cell": "gru", "hidden": 32, "steps": 200, "lr": 0.02, "split": "none"}
    run = seqgen.train(tmp_path / "n.csv", blend="none", out=tmp_path / "run", **given)
    run.export("onnx", tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    assert sum(row in {text for text, *_ in rows} for row in sampled_by_the_guide()) > 7


def test_a_page_is_no_model_and_a_model_no_page(tiny_run, tmp_path):
    for name, path, right in (("onnx", "m.html", "m.onnx"), ("page", "m.onnx", "m.html")):
        with pytest.raises(seqgen.BadOption, match=f"would be no {Path(path).suffix} file; write .*{right}"):
            tiny_run.export(name, tmp_path / path)


@pytest.mark.full
def test_a_blend_with_too_many_contexts_is_refused(tmp_path, words, monkeypatch):
    monkeypatch.setattr("seqgen.counting.blend._MAX_TABLE", 100)
    run = seqgen.train(words, cell="vanilla", hidden=4, steps=3, blend="ngram", out=tmp_path / "run")
    with pytest.raises(ExportRefused, match="too many for a table"):
        run.export("onnx", tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", TWELVE)
def test_twelve_cells(name, tmp_path):
    (entry,) = [one for one in registered("cell") if one.spec.name == name]
    torch.manual_seed(1)
    step = exporting.one_step(
        RecurrentModel(11, lambda i, h: entry.build({}, i, h), hidden=16, embedding=8, layers=2).eval()
    )
    model = onnx_model(exporting.traced_program(step), len(step.initial_leaves(1)))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert _difference(path, step, SYMBOLS) <= 1e-4
    assert [one.name for one in model.graph.input][:1] == ["ids"]
