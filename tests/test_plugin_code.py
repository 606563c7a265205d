"""Changed code of plugins that have no version of it: packages, modules beside a file, classes of a notebook."""

from __future__ import annotations

import functools
import importlib
import linecache
import sys
import types

import pytest

import seqgen
from seqgen.api.missing_plugin import changed_plugins
from seqgen.plugins import Candidate, Plugins, code_of_parts
from seqgen_bench.runner import bench
from test_plugin_objects import MODULE, QUICK

HOOK = """
import seqgen

@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="leaky", summary="a cell", load={load!r}))
"""
CHANGED = ("torch.tanh(", "0.5 * torch.tanh(")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes modules, which can be imported while a test runs, by their paths."""
    here = tmp_path / "modules"
    here.mkdir()
    monkeypatch.syspath_prepend(here)

    def write(**files: str):
        for name, source in files.items():
            path = here / f"{name.replace('__', '/', 1)}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        return here

    yield write
    for name in [name for name in sys.modules if name.startswith("leaky")]:
        del sys.modules[name]


def package(write, **files: str) -> Plugins:
    """Load the plugin ``leakypack`` as an installed package."""
    write(leakypack____init__=HOOK.format(load="leakypack.cells:LeakyUnits"), leakypack__cells=MODULE, **files)
    plugins = Plugins(warn=pytest.fail)
    plugins.load([Candidate("leakypack", "leaky-pack", "1.0", lambda: importlib.import_module("leakypack"))])
    return plugins


def digest(plugins: Plugins, name: str) -> str:
    entry = plugins.registry.get("cell", name)
    return code_of_parts(plugins, entry.package, [entry])


def test_code_of_a_package_shows_beside_its_version(write, words, in_tmp):
    plugins = package(write, leakypack__helpers="A = 1\n")
    run = seqgen.train(words, cell="leaky", plugins=plugins, **QUICK, out="run")
    (row,) = [row for row in run.settings.plugins if row["package"] == "leakypack"]
    assert row["version"] == "1.0" and row["sha256"] is None and row["code"] == digest(plugins, "leaky")
    assert changed_plugins(plugins, run.settings) == []
    write(leakypack__helpers="A = 2\n")
    line = "the code of the plugin leakypack (leaky-pack) is not that which the run was made with"
    assert changed_plugins(plugins, run.settings) == [line]
    said = []
    seqgen.load("run", plugins=plugins, warn=said.append).sample(1)
    assert said == [line]
    for row in run.settings.plugins:
        row.pop("code", None)
    assert changed_plugins(plugins, run.settings) == [], "an older run has no digest to compare with"


def test_runs_of_other_code_differ_in_it(write, words, in_tmp):
    plugins = package(write)
    made = functools.partial(seqgen.train, words, cell="leaky", plugins=plugins, **QUICK)
    first, other = made(seed=1), made(seed=2)
    assert list(seqgen.measure.settings_diff({"first": first, "other": other})) == ["train.seed"]
    write(leakypack__cells=MODULE.replace(*CHANGED))
    differing = seqgen.measure.settings_diff({"first": first, "other": made(seed=2)})
    assert list(differing) == ["train.seed", "plugins"]
    assert len({value.partition("leakypack ")[2] for value in differing["plugins"].values()}) == 2


def test_an_environment_and_other_files_in_a_package_are_not_its_code(write):
    plugins = package(write)
    before, home = digest(plugins, "leaky"), write() / "leakypack"
    for name in ("venv/lib/python3/site-packages", ".ipynb_checkpoints", "data"):
        (home / name).mkdir(parents=True)
    (home / "venv" / "pyvenv.cfg").touch()
    (home / "venv/lib/python3/site-packages/other.py").touch()
    (home / ".ipynb_checkpoints/cells-checkpoint.py").touch()
    (home / "data/words.txt").touch()
    assert digest(plugins, "leaky") == before
    (home / "tests").mkdir()
    for name in ("tests/cases.py", "test_cells.py", "conftest.py"):
        (home / name).write_text("A = 1\n")
    assert digest(plugins, "leaky") == before
    (home / "data" / "words.py").touch()
    assert digest(plugins, "leaky") != before


def test_seqgens_own_plugins_come_with_its_version():
    plugins = seqgen.choose_plugins()
    assert digest(plugins, "seqgen_classic:gru") == digest(plugins, "seqgen_classic:lstm") == ""


def test_modules_beside_a_plugin_file_are_its_code(write, words, in_tmp):
    here = write(
        leakyfile="import json, torch, leakyhelp\n" + HOOK.format(load="leakycells:LeakyUnits"),
        leakycells="from leakydeep.inner import A\n" + MODULE,
        leakyhelp="A = 1\n",
        leakydeep__inner="A = 1\n",
        leakyother="A = 1\n",
    )
    plugins = seqgen.choose_plugins(here / "leakyfile.py")
    run = seqgen.train(words, cell="leaky", plugins=plugins, **QUICK, out="run")
    write(leakyother="A = 2\n")
    assert changed_plugins(plugins, run.settings) == []
    for name in ("leakycells", "leakyhelp", "leakydeep__inner"):
        path = here / f"{name.replace('__', '/')}.py"
        source = path.read_text()
        path.write_text(source + "\n# changed\n")
        assert "the code of the plugin leakyfile (leakyfile.py)" in changed_plugins(plugins, run.settings)[0]
        path.write_text(source)
    assert changed_plugins(plugins, run.settings) == []
    with (here / "leakyfile.py").open("a") as file:
        file.write("# changed\n")
    again = seqgen.choose_plugins(here / "leakyfile.py")
    assert "is another file" in changed_plugins(again, run.settings)[0], "its SHA-256 says so first"


def test_a_plugin_file_alone_has_no_code_beside_it(write, words, in_tmp):
    here = write(leakyalone=MODULE + HOOK.format(load="leakyalone:LeakyUnits"))
    run = seqgen.train(words, cell="leaky", plugins=here / "leakyalone.py", **QUICK)
    (row,) = [row for row in run.settings.plugins if row["package"] == "leakyalone"]
    assert row["sha256"] and "code" not in row


def test_a_plugin_file_has_one_fingerprint(write, words, in_tmp):
    """The digits that ``seqgen compare`` shows begin with the file's version, as messages and other tables have it."""
    here = write(leakyhelp="A = 1\n")
    runs = {}
    for name, source in (("first", MODULE), ("other", MODULE + "import leakyhelp\n")):
        write(leakyalone=source + HOOK.format(load="leakyalone:LeakyUnits"))
        runs[name] = seqgen.train(words, cell="leaky", plugins=here / "leakyalone.py", **QUICK, out=name)
        sys.modules.pop("leakyalone")
    rows = [row for run in runs.values() for row in run.settings.plugins]
    first, other = (row for row in rows if row["package"] == "leakyalone")
    assert seqgen.measure.settings_diff(runs) == {
        "plugins": {
            "first": f"leakyalone {first['version']}",
            "other": f"leakyalone {other['version']} {other['code'][: len(other['version'])]}",
        }
    }


