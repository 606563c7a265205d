"""A broken plugin costs one line that names it, and never a command."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest

import seqgen
from conftest import finish, install_fake, one_in, run_seqgen
from seqgen import CellSpec, hookimpl
from seqgen.errors import UsageError
from seqgen.plugins import Candidate, Plugins, file_candidate
from seqgen.plugins.selection import default_plugins

SPEC = "seqgen.CellSpec(name='fake', summary='s', source='none', load='json:loads')"
HOOK = "import seqgen\n@seqgen.hookimpl\ndef {name}({argument}):\n    {body}\n"
BROKEN = {
    "raises_on_import": "raise RuntimeError('out of order')",
    "syntax_error": "def (:",
    "exits": "import sys; sys.exit(3)",
    "recurses": "def f(): f()\nf()",
    "lacks_a_dependency": "import no_such_module_anywhere",
    "misspells_a_hook": HOOK.format(name="register_cels", argument="register", body="pass"),
    "has_no_hooks": "x = 1",
    "wants_other_arguments": HOOK.format(name="register_cells", argument="registry", body="pass"),
    "registers_a_wrong_object": HOOK.format(name="register_cells", argument="register", body="register('gru')"),
    "registers_a_wrong_kind": HOOK.format(name="register_corpora", argument="register", body=f"register({SPEC})"),
    "fails_while_registering": HOOK.format(
        name="register_cells", argument="register", body=f"register({SPEC}); raise KeyError('late')"
    ),
    "makes_a_bad_spec": HOOK.format(
        name="register_cells",
        argument="register",
        body="register(seqgen.CellSpec(name='A B', summary='s', load='a:b'))",
    ),
}  # fmt: skip


def candidate(source: str, package: str = "guilty") -> Candidate:
    def load():
        module = ModuleType(package)
        exec(compile(source, package, "exec"), vars(module))
        return module

    return Candidate(package, package + "-dist", "1.0", load)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_costs_one_line(fault):
    problems: list[str] = []
    plugins = Plugins(problems.append)
    good = HOOK.format(name="register_cells", argument="register", body=f"register({SPEC.replace('fake', 'good')})")
    plugins.load([candidate(BROKEN[fault]), candidate(good, "good")])
    assert len(problems) == 1 and "\n" not in problems[0]
    assert "guilty (guilty-dist 1.0)" in problems[0]
    assert plugins.plugins["guilty"].problem and not plugins.plugins["good"].problem
    assert plugins.registry.names("cell") == ["good"], "a broken plugin registers nothing"
    assert "guilty" in plugins.failed_hint()


def test_a_misspelt_hook_gets_help():
    problems: list[str] = []
    Plugins(problems.append).load([candidate(BROKEN["misspells_a_hook"])])
    assert "did you mean 'register_cells'" in problems[0]


def test_functions_without_the_mark_of_a_hook_get_one_line():
    """Not helpers of other names, functions of other modules, and those that a marked function of the hook calls."""
    problems: list[str] = []
    marked = HOOK.format(name="register_cells", argument="register", body=f"register({SPEC})")
    unmarked = "def register_models(register):\n    pass\ndef on_run_start(path, settings):\n    pass\n"
    helpers = "def register(spec):\n    pass\ndef on_start():\n    pass\non_report = 3\n"
    calls = (
        "@seqgen.hookimpl(specname='register_tokenizers')\ndef offer(register):\n    pass\n"
        "def register_tokenizers(register, specs):\n    pass\n"
    )
    imported = f"from {__name__} import on_run_end\n"
    plugins = Plugins(problems.append)
    plugins.load([candidate(marked + helpers + calls + imported, "good"), candidate(marked + unmarked)])
    says = "nothing calls its register_models and on_run_start: put @seqgen.hookimpl above each"
    assert problems == [f"plugin guilty (guilty-dist 1.0): {says}"]
    assert plugins.plugins["guilty"].notes == [says] and not plugins.plugins["guilty"].problem
    assert plugins.registry.get("cell", "guilty:fake").package == "guilty"


def on_run_end(path, reason):
    """Stand for a function that a plugin imports."""


def test_keyboard_interrupt_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        Plugins(print).load([candidate("raise KeyboardInterrupt")])


def test_what_a_plugin_prints_at_import_does_not_reach_stdout(capsys):
    source = "print('noise')\n" + HOOK.format(name="register_cells", argument="register", body="print('more')")
    Plugins(print).load([candidate(source)])
    assert capsys.readouterr().out == ""


def test_two_distributions_with_one_package_name():
    problems: list[str] = []
    plugins = Plugins(problems.append)
    good = HOOK.format(name="register_cells", argument="register", body=f"register({SPEC})")
    plugins.load([candidate(good), Candidate("guilty", "other-dist", "2.0", lambda: None)])
    assert len(problems) == 1 and "guilty (other-dist 2.0)" in problems[0] and "taken" in problems[0]
    assert plugins.registry.names("cell") == ["fake"]


def test_every_hook_of_a_plugin_is_called():
    """A small fake of every kind, so that the hooks that first-party plugins do not use yet are honoured too."""
    called: list[str] = []
    module = ModuleType("fakes")

    def add(name, spec_type, **fields):
        @hookimpl(specname=f"register_{name}")
        def register_it(register):
            called.append(name)
            register(spec_type(name="fake", summary="s", source="t", **fields))

        setattr(module, f"register_{name}", register_it)

    load = {"load": "json:loads"}
    add("corpora", seqgen.CorpusSpec, licence="CC0-1.0", **load)
    add("tokenizers", seqgen.TokenizerSpec, **load)
    add("cells", seqgen.CellSpec, **load)
    add("models", seqgen.ModelSpec, **load)
    add("domains", seqgen.DomainSpec)
    add("validators", seqgen.ValidatorSpec, **load)
    add("metrics", seqgen.MetricSpec, **load)
    add("renderers", seqgen.RendererSpec, **load)
    add("processors", seqgen.ProcessorSpec, **load)
    plugins = Plugins(pytest.fail)
    plugins.load([Candidate("fakes", "fakes", "1", lambda: module)])
    assert len(called) == 9
    for kind in ("corpus", "tokenizer", "cell", "model", "domain", "validator", "metric", "renderer", "processor"):
        assert plugins.registry.get(kind, "fakes:fake").package == "fakes"


def test_an_event_hook_that_raises_is_not_called_again():
    problems: list[str] = []
    heard: list[str] = []

    class Deaf:
        @staticmethod
        @hookimpl
        def on_report(metrics):
            heard.append("deaf")
            raise SystemExit("enough")

    class Listener:
        @staticmethod
        @hookimpl
        def on_report(path, metrics):
            heard.append(f"listener {metrics['step']}")

    plugins = Plugins(problems.append)
    plugins.load([Candidate("deaf", "deaf", "1", Deaf), Candidate("listener", "listener", "1", Listener)])
    for step in (1, 2):
        plugins.emit("on_report", path=None, metrics={"step": step}, samples=())
    assert heard == ["deaf", "listener 1", "listener 2"]
    assert len(problems) == 1 and "deaf" in problems[0]


def test_events_of_a_run_reach_plugins(words, in_tmp):
    heard: list[str] = []

    class Diary:
        @staticmethod
        @hookimpl
        def on_run_start(path, settings):
            heard.append(f"start {settings['corpus']['title']}")

        @staticmethod
        @hookimpl
        def on_report(metrics):
            heard.append(f"report {metrics['step']}")

        @staticmethod
        @hookimpl
        def on_checkpoint(step, checkpoint):
            heard.append(f"checkpoint {step} {checkpoint.name}")

        @staticmethod
        @hookimpl
        def on_run_end(reason):
            heard.append(f"end {reason}")

    from seqgen.plugins import entry_point_candidates

    plugins = Plugins(pytest.fail)
    plugins.load([*entry_point_candidates(), Candidate("diary", "diary", "1", Diary)])
    seqgen.train(words, cell="vanilla", hidden=4, steps=2, split="none", plugins=plugins)
    assert heard == ["start words", "report 2", "checkpoint 2 step-00000002", "end steps"]


def test_one_file_plugins(tmp_path):
    path = tmp_path / "mycell.py"
    path.write_text(HOOK.format(name="register_cells", argument="register", body=f"register({SPEC})"))
    plugins = Plugins(pytest.fail)
    plugins.load([file_candidate(path)])
    provenance = plugins.plugins["mycell"].provenance
    assert provenance.sha256 and provenance.distribution == "mycell.py"
    assert plugins.registry.get("cell", "mycell:fake")
    del sys.modules["mycell"]
    with pytest.raises(UsageError, match="no such plugin file"):
        file_candidate(tmp_path / "nope.py")
    (tmp_path / "my-cell.py").touch()
    with pytest.raises(UsageError, match="not named like a Python module"):
        file_candidate(tmp_path / "my-cell.py")


# -- the whole program, beside real distributions


ENTRY_POINT_FAULTS = {
    "fault_import": BROKEN["raises_on_import"],
    "fault_exit": BROKEN["exits"],
    "fault_hook": BROKEN["misspells_a_hook"],
    "fault_object": BROKEN["registers_a_wrong_object"],
    "fault_command": HOOK.format(
        name="register_commands", argument="app", body="app.command('train')(lambda: print('mine'))"
    ),
}  # fmt: skip


@pytest.fixture
def site(tmp_path):
    return tmp_path / "site"


@pytest.mark.full
@pytest.mark.parametrize("fault", one_in(3, ENTRY_POINT_FAULTS))
def test_help_survives_every_fault(fault, site, tmp_path):
    install_fake(site, fault, ENTRY_POINT_FAULTS[fault])
    result = finish(run_seqgen("--help", cwd=tmp_path, env={"PYTHONPATH": str(site)}))
    lines = result.err.splitlines()
    assert result.code == 0 and "Train a model" in result.out
    assert len(lines) == 1 and fault in lines[0]


@pytest.mark.full
def test_training_survives_all_faults_at_once(site, tmp_path, words):
    for fault, source in ENTRY_POINT_FAULTS.items():
        install_fake(site, fault, source)
    twins = HOOK.format(
        name="register_cells",
        argument="register",
        body="register(seqgen.CellSpec(name='twin', summary='s', load='a:b'))",
    )
    install_fake(site, "twin_one", twins)
    install_fake(site, "twin_two", twins)
    env = {"PYTHONPATH": str(site)}
    result = finish(
        run_seqgen("train", "--corpus", words, "--cell", "vanilla", "--steps", 2, "-q", cwd=tmp_path, env=env)
    )
    assert result.code == 0, result.err
    lines = result.err.splitlines()
    assert len(lines) == len(ENTRY_POINT_FAULTS)
    assert all(sum(fault in line for line in lines) == 1 for fault in ENTRY_POINT_FAULTS)
    result = finish(run_seqgen("show", "cell", "twin", cwd=tmp_path, env=env))
    assert result.code == 2 and "twin_one:twin or twin_two:twin" in result.err
    assert finish(run_seqgen("show", "cell", "twin_one:twin", cwd=tmp_path, env=env)).code == 0
    listed = finish(run_seqgen("plugins", "--json", cwd=tmp_path, env=env)).out
    assert '"state": "RuntimeError: out of order' in listed


@pytest.mark.full
def test_a_stale_entry_point_and_using_a_broken_cell(site, tmp_path, words):
    hollow = HOOK.format(
        name="register_cells", argument="register",
        body="register(seqgen.CellSpec(name='hollow', summary='s', load='hollow_package.gone:Cell'))",
    )  # fmt: skip
    install_fake(site, "hollow_package", hollow)
    install_fake(site, "stale_package", "x = 1")
    (site / "stale_package.py").unlink()
    env = {"PYTHONPATH": str(site)}
    result = finish(run_seqgen("train", "--corpus", words, "--cell", "hollow", cwd=tmp_path, env=env))
    assert result.code == 5
    assert "stale_package" in result.err.splitlines()[0] and "hollow_package" in result.err.splitlines()[-1]


@pytest.mark.full
def test_commands_of_plugins(site, tmp_path):
    body = "@app.command()\n    def hello(name: str):\n        print('hello', name)"
    source = HOOK.format(name="register_commands", argument="app", body=body)
    install_fake(site, "polite", source)
    env = {"PYTHONPATH": str(site)}
    result = finish(run_seqgen("hello", "Ada", cwd=tmp_path, env=env))
    assert (result.code, result.out, result.err) == (0, "hello Ada\n", "")
    assert finish(run_seqgen("hello", "Ada", "--no-plugins", cwd=tmp_path, env=env)).code == 2
    for value, code in (("", 2), ("seqgen_names", 2), ("polite", 0)):
        result = finish(run_seqgen("hello", "Ada", cwd=tmp_path, env=env | {"SEQGEN_LOAD_PLUGINS": value}))
        assert result.code == code


@pytest.mark.full
def test_a_name_of_no_plugin_in_the_environment_is_told_of(site, tmp_path, monkeypatch):
    install_fake(site, "polite", HOOK.format(name="register_cells", argument="register", body="pass"))
    env = {"PYTHONPATH": str(site), "SEQGEN_LOAD_PLUGINS": "plite, polite,seqgen"}
    result = finish(run_seqgen("list", "cells", cwd=tmp_path, env=env))
    said = "seqgen: SEQGEN_LOAD_PLUGINS: plugin 'plite' is not installed; did you mean 'polite'?\n"
    assert (result.code, result.err) == (0, said)
    said = finish(run_seqgen("list", "cells", cwd=tmp_path, env=env | {"SEQGEN_LOAD_PLUGINS": "polite,"})).err
    assert said == ""
    monkeypatch.setenv("SEQGEN_LOAD_PLUGINS", "seqgen_clasic")
    with pytest.warns(RuntimeWarning, match="did you mean 'seqgen_classic'"):
        default_plugins.__wrapped__()


def test_specs_are_cheap():
    assert isinstance(CellSpec(name="x", summary="s", load="nothing.here:X"), CellSpec)


PARTS = {
    "cell": (
        "import torch\nclass Cell(seqgen.StepCell):\n    def __init__(self, i, h):\n        super().__init__(i, h)\n"
        "        self.w = torch.nn.Parameter(torch.zeros(1))\n    def initial_state(self, b): return self.zeros(b)\n"
        "    def project(self, x): raise ZeroDivisionError('in project')\n"
        "@seqgen.hookimpl\ndef register_cells(register):\n"
        "    register(seqgen.CellSpec(name='bad', summary='s', load=Cell))\n",
        ("--cell", "bad"),
    ),
    "corpus": (
        "def load():\n    class Source:\n        def __iter__(self):\n            raise ZeroDivisionError('in iter')\n"
        "    return Source()\n@seqgen.hookimpl\ndef register_corpora(register):\n"
        "    register(seqgen.CorpusSpec(name='bad', summary='s', licence='l', load=load))\n",
        ("--corpus", "bad"),
    ),
    "tokenizer": (
        "class T(seqgen.Tokenizer):\n    n_symbols = 3\n    @classmethod\n    def fit(cls, texts): return cls()\n"
        "    def encode(self, text): raise ZeroDivisionError('in encode')\n"
        "@seqgen.hookimpl\ndef register_tokenizers(register):\n"
        "    register(seqgen.TokenizerSpec(name='bad', summary='s', load=T))\n",
        ("--tokenizer", "bad"),
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_fails_while_it_is_used_is_exit_5(part, cli, words, in_tmp):
    source, arguments = PARTS[part]
    (in_tmp / "badpart.py").write_text("import seqgen\n" + source)
    if "--corpus" not in arguments:
        arguments = (*arguments, "--corpus", words)
    result = cli("train", *arguments, "--steps", 2, "--hidden", 4, "--plugin", "badpart.py")
    del sys.modules["badpart"]
    last = result.err.splitlines()[-1]
    assert result.code == 5 and "badpart (badpart.py " in last and "ZeroDivisionError" in last, result.err
    assert "Traceback" not in result.err


RENDERER = """
import seqgen

