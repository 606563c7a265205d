"""Documentation that cannot rot: examples run, and what exists is described."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest

import seqgen
import seqgen.testing
from seqgen import hookspecs, specs

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GUIDE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in [*sorted((DOCS / "plugins").glob("*.md")), DOCS / "reference" / "python.md"]
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
SOURCES = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "seqgen").rglob("*.py")))
HOOKS = [name for name in vars(hookspecs) if name.startswith(("register_", "on_"))]


def test_the_notebook_page_runs(in_tmp, capsys):
    page = (ROOT / "docs" / "from-the-notebook.md").read_text(encoding="utf-8")
    blocks = BLOCK.findall(page)
    assert len(blocks) >= 6
    space: dict[str, object] = {"__name__": "notebook"}
    for block in blocks:
        exec(compile(block, "from-the-notebook.md", "exec"), space)
    assert "Trump" in capsys.readouterr().out
    assert space["losses"][-1] < 2.3


EXAMPLES = {path.name: path for path in sorted((ROOT / "docs" / "examples").glob("*.py"))}
TRAIN = ("train", "--corpus", "WORDS", "--steps", 3, "--hidden", 4, "--out", "run", "-q")
USES = {
    "mycell.py": [(*TRAIN, "--cell", "onegate", "-o", "gate_bias=2")],
    "dates.py": [
        ("train", "--corpus", "dates", "--steps", 300, "--hidden", 32, "--out", "run", "-q"),
        ("sample", "run", "-n", 10, "--valid", "--novel"),
        ("evaluate", "run", "-n", 50),
    ],
    "squares.py": [(*TRAIN, "--corpus", "squares"), ("sample", "run", "-n", 2)],
    "syllables.py": [(*TRAIN, "--tokenizer", "syllables", "-o", "most=20"), ("sample", "run", "-n", 2)],
    "bigram.py": [
        ("train", "--corpus", "WORDS", "--model", "bigram", "--steps", 3, "--out", "run", "-q"),
        ("sample", "run", "-n", 2),
    ],
    "ownstep.py": [
        ("train", "--corpus", "WORDS", "--model", "ownstep", "--steps", 3, "-o", "rate=0.3", "--out", "run", "-q"),
        ("sample", "run", "-n", 2),
    ],
    "norepeat.py": [TRAIN, ("sample", "run", "-n", 4, "--processor", "norepeat", "-o", "norepeat.penalty=3")],
    "smallcaps.py": [(*TRAIN, "--augment", "smallcaps")],
    "diary.py": [TRAIN, ("diary", "run")],
    "tally.py": [TRAIN, ("evaluate", "run", "-n", 20, "--report", "tally=numbers.json")],
}
SAID = {"dates.py": "sundays", "diary.py": '"ended": "steps"', "mycell.py": "run"}


def test_the_guide_shows_the_examples_as_they_are():
    """Every block of Python in the guide is a file, and every file stands there."""
    assert sorted(BLOCK.findall(GUIDE)) == sorted(path.read_text(encoding="utf-8") for path in EXAMPLES.values())
    assert {name for name in EXAMPLES if not name.startswith("test_")} == set(USES)


@pytest.mark.parametrize("name", USES)
def test_an_example_of_the_guide_works(name, cli, words, in_tmp, monkeypatch):
    """As the guide says, and without a complaint."""
    monkeypatch.setenv("SEQGEN_PLUGINS_STRICT", "1")
    (in_tmp / name).write_bytes(EXAMPLES[name].read_bytes())
    for command in USES[name]:
        result = cli(*(words if argument == "WORDS" else argument for argument in command), "--plugin", name)
        sys.modules.pop(name.removesuffix(".py"))
        assert result.code == 0, result.err
    assert SAID.get(name, "\n") in result.out


@pytest.mark.parametrize("name", USES)
def test_an_example_of_the_guide_keeps_its_promises(name):
    """By the kit."""
    for check in seqgen.testing.checks_of_plugin(EXAMPLES[name]):
        check()
    sys.modules.pop(name.removesuffix(".py"), None)


def test_each_hook_has_an_example():
    texts = " ".join(path.read_text(encoding="utf-8") for path in EXAMPLES.values())
    assert [hook for hook in HOOKS if f"def {hook}(" not in texts] == []


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_section_with_its_arguments(hook):
    function = getattr(hookspecs, hook)
    arguments = ", ".join(function.__code__.co_varnames[: function.__code__.co_argcount])
    assert f"### {hook}({arguments})" in GUIDE


def test_every_spec_field_is_described():
    for spec in specs.SPEC_TYPES:
        for field in dataclasses.fields(spec):
            assert re.search(rf"\b{field.name}\b", GUIDE), f"{spec.__name__}.{field.name}"


@pytest.mark.parametrize("name", seqgen.__all__)
def test_every_public_name_is_described(name):
    assert re.search(rf"\b{name}\b", GUIDE) or name == "__version__"


@pytest.mark.parametrize("name", seqgen.testing.__all__)
def test_every_name_of_the_kit_is_described(name):
    assert re.search(rf"\b{name}\b", GUIDE)


def test_every_fixture_is_described():
    names = re.findall(r"^def (seqgen_\w+)", (ROOT / "seqgen" / "pytest_plugin.py").read_text(encoding="utf-8"), re.M)
    assert len(names) >= 5 and [name for name in names if f"`{name}" not in GUIDE] == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"SEQGEN_\w*PLUGINS\w*", SOURCES))))
def test_every_switch_is_described(name):
    assert f"`{name}=" in GUIDE


def test_readme_holds_the_two_commands_and_ci_calls_one_of_them():
    train, test = (
        "python -m pip install . && seqgen train --corpus names --cell vanilla",
        "python -m pip install -e '.[test]' && pytest",
    )
    assert train in README and test in README
    assert test in (ROOT / ".ci" / "run").read_text() and test in (ROOT / "CONTRIBUTING.md").read_text()


def test_the_file_tree_of_the_readme_is_complete():
    for path in sorted((ROOT / "seqgen").iterdir()):
        if path.name not in ("__pycache__", "py.typed", "__init__.py"):
            assert re.search(rf"^ +{re.escape(path.stem)}(/|\.py) ", README, re.M), path.name


def test_links_lead_somewhere():
    for page in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "plugins" / "README.md"):
        prose = re.sub(r"`[^`\n]+`", "", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readmes_examples_run(cli, in_tmp, monkeypatch):
    python, cell = BLOCK.findall(README)
    plain = seqgen.train
    monkeypatch.setattr(seqgen, "train", lambda *corpus, **options: plain(*corpus, **{**options, "steps": 2}))
    exec(compile(python, "README.md", "exec"), {})
    (in_tmp / "mycell.py").write_text(cell)
    command = next(line.split()[1:] for line in README.splitlines() if "--cell leaky" in line)
    result = cli(*command, "--steps", 2, "--hidden", 4)
    assert result.code == 0, result.err
    del sys.modules["mycell"]


CELLS = (ROOT / "docs" / "cells.md").read_text(encoding="utf-8")


def test_the_page_of_cells_says_what_each_is_good_for_and_has_measured_it(plugins):
    advice, table = CELLS.split("## cells: ")
    ours = {entry.spec.name for entry in plugins.registry.entries("cell") if entry.package.startswith("seqgen_")}
    said = [name for line in re.findall(r"^\| (`.*?) \|", advice, re.M) for name in re.findall(r"`(\w+)`", line)]
    assert sorted(said) == sorted({*ours, "ngram"})
    assert set(re.findall(r"^\| (\w+) \|", table, re.M)) - {"model"} == {*ours, "ngram"}


def test_cells_that_train_slowly_are_named_with_the_reason():
    """Slower than a quarter of torch.nn.GRU, by the measured table; and every cell knows more than a 2-gram."""
    advice, table = CELLS.split("## cells: ")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "yes" in line]
    slow = {row[0] for row in rows if float(row[6].split()[0]) < 0.25}
    assert slow <= set(re.findall(r"^- `(\w+)`: ", advice, re.M)) and len(rows) > 10
    assert "| no |" not in table
