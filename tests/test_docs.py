"""Documentation that cannot rot: examples run, and what exists is described."""

from __future__ import annotations

import dataclasses
import datetime
import os
import posixpath
import random
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest

import seqgen
import seqgen.testing
from conftest import one_in
from seqgen import hookspecs, specs

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GUIDE = "".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "plugins").glob("*.md")))
PUBLIC = (DOCS / "reference" / "python.md").read_text(encoding="utf-8") + GUIDE
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
SOURCES = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "seqgen").rglob("*.py")))
HOOKS = [name for name in vars(hookspecs) if name.startswith(("register_", "on_"))]


@pytest.mark.full
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
    "brackets.py": [(*TRAIN, "--domain", "lisp"), ("sample", "run", "-n", 2, "--valid", "--fast")],
    "squares.py": [
        ("train", "--corpus", "squares", "--condition", "digits", "--steps", 3, "--hidden", 8, "--out", "run", "-q"),
        ("sample", "run", "-n", 2, "--given", "digits=4"),
    ],
    "seeds.py": [("seeds", "--n", 2, "--corpus", "WORDS", "--steps", 3, "--hidden", 4, "-o", "dropout=0.1")],
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
    "lines.py": [(*TRAIN, "--track", "lines=out.jsonl")],
    "contacts.py": [("show", "corpus", "book.vcf")],
    "tally.py": [TRAIN, ("evaluate", "run", "-n", 20, "--report", "tally=numbers.json")],
}
USES["firsts.py"] = [TRAIN, ("export", "firsts", "run", "firsts.csv", "--digits", 5, "--json")]
USES["threads.py"] = USES["other_executors.py"] = [("list", "executors")]
SAID = {
    "dates.py": "sundays",
    "diary.py": '"ended": "steps"',
    "mycell.py": "run",
    "seeds.py": "words-gru-002",
    "contacts.py": "Countess",
    "firsts.py": "firsts.csv",
}


def test_the_guide_shows_the_examples_as_they_are():
    """Every block of Python in the guide is a file, and every file stands there."""
    assert sorted(BLOCK.findall(GUIDE)) == sorted(path.read_text(encoding="utf-8") for path in EXAMPLES.values())
    assert {name for name in EXAMPLES if not name.startswith("test_")} == set(USES)


@pytest.mark.parametrize("name", one_in(3, USES))
def test_an_example_of_the_guide_works(name, cli, words, in_tmp, monkeypatch):
    """As the guide says, and without a complaint."""
    monkeypatch.setenv("SEQGEN_PLUGINS_STRICT", "1")
    (in_tmp / name).write_bytes(EXAMPLES[name].read_bytes())
    (in_tmp / "book.vcf").write_text("BEGIN:VCARD\nFN:Ada\nTITLE:Countess\nEND:VCARD\n")
    for command in USES[name]:
        result = cli(*(words if argument == "WORDS" else argument for argument in command), "--plugin", name)
        sys.modules.pop(name.removesuffix(".py"))
        assert result.code == 0, result.err
    assert SAID.get(name, "\n") in result.out


def test_new_days_are_no_copies_beside_the_corpus_of_the_guide():
    """Days that no model has made: the corpus itself must give no reason to call them copies."""
    from seqgen.evaluation import memorization_verdict, similarity_metrics

    records = [record.text for record in runpy.run_path(str(EXAMPLES["dates.py"]))["load"]()]
    held_out = records[::10]
    training = set(records) - set(held_out)
    every = range(datetime.date(1900, 1, 1).toordinal(), datetime.date(2000, 1, 1).toordinal())
    days = [str(datetime.date.fromordinal(day)) for day in random.Random(1).sample(every, 500)]
    new = [day for day in days if day not in training]
    metrics = similarity_metrics(new, held_out, sorted(training), None)
    assert "no evidence" in memorization_verdict(metrics, len(new), len(held_out))


