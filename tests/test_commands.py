"""The kit for commands of plugins, and commands whose plugin is not loaded."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import seqgen
from conftest import finish, run_seqgen
from seqgen import commands, measure
from seqgen.errors import BadOption

KIT = """
import sys
import typer
import seqgen
from seqgen import commands

@commands.results_on_stdout
def count(run: commands.RunName = None, as_json: commands.Json = False, given: list[str] = [], option: list[str] = []):
    \"\"\"Count rows.\"\"\"
    print("noise")
    commands.log("counting")
    loaded = seqgen.load(run, warn=commands.warn)
    rows = [{"row": 0, "text": loaded.path.name}]
    if given:
        commands.write(repr(commands.parse_fields(given)) + repr(commands.parse_options(option)))
    elif as_json:
        commands.show_json(rows)
    else:
        commands.show(commands.table(rows, ("row", "text"), "rows"))

@commands.results_on_stdout
def echo():
    for line in commands.input_lines("> "):
        commands.write(line.upper() + ";")

def noisy():
    print("noise")

@commands.with_train_settings("time_s", "out")
def dry_run(*, time: str = "", on: str = "", settings: dict):
    print(time + on, {name: value for name, value in settings.items() if value is not None})

@seqgen.hookimpl
def register_commands(app):
    for command in (count, echo, noisy, dry_run):
        app.command()(command)
"""


@pytest.fixture
def kit(in_tmp):
    (in_tmp / "kit.py").write_text(KIT)
    yield ("--plugin", "kit.py")
    sys.modules.pop("kit", None)


def test_results_alone_reach_stdout(cli, tiny_run, kit):
    found = cli("count", tiny_run.path, "--json", *kit)
    assert found.code == 0 and json.loads(found.out) == [{"row": 0, "text": "run"}]
    assert found.err.splitlines() == ["noise", "counting"]
    assert cli("noisy", *kit).out == "noise\n", "a command that is not marked prints itself"


def test_a_table_and_a_quiet_command(cli, tiny_run, kit):
    found = cli("count", tiny_run.path, "-q", *kit)
    assert found.code == 0 and found.err == "noise\n"
    assert [line.split() for line in found.out.splitlines() if line.strip()] == [
        ["rows"],
        ["row", "text"],
        ["0", "run"],
    ]


def test_errors_are_one_line(cli, kit):
    found = cli("count", "nowhere", *kit)
    assert found.code == 2 and found.err.splitlines()[2].startswith("seqgen: ") and found.out == ""


def test_options_and_fields_are_parsed(cli, tiny_run, kit):
    found = cli("count", tiny_run.path, "--given", "cost=3", "--option", "cell.rate=2", "--option", "x=y", *kit)
    assert found.out == "{'cost': '3'}{'cell.rate': '2', 'x': 'y'}", found.err
    with pytest.raises(BadOption, match="FIELD=VALUE"):
        commands.parse_fields(["cost"])
    with pytest.raises(BadOption):
        commands.parse_options(["rate"])


def test_a_command_has_the_flags_of_train(cli, kit):
    found = cli("dry-run", "--time", "soon", "--hidden", 8, "--valid-file", "v.txt", "-o", "lr=0.1", *kit)
    assert found.code == 0 and found.out == "soon {'valid': 'v.txt', 'hidden': 8, 'options': ['lr=0.1']}\n"
    assert cli("dry-run", "--on", "here", *kit).out == "here {}\n", "a flag of its own takes the place of the setting's"
    assert cli("dry-run", "--out", "run", *kit).err.startswith("seqgen: no such option: --out")


@pytest.mark.parametrize(
    ("without", "parameter", "says"),
    [
        ("corpora", "settings", "seqgen train has no setting 'corpora'; did you mean 'corpus'?"),
        ("corpus", "values", "dry_run needs a parameter named settings"),
    ],
)
def test_a_command_that_cannot_have_the_flags_of_train_is_named(without, parameter, says, cli, in_tmp):
    lines = KIT.replace('"time_s", "out"', repr(without)).replace("settings: dict", f"{parameter}: dict")
    (in_tmp / "wrong_kit.py").write_text(lines)
    found = cli("list", "cells", "--plugin", "wrong_kit.py")
    assert f"TypeError: {says}" in found.err and "Traceback" not in found.err, found.err


def test_the_command_that_gives_a_run_its_settings(cli, words, in_tmp):
    options = {"model.layers": 2, "train.samples": 0, "cell.activation": ["relu", "tanh"], "eval_every": None}
    settings = {"cell": "vanilla", "hidden": 4, "lr": 0.012, "split": (0.6, 0.2, 0.2), "steps": 2, "weight_decay": 0.1}
    command = commands.train_command({"corpus": words, "refit": False, "valid": None, **settings, "options": options})
    assert command == (
        f"seqgen train --corpus {words} --cell vanilla --hidden 4 --split 0.6/0.2/0.2 --steps 2 --lr 0.012 --layers 2 "
        "-o train.weight_decay=0.1 -o train.samples=0 -o cell.activation=relu,tanh"
    )
    assert cli(*shlex.split(command)[1:], "--out", "a", "-q").code == 0
    run = seqgen.train(words, **settings, options=options, out="b")
    assert measure.settings_diff({"a": seqgen.load("a"), "b": run}) == {}
    assert commands.train_command({"cell": ("gru", "mlp"), "refit": True}, run) == "seqgen train --cell gru,mlp --refit"
    for wrong in ({"cell": int}, {"options": {"cell.x": object()}}):
        with pytest.raises(BadOption, match="cannot write cell"):
            commands.train_command(wrong)
    with pytest.raises(BadOption, match="train has no option 'celll'"):
        commands.train_command({"celll": "gru"})


def test_counts_and_durations_are_parsed():
    assert commands.parse_count("50k") == 50_000 == commands.parse_count(50_000)
    assert commands.parse_duration("5m") == 300 == commands.parse_duration(300)
    for parse in (commands.parse_count, commands.parse_duration):
        with pytest.raises(BadOption):
            parse("soon")


def test_lines_of_stdin(kit, in_tmp):
    found = subprocess.run(
        [sys.executable, "-m", "seqgen", "echo", *kit], input=b"a\r\n\xff\nlast", capture_output=True, cwd=in_tmp
    )
    assert found.returncode == 0 and found.stdout.decode() == "A;\ufffd;LAST;" and found.stderr == b""


@pytest.mark.parametrize(
    ("command", "plugin"),
    [
        ("play", "seqgen_play"),
        ("bench", "seqgen_bench"),
        ("compare", "seqgen_bench"),
        ("tune", "seqgen_tune"),
        ("serve", "seqgen_serve"),
    ],
)
def test_a_command_without_its_plugin_is_a_usage_error_that_names_it(command, plugin, tmp_path):
    found = finish(run_seqgen(command, "--no-plugins", cwd=tmp_path))
    assert found.code == 2 and found.out == "" and found.err.count("\n") == 1
    assert f"no such command {command!r}" in found.err and plugin in found.err


def test_a_command_that_nobody_has_is_named(cli):
    assert "no such command 'nothing'" in cli("nothing").err


@pytest.mark.parametrize("name", commands.__all__)
def test_every_name_of_the_kit_is_described(name):
    guide = (Path(__file__).parent.parent / "docs" / "plugins" / "hooks.md").read_text(encoding="utf-8")
    assert re.search(rf"`commands\.{name}\b", guide)