def load():
    def render(text):
        raise ZeroDivisionError("in render")
    return render

@seqgen.hookimpl
def register_renderers(register):
    register(seqgen.RendererSpec(name="bad", summary="s", load=load))

@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="bad", summary="s", renderer="bad"))
"""


def test_a_renderer_that_fails_leaves_a_finished_run_finished(cli, words, in_tmp):
    (in_tmp / "badpart.py").write_text(RENDERER)
    arguments = ("--domain", "bad", "--corpus", words, "--steps", 2, "--hidden", 4)
    result = cli("train", *arguments, "--plugin", "badpart.py")
    del sys.modules["badpart"]
    told = [line for line in result.err.splitlines() if "ZeroDivisionError" in line]
    assert result.code == 0 and len(told) == 1 and "badpart (badpart.py " in told[0], result.err
    assert "Traceback" not in result.err


CELL = """
import seqgen, torch
from torch import nn

class Bad(seqgen.StepCell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
    def initial_state(self, batch_size):
        return self.zeros(batch_size)
    def project(self, x_BTI):
        return self.input(x_BTI)
    def step(self, p_BP, h_BH):
        h_BH = torch.tanh(p_BP + self.recurrent(h_BH))
        return h_BH, h_BH

@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="bad", summary="s", source="none", load=Bad))
"""
MISTAKES = {
    "none": (("Bad", "Bad"), ""),
    "a step that is misspelt": (("def step(", "def stepp("), "Bad has no method step"),
    "no initial state": (("def initial_state", "def initial"), "Bad has no method initial_state"),
    "an output of another width": (("return h_BH, h_BH", "return h_BH[:, :3], h_BH"), "step is (2, 3), not (2, 4)"),
    "a state before the output": (("return h_BH, h_BH", "return (h_BH,), h_BH"), "state); its output is a tuple"),
    "a projection that sums over rows or steps": (
        ("self.input(x_BTI)", "self.input(x_BTI).cumsum(0)"),
        "project mixes",
    ),
    "a projection that changes": (
        ("self.input(x_BTI)", "self.input(x_BTI) + torch.randn(1)"),
        "gives something else each time",
    ),
    "a projection of four dimensions": (
        ("return self.input(x_BTI)", "return self.input(x_BTI)[..., None]"),
        "project gives (2, 3, 4, 1), not (2, 3, P) (rows, steps, features)",
    ),
    "a projection of two tensors": (
        ("return self.input(x_BTI)", "return self.input(x_BTI).chunk(2, -1)"),
        "project must return one tensor, not tuple",
    ),
    "a projection that changes its input": (
        ("return self.input(x_BTI)", "return self.input(x_BTI.mul_(2))"),
        "project changes the input it is given: make a new tensor",
    ),
    "noise that changes the projection": (
        ("    def step(", "    def noise(self, p_BTP):\n        return p_BTP.mul_(2)\n    def step("),
        "noise changes the projection it is given: make a new tensor",
    ),
    "a step that changes the projection": (
        ("h_BH = torch.tanh(p_BP", "p_BP += 1\n        h_BH = torch.tanh(p_BP"),
        "step changes the projection it is given: make a new tensor",
    ),
    "a state whose batch is second": (
        (
            "def step(self, p_BP, h_BH):",
            "initial_state = lambda self, n: torch.zeros(2, n, 4)\n    def step(self, p_BP, h_BH):",
        ),
        "initial_state(3) has a tensor (2, 3, 4): its first dimension must be that of the batch, 3",
    ),
    "a projection with dropout": (
        ("return self.input(x_BTI)", "return nn.functional.dropout(self.input(x_BTI), 0.5, self.training)"),
        "project uses random numbers, which all occurrences of a symbol would share: sample them in noise",
    ),
    "a projection that mixes in training alone": (
        ("return self.input(x_BTI)", "p = self.input(x_BTI)\n        return p - p.mean((0, 1)) * self.training"),
        "project mixes steps or rows",
    ),
    "random numbers in evaluation mode": (
        ("return h_BH, h_BH", "return nn.functional.dropout(h_BH, 0.1, True), h_BH"),
        "gives something else each time, though it is not being trained: random numbers",
    ),
    "a state kept on self": (
        ("return h_BH, h_BH", "self.n = 0.9 * getattr(self, 'n', 1.0)\n        return self.n * h_BH, h_BH"),
        "something kept on self between steps",
    ),
    "a parallel form that differs": (
        ("    def step(", "    def parallel(self, p, h):\n        return p.tanh(), p[:, -1].tanh()\n    def step("),
        "symbol by symbol, as in sampling: parallel must compute what step does",
    ),
    "a fused form that differs": (
        (
            "    def step(",
            "    def fused(self, x, h):\n        y = 2 * self.input(x)\n        return y, y[:, -1]\n    def step(",
        ),
        "symbol by symbol, as in sampling: fused must compute what step does",
    ),
    "a gradient that is no number": (("return h_BH, h_BH", "return (h_BH - h_BH).sqrt(), h_BH"), "that is no number"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_cell_that_fails_on_its_first_batch_is_named(mistake, cli, words, in_tmp):
    """Wherever in core it comes up; the right cell trains."""
    change, expected = MISTAKES[mistake]
    (in_tmp / "badcell.py").write_text(CELL.replace(*change))
    result = cli("train", "--corpus", words, "--cell", "bad", "--steps", 2, "--hidden", 4, "--plugin", "badcell.py")
    del sys.modules["badcell"]
    if mistake == "none":
        assert result.code == 0, result.err
        return
    assert result.code == 5, result.err
    assert result.err.count("\n") == 1 and expected in result.err
    clause = " fail" if expected.startswith("Bad has no") else "( gives| has|: )"
    named = rf"seqgen: (cell bad of|plugin) badcell \(badcell\.py \w{{12}}\){clause}"
    assert re.match(named, result.err), result.err
    assert "report" not in result.err


def test_a_parallel_form_may_round(cli, words, in_tmp):
    gates = "x, f = self.input(p_BP).tanh(), self.recurrent(p_BP).sigmoid()\n        "
    step = "h_BH = f * h_BH + x\n        return h_BH, h_BH"
    scan = "y = seqgen.linear_scan(f.bfloat16(), x.bfloat16(), h_BH.bfloat16()).float()\n        return y, y[:, -1]"
    source = CELL.replace("return self.input(x_BTI)", "return x_BTI").replace("h_BH = torch.tanh", gates + "#")
    source = source.replace("self.recurrent = seqgen.Recurrent(hidden_size", "self.recurrent = nn.Linear(input_size")
    source = source.replace("return h_BH, h_BH", step)
    parallel = f"    def parallel(self, p_BP, h_BH):\n        {gates}{scan}\n    def step("
    (in_tmp / "badcell.py").write_text(source.replace("    def step(", parallel))
    result = cli("train", "--corpus", words, "--cell", "bad", "--steps", 2, "--hidden", 4, "--plugin", "badcell.py")
    del sys.modules["badcell"]
    assert result.code == 0, result.err


def test_parameters_that_no_gradient_reaches_are_told(cli, words, in_tmp):
    unused = "super().__init__(input_size, hidden_size)\n        self.extra = nn.Linear(3, 3)"
    source = CELL.replace("super().__init__(input_size, hidden_size)", unused)
    (in_tmp / "badcell.py").write_text(source.replace("self.recurrent(h_BH)", "self.recurrent(h_BH).detach()"))
    result = cli("train", "--corpus", words, "--cell", "bad", "--steps", 2, "--hidden", 4, "--plugin", "badcell.py")
    del sys.modules["badcell"]
    names = ", ".join(f"stack.cells.0.{name}" for name in ("extra.weight", "extra.bias", "recurrent.weight"))
    assert result.code == 0 and f"no gradient reaches {names}: nothing uses " in result.err, result.err


WHOLE = """
import torch
import seqgen