@pytest.mark.parametrize("name", one_in(5, sorted({*USES} - {"other_executors.py"})))
def test_an_example_of_the_guide_keeps_its_promises(name):
    """By the kit; tests/test_other_executors.py has those that start clusters."""
    for check in seqgen.testing.checks_of_plugin(EXAMPLES[name]):
        check()
    sys.modules.pop(name.removesuffix(".py"), None)


def test_each_hook_has_an_example():
    texts = " ".join(path.read_text(encoding="utf-8") for path in EXAMPLES.values())
    assert [hook for hook in HOOKS if f"def {hook}(" not in texts] == []


def test_every_hook_has_a_section_with_its_arguments():
    codes = {hook: getattr(hookspecs, hook).__code__ for hook in HOOKS}
    heads = [f"### {hook}({', '.join(code.co_varnames[: code.co_argcount])})" for hook, code in codes.items()]
    assert heads and [head for head in heads if head not in GUIDE] == []


def test_every_spec_field_is_described():
    for spec in specs.SPEC_TYPES.values():
        for field in dataclasses.fields(spec):
            assert re.search(rf"\b{field.name}\b", GUIDE), f"{spec.__name__}.{field.name}"


def test_every_public_name_is_described():
    names = {*seqgen.__all__} - {"__version__"}
    assert names and sorted(name for name in names if not re.search(rf"\b{name}\b", PUBLIC)) == []


def test_every_name_of_the_kit_is_described():
    assert [name for name in seqgen.testing.__all__ if not re.search(rf"\b{name}\b", GUIDE)] == []


def test_every_fixture_is_described():
    names = re.findall(r"^def (seqgen_\w+)", (ROOT / "seqgen" / "pytest_plugin.py").read_text(encoding="utf-8"), re.M)
    assert len(names) >= 5 and [name for name in names if f"`{name}" not in GUIDE] == []


def test_every_switch_is_described():
    names = sorted(set(re.findall(r"SEQGEN_\w*PLUGINS\w*", SOURCES)))
    assert names and [name for name in names if f"`{name}=" not in GUIDE] == []


README_WORDS = 1200
TRAIN_COMMAND = "python -m pip install . && seqgen train --corpus names --cell vanilla"
TEST_COMMAND = "python -m pip install -e '.[test]' && pytest"


def test_readme_is_short_and_holds_the_two_commands():
    assert len(README.split()) <= README_WORDS
    assert TRAIN_COMMAND in README and TEST_COMMAND in README


def test_ci_and_contributing_call_the_test_command_of_the_readme():
    assert TEST_COMMAND in (ROOT / ".ci" / "run").read_text()
    assert TEST_COMMAND in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def run_blocks(page, monkeypatch):
    """Run the Python of a page, two steps of each training."""
    plain = seqgen.train
    monkeypatch.setattr(seqgen, "train", lambda *corpus, **options: plain(*corpus, **{**options, "steps": 2}))
    space = {"__name__": "page"}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, page.name, "exec"), space)


@pytest.mark.full
def test_the_readmes_python_runs(in_tmp, monkeypatch):
    run_blocks(ROOT / "README.md", monkeypatch)


OWN_BLOCKS = {"from-the-notebook.md", "new-cell.md", "export.md", "molecules.md"}  # tested below, and with plugins
PYTHON_PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if page.parent.name != "plugins" and page.name not in OWN_BLOCKS and BLOCK.search(page.read_text(encoding="utf-8"))
]


