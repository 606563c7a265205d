"""Lines that somebody who uses seqgen for the first time needs."""

from __future__ import annotations

import pytest
import torch

import seqgen
from seqgen.corpus.survey import count_of
from seqgen.errors import CorpusError
from seqgen.render.curve import loss_curve


def test_a_setting_is_named_by_its_flag_too(cli, words):
    result = cli("train", "--corpus", words, "--time", "20x")
    assert result.err == (
        "seqgen: option 'time' of train (--time, -o time_s): '20x' is not a duration; write it like 90s, 5m or 1h\n"
    )
    assert "option 'steps' of train: " in cli("train", "--corpus", words, "--steps", 0).err


@pytest.mark.parametrize(("text", "size"), [("anna\n", "1 record"), ("anna\nben\n", "2 records")])
def test_few_records_are_named_where_none_is_left_to_train_on(cli, in_tmp, text, size):
    (in_tmp / "few.txt").write_text(text)
    refused = cli("train", "--corpus", "few.txt", "--split", "1/998/1")
    assert refused.code == 3 and f"training part: it has {size} in all; add more, or pass --split none" in refused.err


def test_a_missing_argument_is_named_as_the_usage_has_it(cli, in_tmp):
    result = cli("export", "hub", "run")
    assert result.code == 2 and result.err.startswith("seqgen: missing argument OUT; ")


def test_an_export_without_a_run_says_where_it_is_to_be(cli, words, in_tmp):
    seqgen.train(words, cell="vanilla", hidden=4, steps=1, out="runs/tiny")
    result = cli("export", "page", "my names.html")
    assert (result.code, result.err) == (
        2, "seqgen: missing argument RUN before 'my names.html': seqgen export page tiny 'my names.html'\n",
    )  # fmt: skip
    without = cli("export", "page", "tiny").err
    assert without.startswith("seqgen: missing argument OUT; ") and without.endswith(": seqgen export page tiny OUT\n")


def test_runs_are_not_a_kind_and_the_line_says_what_lists_them(cli):
    assert cli("list", "runs").err == "seqgen: no kind named 'runs' (runs are listed by: seqgen runs)\n"
    assert "seqgen runs" not in cli("list", "cels").err
    for command in ("list", "show"):
        unknown = cli(command, "nosuch")
        assert unknown.code == 2 and "no kind named 'nosuch' (kinds are: augmentations, cells, corpora, " in unknown.err


@pytest.mark.full
@pytest.mark.parametrize("name", ["rows.txt", "rows.csv"])
def test_a_file_of_rows_is_reported_with_their_number(cli, tiny_run, tmp_path, name):
    result = cli("sample", tiny_run.path, "-n", 5, "--out", tmp_path / name)
    assert result.out == "" and result.err == f"wrote 5 rows to {tmp_path / name}\n"
    assert cli("sample", tiny_run.path, "-n", 5, "--out", tmp_path / f"quiet-{name}", "-q").err == ""
    result = cli("sample", tiny_run.path, "--rows", "0:7", "--out", tmp_path / f"shards-{name}")
    assert f"wrote 7 rows to {tmp_path / f'shards-{name}'}" in result.err


@pytest.mark.full
def test_fewer_rows_are_reported_before_the_error(cli, tiny_run, tmp_path):
    out = tmp_path / "rows.txt"
    result = cli("sample", tiny_run.path, "-n", 400, "--unique", "--length", "1", "--out", out)
    n_rows = len(out.read_text().splitlines())
    assert result.code == 8 and n_rows < 400
    assert f"wrote {n_rows} rows to {out}" in result.err


@pytest.mark.parametrize(
    ("n", "described", "expected"),
    [
        (1, "duplicates", "1 duplicate"),
        (2, "duplicates", "2 duplicates"),
        (1, "blank lines skipped", "1 blank line skipped"),
        (1, "melodies of too few notes skipped", "1 melody of too few notes skipped"),
        (1, "MIDI files without notes skipped", "1 MIDI file without notes skipped"),
        (1, "process skipped", "1 process skipped"),
        (1200, "rows without text skipped", "1,200 rows without text skipped"),
    ],
)
def test_one_is_singular(n, described, expected):
    assert count_of(n, described) == expected


def test_files_of_several_kinds_are_counted_by_how_they_are_read(cli, tmp_path):
    texts = {"a.txt": "anna\nberta\n", "b.txt": "clara\n", "c.csv": "text\ndora\n", "d.fasta": ">one\nACGT\n"}
    (tmp_path / "many").mkdir()
    for name, text in texts.items():
        (tmp_path / "many" / name).write_text(text)
    settings = ("--domain", "text", "--cell", "vanilla", "--hidden", 4, "--steps", 1)
    expected = "1 file read as CSV, 2 files read as plain text, 1 file read by the reader fasta\n"
    assert f": {expected}" in cli("train", "--corpus", tmp_path / "many", *settings, "--out", tmp_path / "run").err
    for name in ("c.csv", "d.fasta"):
        (tmp_path / "many" / name).unlink()
    assert "read as" not in cli("train", "--corpus", tmp_path / "many", *settings, "--out", tmp_path / "alike").err


