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
GUIDE = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
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


def test_the_guides_first_cell_trains(cli, words, in_tmp):
    cell = next(block for block in BLOCK.findall(GUIDE) if "OneGateCell" in block)
    (in_tmp / "mycell.py").write_text(cell)
    result = cli(
        "train", "--corpus", words, "--cell", "onegate", "-o", "gate_bias=2", "--plugin", "mycell.py", "--steps", 3
    )
    assert result.code == 0, result.err
    seqgen.testing.check_cell(
        seqgen.CellSpec(name="onegate", summary="one gate", source="t", load=sys.modules["mycell"].OneGateCell)
    )
    del sys.modules["mycell"]


def test_the_guides_domain_pack_works(cli, in_tmp):
    pack = next(block for block in BLOCK.findall(GUIDE) if "DateValidator" in block)
    (in_tmp / "dates.py").write_text(pack)
    plugin = ("--plugin", "dates.py")
    trained = cli("train", "--corpus", "dates", "--steps", 300, "--hidden", 32, "--out", "run", *plugin)
    assert trained.code == 0, trained.err
    rows = cli("sample", "run", "-n", 10, "--valid", "--novel", *plugin)
    assert rows.code == 0 and len(rows.out.split()) == 10
    assert "sundays" in cli("evaluate", "run", "-n", 50, *plugin).out
    module = sys.modules.pop("dates")
    corpus = seqgen.CorpusSpec(name="dates", summary="s", source="t", licence="l", load=module.load)
    validator = seqgen.ValidatorSpec(name="date", summary="s", load=module.DateValidator)
    assert seqgen.testing.check_accepts(validator, corpus) == 1


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
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "plugins" / "README.md"):
        prose = re.sub(r"`[^`\n]+`", "", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readmes_examples_run(cli, in_tmp, monkeypatch):
    python, cell = BLOCK.findall(README)
    plain = seqgen.train
    monkeypatch.setattr(seqgen, "train", lambda corpus, **options: plain(corpus, **{**options, "steps": 2}))
    exec(compile(python, "README.md", "exec"), {})
    (in_tmp / "mycell.py").write_text(cell)
    command = next(line.split()[1:] for line in README.splitlines() if "--cell leaky" in line)
    result = cli(*command, "--steps", 2, "--hidden", 4)
    assert result.code == 0, result.err
    del sys.modules["mycell"]
