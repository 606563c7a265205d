"""The command line as a user meets it: results on stdout, one line for a mistake, the right exit code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import finish, in_terminal, run_seqgen
from seqgen.checkpoint import RunFolder
from seqgen.render import visible

TRAIN = ("--cell", "vanilla", "--hidden", 8, "--steps", 4)


def test_train_shows_what_a_person_wants(cli, words, in_tmp):
    result = cli("train", "--corpus", words, *TRAIN, "--split", "80/10/10", "-o", "eval_every=2")
    assert result.code == 0 and result.out == ""
    lines = result.err.splitlines()
    assert lines[0].startswith("training runs/words-vanilla-001: vanilla, ") and "parameters" in lines[0]
    assert lines[1].startswith("words: ") and "validation" in lines[1]
    reports = [line for line in lines if re.match(r"step +\d", line)]
    assert len(reports) == 2 and "held out" in reports[0] and "bits/char" in reports[0] and " · " in reports[0]
    for expected in ("held out  ", "▁", "bits/char", "Next:", "seqgen sample words-vanilla-001"):
        assert expected in result.err
    assert cli("train", "--corpus", words, *TRAIN, "-q").err == ""
    assert sorted(path.name for path in (in_tmp / "runs").iterdir()) == ["words-vanilla-001", "words-vanilla-002"]
    assert "1 thread" in cli("train", "--corpus", words, *TRAIN, "-v").err


def test_the_next_command_suits_the_run(cli, in_tmp):
    rows = "".join(f"ela{n},{'Old Sea' if n % 2 else 'Deep'}\n" for n in range(40))
    (in_tmp / "elves.csv").write_text("name,language\n" + rows)
    text = ("train", "--corpus", "elves.csv", *TRAIN, "--steps", 1)
    for out, options, expected in (
        ("given", ("--text-field", "name", "--condition", "language"), "-n 20 --given language=Deep\n"),
        (
            "label",
            ("--text-field", "name", "--label-field", "language", "--condition", "label"),
            "-n 20 --label Deep\n",
        ),
        ("units", ("-o", "corpus.fields=name,language"), "-n 20\n"),
    ):
        assert f"seqgen sample {out} {expected}" in cli(*text, *options, "--out", f"runs/{out}").err


# -- samples


@pytest.fixture
def run(tiny_run):
    return tiny_run.path


@pytest.mark.full
def test_exactly_n_lines_and_the_same_rows_for_every_n(run, tmp_path):
    many = finish(run_seqgen("sample", run, "-n", 1000, cwd=tmp_path))
    assert many.code == 0 and many.err == "" and many.out.count("\n") == 1000 and many.out.endswith("\n")
    few = finish(run_seqgen("sample", run, "-n", 10, cwd=tmp_path))
    assert many.out.splitlines()[:10] == few.out.splitlines()


@pytest.mark.full
def test_json_nul_and_out(cli, run, tmp_path):
    plain = cli("sample", run, "-n", 5, "--seed", 3).out.splitlines()
    rows = [json.loads(line) for line in cli("sample", run, "-n", 5, "--seed", 3, "--json").out.splitlines()]
    assert [row["text"] for row in rows] == plain and [row["row"] for row in rows] == list(range(5))
    assert cli("sample", run, "-n", 5, "--seed", 3, "-0").out == "".join(text + "\0" for text in plain)
    result = cli("sample", run, "-n", 5, "--seed", 3, "--out", tmp_path / "o.txt")
    assert result.out == "" and (tmp_path / "o.txt").read_text().splitlines() == plain
    assert cli("sample", run, "-n", 0).out == ""


@pytest.mark.full
def test_too_few_unique_rows_come_with_exit_8(cli, run, tmp_path):
    result = cli("sample", run, "-n", 5, "--unique", "-t", 0, "--out", tmp_path / "o.txt")
    assert result.code == 8 and "cannot find 5 different rows: only 1 among" in result.err
    assert (tmp_path / "o.txt").read_text().count("\n") == 1
    assert cli("sample", run, "-n", 5, "--unique", "-t", 0).out.count("\n") == 1


@pytest.mark.full
def test_a_closed_pipe_ends_quietly(run, tmp_path):
    program = f"{sys.executable} -m seqgen sample {run} -n 50000 | head -1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert result.stderr == "" and result.stdout.splitlines()[1] == "0"


@pytest.fixture(scope="module")
def chemistry(tmp_path_factory):
    """A run that knows two strings, one with a group that rich would take for markup."""
    import seqgen

    folder = tmp_path_factory.mktemp("chemistry")
    (folder / "c.txt").write_text("c1cc[nH]c1\n" * 20 + "[/red]\n" * 20)
    return seqgen.train(
        folder / "c.txt", cell="gru", hidden=24, steps=200, lr=0.02, split="none", out=folder / "run"
    ).path


def plain_terminal(*arguments: object) -> str:
    """What a command shows on a terminal, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", in_terminal(*arguments))