def test_an_address_without_a_host(cli):
    result = cli("train", "--corpus", "http:///names.csv")
    assert result.code == 2 and result.err.count("\n") == 1
    assert "cannot fetch 'http:///names.csv': it names no host; write it like https://" in result.err


def test_an_address_that_is_malformed(cli):
    result = cli("train", "--corpus", "http://[bad")
    assert result.code == 2 and result.err.count("\n") == 1
    assert "cannot fetch 'http://[bad': it is no address, Invalid IPv6 URL; write it like https://" in result.err


def test_a_host_that_is_not_reached_is_named(tmp_path, monkeypatch):
    pytest.importorskip("aiohttp", reason="comes with the extra 'fsspec'")
    from seqgen.addresses import fetch

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CorpusError, match=r"': the host '127\.0\.0\.1' is not reached: .*[Rr]efused") as caught:
        fetch("http://127.0.0.1:9/names.csv")
    assert "Error" not in str(caught.value).replace("ConnectionRefused", "")


def test_the_training_loss_beside_a_blend_is_that_of_the_network():
    row = {"step": 1, "train_loss_nats": 2.0, "valid_loss_nats": 1.0, "valid_bits_per_char": 1.5}
    assert "training 2.000" in loss_curve([row])
    assert "training 2.000" in loss_curve([row | {"valid_network_bits_per_char": 1.5}])
    assert "training (network alone) 2.000" in loss_curve([row | {"valid_network_bits_per_char": 1.9}])


@pytest.mark.full
def test_another_validation_loss_than_that_of_the_log_is_explained(tmp_path, words, cli):
    blended = seqgen.train(
        words, cell="vanilla", hidden=8, steps=40, blend="ngram", split="60/40/0", out=tmp_path / "blended",
        options={"best_by": "loss", "eval_every": 20},
    )  # fmt: skip
    logged = next(row for row in blended.metrics if row["step"] == blended.state["step"])["valid_bits_per_char"]
    result = cli("evaluate", blended.path, "-n", 20)
    assert f"note: the training log says {logged:.3f} bits per character" in result.out
    assert "the blend that scored a record was fitted to the others only; here, it was fitted to all" in result.out
    assert "the value to quote is that of the log" in result.out, "no record is in the test part"
    for most, measured in ((3, 3), (17, 9)):  # evenly spaced: every second one of 18
        partial = seqgen.train(
            words, cell="vanilla", hidden=8, steps=20, blend="none", split="60/40/0", out=tmp_path / f"partial{most}",
            options={"eval_records": most, "best_by": "loss"},
        )  # fmt: skip
        assert f"measured on {measured} of the 18 records" in cli("evaluate", partial.path, "-n", 20).out
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat on the log. " * 60)
    stream = seqgen.train(
        text, layout="stream", cell="vanilla", hidden=8, steps=4, split="60/40/0", out=tmp_path / "stream",
        options={"eval_records": 5}, blend="none",
    )  # fmt: skip
    assert "measured on 320 of the 1,224 symbols" in cli("evaluate", stream.path, "-n", 20).out
    whole = seqgen.train(words, cell="vanilla", hidden=8, steps=20, blend="none", out=tmp_path / "whole")
    assert "the training log says" not in cli("evaluate", whole.path, "-n", 20).out


def scaled_cell(scale: float) -> type:
    """Return a cell whose source is the same for each scale."""

    class Scaled(seqgen.StepCell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.input = torch.nn.Linear(input_size, hidden_size)

        def initial_state(self, batch_size):
            return self.zeros(batch_size)

        def project(self, x_BTI):
            return self.input(x_BTI)

        def step(self, p_BP, h_BH):
            h_BH = scale * torch.tanh(p_BP + h_BH)
            return h_BH, h_BH

    return Scaled


@pytest.mark.parametrize("settings", [{"blend": "none"}, {"blend": "ngram"}, {"options": {"eval_records": 3}}])
def test_another_loss_than_that_of_the_log_without_a_reason_is_one_of_other_code(settings, words, in_tmp):
    options = {"best_by": "loss", **settings.get("options", {})}
    blend = settings.get("blend", "none")
    train = {"hidden": 8, "steps": 8, "split": "60/40/0", "blend": blend, "out": "run", "options": options}
    run = seqgen.train(words, cell=scaled_cell(1.0), **train)
    reason = "the code of the model, or how its corpus is read, is not that of its training"
    assert not [note for note in run.evaluate(4).get("notes", []) if reason in note]
    changed = seqgen.load("run", plugins=[scaled_cell(9.0)], warn=lambda line: None)
    (note,) = [note for note in changed.evaluate(4)["notes"] if reason in note]
    assert ("(network alone), not " in note) == (blend == "ngram") and "measured on" not in note
