"""``seqgen plugins``: the list, and the check of one plugin."""

from __future__ import annotations

import json
import sys
import textwrap

import pytest
import typer

from seqgen.cli.mounting import usable_commands

KEPT = """
import seqgen


class Nothing:
    def validate(self, text):
        return seqgen.Verdict(not text, "something" if text else "")


@seqgen.hookimpl
def register_validators(register):
    register(seqgen.ValidatorSpec(name="nothing", summary="no text", source="t", load=Nothing))
"""
BROKEN = KEPT.replace("seqgen.Verdict(not text, ", "seqgen.Verdict(not text.encode(), ")
GROUNDLESS = """
import seqgen
from broken import ModifiesItsState


@seqgen.hookimpl
def register_cells(register):
    for name in ("adding", "again"):
        register(seqgen.CellSpec(name=name, summary="s", source="t", load=ModifiesItsState))
"""
AWAY = """
import seqgen


@seqgen.hookimpl
def register_corpora(register):
    register(seqgen.CorpusSpec(name="away", summary="s", source="t", licence="l", network=True,
                               load=lambda: [seqgen.Record(f"record {n}") for n in range(60)]))
"""


@pytest.fixture
def little(in_tmp):
    """Writes a plugin in one file, which is forgotten afterwards."""

    def write(source):
        (in_tmp / "little.py").write_text(source)
        return "little.py"

    yield write
    sys.modules.pop("little", None)


def test_a_plugin_is_checked_beside_another_file(cli, little, in_tmp):
    (in_tmp / "other.py").write_text("import seqgen\n")
    found = cli("plugins", "check", little(KEPT), "--plugin", "other.py")
    assert found.code == 0, found.err


def test_a_plugin_that_keeps_its_contracts(cli, little):
    found = cli("plugins", "check", little(KEPT))
    assert found.code == 0 and not found.err
    rows = [line.split() for line in found.out.splitlines() if "nothing" in line]
    assert ["validator", "nothing", "hostile-strings", "ok"] in rows and all(row[3] == "ok" for row in rows)


def test_one_that_does_not(cli, little):
    found = cli("plugins", "check", little(BROKEN), "--json")
    rows = {row["check"]: row for row in json.loads(found.out)}
    assert rows["verdicts"]["result"] == "ok" and rows["hostile-strings"]["result"] == "FAILED"
    assert rows["hostile-strings"]["note"].startswith("raises UnicodeEncodeError on '\\ud800'")
    assert found.code == 5 and found.err.count("\n") == 1
    assert "little.py: 1 of 10 checks failed: validator-nothing-hostile-strings" in found.err
    shown = cli("plugins", "check", "little.py")
    assert shown.code == 5 and "FAILED" in shown.out and "raises UnicodeEncodeError" in shown.out


def test_checks_that_depend_on_a_failed_one_are_not_run(cli, little):
    found = cli("plugins", "check", little(GROUNDLESS), "--json")
    rows = {row["id"]: row for row in json.loads(found.out)}
    for name in ("adding", "again"):
        assert rows[f"cell-{name}-shapes"]["result"] == rows[f"cell-{name}-state-form"]["result"] == "ok"
        assert rows[f"cell-{name}-state-untouched"]["result"] == "FAILED"
        assert "h = h + x and not h += x" in rows[f"cell-{name}-state-untouched"]["note"]
        assert rows[f"cell-{name}-causality"]["result"] == "skipped"
        assert rows[f"cell-{name}-causality"]["note"] == "mend state-untouched first"
    assert "checks failed: cell-adding-state-untouched, cell-again-state-untouched; " in found.err
    waiting = sum(row["result"] == "skipped" for row in rows.values())
    assert found.code == 5 and found.err.endswith(f"; {waiting} wait for that (-v lists them)\n") and waiting > 20