def notebook(source: str, number: int, name: str = "LeakyUnits"):
    """Return a class that a cell of a notebook defines, of which ``linecache`` has the source."""
    file = f"/nowhere/ipykernel_1/{number}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    sys.modules.setdefault("leaky_notebook", types.ModuleType("leaky_notebook"))
    space = {"__name__": "leaky_notebook"}
    exec(compile(source, file, "exec"), space)
    return space[name]


def test_the_source_of_a_class_of_a_notebook_is_its_code(words, in_tmp):
    helped = MODULE.replace("torch.tanh(", "squash(") + "\ndef squash(p):\n    return torch.tanh(p)\n"
    first = notebook(helped, 1)
    run = seqgen.train(words, cell=first, **QUICK, out="run")
    assert run.settings.plugins[0]["package"] == "leaky_notebook" and run.settings.plugins[0]["code"]

    def said_of(part: type) -> list[str]:
        return changed_plugins(seqgen.choose_plugins([part]), run.settings)

    assert said_of(first) == said_of(notebook("\n\n" + helped, 2)) == []
    for number, (old, new) in enumerate((CHANGED, ("lerp(squash", "lerp(0.5 * squash"), ("= 0.5", "= 0.25")), 3):
        assert "the code of the plugin leaky_notebook" in said_of(notebook(helped.replace(old, new), number))[0]


