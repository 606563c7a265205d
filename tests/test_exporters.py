"""Exporters: what is written is compared with the run before it takes its name."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest
import torch
from torch import nn

import seqgen
from conftest import registered
from seqgen import exporting
from seqgen.errors import BadOption, DiskError, ExportRefused, PluginError, UnknownName, UsageError
from seqgen.model import RecurrentModel
from seqgen.plugins import missing_plugin

EXPORTERS = """
import seqgen

class Digits:
    def __init__(self, *, off: float = 0.0, folder: bool = False, broken: bool = False):
        self.off, self.folder = float("nan") if broken else off, folder
    def export(self, run, path):
        if self.folder:
            path.mkdir()
        file = path / "config.json" if self.folder else path
        file.write_text(run.folder.name)
        return seqgen.Exported([file], "digits", self.off, 0.5, ["a note"])

class Odd(Digits):
    def export(self, run, path): return path

class Failing(Digits):
    def export(self, run, path):
        path.write_text("half")
        raise ValueError("no ink")

@seqgen.hookimpl
def register_exporters(register):
    for load in (Digits, Odd, Failing):
        register(seqgen.ExporterSpec(name=load.__name__.lower(), summary="s", compares="digits, to 0.5", load=load))
"""


@pytest.fixture
def plugin(in_tmp):
    (in_tmp / "scribe.py").write_text(EXPORTERS)
    yield ("--plugin", "scribe.py")
    sys.modules.pop("scribe", None)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")


@pytest.fixture
def run(tiny_run, plugin):
    return seqgen.load(tiny_run.path, plugins=["scribe.py"])


def test_a_run_is_exported_by_the_command_line(cli, tiny_run, plugin, in_tmp):
    result = cli("export", "digits", tiny_run.path, "a.txt", *plugin)
    assert result.code == 0 and result.out == ""
    assert result.err.splitlines() == ["a note", "compared with the run: the digits differ by at most 0", "wrote a.txt"]
    assert (in_tmp / "a.txt").read_text() == tiny_run.folder.name
    shown = json.loads(cli("export", "digits", tiny_run.path, "b.txt", "--off=0.25", "--json", *plugin).out)
    assert shown["files"] == ["b.txt"] and shown["difference"] == 0.25 and shown["tolerance"] == 0.5
    again = cli("export", "digits", tiny_run.path, "a.txt", "--off=0.25", *plugin)
    assert again.code == 2 and "it exists; name another file, or pass --force" in again.err
    assert cli("export", "digits", tiny_run.path, "a.txt", "--force", *plugin).code == 0
    assert left_in(in_tmp) == ["a.txt", "b.txt", "scribe.py"]


def test_a_folder_is_exported(run, in_tmp):
    found = run.export("digits", in_tmp / "folder", folder=True)
    assert found.files == [in_tmp / "folder" / "config.json"] and found.files[0].exists()
    with pytest.raises(UsageError, match="a folder with files in it"):
        run.export("digits", in_tmp / "folder", folder=True)


@pytest.mark.parametrize("options", [("--off", 0.75), ("--broken",)])
def test_an_export_that_differs_is_refused_and_leaves_what_was_there(options, cli, tiny_run, plugin, in_tmp):
    (in_tmp / "a.txt").write_text("before")
    result = cli("export", "digits", tiny_run.path, "a.txt", "--force", *options, *plugin)
    assert result.code == 2 and result.err.count("\n") == 1 and "0.5 is allowed; nothing was written" in result.err
    assert (in_tmp / "a.txt").read_text() == "before"
    assert left_in(in_tmp) == ["a.txt", "scribe.py"]


@pytest.mark.full
def test_an_exporter_that_breaks_its_contract_is_one_line(cli, tiny_run, plugin, in_tmp):
    for name, expected in (("odd", "not a seqgen.Exported (export, line"), ("failing", "ValueError: no ink")):
        result = cli("export", name, tiny_run.path, "a.txt", *plugin)
        assert result.code == PluginError.exit_code and expected in result.err and result.err.count("\n") == 1
    assert left_in(in_tmp) == ["scribe.py"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("digit", "RUN", "a.txt"), "no exporter named 'digit'; did you mean 'digits'"),
        (("digits", "RUN", "a.txt", "--of", "1"), "no option 'of'"),
        (("digits", "RUN", "a.txt", "--off", "much"), "'off'"),
        (("digits", "RUN", "a.txt", "b.txt"), "'b.txt'"),
        (("digits", "nowhere", "a.txt"), "nowhere"),
    ],
)
def test_mistakes(asked, expected, cli, tiny_run, plugin, in_tmp):
    result = cli("export", *(tiny_run.path if one == "RUN" else one for one in asked), *plugin)
    assert result.code == 2 and expected in result.err and result.err.count("\n") == 1
    assert not (in_tmp / "a.txt").exists()


def test_errors_from_python(run, in_tmp):
    with pytest.raises(UnknownName):
        run.export("nothing", in_tmp / "x")
    with pytest.raises(BadOption):
        run.export("digits", in_tmp / "x", nothing=1)
    with pytest.raises(DiskError):
        run.export("digits", in_tmp / "missing" / "x")


def test_what_is_there_is_replaced_only_by_its_like(run, in_tmp):
    """A folder by a folder and a file by a file; a pipe, as a device such as /dev/null, by nothing."""
    (in_tmp / "empty").mkdir()
    (in_tmp / "file").write_text("before")
    with pytest.raises(UsageError, match="it is a folder, and a file is written"):
        run.export("digits", in_tmp / "empty")
    with pytest.raises(UsageError, match="it is a file, and a folder is written"):
        run.export("digits", in_tmp / "file", folder=True)
    assert left_in(in_tmp) == ["empty", "file", "scribe.py"] and (in_tmp / "file").read_text() == "before"
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes in folders here")
    os.mkfifo(in_tmp / "pipe")
    with pytest.raises(UsageError, match="a device or a pipe"):
        run.export("digits", in_tmp / "pipe")
    assert (in_tmp / "pipe").is_fifo()


def test_a_spec_says_what_is_compared():
    with pytest.raises(ValueError, match="compares"):
        seqgen.ExporterSpec(name="x", summary="s", load="a:b", compares="")


# -- a run as plain values


class Noisy(seqgen.Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def forward(self, x_BTI, state):
        y_BTH = self.linear(x_BTI)
        return y_BTH + torch.rand_like(y_BTH), state


class Doubling(Noisy):
    def forward(self, x_BTI, state):
        return self.linear(x_BTI), torch.cat((state, state), 1)


def model_of(cell):
    torch.manual_seed(1)
    return RecurrentModel(9, cell, hidden=6, embedding=4).eval()


def test_a_model_that_is_random_in_evaluation_mode_is_refused():
    with pytest.raises(ExportRefused, match="random in evaluation mode"):
        exporting.one_step(model_of(Noisy))


def test_a_state_that_grows_irregularly_is_refused():
    with pytest.raises(ExportRefused, match="6, 12, then 24 entries"):
        exporting.one_step(model_of(Doubling))


def run_program(program, ids_B, leaves):
    with torch.no_grad():
        return program.module()(ids_B, *leaves)


@pytest.mark.slow
@pytest.mark.parametrize("entry", registered("cell"), ids=lambda entry: entry.spec.name)
def test_the_program_of_any_cell_is_its_step_for_any_number_of_rows(entry):
    step = exporting.one_step(model_of(lambda i, h: entry.build({}, i, h)))
    program = exporting.traced_program(step)
    for n_rows in (1, 4):
        mine = step.initial_leaves(n_rows)
        for _ in range(3 if step.growing else 0):
            with torch.no_grad():
                _, *mine = step(torch.ones(n_rows, dtype=torch.int64), *mine)
        theirs = mine
        for index in (1, 3, 8):
            ids_B = torch.full((n_rows,), index)
            with torch.no_grad():
                logits_BV, *mine = step(ids_B, *mine)
            their_logits_BV, *theirs = run_program(program, ids_B, theirs)
            torch.testing.assert_close(their_logits_BV, logits_BV, rtol=0, atol=1e-5)


def test_symbols_say_how_texts_are_written(tiny_run):
    symbols = exporting.symbols_of(tiny_run)
    text = "ada"
    ids = tiny_run.vocabulary.encode(text).tolist()
    assert b"".join(symbols.pieces[index - symbols.offset] for index in ids).decode() == text
    assert symbols.ends and 2 in symbols.allowed and symbols.tokenizer == "seqgen:char" and not symbols.slots


def test_replayed_logits_are_those_of_the_run(tiny_run):
    rows = exporting.probe_rows(3, 5, exporting.symbols_of(tiny_run).allowed)
    assert rows == exporting.probe_rows(3, 5, exporting.symbols_of(tiny_run).allowed)
    found = exporting.replayed(tiny_run.model, rows)
    with torch.no_grad():
        for ids, logits_TV in zip(rows, found, strict=True):
            whole_BTV, _ = tiny_run.model(torch.tensor([[1, *ids]]), tiny_run.model.initial_state(1))
            torch.testing.assert_close(logits_TV, whole_BTV[0], rtol=0, atol=1e-5)


def test_counts_are_those_of_the_blend(tmp_path, words):
    run = seqgen.train(words, cell="vanilla", hidden=8, steps=20, blend="ngram", out=tmp_path / "run")
    counts = exporting.counts_of(run)
    blend = run.model
    for node in range(len(counts.mass_R)):
        chain = [node]
        while chain[-1]:
            chain.append(int(counts.shorter_R[chain[-1]]))
        probs_V = counts.base_V.copy()
        for one in reversed(chain):
            probs_V *= counts.mass_R[one]
            arcs = slice(counts.starts_R[one], counts.starts_R[one + 1])
            probs_V[counts.ids_A[arcs]] += counts.probs_A[arcs]
        np.testing.assert_allclose(probs_V, blend.ngram_probs(torch.tensor([node]))[0].numpy(), atol=1e-6)
    assert exporting.counts_of(seqgen.load(run.path)) is not None


def test_a_network_without_counts_has_none(tiny_run):
    assert exporting.counts_of(tiny_run) is None


def test_an_exporter_that_is_not_loaded_is_named(tiny_run):
    assert missing_plugin("exporters", "nothing") == ""