def test_an_installed_package_is_checked_as_a_whole(cli):
    found = cli("plugins", "check", "seqgen_pokemon", "-v")
    assert found.code == 0 and "light-import" in found.out and "1025 records" in found.out
    assert "corpus-pokemon-digest" in found.err


def test_a_package_without_an_entry_point_fails(cli, in_tmp, monkeypatch):
    (in_tmp / "pathless").mkdir()
    (in_tmp / "pathless" / "__init__.py").write_text(KEPT)
    monkeypatch.syspath_prepend(in_tmp)
    found = cli("plugins", "check", "pathless", "--json")
    (row,) = (row for row in json.loads(found.out) if row["check"] == "entry-point")
    sys.modules.pop("pathless", None)
    assert found.code == 5 and row["result"] == "FAILED" and "entry point of the group seqgen" in row["note"]


def test_checks_with_a_missing_extra_are_skipped(cli, little):
    source = (
        "import seqgen\n\n\ndef missing():\n    raise seqgen.MissingExtra('chem', 'the corpus away')\n\n\n"
        "@seqgen.hookimpl\ndef register_corpora(register):\n"
        "    register(seqgen.CorpusSpec(name='away', summary='s', source='t', licence='l', load=missing))\n"
    )
    found = cli("plugins", "check", little(source), "--json")
    rows = {row["check"]: row for row in json.loads(found.out)}
    assert found.code == 0 and rows["records"]["result"] == "skipped" and "'chem'" in rows["records"]["note"]


@pytest.mark.parametrize(
    ("plugin", "source", "code", "message"),
    [
        ("seqgen_clasic", "", 2, "no plugin named 'seqgen_clasic'; did you mean 'seqgen_classic'"),
        ("nobody.py", "", 2, "no such plugin file: 'nobody.py'"),
        ("little.py", "import nothing_like_it", 5, "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("little.py", "x = 1", 5, "it has no hooks"),
    ],
)
def test_plugins_that_cannot_be_checked(cli, little, plugin, source, code, message):
    little(source)
    found = cli("plugins", "check", plugin)
    assert found.code == code and message in found.err and found.err.count("\n") == 1


def test_the_list_is_what_the_bare_call_shows(cli):
    assert "seqgen_classic" in cli("plugins").out and cli("plugins", "nothing").code == 2


@pytest.mark.full
def test_a_corpus_that_needs_the_network_says_so(cli, little):
    plugin = ("--plugin", little(AWAY))
    assert json.loads(cli("show", "corpus", "away", "--json", *plugin).out)["network"] is True
    trained = cli("train", "--corpus", "away", "--steps", 1, "--hidden", 4, *plugin)
    assert trained.code == 0 and trained.err.count("the corpus away is read over the network") == 1


COMMANDS = """
import seqgen


@seqgen.hookimpl
def register_commands(app):
    @app.command()
    def train():
        pass

    @app.command("little-own")
    def own(code: int = 0):
        raise SystemExit(code)
"""
UNMADE = (
    KEPT
    + """

@seqgen.hookimpl
def register_commands(app):
    raise ValueError("no commands today")
"""
)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (COMMANDS, "a command of it is not used: the name 'train' is taken already"),
        (
            COMMANDS.replace("little-own", "train-little").replace("def train", "def train_little"),
            "a command of it is not used: it has another one named 'train-little'",
        ),
        (UNMADE, "its register_commands is not used: ValueError: no commands today"),
    ],
    ids=["a name that is taken", "one name twice", "not made"],
)
def test_commands_that_are_not_used_are_listed(source, says, cli, little):
    result = cli("plugins", "--json", "--plugin", little(source))
    assert result.code == 0 and says in result.err
    (row,) = [row for row in json.loads(result.out) if row["package"] == "little"]
    assert row["state"].startswith("ok, but ") and says in row["state"]


