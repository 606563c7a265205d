"""Edges of commands: pipes that break elsewhere, names that look like flags, folders that cannot be read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import seqgen
import seqgen.cli.common
from seqgen.batches import Encoded
from seqgen.counting import discount

PIPE = """
import seqgen
import seqgen.cli.common

class Piped(seqgen.StepCell):
    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def step(self, p, h):
        raise BrokenPipeError(32, "Broken pipe")

@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="piped", summary="s", load=Piped))
"""


@pytest.fixture
def spaced(tiny_run, tmp_path):
    """A copy of the tiny run whose name needs quotes."""
    return shutil.copytree(tiny_run.path, tmp_path / "my run")


def test_a_pipe_that_breaks_in_a_plugin_is_no_reader_that_went_away(cli, words, in_tmp):
    (in_tmp / "piped.py").write_text(PIPE)
    result = cli("train", "--corpus", words, "--plugin", "piped.py", "--cell", "piped", "--steps", 1)
    sys.modules.pop("piped", None)
    assert result.code == 5 and "piped" in result.err and not (in_tmp / "runs").exists()


@pytest.mark.parametrize("more", [("--workers", 2), ("--on", "nonsense"), ("-o", "executor.foo=1")])
def test_rows_of_a_beam_cannot_be_divided(cli, tiny_run, tmp_path, more):
    out = tmp_path / "rows.txt"
    result = cli("sample", tiny_run.path, "--decode", "beam", "-n", 3, "--out", out, *more)
    assert result.code == 2 and "cannot be cut into shards" in result.err and not out.exists()


def test_one_long_record_costs_the_discount_little_memory():
    lengths = np.array([5] * 800 + [20_000])
    flat = np.arange(lengths.sum()) % 50 + 10
    records = Encoded(flat, np.cumsum(lengths) - lengths, lengths, lengths)
    assert len(discount.likely_records(records, 60).lengths_N) < 801
    shorter = Encoded(flat[:4000], (np.cumsum(lengths) - lengths)[:800], lengths[:800], lengths[:800])
    assert len(discount.likely_records(shorter, 60).lengths_N) == int(discount.is_first(shorter).sum())


def test_names_of_plugins_that_would_replace_something(cli, in_tmp):
    for name, says in (("seqgen-lm", "the package this program comes in"), ("test-cell", "that of a test module")):
        result = cli("plugins", "new", name)
        assert result.code == 2 and says in result.err and not (in_tmp / name).exists()


def test_a_flag_is_not_the_file_of_an_export(cli, tiny_run, in_tmp):
    result = cli("export", "hub", tiny_run.path, "--public")
    assert result.code == 2 and "the argument OUT is missing before --public" in result.err
    assert not list(in_tmp.iterdir())


@pytest.mark.full
def test_json_is_json_in_any_encoding(tmp_path):
    (tmp_path / "names.txt").write_text("Zoë\nBéla\n", encoding="utf-8")
    command = [sys.executable, "-m", "seqgen", "show", "corpus", str(tmp_path / "names.txt"), "--json"]
    for encoding in ("ascii", "utf-8"):
        done = subprocess.run(
            command, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=True
        )
        assert "Zoë" in json.dumps(json.loads(done.stdout.decode(encoding)), ensure_ascii=False)


def test_suggested_commands_are_quoted(cli, spaced, words, in_tmp):
    taken = cli("train", "--corpus", words, "--out", spaced)
    assert f"it exists; pass another --out, or train on: seqgen train --from '{spaced}'" in taken.err
    (in_tmp / "plain").mkdir()
    (in_tmp / "plain" / "file").touch()
    other = cli("train", "--corpus", words, "--out", in_tmp / "plain")
    assert other.code == 2 and other.err.rstrip().endswith("it exists; pass another --out")
    assert f"seqgen train --from '{spaced}' --steps N" in cli("resume", spaced).err
    assert f"seqgen score --run '{spaced}' TEXT" in cli("score", spaced).err


def test_a_run_whose_name_begins_with_a_dash_can_be_named(tiny_run, in_tmp):
    from seqgen.checkpoint import RunFolder, name_for_commands

    for place in ("runs/-dash", "-dash"):
        shutil.copytree(tiny_run.path, in_tmp / place)
    assert name_for_commands(RunFolder((in_tmp / "runs" / "-dash").relative_to(in_tmp))) == "runs/-dash"
    assert name_for_commands(RunFolder((in_tmp / "-dash").relative_to(in_tmp))) == "./-dash"


def test_a_folder_of_runs_that_cannot_be_read_is_named(cli, in_tmp, monkeypatch):
    (in_tmp / "runs").mkdir()
    from pathlib import Path

    plain = Path.iterdir

    def refuse(self):
        if self.name == "runs":
            raise PermissionError(13, "Permission denied")
        return plain(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    result = cli("runs")
    assert result.code == 2 and "cannot read the folder of runs 'runs': Permission denied" in result.err


def test_options_of_a_part_that_is_not_chosen_are_not_those_of_training(cli):
    assert seqgen.cli.common.complete_options(_Context({}), "tokenizer.") == []
    assert "train.seed=" in seqgen.cli.common.complete_options(_Context({}), "train.se")


class _Context:
    def __init__(self, params):
        self.params = params


def test_a_log_with_added_lines_is_damaged_once_the_run_has_ended(cli, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run.path, tmp_path / "run")
    assert cli("checkpoint", "verify", run).code == 0
    with (run / "metrics.jsonl").open("a") as log:
        log.write('{"step": 9}\n')
    verified = cli("checkpoint", "verify", run)
    assert verified.code == 4 and "12 bytes follow the end of the run" in verified.out
    assert "12 bytes follow the end of the run" in cli("resume", run).err


@pytest.mark.parametrize("verb", ["resume", "refit"])
def test_an_export_is_called_one(cli, tiny_run, tmp_path, verb):
    assert cli("export", "hub", tiny_run.path, tmp_path / "hub").code == 0
    refused = cli(verb, tmp_path / "hub")
    assert refused.code == 2 and f"cannot {verb}" in refused.err and "it is an export" in refused.err


def test_half_a_surrogate_pair_is_escaped_in_json(cli, in_tmp):
    (in_tmp / "odd.jsonl").write_text('{"text": "a\\ud800b"}\n' * 30)
    assert cli("train", "--corpus", "odd.jsonl", "--steps", 30, "--hidden", 4, "-o", "lr=0.1", "--out", "r").code == 0
    assert cli("sample", "r", "-n", 30, "--json", "--out", "s.jsonl").code == 0
    rows = [json.loads(line) for line in (in_tmp / "s.jsonl").read_bytes().decode("utf-8").splitlines()]
    assert any("\ud800" in row["text"] for row in rows)
    assert all(json.loads(line) for line in (in_tmp / "r" / "samples.jsonl").read_bytes().decode("utf-8").splitlines())


def test_options_of_a_reader_need_a_file_that_one_reads(cli, words, in_tmp):
    refused = cli("train", "--corpus", words, "-o", "reader.upper=true", "--steps", 1)
    assert refused.code == 2 and "cannot use the option 'upper' of a reader" in refused.err


def test_rows_are_numbered_exactly(cli, tiny_run):
    row = json.loads(cli("sample", tiny_run.path, "--rows", "9007199254740993:9007199254740994", "--json").out)
    assert row["row"] == 9007199254740993


def test_true_is_no_number_of_steps(cli, words, in_tmp):
    (in_tmp / "c.toml").write_text("[train]\nsteps = true\n")
    refused = cli("train", "--corpus", words, "--config", "c.toml")
    assert refused.code == 2 and "option 'steps' of train: expected a number, not true" in refused.err


def test_a_condition_is_given_once(cli, tiny_run):
    refused = cli("sample", tiny_run.path, "--given", "cost=1", "--given", "cost=2")
    assert refused.code == 2 and "'cost' is '1' already" in refused.err
    with pytest.raises(seqgen.UsageError, match="two labels"):
        tiny_run.sample(1, label="a", given={"label": "b"})


def test_a_link_to_itself_in_a_folder_is_named(cli, words, in_tmp):
    (in_tmp / "d").mkdir()
    shutil.copy(words, in_tmp / "d" / "words.txt")
    (in_tmp / "d" / "loop").symlink_to("loop")
    refused = cli("show", "corpus", "d")
    assert refused.code in (2, 3) and "loop" in refused.err and "unexpected" not in refused.err


@pytest.mark.parametrize("name", ["loop.txt", "loop", "gone.txt"])
def test_a_link_that_leads_nowhere_is_said_to_be_one(cli, tiny_run, in_tmp, name):
    for link, to in (("loop.txt", "loop"), ("loop", "loop.txt"), ("gone.txt", "nothing.txt")):
        (in_tmp / link).symlink_to(to)
    for arguments in (("train", "--corpus", name), ("evaluate", tiny_run.path, "--reference", name)):
        refused = cli(*arguments)
        assert refused.code == 2
        assert refused.err.endswith(f"seqgen: no such file: {name!r} is a link that leads nowhere\n"), refused.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("train", "--corpus", "names", "--time", "10", "s"), "stands in quotes: --time '10 s'"),
        (
            ("train", "--corpus", "a.txt", "b.txt"),
            "repeat it: --corpus a.txt --corpus b.txt; or quote a pattern, which the shell",
        ),
        (("bench", "--corpus", "a.txt", "b.txt"), "takes: b.txt; seqgen bench --help lists what it takes\n"),
        (("train", "--corpus", "a.txt", "--split", "80", "10", "10"), "takes: 10 10; write --split 80/10/10"),
        (("train", "elves.csv"), "takes: elves.csv; write --corpus elves.csv\n"),
        (("train", "-o", "seed=1", "hidden=8"), "repeat it: -o seed=1 -o hidden=8\n"),
        (("--corpus", "a.txt", "train"), "write it after the command: seqgen train --corpus a.txt\n"),
        (("-n", "5", "sample", "r"), "no such option: -n; write it after the command: seqgen sample -n 5 r\n"),
        (("-n", "5"), "write it after a command: seqgen COMMAND -n; seqgen --help lists the commands\n"),
        (("sample", "r", "\u2014n", "5"), "'\u2014n' begins with another dash than a hyphen: write -n\n"),
        (("sample", "\u2013json"), "'\u2013json' begins with another dash than a hyphen: write --json\n"),
        (("train", "smiles"), "write --corpus smiles"),
        (("train", "--corpus", "a.txt", "-o", "samples", "3"), "takes: 3; write -o samples=3\n"),
        (("train", "-o", "runs/mine", "names.txt"), "-o takes NAME=VALUE; --out says where results go\n"),
        (("train", "--corpus=", "b.txt"), "more arguments than the command takes: b.txt; write --corpus b.txt\n"),
        (("train", "--corpus=", "b.txt", "c.txt"), "repeat it: --corpus b.txt --corpus c.txt; or quote"),
        (("train", "--corpus", "a.txt", "--option=", "steps"), "takes: steps; --option takes PART.NAME=VALUE\n"),
        (("train", "--corpus", "a.txt", "--option=", "steps=3"), "takes: steps=3; write --option steps=3\n"),
        (("train", "--corpus=a.txt", "b.txt"), "repeat it: --corpus a.txt --corpus b.txt; or quote"),
        (("list", "\u2013json"), "begins with another dash than a hyphen: write --json\n"),
        (("checkpoint", "delete", "r"), "no such command 'delete'; seqgen checkpoint --help lists what it takes\n"),
        (("plugins", "help"), "seqgen plugins --help lists what it takes\n"),
        (("sample", "--top", "5"), "did you mean --top-p or --top-k?\n"),
        (("evaluate", "--n", "5"), "no such option: --n; did you mean -n?\n"),
        (("score", "--run", "r", "\u2014ab"), "or the current folder: train one with seqgen train\n"),
        (("resume", "r", "--steps", "9"), "to train on: seqgen train --from RUN --steps N"),
        (
            ("resume", "r", "--corpus", "a.txt"),
            "or a link to it, back there; to train on another: seqgen train --from RUN",
        ),
        (("resume", "r", "--nonsense", "9"), "no such option: --nonsense"),
    ],
)
def test_advice_fits_the_mistake(cli, in_tmp, arguments, expected):
    refused = cli(*arguments)
    assert refused.code == 2 and expected in refused.err


def test_an_object_over_several_lines_is_called_that(cli, in_tmp):
    (in_tmp / "nest.json").write_text('{\n "plants": ["rose", "tulip"]\n}\n')
    refused = cli("show", "corpus", "nest.json")
    assert (
        refused.code == 3
        and "line 1: not JSON by itself: the object is cut off, or goes on in the next line" in refused.err
    )
    (in_tmp / "wrong.json").write_text("{'plants': 1}\n")
    assert "not JSON" in cli("show", "corpus", "wrong.json").err


def test_a_plugin_may_have_a_model_with_the_name_of_the_default(cli, words, in_tmp):
    (in_tmp / "taken.py").write_text(
        "import seqgen\n\n@seqgen.hookimpl\ndef register_models(register):\n"
        "    register(seqgen.ModelSpec(name='recurrent', summary='s', source='none', load=list))\n"
    )
    given = ("train", "--corpus", words, "--steps", 1, "--hidden", 4, "--plugin", "taken.py")
    assert cli(*given).code == 0
    refused = cli(*given, "--model", "recurrent")
    sys.modules.pop("taken", None)
    assert refused.code == 2 and "several plugins have a model 'recurrent'" in refused.err


def test_samples_have_their_texts(tiny_run):
    rows = tiny_run.sample(3)
    assert rows.texts == tuple(row.text for row in rows)
