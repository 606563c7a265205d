"""Plugins and parts passed as Python objects, and the hint on how to open such a run again."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types

import pytest
import torch

import seqgen
from seqgen.api.factories import part_entry
from seqgen.errors import MissingPlugin, PluginError, UnknownName, UsageError
from seqgen.plugins import default_plugins

MODULE = '''
import torch
import seqgen


class LeakyUnits(seqgen.StepCell):
    """Leaky units."""

    def __init__(self, input_size, hidden_size, *, keep: float = 0.5):
        super().__init__(input_size, hidden_size)
        self.input = torch.nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.keep = keep

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, h_BH):
        h_BH = torch.lerp(torch.tanh(p_BP + self.recurrent(h_BH)), h_BH, self.keep)
        return h_BH, h_BH


class Pairs(torch.nn.Module):
    def __init__(self, n_symbols, *, spread: float = 0.1):
        super().__init__()
        self.logits = torch.nn.Embedding(n_symbols, n_symbols)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 0)

    def forward(self, ids_BT, state):
        return self.logits(ids_BT), state


class Letters(seqgen.Tokenizer):
    def __init__(self, symbols):
        self.symbols = symbols

    n_symbols = property(lambda self: len(self.symbols))

    @classmethod
    def fit(cls, texts):
        return cls(sorted({letter for text in texts for letter in text}))

    def encode(self, text):
        return [self.symbols.index(letter) for letter in text]

    def decode(self, ids):
        return "".join(self.symbols[number] for number in ids)

    def to_json(self):
        return self.symbols

    @classmethod
    def from_json(cls, data):
        return cls(data)
'''
HOOKS = """