class Whole(seqgen.Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = torch.nn.Linear(input_size, hidden_size)
    def initial_state(self, batch_size):
        return self.zeros(batch_size)
    def forward(self, x_BTI, state):
        y_BTH = torch.cat((state[:, None], self.input(x_BTI)), 1).cumsum(1)[:, 1:]
        return y_BTH, y_BTH[:, -1]

@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="whole", summary="s", source="none", load=Whole))
"""
DISHONEST = {
    "none": (("Whole", "Whole"), ""),
    "sees later steps": (("self.input(x_BTI)", "self.input(x_BTI.flip(1))"), "looks ahead"),
    "takes single steps another way": (
        ("return y_BTH,", "y_BTH = y_BTH if x_BTI.shape[1] > 1 else y_BTH + 1\n        return y_BTH,"),
        "is read symbol by symbol, as in sampling (",
    ),
    "forgets its state": (("(state[:, None]", "(0 * state[:, None]"), "is read in two pieces"),
    "sees other rows": (("return y_BTH,", "return y_BTH - y_BTH.mean(0),"), "mixes rows"),
    "draws at rest": (
        ("return y_BTH,", "return y_BTH + torch.randn_like(y_BTH),"),
        "gives something else each time",
    ),
    "sees other rows a little": (("return y_BTH,", "return y_BTH + 1e-3 * y_BTH.amax(0),"), "mixes rows"),
    "sees the first row": (("return y_BTH,", "return y_BTH + 0.1 * y_BTH[:1],"), "mixes rows"),
    "a state without rows": (("self.zeros(batch_size)", "self.zeros(1)[0]"), "must be that of the batch"),
    "a state of one row": (
        ("y_BTH[:, -1]", "y_BTH[:1, -1]"),
        "has a tensor (1, 4): its first dimension must be that of the batch, 2",
    ),
    "a state of another width": (("y_BTH[:, -1]", "y_BTH[:, -1, :2]"), "gives [(2, 4)], a step gives back [(2, 2)]"),
    "no self": (("def initial_state(self, batch_size)", "def initial_state(batch_size)"), "(is self missing?"),
    "a state of two": (
        ("y_BTH[:, -1]", "(y_BTH[:, -1], {'c': y_BTH[:, -1]})"),
        "initial_state gives tensor, a step gives back (tensor, {'c': tensor}); a state keeps its form",
    ),
    "a gradient within a step": (
        (
            "    def forward(self, x_BTI, state):",
            "    @torch.enable_grad()\n    def forward(self, x_BTI, state):\n"
            "        torch.autograd.grad(self.input(x_BTI).sum(), self.input.bias)",
        ),
        "element 0 of tensors does not require grad",
    ),
    "a state that shrinks in place": (
        ("y_BTH = torch", "state.mul_(0.5); y_BTH = torch"),
        "changes the state it is given",
    ),
    "no pair": (("return y_BTH, y_BTH[:, -1]", "return y_BTH"), "forward must return (output, state), not Tensor"),
    "no tensors": (("self.zeros(batch_size)", "None"), "a state is made of tensors in tuples, lists and dicts, not of"),
    "a state in a list": (("y_BTH[:, -1]", "[y_BTH[:, -1]]"), "initial_state gives tensor, a step gives back [tensor]"),
    "no state": (("y_BTH[:, -1]", "None"), "initial_state gives tensor, a step gives back None"),
}


@pytest.mark.parametrize("mistake", one_in(4, DISHONEST))
def test_a_cell_whose_losses_would_mean_nothing_is_refused(mistake, cli, words, in_tmp):
    change, expected = DISHONEST[mistake]
    (in_tmp / "wholecell.py").write_text(WHOLE.replace(*change))
    result = cli("train", "--corpus", words, "--cell", "whole", "--steps", 2, "--hidden", 4, "--plugin", "wholecell.py")
    del sys.modules["wholecell"]
    if mistake == "none":
        assert result.code == 0, result.err
        return
    assert result.code == 5 and result.err.count("\n") == 1 and expected in result.err, result.err
    assert not (in_tmp / "runs").exists()


AHEAD = """
import torch
import seqgen

class Ahead(torch.nn.Module):
    def __init__(self, n_symbols):
        super().__init__()
        self.embedding, self.head = torch.nn.Embedding(n_symbols, 8), torch.nn.Linear(8, n_symbols)
    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 1)
    def forward(self, ids_BT, state):
        logits_BTV = self.head(self.embedding(ids_BT).mean(1, keepdim=True)).expand(-1, ids_BT.shape[1], -1)
        return logits_BTV.index_fill(2, torch.tensor([0]), -torch.inf), state

@seqgen.hookimpl
def register_models(register):
    register(seqgen.ModelSpec(name="ahead", summary="s", source="none", load=Ahead))
"""


def test_an_infinite_logit_hides_nothing(cli, words, in_tmp):
    (in_tmp / "ahead.py").write_text(AHEAD)
    result = cli("train", "--corpus", words, "--model", "ahead", "--steps", 2, "--plugin", "ahead.py")
    assert result.code == 5 and "looks ahead" in result.err, result.err
