"""The plugins of a running command: visible to its commands, checked for name clashes, named for missing extras."""

import sys

import pytest

import seqgen
from seqgen.plugins import Plugins
from test_plugins import candidate

OPENS = """
import seqgen


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="mine", summary="s", load="seqgen_classic.vanilla:VanillaCell"))


@seqgen.hookimpl
def register_commands(app):
    @app.command()
    def reopen(run: str):
        print(len(seqgen.load(run).sample(2)))

    @app.command()
    def train():
        print("not this one")
"""


@pytest.fixture
def opens(in_tmp):
    (in_tmp / "opens.py").write_text(OPENS)
    yield ("--plugin", "opens.py")
    sys.modules.pop("opens", None)


def test_a_command_opens_runs_of_the_plugins_it_was_started_with(cli, words, opens):
    trained = cli("train", "--corpus", words, "--cell", "mine", "--hidden", 4, "--steps", 1, "--out", "run", *opens)
    assert trained.code == 0, trained.err
    result = cli("reopen", "run", *opens)
    assert result.code == 0 and result.out == "2\n", result.err


def test_a_name_that_is_taken_costs_that_command_only(cli, opens):
    result = cli("--help", *opens)
    assert result.code == 0 and "reopen" in result.out and "not this one" not in result.out
    assert (
        result.err.count("\n") == 1 and "a command of it is not used: the name 'train' is taken already" in result.err
    )


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def register_cells(register): yield", "register_cells is a generator"),
        ("async def register_cells(register): pass", "register_cells is async"),
        ("async def on_report(metrics): yield", "on_report is a generator"),
    ],
)
def test_a_hook_of_which_a_call_runs_nothing_is_refused(source, says):
    problems: list[str] = []
    Plugins(problems.append).load([candidate(f"import seqgen\n@seqgen.hookimpl\n{source}\n")])
    assert len(problems) == 1 and "guilty (guilty-dist 1.0) is not used" in problems[0] and says in problems[0]


def test_an_extra_of_somebody_else_is_named():
    error = seqgen.MissingExtra("audio", "the corpus birds", distribution="seqgen-birds")
    assert str(error) == "the corpus birds needs the extra 'audio': pip install 'seqgen-birds[audio]'"
    with pytest.raises(seqgen.MissingExtra, match=r"pip install 'seqgen-birds\[audio\]'"):
        seqgen.PackageFiles("no-such-songs", "the corpus birds", "audio", extra_of="seqgen-birds").names()