@pytest.mark.full
def test_groups_in_brackets_survive_everywhere(cli, chemistry):
    assert set(cli("sample", chemistry, "-n", 40).out.splitlines()) == {"c1cc[nH]c1", "[/red]"}
    shown = plain_terminal("sample", chemistry, "-n", 20)
    assert "c1cc[nH]c1" in shown and "[/red]" in shown and "in training" in shown
    assert "c1cc[nH]c1" in cli("show", "corpus", chemistry.parent / "c.txt").out


@pytest.mark.full
def test_control_characters_are_escaped_on_a_terminal_only(tmp_path, cli, in_tmp):
    (tmp_path / "c.txt").write_text("a\x1b[31mb\u202ec\n" * 30)
    assert cli("train", "--corpus", "c.txt", "--cell", "gru", "--steps", 150, "--lr", 0.03, "--split", "none").code == 0
    assert "a\x1b[31mb\u202ec\n" in cli("sample", "-n", 5).out
    shown = plain_terminal("sample", tmp_path / "runs" / "c-gru-001", "-n", 5)
    assert r"a\x1b[31mb\u202ec" in shown and "\x1b" not in shown


@pytest.mark.full
def test_a_row_without_text_has_a_mark_on_a_terminal_only(tmp_path, cli, in_tmp):
    (tmp_path / "c.txt").write_text("a\n" * 30)
    assert cli("train", "--corpus", "c.txt", "--steps", 1, "--split", "none", "--out", "run").code == 0
    lines = cli("sample", "run", "-n", 20).out.splitlines()
    assert "" in lines and len(lines) == 20
    assert "(empty)" in plain_terminal("sample", tmp_path / "run", "-n", 20)
    assert "(empty)" in plain_terminal("top", tmp_path / "run", "-n", 5)
    assert "empty" not in cli("top", "run", "-n", 5).out + cli("top", "run", "-n", 5, "--json").out


def test_visible():
    assert visible("naïve [b] 👩\u200d🔬") == "naïve [b] 👩\u200d🔬"
    assert visible("\a\x9b\u2066") == r"\x07\x9b\u2066"


# -- mistakes: one line, the right code