def test_every_name_in_the_python_of_the_pages_is_defined(tmp_path):
    """That the blocks also run is tested below, of some pages in this tier and of all in the full one."""
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        if blocks := BLOCK.findall(page.read_text(encoding="utf-8")):
            name = "-".join(page.relative_to(ROOT).with_suffix("").parts)
            (tmp_path / f"{name}.py").write_text("\n\n".join(blocks), encoding="utf-8")
    assert len(list(tmp_path.iterdir())) > len(PYTHON_PAGES)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "-q", "--select", "F821", str(tmp_path)]
    done = subprocess.run(ruff, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", one_in(4, PYTHON_PAGES), ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, in_tmp, monkeypatch):
    run_blocks(page, monkeypatch)


def test_the_cell_of_fifteen_lines_trains_as_its_page_says(cli, in_tmp):
    page = (DOCS / "guides" / "new-cell.md").read_text(encoding="utf-8")
    (cell,) = BLOCK.findall(page)
    (in_tmp / "leaky.py").write_text(cell)
    command = next(line.split()[1:] for line in page.splitlines() if "--cell leaky" in line)
    result = cli(*command, "--steps", 2, "--hidden", 4)
    assert result.code == 0, result.err
    body = cell.partition("class ")[2].partition("@seqgen")[0]
    assert len([line for line in body.splitlines() if line.strip()]) <= 15
    del sys.modules["leaky"]


PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), ROOT / "plugins" / "README.md"]
PATH = re.compile(r"`((?:seqgen|plugins|corpora|tests|benchmarks|docs)/[\w./-]*)`")


def hold(pages, check):
    """Fail with "page: offence" for everything that a check yields of a list of pages."""
    found = [f"{page.relative_to(ROOT).as_posix()}: {offence}" for page in pages for offence in check(page)]
    assert pages
    assert not found, "\n".join(["", *found])


def broken_links(page):
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)", prose):
        linked = page.parent / target if target else page
        if not linked.exists():
            yield target
        elif anchor:
            headings = re.findall(r"^#+ (.*)", linked.read_text(encoding="utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            if anchor not in slugs:
                yield f"{target}#{anchor}"
    if page.name != "CHANGELOG.md":  # which also names what is gone
        yield from (path for path in PATH.findall(text) if not (ROOT / path).exists())


def test_links_lead_somewhere_and_paths_exist():
    hold(PAGES, broken_links)


def test_the_architecture_page_names_every_module_of_the_top_level():
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "seqgen").iterdir()):
        if path.name not in ("__pycache__", "py.typed", "__init__.py"):
            assert f"`seqgen/{path.name}{'/' * path.is_dir()}`" in page, path.name


@pytest.mark.parametrize(
    ("looking_for", "path"),
    {
        "the dropout mask": "seqgen/cells/cell.py",
        "the learning-rate schedule": "seqgen/training/schedule.py",
        "a filter of rows": "seqgen/sampling/filters.py",
        "the files of a checkpoint": "seqgen/checkpoint/snapshot.py",
        "the message about a missing plugin": "seqgen/api/missing_plugin.py",
        "the CSV and JSON readers": "seqgen/corpus/tables.py",
        "the GRU's equations": "plugins/seqgen_classic/gru.py",
    }.items(),
)
def test_the_architecture_page_says_where_things_are(looking_for, path):
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| {looking_for}.*\| .*`{path}`", page, re.M) and (ROOT / path).exists()