@pytest.mark.parametrize(
    ("source", "check", "says"),
    [
        (COMMANDS, "command-names", "the name 'train' is taken already"),
        (UNMADE, "commands", "its register_commands is not used: ValueError: no commands today"),
    ],
    ids=["a name that is taken", "not made"],
)
def test_commands_that_are_not_used_fail_a_check(source, check, says, cli, little):
    result = cli("plugins", "check", little(source), "--json")
    assert result.code == 5 and f"package-little-{check}" in result.err
    (row,) = [row for row in json.loads(result.out) if row["result"] == "FAILED"]
    assert row["check"] == check and says in row["note"]


def test_what_a_group_does_first_is_no_coroutine(cli, little):
    hook = "\n@seqgen.hookimpl\ndef register_commands(app):\n    group = typer.Typer()\n"
    hook += "    app.add_typer(group, name='group')\n    @group.callback()\n    async def both():\n        pass\n"
    hook += "    @group.command()\n    def one():\n        pass\n"
    result = cli("plugins", "check", little(f"import typer\n{KEPT}{hook}"), "--json")
    assert result.code == 5 and "'both', the callback of a group, is async, so calling it does nothing" in result.out


@pytest.mark.full
@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("def little_one(x: 'Foo' = 1):\n    pass", "'little-one': NameError: name 'Foo' is not defined"),
        ("async def little_one():\n    pass", "'little-one' is async, so calling it does nothing; remove async"),
        ("def little_one():\n    yield", "'little-one' is a generator, so calling it does nothing; remove yield"),
        ("def little_one(plugin: str = ''):\n    pass", "'little-one' has an option --plugin of its own"),
        (
            "def little_one(file: str = typer.Option('', '--plugin')):\n    pass",
            "'little-one' has an option --plugin of its own",
        ),
        ("Little", "the name 'Little' is not of the form [a-z][a-z0-9_-]*"),
        ("a little", "the name 'a little' is not of the form [a-z][a-z0-9_-]*"),
    ],
)
@pytest.mark.parametrize("where", ["app", "group"])
def test_commands_that_nobody_could_use_fail_a_check_and_are_left_out(where, command, says, cli, little):
    made = f"command()\n{command}" if "def " in command else f"command({command!r})\ndef one():\n    pass"
    body = textwrap.indent(f"group = typer.Typer()\napp.add_typer(group, name='group')\n@{where}.{made}", "    ")
    other = "    @app.command()\n    def little_other():\n        print('other')\n"
    hook = f"\n@seqgen.hookimpl\ndef register_commands(app):\n{body}\n{other}"
    result = cli("plugins", "check", little(f"import typer\n{KEPT}{hook}"), "--json")
    assert result.code == 5 and "package-little-command-names" in result.err
    assert says in next(row["note"] for row in json.loads(result.out) if row["check"] == "command-names")
    used = cli("little-other", "--plugin", "little.py")
    assert used.code == 0 and used.out == "other\n" and says in used.err


def test_a_group_of_commands_is_mounted_again():
    """A module has one group, and a process may build several programs."""
    group = typer.Typer(name="little")
    group.command("one")(lambda: None)
    for _ in range(2):
        own = typer.Typer()
        own.add_typer(group)
        kept, problems = usable_commands(own, ())
        assert set(kept) == {"little"} and set(kept["little"].commands) == {"one"} and not problems


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_of_a_plugin_may_leave_with_a_code_of_its_own(code, cli, little):
    assert (
        cli("little-own", "--code", code, "--plugin", little(COMMANDS.replace("def train", "def other"))).code == code
    )


def test_a_file_that_cannot_be_loaded_ends_a_command_but_not_the_look_at_it(cli, little):
    path = little("def (\n")
    refused = cli("list", "cells", "--plugin", path)
    assert (refused.code, refused.out) == (5, "") and "SyntaxError" in refused.err and refused.err.count("\n") == 1
    listed = cli("plugins", "--plugin", path)
    assert listed.code == 0 and "SyntaxError" in listed.out
    assert cli("plugins", "check", path).code == 5