def test_values_around_a_class_are_its_code(write, words, in_tmp):
    made = "def make(scale):\n" + "".join(f"    {line}\n" for line in MODULE.splitlines()) + "    return LeakyUnits\n"
    write(leakymade=made.replace("torch.tanh(", "scale * torch.tanh("))
    make = importlib.import_module("leakymade").make
    run = seqgen.train(words, cell=make(1.0), **QUICK)
    assert changed_plugins(seqgen.choose_plugins([make(1.0)]), run.settings) == []
    assert "the code of the plugin" in changed_plugins(seqgen.choose_plugins([make(0.3)]), run.settings)[0]


COUNTING = """
import seqgen, torch
from dataclasses import dataclass

@dataclass
class Kept:
    share: float = 0.5

    def left(self):
        return 1 - self.share

class Widths(seqgen.Options):
    least: int = 1

class Stats:
    n = 0

def forget(self):
    return 3

class Counting(seqgen.StepCell):
    n_made = 0
    warned = False
    forget = forget

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        type(self).n_made += 1
        self.kept, self.widths = Kept(), Widths()
        self.linear = torch.nn.Linear(input_size, hidden_size)
    def initial_state(self, batch_size): return self.linear.weight.new_zeros(batch_size, self.hidden_size)
    def project(self, x_BTI): return self.linear(x_BTI)
    def step(self, p_BH, h_BH):
        type(self).warned = True
        Stats.n += 1
        h_BH = torch.tanh(p_BH + self.kept.share * h_BH)
        return h_BH, h_BH

def augment():
    return lambda text, random: text
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("share: float = 0.5", "share: float = 0.25"),
        ("least: int = 1", "least: int = 2"),
        ("1 - self", "2 - self"),
        ("return 3", "return 4"),
    ],
)
def test_values_that_change_while_a_class_is_used_are_not_its_code(old, new, words, in_tmp):
    first = notebook(COUNTING, 20, "Counting")
    run = seqgen.train(words, cell=first, **QUICK)
    assert first.n_made and first.warned and run.settings.plugins[0]["code"]
    assert changed_plugins(seqgen.choose_plugins([first]), run.settings) == []
    changed = notebook(COUNTING.replace(old, new), 21, "Counting")
    assert "the code of the plugin leaky_notebook" in changed_plugins(seqgen.choose_plugins([changed]), run.settings)[0]


def test_a_class_that_only_assigns_functions_has_a_digest(words, in_tmp):
    assigning = COUNTING + "\n\ndef other(self, p_BH, h_BH):\n    return p_BH, h_BH\n\n"
    assigning += "class Assigning(Counting):\n    step = other\n"
    run = seqgen.train(words, cell=notebook(assigning, 30, "Assigning"), **QUICK)
    assert run.settings.plugins[0]["code"]
    changed = notebook(assigning.replace("return p_BH, h_BH", "return 2 * p_BH, h_BH"), 31, "Assigning")
    assert changed_plugins(seqgen.choose_plugins([changed]), run.settings)


def test_text_that_is_no_python_any_more_is_not_compared(words, in_tmp):
    first = notebook(COUNTING, 32, "Counting")
    run = seqgen.train(words, cell=first, **QUICK)
    linecache.cache["/nowhere/ipykernel_1/32.py"] = (1, None, ["class Counting(:\n"] * 60, "/nowhere/ipykernel_1/32.py")
    assert changed_plugins(seqgen.choose_plugins([first]), run.settings) == []


def test_variables_that_a_function_around_a_class_has_are_not_the_code_of_a_file(write, words, in_tmp):
    made = "def make(place):\n    n_made = 0\n"
    made += "".join(f"    {line}\n" for line in MODULE.splitlines())
    made = made.replace(
        "super().__init__", "nonlocal n_made\n            n_made += 1; place\n            super().__init__"
    )
    made += "    return LeakyUnits\n"
    here = write(leakycount=made + HOOK.format(load="leakycount:Leaky") + "\nLeaky = make('/nowhere')\n")
    plugins = seqgen.choose_plugins(here / "leakycount.py")
    run = seqgen.train(words, cell="leaky", plugins=plugins, **QUICK)
    assert changed_plugins(plugins, run.settings) == []
    make = importlib.import_module("leakycount").make
    first = make("here")
    run = seqgen.train(words, cell=first, **QUICK)
    assert changed_plugins(seqgen.choose_plugins([first]), run.settings) == []
    assert changed_plugins(seqgen.choose_plugins([make("there")]), run.settings) != []


COUNTED = """
import functools, seqgen