def commands_of(text):
    """The commands of seqgen that a page shows, each as its arguments."""
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.M | re.S)
    shown = [line.removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    shown += re.findall(r"`(seqgen [^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    for line in shown:
        for command in re.split(r"&&|;|\||>", re.sub(r"'[^']*'", "QUOTED", line.partition(" #")[0])):
            words = shlex.split(command)
            if words and words[0] == "seqgen" and len(words) > 1 and not words[1].isupper():
                yield words[1:]


COMMAND_PAGES = [page for page in PAGES if page.name not in ("mistakes.md", "CHANGELOG.md")]
"""Pages whose commands are meant to be typed; the page of mistakes shows some that fail."""
OWN_NAMES = {"onegate", "leaky", "dates", "squares", "demo", "NAME"}  # of examples and placeholders


@pytest.fixture(scope="module")
def app():
    """The command line with the commands of all installed plugins, and what is registered."""
    from seqgen.cli.common import session
    from seqgen.cli.main import build_commands
    from seqgen.pytest_plugin import load_plugins

    session.command = ""  # the flags of every command
    session.plugins = load_plugins((), installed=True)
    return build_commands(), session.plugins.registry


def wrong_commands(page, top, registry):
    for words in commands_of(page.read_text(encoding="utf-8")):
        command, rest = top, list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        if words[0] == "diary":  # the example of register_commands
            continue
        if command is top and not words[0].startswith("-"):
            yield f"no command: seqgen {' '.join(words)}"
        options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
        if words[0] == "export" and words[1] in registry.names(
            "exporter"
        ):  # --NAME VALUE sets an option of the exporter
            options |= {
                f"--{name.replace('_', '-')}": None for name in registry.get("exporter", words[1]).option_names()
            }
        for place, word in enumerate(rest):
            flag = word.partition("=")[0]
            if re.match(r"--?[a-z0]", word) and flag not in ("--help", "-h", *options):
                yield f"no option {flag}: seqgen {' '.join(words)}"
            names = {"--corpus": "corpus", "--cell": "cell", "--cells": "cell", "--tokenizer": "tokenizer"}
            names |= {"--model": "model", "--augment": "augmentation", "--domain": "domain"}
            if flag in names and "/" not in rest[place + 1]:
                known = (
                    {entry.spec.name for entry in registry.entries(names[flag])} | OWN_NAMES | {"all", "CORPUS", "-"}
                )
                if not set(rest[place + 1].split(",")) <= known:
                    yield f"{flag} {rest[place + 1]}"


def test_commands_shown_exist_with_their_flags_and_names(app):
    hold(COMMAND_PAGES, lambda page: wrong_commands(page, *app))


def test_the_guide_names_the_version_of_the_hooks():
    assert f"now {seqgen.PLUGIN_API}." in GUIDE
    assert 'seqgen_api = "{}.{}"'.format(*seqgen.PLUGIN_API) in GUIDE


def test_the_reference_has_every_public_name():
    shown = re.findall(
        r"^::: (seqgen\.[\w.]+)", "".join(page.read_text() for page in (DOCS / "reference").glob("*.md")), re.M
    )
    assert {f"seqgen.{name}" for name in seqgen.__all__ if name != "__version__"} <= set(shown)
    assert {f"seqgen.testing.{name}" for name in seqgen.testing.__all__} <= set(shown)


def test_the_site_leads_to_every_page():
    named = set(re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]))
    written = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    measured = {f"results/{page.name}" for page in (ROOT / "benchmarks/results").glob("*.md")}
    notebooks = {f"notebooks/{path.stem}.md" for path in (DOCS / "notebooks").glob("*.ipynb")}
    assert {page for page in named if not page.startswith("project/")} == written | measured | notebooks


SHOWN = {
    "notebooks/chemist": '<div class="output"><table>',
    "guides/notebooks": 'href="../../notebooks/chemist/"',
    "guides/tuning": "cell=gru|lstm",
    "guides/constraints": '<span class="flag">--exact</span>',
    "mistakes": "a cell without super().__init__()",
    "reference/python": "Raised while iterating:",
}
"""What pages of the site show that their sources do not have in this form."""


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="no mkdocs (extra: docs)")
    pytest.importorskip("mkdocstrings", reason="no mkdocstrings (extra: docs)")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    built = (tmp_path / "site" / "reference" / "cli" / "index.html").read_text(encoding="utf-8")
    assert "--repetition-penalty" in built and "seqgen checkpoint verify" in built
    pages = {page: (tmp_path / "site" / page / "index.html").read_text(encoding="utf-8") for page in SHOWN}
    for page, there in SHOWN.items():
        assert there in pages[page]


def test_every_extra_for_users_is_described():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    page = (DOCS / "corpora.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `(\w+)` \| ", page.partition("## Extras")[2], re.M))
    assert described == {*project["project"]["optional-dependencies"]} - {"docs", "test"}


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"] and "version" not in project["project"]
    assert project["tool"]["hatch"]["version"] == {"path": "seqgen/__init__.py"}
    assert "\nversion" not in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.*?)\]", changes, re.M)
    assert headings[:2] == ["Unreleased", seqgen.__version__]