def mistakes(words, run, tmp_path):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "blank.txt").write_text("\n  \n\n")
    (tmp_path / "latin1.txt").write_bytes(b"ok\nna\xefve\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "long.txt").write_bytes(b"x" * 50_000_000)
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    for step in (damaged / "checkpoints").iterdir():
        (step / "model.safetensors").write_bytes((step / "model.safetensors").read_bytes()[:100])
    flipped = tmp_path / "flipped"
    shutil.copytree(run, flipped)
    for step in (flipped / "checkpoints").iterdir():
        data = bytearray((step / "model.safetensors").read_bytes())
        data[200] ^= 4
        (step / "model.safetensors").write_bytes(bytes(data))
    return {
        "unknown corpus": (("train", "--corpus", "naems"), 2, "did you mean 'names'"),
        "unknown cell": (("train", "--corpus", words, "--cell", "vanila"), 2, "did you mean 'vanilla'"),
        "no corpus": (("train",), 2, "--corpus NAME"),
        "missing file": (("train", "--corpus", "./nope.txt"), 2, "no such file"),
        "empty file": (("train", "--corpus", tmp_path / "empty.txt"), 3, "no records"),
        "blank lines": (("train", "--corpus", tmp_path / "blank.txt"), 3, "no records"),
        "invalid UTF-8": (("train", "--corpus", tmp_path / "latin1.txt"), 3, "line 2: byte 3"),
        "long line": (("train", "--corpus", tmp_path / "long.txt"), 3, "line 1: longer than 10000"),
        "folder": (("train", "--corpus", tmp_path / "empty"), 2, "it holds no files"),
        "unknown option": (
            ("train", "--corpus", words, "--cell", "vanilla", "-o", "cell.activatoin=tanh"), 2, "mean 'activation'",
        ),
        "bad option value": (
            ("train", "--corpus", words, "--cell", "vanilla", "-o", "activation=swish"), 2, "or 'tanh', not 'swish'",
        ),
        "bad flag value": (("train", "--hidden", "many"), 2, "--hidden: input should be a valid integer, not 'many'"),
        "no whole number": (("train", "--corpus", words, "--steps", "1.5"), 2, "valid integer, not '1.5'"),
        "too few": (("top", run, "-n", "0"), 2, "greater than or equal to 1, not '0'"),
        "no such choice": (("sample", run, "--decode", "best"), 2, "'sample', 'beam' or 'gumbel', not 'best'"),
        "no value": (("sample", run, "-n"), 2, "-n needs a value; --help lists"),
        "nothing to compare": (("bench",), 2, "missing option --corpus; seqgen bench --help lists"),
        "a run": (("show", run), 2, "it is a run: seqgen show run "),
        "a pattern without quotes": (("train", "--corpus", words, "b.txt"), 2, "quote a pattern, which the shell"),
        "one too many": (("sample", run, "b"), 2, "more arguments than the command takes: b; seqgen sample"),
        "corpus without its option": (("train", "names"), 2, "takes: names; write --corpus names"),
        "unknown flag": (("train", "--corpsu", words), 2, "--corpus"),
        "unknown command": (("trian",), 2, "trian"),
        "bad time": (("train", "--corpus", words, "--time", "soon"), 2, "like 90s"),
        "bad split": (("train", "--corpus", words, "--split", "most"), 2, "90/5/5"),
        "taken folder": (("train", "--corpus", words, "--steps", 1, "--out", run), 2, "it exists"),
        "unknown symbol": (
            ("sample", run, "--prefix", "anÄ"), 2, "'Ä' (U+00C4) at position 2; the nearest known ones are 'a'",
        ),
        "no such run": (("sample", "nope"), 2, "no run 'nope'"),
        "no sound run": (("sample",), 4, "model.safetensors"),
        "no such step": (("sample", run, "--checkpoint", 7), 4, "no checkpoint of step 7"),
        "truncated": (("sample", damaged), 4, "model.safetensors"),
        "flipped bit": (("sample", flipped), 4, "model.safetensors"),
        "flipped, resume": (("resume", flipped), 4, "model.safetensors"),
        "flipped, verify": (("checkpoint", "verify", flipped), 4, "damaged"),
        "unknown kind": (("list", "cels"), 2, "did you mean 'cells'"),
        "unknown name": (("show", "cell", "gro"), 2, "did you mean 'gru'"),
        "no plugin file": (("list", "--plugin", "nope.py"), 2, "no such plugin file"),
        "no device": (("train", "--corpus", words, "--device", "gpu"), 2, "not 'gpu'"),
        "long prefix": (("sample", run, "--prefix", "annaanna", "--max-length", 3), 2, "--max-length is 3"),
        "infinite": (("train", "--corpus", words, "-o", "clip_norm=inf"), 2, "clip_norm"),
        "odd step": (("sample", run, "--checkpoint", "²"), 2, "best, latest or a step"),
        "pipe as corpus": (("train", "--corpus", "/dev/null"), 2, "not a regular file"),
        "negative n": (("sample", run, "-n", "-1"), 2, "greater than or equal to 0"),
        "option of a cell": (("show", "cell", "gru", "-o", "reset=before"), 2, "-o is of a corpus, not of cell"),
        "null in a table": (("sample", run, "--null", "--out", "z.csv"), 2, "two forms of the rows"),
        "json in a table": (("sample", run, "--json", "--out", "z.csv"), 2, "two forms of the rows"),
        "null and json": (("sample", run, "--null", "--json"), 2, "two forms of the rows"),
        "bad temperature": (("sample", run, "-t", "-1"), 2, "temperature"),
    }  # fmt: skip


@pytest.mark.full
def test_every_mistake_is_one_line_with_its_code(cli, words, run, in_tmp):
    for name, (arguments, code, expected) in mistakes(words, run, in_tmp).items():
        result = cli(*arguments)
        lines = result.err.splitlines()
        assert result.code == code, (name, result.err)
        assert lines and lines[-1].startswith("seqgen: ") and expected in lines[-1], (name, result.err)
        assert len(lines) == 1, (name, result.err)
        assert "checkpoint" in arguments or result.out == "", name
    assert not (in_tmp / "runs").exists(), "a refused training leaves nothing behind"


@pytest.mark.full
def test_debug_shows_the_traceback(words, tmp_path):
    result = finish(run_seqgen("sample", "nope", "--debug", cwd=tmp_path))
    assert "Traceback" in result.err and result.code == 2 and "no run" in result.err.splitlines()[-1]


def test_an_unexpected_error_is_one_line_too(cli, run, monkeypatch):
    monkeypatch.setattr("seqgen.sampling.sampler.sample_ids", lambda *_: 1 / 0)
    result = cli("sample", run)
    assert result.code == 1 and "unexpected ZeroDivisionError" in result.err and result.err.count("\n") == 1


# -- looking around


def test_list_show_plugins_runs(cli, words, in_tmp):
    train = cli("show", "train").out
    assert "patience" in train and "0: never" in train and "evaluations" in train
    assert cli("show", "cell").code == 2
    assert "vanilla" in cli("list", "cells").out and "gru" not in cli("list", "corpora").out
    everything = json.loads(cli("list", "--json").out)
    assert {"corpora", "cells", "models", "tokenizers", "domains"} <= everything.keys()
    shown = cli("show", "cell", "vanilla").out
    assert "activation" in shown and "relu | tanh" in shown and "seqgen_classic" in shown
    assert json.loads(cli("show", "cell", "vanilla", "--json").out)["options"][0]["name"] == "activation"
    assert json.loads(cli("show", "domains", "text", "--json").out)["tokenizer"] == "char"
    corpus = cli("show", "corpus", words).out
    assert "records" in corpus and "every 5th record" in corpus and "anna" in corpus and "█" in corpus
    table = words.with_name("table.csv")
    table.write_text("id,name,kind\n" + "".join(f"{n},n{n},{'ab'[n % 2]}\n" for n in range(20)))
    shown = [line.split(maxsplit=2) for line in cli("show", "corpus", table).out.splitlines()]
    assert ["text_field", "name"] in shown and ["field", "kind", "a 10, b 10"] in shown
    assert ["field", "id", "in 20 records"] in shown
    profile = json.loads(cli("show", "corpus", words, "--json").out)
    assert profile["records"] == 40 and profile["shown"][0] == "anna"
    assert json.loads(cli("plugins", "--json").out)[0]["package"] == "seqgen"
    assert json.loads(cli("runs", "--json").out) == []
    cli("train", "--corpus", words, *TRAIN)
    (row,) = json.loads(cli("runs", "--json").out)
    assert row["run"] == "words-vanilla-001" and row["step"] == 4 and row["state"] == "steps"
    with RunFolder(in_tmp / "runs" / "words-vanilla-001").locked():
        assert json.loads(cli("runs", "--json").out)[0]["state"] == "steps"
        shutil.move(in_tmp / "runs" / "words-vanilla-001" / "checkpoints", in_tmp / "away")
        assert json.loads(cli("runs", "--json").out)[0]["state"] == "running"
        shutil.move(in_tmp / "away", in_tmp / "runs" / "words-vanilla-001" / "checkpoints")
    assert "words-vanilla-001" in cli("runs").out and "conditions" not in cli("runs").out
    assert cli("runs", in_tmp / "runs").out == cli("runs", "runs").out == cli("runs").out
    assert json.loads(cli("runs", in_tmp, "--json").out) == []
    assert "is a run: seqgen show run runs/words-vanilla-001 shows it" in cli("runs", "runs/words-vanilla-001").err
    shutil.copytree(in_tmp / "runs" / "words-vanilla-001", in_tmp / "words-vanilla-001")  # by that name it is this one
    both = json.loads(cli("runs", "--json").out)
    assert [row["run"] for row in both] == ["runs/words-vanilla-001", "words-vanilla-001"]
    shutil.rmtree(in_tmp / "words-vanilla-001")
    nowhere = cli("runs", "elsewhere")
    assert nowhere.code == 2 and nowhere.err == "seqgen: no folder 'elsewhere' to list runs of\n"
    shown = json.loads(cli("show", "run", "--json").out)
    assert shown["settings"] == json.loads((in_tmp / "runs" / "words-vanilla-001" / "run.json").read_text())
    assert shown["step"] == row["step"]
    lines = dict(
        line.split(None, 1) for line in cli("show", "run", "words-vanilla-001").out.splitlines() if line[0] != " "
    )
    assert "hidden=" in lines["model"] and lines["cell"].startswith("seqgen_classic:vanilla activation=")
    assert "seed=0 split=0.9/0.05/0.05" in lines["train"] and lines["parameters"].strip() == f"{row['parameters']:,}"
    assert row["model"] == "recurrent" and " model " not in cli("runs").out
    refused = cli("show", "run", "words-vanilla-002")
    assert refused.code == 2 and "the newest is words-vanilla-001" in refused.err
    assert json.loads(cli("checkpoint", "verify", "--json").out)[0]["state"] == "ok"
    cli("train", "--corpus", words, "--model", "ngram", "--out", "runs/counted")
    assert " model " in cli("runs").out
    assert json.loads(cli("evaluate", "-n", 20, "--json").out)["samples"] == 20
    assert "novel" in cli("evaluate", "-n", 20).out
    again = cli("resume")
    assert again.code == 0 and "is complete; to train its weights further" in again.err


def test_a_registered_name_comes_before_a_file(cli, words, in_tmp):
    shutil.copy(words, "names")
    assert json.loads(cli("show", "corpus", "names", "--json").out)["records"] > 1000
    assert json.loads(cli("show", "corpus", "./names", "--json").out)["records"] == 40


def test_version_help_and_module(cli, tmp_path):
    import seqgen

    assert finish(run_seqgen("--version", cwd=tmp_path)).out == f"seqgen {seqgen.__version__}\n"
    assert "--debug" in finish(run_seqgen("train", "--help", cwd=tmp_path)).out
    for command in ("train", "resume", "sample", "score", "evaluate", "list", "show", "plugins", "runs", "checkpoint"):
        result = cli(command, "--help")
        assert (result.code == 0 and "--debug" in result.out) or command == "checkpoint"


@pytest.mark.full
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("train --cell va", ["vanilla"]),
        ("train -o eval", ["eval_every=", "eval_records="]),
        ("train --cell gru -o cell.re", ["cell.reset="]),
        ("train -o model.recu", ["model.recurrent_dropout="]),
        ("train -o nothing.x", []),
    ],
)
def test_completion(words, expected, tmp_path):
    line = f"seqgen {words}"
    env = {
        "_SEQGEN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")),
        "_TYPER_COMPLETE_ARGS": line,
    }  # fmt: skip
    found = finish(run_seqgen(cwd=tmp_path, env=env))
    assert (found.out.split(), found.err, found.code) == (expected, "", 0)


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_the_script_of_completion(option, tmp_path):
    """The command finds the shell that runs it, which here is bash whatever runs the tests."""
    asked = f"{shlex.quote(sys.executable)} -m seqgen {option}; exit $?"
    found = subprocess.run(
        ["bash", "-c", asked], cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert (found.stderr, found.returncode) == ("", 0) and "complet" in found.stdout


def test_a_cell_in_one_file(cli, words, in_tmp):
    (in_tmp / "mycell.py").write_text(
        "import torch, seqgen\n"
        "class Leaky(seqgen.StepCell):\n"
        "    def __init__(self, input_size, hidden_size, *, keep: float = 0.5):\n"
        "        super().__init__(input_size, hidden_size)\n"
        "        self.keep, self.input = keep, torch.nn.Linear(input_size, hidden_size)\n"
        "    def initial_state(self, batch_size): return self.zeros(batch_size)\n"
        "    def project(self, x): return self.input(x)\n"
        "    def step(self, p, h):\n"
        "        h = self.keep * h + torch.tanh(p)\n"
        "        return h, h\n"
        "@seqgen.hookimpl\n"
        "def register_cells(register):\n"
        "    register(seqgen.CellSpec(name='leaky', summary='a leaky sum', load='mycell:Leaky'))\n"
        "    register(seqgen.CellSpec(name='handed', summary='the same', load=Leaky))\n"
    )
    plugin = ("--plugin", "mycell.py")
    assert cli("train", "--corpus", words, "--cell", "leaky", "-o", "keep=0.9", "--steps", 3, *plugin).code == 0
    assert cli("sample", "-n", 3, *plugin).out.count("\n") == 3
    assert "leaky" in cli("list", "cells", *plugin).out and "keep" in cli("show", "cell", "leaky", *plugin).out
    assert "mycell:Leaky" in cli("show", "cell", "handed", *plugin).out
    del sys.modules["mycell"]
    result = cli("sample", "-n", 3)
    assert result.code == 4 and "--plugin mycell.py" in result.err


# -- what goes where


@pytest.mark.full
def test_nothing_a_plugin_prints_gets_between_results(cli, words, in_tmp):
    (in_tmp / "noisy.py").write_text(
        "import torch, seqgen\n"
        "class Noisy(seqgen.StepCell):\n"
        "    def __init__(self, i, h):\n"
        "        super().__init__(i, h)\n"
        "        self.w = torch.nn.Linear(i, h)\n"
        "    def initial_state(self, b): return self.zeros(b)\n"
        "    def project(self, x):\n"
        "        print('noise from a cell')\n"
        "        return self.w(x)\n"
        "    def step(self, p, h): return p, p\n"
        "@seqgen.hookimpl\n"
        "def register_cells(register): register(seqgen.CellSpec(name='noisy', summary='s', load=Noisy))\n"
        "@seqgen.hookimpl\n"
        "def register_commands(app):\n"
        "    print('noise from a hook')\n"
        "    @app.command()\n"
        "    def talk() -> int:\n"
        "        '''Says [/red] and answers 5.'''\n"
        "        print('talk')\n"
        "        return 5\n"
    )
    plugin = ("--plugin", "noisy.py")
    assert cli("train", "--corpus", words, "--cell", "noisy", "--steps", 1, *plugin).code == 0
    assert cli("sample", "-n", 3, *plugin).out.count("\n") == 3
    assert json.loads(cli("plugins", "--json", *plugin).out)
    talk = cli("talk", "--debug", *plugin)
    assert (talk.code, talk.out) == (0, "talk\n")
    shown = cli("--help", *plugin)
    assert shown.code == 0 and "[/red]" in shown.out
    del sys.modules["noisy"]


@pytest.mark.full
def test_training_outlives_the_reader_of_its_messages(words, tmp_path):
    program = (
        f"{sys.executable} -m seqgen train --corpus {words} --cell vanilla --steps 400 --hidden 8 -o eval_every=20 "
        f"-o patience=0 --out {tmp_path / 'run'} 2>&1 | head -2; echo ${{PIPESTATUS[0]}}"
    )
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert result.stdout.splitlines()[-1] == "0"
    import seqgen

    assert seqgen.load(tmp_path / "run", checkpoint="latest").state["ended"] == "steps"


@pytest.mark.full
def test_out_writes_to_stdout_by_its_name_and_to_devices(cli, run, tmp_path):
    program = f"{sys.executable} -m seqgen sample {run} -n 3 --out /dev/stdout"
    piped = subprocess.run(["bash", "-c", f"{program} | cat"], capture_output=True, text=True, check=True)
    assert piped.stdout.count("\n") == 3 and piped.stderr == "wrote 3 rows to /dev/stdout\n"
    assert cli("sample", run, "--rows", "0:3", "--out", "/dev/null").err == "wrote 3 rows to /dev/null\n"
    refused = cli("sample", run, "--workers", 1, "--out", "/dev/null")
    assert refused.code == 2 and "need --out FILE" in refused.err and not Path("/dev/null.shards").exists()


def test_out_writes_to_a_pipe_and_through_a_link(cli, run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    assert cli("sample", run, "-n", 3, "--out", tmp_path / "pipe").code == 0
    assert reader.communicate(timeout=20)[0].count(b"\n") == 3
    (tmp_path / "target.txt").touch()
    (tmp_path / "link.txt").symlink_to(tmp_path / "target.txt")
    assert cli("sample", run, "-n", 3, "--out", tmp_path / "link.txt").code == 0
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "target.txt").read_text().count("\n") == 3


FULL = Path("/dev/full")


@pytest.mark.full
@pytest.mark.skipif(not FULL.is_char_device(), reason="no device that is always full here")
@pytest.mark.parametrize("command", ["sample RUN -n 2000", "watch RUN --once", "watch RUN --once --json"])
def test_a_full_disk_is_exit_7(run, tmp_path, command):
    """Also where the command is a plugin's, which is not at fault."""
    words = [str(run) if word == "RUN" else word for word in command.split()]
    with FULL.open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "seqgen", *words], stdout=full, stderr=subprocess.PIPE, cwd=tmp_path
        )
    assert process.returncode == 7 and process.stderr.startswith(b"seqgen: cannot write the result: No space left")
    assert process.stderr.count(b"\n") == 1


def test_no_command_shows_help(cli):
    result = cli()
    assert result.code == 0 and "Usage" in result.out and result.err == ""


@pytest.mark.parametrize("command", ["sample", "evaluate", "train"])
def test_a_command_after_two_dashes_keeps_its_options(cli, in_tmp, command):
    """The parser takes a command after ``--``, so its options are there too."""
    result = cli("--", command)
    assert result.code == 2 and "unexpected" not in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize("name", ["json", "numpy", "__main__"])
def test_a_plugin_file_may_not_take_the_name_of_a_module(cli, tmp_path, name):
    (tmp_path / f"{name}.py").touch()
    result = cli("list", "--plugin", tmp_path / f"{name}.py")
    assert result.code == 2 and "rename the file" in result.err


def test_messages_cannot_command_the_terminal(cli, in_tmp):
    result = cli("sample", "no\x1b[31msuch\x07run")
    assert "\x1b" not in result.err and "\x07" not in result.err and r"\x1b[31m" in result.err


@pytest.mark.full
def test_a_help_page_that_nobody_reads_ends_quietly(tmp_path):
    process = run_seqgen("train", "--help", cwd=tmp_path)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 0 and not err, err