class Table:
    def __call__(self, *given):
        return given

def counted(function):
    n = 0

    @functools.wraps(function)
    def wrapper(*given):
        nonlocal n
        n += 1
        return function(*given)

    return wrapper

def make():
    n_steps = n_inner = 0

    def bump():
        nonlocal n_steps
        n_steps += 1

    class Odd:
        look = functools.wraps(Table())(lambda self: 1)

        @counted
        def start(self):
            return 1

        def step(self):
            bump()
            return n_steps, n_inner

        def inner(self):
            def add():
                nonlocal n_inner
                n_inner += 1
            return add()

    return Odd

Odd = make()
"""


def test_what_wrappers_and_inner_functions_count_is_not_code():
    part = notebook(COUNTED, 40, "Odd")
    spec = seqgen.ProcessorSpec(name="odd", summary="s", load=part)
    plugins = seqgen.choose_plugins([spec])
    before = code_of_parts(plugins, "leaky_notebook", [plugins.registry.get("processor", "odd")])
    odd = part()
    odd.start(), odd.step(), odd.inner()
    assert odd.step() == (2, 1)
    assert before == code_of_parts(plugins, "leaky_notebook", [plugins.registry.get("processor", "odd")]) != ""


def test_an_object_stands_for_its_class(words, in_tmp):
    source = "class Make:\n    def __init__(self):\n        self.inner = lambda text, random: text\n"
    source += "    def __call__(self, *, n: int = 1):\n        return lambda text, random: text * n\n"
    spec = functools.partial(seqgen.AugmentationSpec, name="same", summary="s")
    run = seqgen.train(words, augment=spec(load=notebook(source, 41, "Make")()), **QUICK)
    assert run.changed_plugins() == [] and run.settings.plugins[0]["code"]
    changed = notebook(source.replace("text * n", "2 * text * n"), 42, "Make")
    assert changed_plugins(seqgen.choose_plugins([spec(load=changed())]), run.settings) != []


def test_parts_are_compared_whatever_their_order_and_number(words, in_tmp):
    cell, augment = notebook(COUNTING, 22, "Counting"), notebook(COUNTING, 23, "augment")
    specs = [
        seqgen.CellSpec(name="counting", summary="s", load=cell),
        seqgen.AugmentationSpec(name="same", summary="s", load=augment),
    ]
    plugins = seqgen.choose_plugins(specs)
    options = {"model.layers": 2}
    run = seqgen.train(words, cell="counting", augment="same", plugins=plugins, options=options, **QUICK)
    assert run.changed_plugins() == []


def test_a_class_without_a_source_is_not_compared(words, in_tmp):
    space = {"__name__": "leaky_prompt"}
    exec(MODULE, space)
    run = seqgen.train(words, cell=space["LeakyUnits"], **QUICK)
    assert run.settings.plugins[0]["package"] == "leaky_prompt" and "code" not in run.settings.plugins[0]


def test_a_finished_bench_does_not_stand_for_changed_code(write, words, in_tmp):
    plugins = package(write)
    train = {"cells": "leaky", "params": "1k", "seeds": 1, "steps": 2, "plugins": plugins, "out": "bench"}
    bench(words, **train)
    bench(words, **train)
    write(leakypack__cells=MODULE.replace(*CHANGED))
    with pytest.raises(seqgen.UsageError, match=r"code of the plugin leakypack .*: remove it, or give"):
        bench(words, **train)


def test_a_partial_function_stands_for_the_one_it_calls(write, words, in_tmp):
    write(leakypartial=MODULE)
    part = functools.partial(importlib.import_module("leakypartial").LeakyUnits)
    plugins = seqgen.choose_plugins([seqgen.CellSpec(name="partly", summary="s", load=part)])
    assert plugins.registry.get("cell", "partly").package == "leakypartial", "and not functools"
    assert digest(plugins, "partly") == "", "its file has a SHA-256 of its own"
    run = seqgen.train(words, cell="partly", plugins=plugins, **QUICK)
    assert run.settings.cell.name == "leakypartial:partly" and run.settings.cell.options == {"keep": 0.5}