@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="leaky", summary="leaky units", load="{module}:LeakyUnits"))
"""


@pytest.fixture
def module(in_tmp, monkeypatch, request):
    """A module with a cell, a model and a tokenizer, in a file; with hooks where a test asks for them."""
    monkeypatch.syspath_prepend(str(in_tmp))
    name = "leaky_units_module"
    (in_tmp / f"{name}.py").write_text(MODULE + getattr(request, "param", "").replace("{module}", name))
    importlib.invalidate_caches()
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


QUICK = {"hidden": 4, "steps": 2, "split": "80/10/10"}


def test_a_class_is_a_cell(module, words):
    said = []
    run = seqgen.train(words, cell=module.LeakyUnits, **QUICK, options={"keep": 0.25}, out="run", warn=said.append)
    assert run.settings.cell.name == "leaky_units_module:leaky-units" and run.settings.cell.options == {"keep": 0.25}
    assert len(run.sample(3)) == 3
    assert [line for line in said if "plugins=[LeakyUnits]" in line and "cell leaky-units" in line]
    again = seqgen.load("run", plugins=[module.LeakyUnits])
    assert [row.text for row in again.sample(3)] == [row.text for row in run.sample(3)]
    assert seqgen.resume("run", plugins=[module.LeakyUnits]).path == run.path


def test_a_run_brings_its_plugins_along(module, words):
    run = seqgen.train(words, cell=module.LeakyUnits, **QUICK, out="run")
    assert seqgen.load(run).sample(3) == run.sample(3)
    assert seqgen.resume(run).sample(3) == run.sample(3)
    assert len(seqgen.refit(run).sample(1)) == 1
    again = seqgen.train(start=run, steps=1, out="again")
    assert len(again.sample(1)) == 1
    with pytest.raises(MissingPlugin):
        seqgen.load(run, plugins=[]).sample(1)


def test_a_part_that_is_passed_beside_a_run_does_not_join_the_installed_ones(module, words):
    run = seqgen.train(words, cell="vanilla", **QUICK, out="run")
    domain = seqgen.DomainSpec(name="passed-beside", summary="s", tokenizer="char")
    seqgen.train(start=run, domain=domain, steps=1, out="again")
    assert not default_plugins().registry.has("domain", "passed-beside")


@pytest.mark.full
def test_opening_a_run_of_a_class_without_it_says_how(module, words, cli):
    seqgen.train(words, cell=module.LeakyUnits, **QUICK, out="run")
    with pytest.raises(MissingPlugin) as caught:
        seqgen.load("run").sample(1)
    assert "'leaky_units_module:leaky-units'" in str(caught.value) and "plugins=[LeakyUnits]" in str(caught.value)
    assert "leaky_units_module.py" in str(caught.value) and "pip install" not in str(caught.value)
    result = cli("sample", "run", "-n", 1)
    assert result.code == 4 and "in Python: seqgen.load(..., plugins=[LeakyUnits])" in result.err
    other = cli("sample", "run", "-n", 1, "--plugin", "leaky_units_module.py")
    assert other.code == 5 and "it has no hooks; mark functions with @seqgen.hookimpl" in other.err


def test_a_class_of_another_file_is_noticed(module, words, in_tmp):
    seqgen.train(words, cell=module.LeakyUnits, **QUICK, out="run", options={"steps": 2})
    path = in_tmp / "leaky_units_module.py"
    path.write_text(path.read_text() + "\n# changed\n")
    said = []
    seqgen.train(start="run", plugins=[module.LeakyUnits], steps=1, warn=said.append)
    assert [line for line in said if "another file" in line]


@pytest.mark.parametrize("module", [HOOKS], indirect=True)
def test_a_class_that_its_module_registers_is_that_cell(module, words, cli):
    run = seqgen.train(words, cell=module.LeakyUnits, **QUICK, out="run")
    assert run.settings.cell.name == "leaky_units_module:leaky"
    result = cli("sample", "run", "-n", 1, "--plugin", "leaky_units_module.py")
    assert result.code == 0, result.err


def test_a_class_of_an_installed_plugin_is_that_cell(words, in_tmp):
    cell = default_plugins().registry.get("cell", "mgu").load()
    assert seqgen.train(words, cell=cell, **QUICK).settings.cell.name.endswith(":mgu")


def test_specs_models_and_tokenizers(module, words):
    spec = seqgen.CellSpec(name="mine", summary="mine", load=module.LeakyUnits, recommended={"train": {"lr": 0.01}})
    run = seqgen.train(words, cell=spec, tokenizer=module.Letters, **QUICK)
    assert run.settings.cell.name == "leaky_units_module:mine" and run.settings.train.lr == 0.01
    assert run.settings.tokenizer.name == "leaky_units_module:letters"
    with pytest.raises(MissingPlugin, match=r"seqgen.CellSpec\(name='mine', ...\)"):
        seqgen.load(run.path).model  # noqa: B018
    assert len(seqgen.load(run.path, plugins=[spec, module.Letters]).sample(2)) == 2
    pairs = seqgen.train(words, model=module.Pairs, steps=2, split="80/10/10")
    assert pairs.settings.model.name == "leaky_units_module:pairs" and pairs.settings.cell is None


def upper():
    def augment(text, random):
        return text.upper()

    return augment


class Watcher:
    """A plugin object that records the events it receives."""

    def __init__(self):
        self.told = []

    @seqgen.hookimpl
    def on_run_end(self, path, reason):
        self.told.append(reason)

    @seqgen.hookimpl
    def register_augmentations(self, register):
        register(seqgen.AugmentationSpec(name="upper", summary="large letters", load=upper))


class Interrupted(seqgen.Cell):
    """A cell in which the second Ctrl-C arrives, at which training in Python stops at once."""

    now = False

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.linear = torch.nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def forward(self, x_BTI, state):
        if self.training and type(self).now:
            raise KeyboardInterrupt
        return self.linear(x_BTI), state


def test_a_run_that_is_interrupted_at_once_has_ended(words, in_tmp, monkeypatch):
    def interrupt(folder, event):
        monkeypatch.setattr(Interrupted, "now", Interrupted.now or isinstance(event, seqgen.events.Report))

    watcher = Watcher()
    with pytest.raises(seqgen.Interrupted, match="stopped at once after step"):
        seqgen.train(words, cell=Interrupted, hidden=4, steps=20, out="run", plugins=[watcher], listener=interrupt)
    assert watcher.told == ["interrupted"]


def test_objects_classes_and_modules_are_plugins(words, in_tmp):
    watcher, module = Watcher(), types.ModuleType("made_up")
    module.register_augmentations = seqgen.hookimpl(
        lambda register: register(seqgen.AugmentationSpec(name="upper", summary="large letters", load=upper))
    )
    module.register_augmentations.__name__ = "register_augmentations"
    own = "test_plugin_objects.Watcher"
    for plugin, name in ((watcher, own), (Watcher, own), (module, "made_up")):
        run = seqgen.train(words, augment="upper", plugins=[plugin], **QUICK)
        assert run.settings.augmentation.name == f"{name}:upper"
    assert watcher.told == ["steps"]
    with pytest.raises(UnknownName, match=r"in Python, plugins=\[made_up\]"):
        seqgen.train(start=run.path, steps=1)


def test_one_that_is_not_in_a_list(words, in_tmp, module):
    (in_tmp / "alone.py").write_text(MODULE + HOOKS.replace("{module}", "alone"))
    run = seqgen.train(words, cell="leaky", plugins="alone.py", **QUICK)
    assert run.settings.cell.name == "alone:leaky"
    assert seqgen.train(words, cell="leaky-units", plugins=module.LeakyUnits, **QUICK).settings.n_parameters > 0
    sys.modules.pop("alone")


def test_a_class_that_is_defined_anew_takes_the_place_of_the_old(module, words):
    plugins = default_plugins()
    first = seqgen.train(words, cell=module.LeakyUnits, **QUICK)
    old = module.LeakyUnits
    exec(MODULE.replace("0.5", "0.125"), vars(module))
    assert module.LeakyUnits is not old
    second = seqgen.train(words, cell=module.LeakyUnits, **QUICK)
    assert [run.settings.cell.options["keep"] for run in (first, second)] == [0.5, 0.125]
    assert not plugins.registry.has("cell", "leaky-units"), "what is installed stays as it is"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (
            {"cell": torch.nn.Linear},
            "cannot use the class torch.nn.modules.linear.Linear as a cell: it is not a seqgen.Cell",
        ),
        ({"cell": 3}, "cannot use 3 as a cell: pass a name, a class or a seqgen.CellSpec"),
        ({"model": seqgen.CellSpec(name="a", summary="b", load=upper)}, "as a model: it is the spec of a cell"),
        ({"plugins": [3]}, "cannot use 3 as a plugin: "),
        ({"plugins": [dict]}, "cannot use the class builtins.dict as a plugin: "),
    ],
)
def test_what_is_neither_is_refused_in_a_line(words, in_tmp, wrong, reason):
    with pytest.raises(UsageError) as caught:
        seqgen.train(words, **QUICK, **wrong)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.full
def test_a_class_of_a_script_and_of_no_file(words, in_tmp):
    (in_tmp / "script.py").write_text(
        MODULE + "\nif __name__ == '__main__':\n    import sys\n"
        "    run = seqgen.train(sys.argv[1], cell=LeakyUnits, hidden=4, steps=2, split='80/10/10', out='run')\n"
        "    print(run.settings.cell.name, len(seqgen.load('run', plugins=[LeakyUnits]).sample(2)))\n"
    )
    result = subprocess.run([sys.executable, "script.py", str(words)], capture_output=True, text=True, timeout=300)
    assert result.stdout == "script:leaky-units 2\n", result.stderr
    space = {"__name__": "__main__"}
    exec(MODULE, space)
    before = vars(sys.modules["__main__"]).pop("__file__", None)
    try:
        run = seqgen.train(words, cell=space["LeakyUnits"], **QUICK)
    finally:
        if before is not None:
            sys.modules["__main__"].__file__ = before
    assert run.settings.cell.name == "__main__:leaky-units"
    assert next(row for row in run.settings.plugins if row["package"] == "__main__").get("sha256") is None
    with pytest.raises(MissingPlugin, match=r"plugins=\[LeakyUnits\]"):
        seqgen.load(run.path).sample(1)


def test_a_hostile_run_says_nothing_of_its_own(module, words, in_tmp):
    run = seqgen.train(words, cell=module.LeakyUnits, **QUICK, out="run")
    path = run.path / "run.json"
    path.write_text(path.read_text().replace('"given": "LeakyUnits"', '"given": "x]; import os; os.system(1) #"'))
    with pytest.raises(MissingPlugin) as caught:
        part_entry(default_plugins(), "cell", run.settings.cell.name, seqgen.load("run").settings)
    assert "import os" not in str(caught.value) and "plugins=" not in str(caught.value)


def test_a_broken_class_is_named(module, words):
    class Broken(module.LeakyUnits):
        def step(self, p_BP, h_BH):
            raise ValueError("out of luck")

    with pytest.raises((PluginError, ValueError), match="out of luck"):
        seqgen.train(words, cell=Broken, **QUICK)
