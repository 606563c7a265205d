"""``seqgen plugins new``: the plugin it writes works at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from conftest import environment_of_its_own
from seqgen.api.corpora import sort_out_corpus
from seqgen.cli.scaffold import KINDS, new_plugin
from test_structure import tool_in


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A plugin of each kind, and a folder that makes them all seem installed."""
    folder = tmp_path_factory.mktemp("written")
    site = folder / "site"
    site.mkdir()
    for kind in KINDS:
        made = new_plugin(f"demo-{kind}", kind, folder / kind)
        project = tomllib.loads((made / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        ((package, place),) = project["entry-points"]["seqgen"].items()
        info = site / f"{package}-{project['version']}.dist-info"
        info.mkdir()
        assert project["name"] == f"seqgen-demo-{kind}"
        facts = {"Metadata-Version": "2.1", "Name": project["name"], "Version": project["version"]}
        (info / "METADATA").write_text("".join(f"{name}: {value}\n" for name, value in facts.items()))
        (info / "entry_points.txt").write_text(f"[seqgen]\n{package} = {place}\n")
    return folder


def python_path(written: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(map(str, (written / "site", *(written / kind / "src" for kind in KINDS))))}


@pytest.mark.full
def test_the_tests_of_what_is_written_pass(written):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib",
         *(str(written / kind) for kind in KINDS)],
        cwd=written, env=os.environ | python_path(written), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout + done.stderr


@pytest.mark.full
def test_what_is_written_keeps_its_contracts(written, tmp_path):
    """``seqgen plugins check``, one after another in one process; each shows checks that pass, and nothing else."""
    program = (
        "import sys\nfrom seqgen.cli import main\n"
        "for package in sys.argv[1:]:\n    assert main(['plugins', 'check', package, '--json']) == 0, package"
    )
    packages = [f"demo_{kind}" for kind in KINDS]
    done = subprocess.run(
        [sys.executable, "-c", program, *packages], cwd=tmp_path, env=os.environ | python_path(written),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stdout[-3000:] + done.stderr
    decoder, text, tables = json.JSONDecoder(), done.stdout.lstrip(), []
    while text:
        rows, end = decoder.raw_decode(text)
        tables.append(rows)
        text = text[end:].lstrip()
    assert len(tables) == len(KINDS)
    assert all(rows and all(row["result"] == "ok" for row in rows) for rows in tables)
    parts = {kind for kind in KINDS if kind not in ("command", "events")}  # which hand in nothing that has promises
    assert parts <= {row["what"].split()[0] for rows in tables for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_commands_of_its_readme_work(written, kind, tmp_path):
    """Those of seqgen, with 20 steps of training where the page does not say how many."""
    readme = (written / kind / "README.md").read_text(encoding="utf-8")
    commands = [line.strip() for line in readme.splitlines() if line.startswith("    seqgen ")]
    assert commands
    for command in commands:
        words = command.split()[1:]
        steps = ["--steps", "20"] if words[0] == "train" and "--steps" not in words else []
        done = subprocess.run(
            [sys.executable, "-m", "seqgen", *words, *steps], cwd=tmp_path, env=os.environ | python_path(written),
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_clean(written, kind):
    tool_in(written / kind, "ruff", "check", "--no-cache", ".")
    tool_in(written / kind, "ruff", "format", "--no-cache", "--check", ".")
    texts = [
        path.read_text(encoding="utf-8")
        for path in (written / kind).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    placeholders = (
        "plugin-name",
        "plugin-distribution",
        "plugin_package",
        "Plugin-title",
        "plugin-usage",
        "plugin-api",
    )
    assert not [word for text in texts for word in placeholders if word in text]
    assert (written / kind / ".gitignore").exists() and (written / kind / "README.md").exists()


@pytest.mark.full
@pytest.mark.promise("R20")
def test_what_is_written_is_found_without_torch(written, tmp_path, record_property):
    """``--help`` and ``plugins``, with a plugin of each kind and torch forbidden."""
    record_property("cases", len(KINDS))
    program = "import sys; sys.modules['torch'] = None\nfrom seqgen.cli import main\nsys.exit(main(sys.argv[1:]))"
    env = os.environ | python_path(written) | {"SEQGEN_PLUGINS_STRICT": "1"}
    for arguments in (["--help"], ["list"], ["plugins", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0 and done.stderr == "", done.stderr
    assert all(f'"demo_{kind}"' in done.stdout for kind in KINDS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("Demo",), "not of the form [a-z]"),
        (("9a",), "not of the form [a-z]"),
        (("a" * 31,), "at most 30"),
        (("class",), "word of Python's own"),
        (("match",), "word of Python's own"),
        (("json",), "module that exists"),
        (("torch",), "module that exists"),
        (("gru",), "taken: cell gru of"),
        (("names", "--kind", "domain"), "taken: corpus names of"),
        (("seqgen-classic",), "installed plugin"),
        (("taken",), "is there already"),
        (("fine", "--out", "taken"), "is there already"),
        (("fine", "--kind", "cels"), "did you mean 'cell'"),
        (("train", "--kind", "command"), "seqgen has a command of that name"),
    ],
    ids=lambda value: "_".join(value)[:20] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_names_that_will_not_do(cli, in_tmp, arguments, says):
    (in_tmp / "taken").mkdir()
    result = cli("plugins", "new", *arguments)
    assert result.code == 2 and result.err.count("\n") == 1 and says in result.err, result.err
    assert [path.name for path in in_tmp.iterdir()] == ["taken"]


def test_a_name_may_hold_what_templates_have_in_its_place(cli, in_tmp):
    assert cli("plugins", "new", "a-plugin-api").code == 0
    written = "".join(path.read_text() for path in (in_tmp / "a-plugin-api").rglob("*.*") if path.is_file())
    assert 'name="a-plugin-api"' in written and "a-1." not in written


def test_the_next_commands_are_said(cli, in_tmp):
    result = cli("plugins", "new", "my-cell", "--kind", "cell", "--out", "a b")
    assert result.code == 0
    assert result.out.strip() == "pip install -e 'a b[test]' && python -m pytest 'a b' && seqgen plugins check my_cell"


def test_a_full_disk_leaves_nothing_behind(cli, in_tmp, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert cli("plugins", "new", "demo").code == 7
    assert list(in_tmp.iterdir()) == []


@pytest.mark.slow
def test_from_nothing_to_a_trained_cell(tmp_path, capsys):
    """In an environment of its own: new, install, test, train; says how long it took."""
    python = environment_of_its_own(tmp_path / "venv")
    started = time.monotonic()

    def run(*arguments: object) -> None:
        command = [str(python), "-m", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        seconds[" ".join(map(str, arguments[:2]))] = time.monotonic() - started - sum(seconds.values())

    seconds: dict[str, float] = {}
    run("seqgen", "plugins", "new", "demo", "--kind", "cell")
    run("pip", "install", "-q", "--no-deps", "-e", "demo")
    run("pytest", "-q", "demo")
    run("seqgen", "train", "--corpus", "names", "--cell", "demo", "--steps", 20)
    with capsys.disabled():
        each = ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items())
        print(f"\nfrom nothing to a trained cell: {sum(seconds.values()):.1f} s ({each})")


def test_a_plugin_that_is_not_installed_is_no_folder_of_text(cli, in_tmp, monkeypatch, plugins):
    new_plugin("stars", "corpus")
    (in_tmp / "plain").mkdir()
    (in_tmp / "plain" / "pyproject.toml").write_text('[project.entry-points.other]\na = "a"\n')
    (in_tmp / "plain" / "words.txt").write_text("anna\nben\n")
    source = "the folder 'stars' is the source of a plugin that is not installed; run: pip install -e"
    for folder, where, command in (
        (".", "stars", ("show", "corpus")),
        ("stars/src", "..", ("train", "--corpus", str(in_tmp), "--corpus")),
        (".", "stars", ("train", "--corpus")),
    ):
        monkeypatch.chdir(in_tmp / folder)
        refused = cli(*command, "stars")
        way = "; to read the files of the folder, pass ./stars"
        assert refused.code == 2, command
        assert refused.err == f"seqgen: no corpus named 'stars' ({source} {where}{way})\n"
    unknown = cli("train", "--corpus", "plain", "--cell", "stars")
    assert unknown.err == f"seqgen: no cell named 'stars' ({source} stars)\n"
    assert source in cli("plugins", "check", "stars").err
    assert "is the folder of a package; install it, and " in cli("list", "cells", "--plugin", "stars").err
    for path in ("./stars", "stars/", str(in_tmp / "stars"), Path("stars"), "plain", "stars/src"):
        assert sort_out_corpus(path, plugins)[1]["path"].startswith(str(in_tmp)), path


def test_the_source_of_an_installed_plugin_is_no_folder_of_text(cli, in_tmp):
    (in_tmp / "seqgen_names").mkdir()
    (in_tmp / "seqgen_names" / "__init__.py").write_text("")
    (in_tmp / "pyproject.toml").write_text('[project.entry-points.seqgen]\nseqgen_names = "seqgen_names"\n')
    refused = cli("train", "--corpus", "seqgen_names")
    assert refused.code == 2 and "source of the plugin 'seqgen_names', which is installed; see" in refused.err