def test_the_changelog_has_one_line_an_entry():
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("- ") for line in lines) > 50
    assert not [line for line in lines if line.startswith(" ") or len(line) > 120]


def test_the_workflows_cover_systems_and_versions():
    tests = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    for word in ("ubuntu-latest", "macos-latest", "windows-latest", '"3.11"', '"3.12"', '"3.13"', '"3.14"'):
        assert word in tests
    lowest = "--resolution lowest-direct --only-binary :all: --no-binary seqgen-lm -e '.[test]'"
    assert lowest in tests and lowest in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "mkdocs build --strict" in (ROOT / ".github" / "workflows" / "docs.yml").read_text(encoding="utf-8")


CELLS = (ROOT / "docs" / "cells.md").read_text(encoding="utf-8")


def test_the_page_of_cells_says_what_each_is_good_for_and_has_measured_it(plugins):
    advice, table = CELLS.split("## cells: ")
    entries = [entry for entry in plugins.registry.entries("cell") if entry.package.startswith("seqgen_")]
    ours = {entry.spec.name for entry in entries}
    alone = {entry.spec.name for entry in entries if entry.spec.remembers}
    said = [name for line in re.findall(r"^\| (`.*?) \|", advice, re.M) for name in re.findall(r"`(\w+)`", line)]
    assert sorted(said) == sorted({*ours, "ngram"})
    assert set(re.findall(r"^\| (\w+) \|", table, re.M)) - {"model", "xz"} == {*alone, "ngram"}


def test_cells_that_train_slowly_are_named_with_the_reason():
    """Slower than a quarter of torch.nn.GRU, by the measured table; and every cell knows more than a 2-gram."""
    advice, table = CELLS.split("## cells: ")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    bits = {row[0]: float(row[3]) for row in rows[2:]}
    rows = [row for row in rows[2:] if row[1]]
    slow = {row[0] for row in rows if float(row[6].split()[0]) < 0.25}
    assert slow <= set(re.findall(r"^- `(\w+)`: ", advice, re.M)) and len(rows) > 10
    assert all(bits[row[0]] < bits["2-gram"] for row in rows) and len(rows) == len(bits) - 5
    best = min(bits[name] for name in bits if name.startswith(("2-gram", "5-gram", "Kneser-Ney n=", "PPMd n=", "xz")))
    assert all(float(row[4]) == pytest.approx(best - bits[row[0]], abs=0.0011) for row in rows)


def test_links_of_the_site_lead_to_its_pages_or_to_the_repository(monkeypatch):
    files = types.ModuleType("mkdocs.structure.files")
    files.File = object
    for name in ("mkdocs", "mkdocs.structure"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, files.__name__, files)
    hooks = types.SimpleNamespace(**runpy.run_path(str(DOCS / "site_hooks.py")))
    two_lines = hooks.relink(
        "[a\nb](benchmarks/results/engine.md) [c](x)\n\n[d\n\ne](x)", "README.md", "index.md", None
    )
    assert two_lines == "[a\nb](results/engine.md) c\n\n[d\n\ne](x)"
    own = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*") if path.is_file()}
    site = {**own, **{page: ROOT / source for source, page in hooks.OUTSIDE.items()}}
    known = {*site, *(path.replace(".ipynb", ".md") for path in own)}
    lost = []
    for page, path in site.items():
        if path.suffix == ".md":
            source = path.relative_to(ROOT).as_posix()
            text = hooks.relink(path.read_text(encoding="utf-8"), source, page, "https://example.org/seqgen")
            prose = re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
            for target in re.findall(r"[^\\]\]\((?!\w+:)([^)#\s]+)", prose):
                if posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) not in known:
                    lost.append(f"{source}: {target}")
    assert not lost, "\n".join(lost)
