"""Every registered part passes its checks, and every check can fail."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from broken import (
    BROKEN,
    GOOD,
    PICKY,
    DropsItsInput,
    EndsEarly,
    Good,
    MixesRowsOfTheInput,
    MixesSteps,
    RefusesWhatAnyHasSeen,
    cell,
    corpus,
    made,
    validator,
)  # fmt: skip
from conftest import FAMILIES, in_terminal, in_tiers, registered
from seqgen import testing
from seqgen.plugins import Candidate, Plugins, check_trackers, entry_point_candidates
from seqgen.testing.catalog import CATALOG, checks_of_package
from seqgen.testing.check import Check, Foundations, Package, Waits
from unordered import OrderOfCodePoints, sorted_names

PACKAGES = [candidate.package for candidate in entry_point_candidates()]
CORE = [
    entry.spec
    for kind in CATALOG
    if kind != "package"
    for entry in registered(kind)
    if entry.package == "seqgen" and entry.spec.name != "file"  # needs a path: tested below
]
DIARY = Path(__file__).parent.parent / "docs" / "examples" / "diary.py"
EXPENSIVE = (
    "corpus-python-", "corpus-tunes-", "corpus-cards-", "validator-abc-", "renderer-abc-deterministic",
    "report-html-hostile-strings", "executor-ray-",
    "exporter-onnx-", "exporter-page-compares", "exporter-page-untouched", "exporter-page-deterministic",
    "exporter-page-global-state", "domain-abc-automaton", "domain-card-automaton", "domain-python-automaton",
    "renderer-smiles-hostile-strings", "report-html-deterministic", "report-html-global-state",
)  # fmt: skip
"""How the ids of checks begin that take seconds: the first check of a corpus in a process loads it."""


@pytest.mark.parametrize(
    "check",
    in_tiers(
        (pytest.param(check, id=check.id) for check in testing.checks_of_plugin(CORE)),
        lambda check: check.name != "across-processes",
    ),
)
def test_core_keeps_its_contracts(check):
    check()


@pytest.mark.parametrize(
    "check",
    in_tiers(
        (pytest.param(check, id=check.id) for name in PACKAGES for check in testing.checks_of_plugin(name)),
        lambda check: (
            not check.id.startswith(EXPENSIVE)
            and check.name != "across-processes"
            and (check.spec.kind != "cell" or check.spec.name in FAMILIES)
        ),
    ),
)
def test_plugins_keep_their_contracts(check):
    try:
        check()
    except seqgen.MissingExtra as error:
        pytest.skip(str(error))


def test_a_file_keeps_the_contract_of_a_corpus(words, plugins):
    testing.check_corpus(plugins.registry.get("corpus", "file").spec, path=str(words))


def test_the_kit_refuses_a_validator_that_refuses_its_corpus():
    with pytest.raises(AssertionError, match=r"picky accepts 50\.0% of x; it refuses"):
        testing.check_accepts(PICKY[0], corpus([seqgen.Record("a"), seqgen.Record("b")]))


# -- each promise, broken and kept


def check_named(spec, name):
    (check,) = [check for check in testing.checks_of(spec, siblings=PICKY) if check.name == name]
    return check


@pytest.mark.parametrize(
    ("spec", "name", "message"),
    [pytest.param(spec, name, message, id=f"{kind}-{name}-{message}") for kind, name, spec, message in BROKEN],
)
def test_a_violated_contract_is_found(spec, name, message, monkeypatch):
    monkeypatch.setattr("seqgen.testing.executors._MEETING_S", 0.1)
    with pytest.raises(AssertionError, match=message) as caught:
        check_named(spec, name)()
    assert str(caught.value).startswith(f"{spec.kind} x: ")


def test_every_check_has_a_plugin_that_breaks_it():
    proven = {(kind, name) for kind, name, _, _ in BROKEN} | {
        ("package", name) for name in ("names", "commands", "trackers", "events", "light-import")
    }
    there = {(kind, name) for kind, modules in CATALOG.items() for names in modules.values() for name in names}
    assert there == proven


def test_every_check_is_documented():
    for kind, modules in CATALOG.items():
        for module, names in modules.items():
            for name in names:
                function = getattr(importlib.import_module(f"seqgen.testing.{module}"), name.replace("-", "_"))
                assert function.__doc__, f"{kind} {name}"


@pytest.mark.parametrize("spec", GOOD, ids=lambda spec: spec.kind)
def test_a_good_plugin_passes_every_check(spec):
    for check in testing.checks_of(spec):
        assert isinstance(check(), str)


@pytest.mark.parametrize("name", ["project-and-step", "engines"])
def test_the_forms_of_a_cell_with_a_running_mean_are_compared_from_the_same_mean(name):
    class Running(Good):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.register_buffer("mean", torch.zeros(hidden_size))

        def noise(self, p_BTP):
            if self.training:
                self.mean.lerp_(p_BTP.detach().mean((0, 1)), 0.1)
            return torch.nn.functional.dropout(p_BTP - self.mean.clone(), 0.5, self.training)

    assert check_named(cell(Running), name)() == ""


def test_commands_that_cannot_be_built_are_found():
    def register_commands(app):
        raise ValueError("no commands today")

    module = types.ModuleType("commanding")
    module.register_commands = seqgen.hookimpl(register_commands)
    check = next(check for check in testing.checks_of_plugin(module) if check.name == "commands")
    with pytest.raises(AssertionError, match="its register_commands is not used: ValueError: no commands today"):
        check()


def test_trackers_that_cannot_be_offered_are_found():
    for offered, problem in (
        (
            lambda register: register("my tracker", print),
            "its register_trackers is not used: TypeError: register takes",
        ),
        (lambda register: register("mine", None), "its register_trackers is not used: TypeError: register takes"),
        (
            lambda register: register("mine", lambda: None),
            "its register_trackers is not used: TypeError: the check of the tracker 'mine' is to take a place",
        ),
        (
            lambda register: [register("mine", print), register("mine", print)],
            "its register_trackers is not used: ValueError: the tracker 'mine' is already registered",
        ),
        (lambda register: register("tensorboard", print), "'tensorboard' is offered by seqgen_tracking too: choose"),
        (
            lambda register: register("mine", lambda place: 1 / 0),
            "the check of the tracker 'mine', called with '', raises ZeroDivisionError, not an error of seqgen: ",
        ),
        (
            lambda register: register("mine", lambda place: sys.exit(0) if place else None),
            "the check of the tracker 'mine', called with 'x', raises SystemExit, not an error of seqgen",
        ),
        (lambda register: register("mine", print), "it offers trackers and has no on_report to send them anything"),
    ):
        module = types.ModuleType("tracking")
        module.register_trackers = seqgen.hookimpl(offered)
        module.register_trackers.__name__ = "register_trackers"
        check = next(check for check in testing.checks_of_plugin(module) if check.name == "trackers")
        with pytest.raises(AssertionError, match=problem):
            check()


def test_trackers_whose_checks_refuse_runs_are_kept():
    def refuse(place):
        raise seqgen.MissingExtra("mine", "the tracker mine") if place else seqgen.BadOption("a place is needed")

    module = types.ModuleType("tracking")
    module.register_trackers = seqgen.hookimpl(
        lambda register: [register("mine", str), register("other", refuse)]  # str: a builtin, which takes a place
    )
    module.register_trackers.__name__ = "register_trackers"
    module.on_report = seqgen.hookimpl(lambda metrics, samples: None)
    module.on_report.__name__ = "on_report"
    assert next(check for check in testing.checks_of_plugin(module) if check.name == "trackers")() == "mine, other"


def test_a_tracker_that_two_plugins_offer_is_refused_by_name():
    def offering(package):
        module = types.ModuleType(package)
        module.register_trackers = seqgen.hookimpl(lambda register: register("mine", print))
        module.register_trackers.__name__ = "register_trackers"
        return Candidate(package, package, "1", lambda: module)

    plugins = Plugins(pytest.fail)
    plugins.load([offering("one"), offering("two")])
    with pytest.raises(seqgen.BadOption, match="both one and two offer the tracker 'mine': load one of them"):
        check_trackers(plugins, ["mine=place"])


def test_trackers_of_a_hook_that_fails_are_not_offered():
    module, problems = types.ModuleType("twice"), []
    module.register_trackers = seqgen.hookimpl(lambda register: [register("mine", print), register("mine", print)])
    module.register_trackers.__name__ = "register_trackers"
    plugins = Plugins(problems.append)
    plugins.load([Candidate("twice", "twice", "1", lambda: module)])
    with pytest.raises(seqgen.BadOption, match="there is no tracker 'mine'"):
        check_trackers(plugins, ["mine"])
    assert len(problems) == 1 and "the tracker 'mine' is already registered" in problems[0]


@pytest.mark.parametrize(
    ("hook", "line"),
    [
        ("on_run_start", "settings['cell']['size']"),
        ("on_report", "metrics['loss']"),
        ("on_report", "samples[1000]"),
        ("on_checkpoint", "(checkpoint / 'weights.bin').read_bytes()"),
        ("on_run_end", "{'steps': 1}[reason]"),
    ],
)
def test_hooks_that_cannot_handle_an_event_are_found(tmp_path, hook, line):
    arguments = {
        "on_run_start": "path, settings", "on_report": "path, metrics, samples",
        "on_checkpoint": "path, step, checkpoint", "on_run_end": "path, reason",
    }  # fmt: skip
    file = tmp_path / f"listens_{len(line)}.py"  # a module of its own
    body = f"@seqgen.hookimpl\ndef {hook}({arguments[hook]}):\n    {line}\n"
    file.write_text(f"import seqgen\n\n\n{body}", encoding="utf-8")
    check = next(check for check in testing.checks_of_plugin(file) if check.name == "events")
    for _ in range(2):
        with pytest.raises(AssertionError, match=rf"its {hook} is not used: \w+Error"):
            check()


def test_hooks_that_change_the_process_are_found(tmp_path):
    file, threads = tmp_path / "sets_threads.py", torch.get_num_threads()
    file.write_text(
        "import seqgen, torch\n@seqgen.hookimpl\ndef on_run_start(path, settings):\n"
        f"    torch.set_num_threads({threads + 1})\n",
        encoding="utf-8",
    )
    check = next(check for check in testing.checks_of_plugin(file) if check.name == "events")
    with pytest.raises(AssertionError, match="its hooks change torch's number of threads for the whole process"):
        check()
    assert torch.get_num_threads() == threads


def test_a_hook_without_its_mark_is_refused(tmp_path):
    (tmp_path / "forgetful.py").write_text(
        "import seqgen\n@seqgen.hookimpl\ndef register_processors(register):\n    pass\n"
        "def register_trackers(register):\n    pass\n",
        encoding="utf-8",
    )
    with pytest.raises(seqgen.PluginError, match=r"nothing calls its register_trackers: put @seqgen"):
        testing.checks_of_plugin(tmp_path / "forgetful.py")


def test_a_plugin_without_events_is_asked_for_none():
    module = types.ModuleType("silent")
    module.register_cells = seqgen.hookimpl(lambda register: register(cell(Good)))
    module.register_cells.__name__ = "register_cells"
    assert next(check for check in testing.checks_of_plugin(module) if check.name == "events")() == ""


def test_the_diary_of_the_guide_handles_the_events(monkeypatch):
    monkeypatch.delitem(sys.modules, "diary", raising=False)
    check = next(check for check in testing.checks_of_plugin(DIARY) if check.name == "events")
    assert check() == "on_run_start, on_report, on_checkpoint, on_run_end"
    del sys.modules["diary"]  # others load a copy of it


def test_a_name_registered_twice_is_found():
    module = types.ModuleType("doubled")
    module.register_cells = seqgen.hookimpl(lambda register: [register(cell(Good)), register(cell(Good))])
    module.register_cells.__name__ = "register_cells"
    with pytest.raises(seqgen.PluginError, match="cell x is already registered"):
        testing.checks_of_plugin(module)
    names, *_ = checks_of_package(Package("doubled", (cell(Good), cell(Good)), None))
    with pytest.raises(AssertionError, match="package doubled: it registers more than once: cell x"):
        names()


@pytest.mark.full
def test_a_name_that_another_plugin_has_is_noted():
    package = Package("mine", (seqgen.CellSpec(name="gru", summary="s", source="t", load=Good),))
    check = next(check for check in checks_of_package(package) if check.name == "names")
    assert check() == "users write PACKAGE:NAME, since there are also seqgen_classic:gru"


def test_a_package_that_imports_torch_is_found(tmp_path, monkeypatch):
    for name, head in (("heavy_pack", "import torch\n"), ("light_pack", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            f"{head}import seqgen\n\n\n@seqgen.hookimpl\ndef register_domains(register):\n"
            "    register(seqgen.DomainSpec(name='d', summary='s'))\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    checks = {
        name: {check.id: check for check in testing.checks_of_plugin(name)} for name in ("heavy_pack", "light_pack")
    }
    assert checks["light_pack"]["package-light_pack-light-import"]() == ""
    with pytest.raises(AssertionError, match="importing it imports torch"):
        checks["heavy_pack"]["package-heavy_pack-light-import"]()
    for name in checks:
        del sys.modules[name]


# -- how checks are run


def test_a_check_leaves_random_numbers_alone():
    state = torch.get_rng_state()
    check_named(GOOD[0], "learns")()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_setting_that_stays_changed_is_found_after_other_checks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def validate(self, text):
        os.chdir("/")
        os.environ["SEQGEN_TEST_LEFT"] = "1"
        sys.setrecursionlimit(5000)
        warnings.simplefilter("ignore")
        np.random.seed(1)
        torch.set_num_threads(3)
        torch.set_default_dtype(torch.float64)
        return seqgen.Verdict(True)

    def settings():
        state = np.random.get_state()[1].tolist()
        limit, threads, dtype = sys.getrecursionlimit(), torch.get_num_threads(), torch.get_default_dtype()
        return Path.cwd(), dict(os.environ), list(warnings.filters), state, limit, threads, dtype

    before = settings()
    for check in testing.checks_of(validator(validate)):
        if check.name == "global-state":
            with pytest.raises(AssertionError, match=r"the current folder and the environment and .* of threads for"):
                check()
        else:
            check()
        assert settings() == before, check.name


def test_a_class_that_remembers_texts_is_found_after_other_checks():
    spec = next(spec for _, name, spec, _ in BROKEN if getattr(spec, "load", None) is RefusesWhatAnyHasSeen)
    for _ in range(2):
        for name in ("verdicts", "global-state"):
            check_named(spec, name)()
        with pytest.raises(AssertionError, match="two instances give different results"):
            check_named(spec, "deterministic")()


def test_a_note_names_an_unsupported_feature(monkeypatch):
    monkeypatch.setattr("seqgen.testing.gradients._has_bfloat16", lambda: False)
    assert check_named(GOOD[0], "bfloat16")() == "bfloat16 is not supported on this machine"


def test_a_note_names_what_might_be_meant_as_an_option():
    class Early(Good):
        def __init__(self, input_size, hidden_size, scale=2.0):
            super().__init__(input_size, hidden_size)

    note = check_named(cell(Early), "options")()
    assert note == "scale is not an option: it is not keyword-only: put it behind a *"


@pytest.mark.parametrize(
    "load",
    [
        lambda: None,
        lambda: [seqgen.Record(5)],
        lambda: [seqgen.Record("a", label=3)],
        lambda: [seqgen.Record("a", split="validation")],
        EndsEarly,
    ],
)
def test_a_corpus_that_cannot_be_read_fails_in_one_place(load):
    siblings = [
        corpus(load, domain="mine"),
        seqgen.DomainSpec(name="mine", summary="s", validator="mine"),
        made(seqgen.ValidatorSpec, type("V", (), {"validate": lambda self, text: seqgen.Verdict(True)}), name="mine"),
    ]
    foundations, failed = Foundations(), []
    for check in testing.checks_of_plugin(siblings):
        try:
            foundations.run(check, check)
        except Waits as error:
            assert check.spec.kind == "corpus" and str(error) == "mend records first"
        except AssertionError:
            failed.append(check.id)
    assert failed == ["corpus-x-records"]


@pytest.mark.parametrize(
    ("load", "name"),
    [(MixesSteps, "projection"), (MixesRowsOfTheInput, "projection"), (DropsItsInput, "projection-noise")],
)
def test_a_projection_that_cannot_be_one_fails_in_one_place(load, name):
    foundations, failed = Foundations(), []
    for check in testing.checks_of(cell(load)):
        try:
            foundations.run(check, check)
        except Waits as error:
            assert str(error) == f"mend {name} first"
        except AssertionError:
            failed.append(check.name)
    assert failed == [name]
    with pytest.raises(AssertionError, match=r"cell x: project (mixes|uses random numbers)"):
        testing.check_cell(cell(load))


def test_an_exception_of_a_plugin_is_reported_with_its_check():
    with pytest.raises(
        AssertionError, match=r"cell x: .* in __init__, line \d+ of broken.py: .*ValueError: too few units"
    ):
        check_named(next(spec for _, name, spec, _ in BROKEN if name == "one-unit"), "one-unit")()


def test_the_location_of_an_exception_is_reported():
    class Three(Good):
        def step(self, p_BP, state):
            (h_BH,) = state
            return h_BH, [h_BH, h_BH]

    wanted = r"^cell x: ValueError in step, line \d+ of test_conformance.py: too many values to unpack"
    with pytest.raises(AssertionError, match=wanted):
        check_named(cell(Three), "shapes")()


def test_the_checks_of_a_plugin_are_listed_without_torch_and_pytest(tmp_path):
    program = (
        "import sys; sys.modules['torch'] = sys.modules['pytest'] = sys.modules['numpy'] = None\n"
        "from seqgen.testing import checks_of_plugin\n"
        "print(len(checks_of_plugin('seqgen_classic')), len(checks_of_plugin('seqgen_smiles')))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0 and int(found.stdout.split()[0]) > 50, found.stderr


@pytest.mark.full
def test_checks_run_without_pytest(tmp_path):
    program = (
        "import sys; sys.modules['pytest'] = None\n"
        "from seqgen.testing import checks_of_plugin\n"
        "for check in checks_of_plugin('seqgen_pokemon'): check()"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("plugin", "error", "message"),
    [("seqgen_clasic", seqgen.UnknownName, "did you mean 'seqgen_classic'"), ("json", seqgen.PluginError, "no hooks")],
)
def test_other_objects_than_plugins_are_refused(plugin, error, message):
    with pytest.raises(error, match=message):
        testing.specs_of(plugin)


@pytest.mark.parametrize(
    ("failures", "message"),
    [({"cell-x-nothing": "why"}, "no check has the id"), ({"cell-x-shapes": " "}, "say why")],
)
def test_expected_failures_must_exist_and_say_why(failures, message):
    with pytest.raises(seqgen.UsageError, match=message):
        testing.parametrize_with_checks([cell(Good)], expected_failures=failures)


FAILING = """
import pytest, torch, seqgen
from torch import nn
from seqgen.testing import parametrize_with_checks

class Uneven(seqgen.Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
    def initial_state(self, batch_size):
        return self.zeros(batch_size)
    def forward(self, x_BTI, state):
        return self.input(x_BTI) - x_BTI.mean(), state

SPEC = seqgen.CellSpec(name="uneven", summary="s", source="t", load=Uneven)
WHY = {"cell-uneven-causality": "on purpose", "cell-uneven-shapes": "it is not broken, so this is wrong"}

def missing():
    raise seqgen.MissingExtra("chem", "a corpus")

CORPUS = seqgen.CorpusSpec(name="away", summary="s", source="t", licence="l", load=missing)

@parametrize_with_checks([SPEC, CORPUS], expected_failures=WHY)
def test_contracts(check):
    if check.name in ("causality", "shapes", "padding", "records"):
        check()

class Blank(Uneven):
    def forward(self, x_BTI, state):
        return self.input(x_BTI) * float("nan"), state

@parametrize_with_checks([seqgen.CellSpec(name="blank", summary="s", source="t", load=Blank)])
def test_foundations(check):
    check()
"""


@pytest.mark.full
def test_pytest_shows_each_check_as_a_test(tmp_path):
    (tmp_path / "test_uneven.py").write_text(FAILING)
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"], capture_output=True, text=True, cwd=tmp_path
    )
    lines = found.stdout.splitlines()

    def outcome(name):
        return next(line.split()[0] for line in lines if f"[{name}]" in line and line.split()[0].isupper())

    assert outcome("cell-uneven-causality") == "XFAIL"
    assert outcome("cell-uneven-shapes") == "FAILED" and "[XPASS(strict)]" in found.stdout
    assert outcome("cell-uneven-padding") == "FAILED" and "after a row's end" in found.stdout
    assert outcome("cell-uneven-learns") == "PASSED"
    assert outcome("cell-blank-shapes") == "FAILED" and "mend shapes first" in found.stdout
    assert found.stdout.count("FAILED test_uneven.py::test_foundations") == 1
    assert "needs the extra 'chem'" in found.stdout


@pytest.mark.full
def test_parts_are_found_in_other_processes(tmp_path, monkeypatch):
    """By name, as a class or function, and from a plugin in one file that is not on the path; not within a function."""
    (tmp_path / "one_file.py").write_text(
        "import seqgen\ndef load(word='x'):\n    return [seqgen.Record(word)] * 3\n", encoding="utf-8"
    )
    found = importlib.util.spec_from_file_location("one_file", tmp_path / "one_file.py")
    module = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, "one_file", module)
    found.loader.exec_module(module)
    for spec in (
        made(seqgen.TokenizerSpec, "unordered:OrderOfCodePoints"),
        made(seqgen.TokenizerSpec, OrderOfCodePoints),
        corpus(sorted_names),
        corpus(module.load),
    ):
        assert check_named(spec, "across-processes")() == "", spec
    local = corpus([seqgen.Record("a")])
    assert check_named(local, "across-processes")().startswith("not tried in other processes")


def test_a_check_that_passes_when_it_is_run_again_lets_the_others_run():
    foundations, first = Foundations(), Check(GOOD[0], "shapes", lambda: None, foundation=True)
    other = Check(GOOD[0], "padding", lambda: None)

    def fail():
        raise AssertionError

    with pytest.raises(AssertionError):
        foundations.run(first, fail)
    with pytest.raises(Waits, match="mend shapes first"):
        foundations.run(other, other.run)
    foundations.run(first, first.run)
    foundations.run(other, other.run)


def test_parts_of_a_script_are_not_sought_in_other_processes(monkeypatch):
    def load():
        return [seqgen.Record("a")] * 3

    load.__module__, load.__qualname__ = "__main__", "load"
    monkeypatch.setattr(sys.modules["__main__"], "load", load, raising=False)
    assert check_named(corpus(load), "across-processes")().startswith("not tried in other processes")
    made_here = types.ModuleType("made_here")
    load.__module__, made_here.load = "made_here", load
    monkeypatch.setitem(sys.modules, "made_here", made_here)
    assert check_named(corpus(load), "across-processes")().startswith("not tried in other processes")


@pytest.mark.full
def test_all_checks_of_a_file_are_of_the_same_parts(tmp_path, capfd):
    """Hooks of events too, which may write as they would in a run."""
    (tmp_path / "orders.py").write_text(
        "import subprocess, sys\nimport seqgen\n"
        "def load():\n    return [seqgen.Record(text) for text in {f'name {i}' for i in range(30)}]\n"
        "@seqgen.hookimpl\ndef register_corpora(register):\n"
        "    register(seqgen.CorpusSpec(name='orders', summary='s', source='none', licence='none', load=load))\n"
        "@seqgen.hookimpl\ndef on_run_end(path, reason):\n"
        "    sys.stdout.buffer.write(b'ended')\n    subprocess.run(['true'], stdout=sys.stderr, check=True)\n",
        encoding="utf-8",
    )
    failed = set()
    for check in testing.checks_of_plugin(tmp_path / "orders.py"):
        try:
            check()
        except AssertionError:
            failed.add(check.name)
    assert failed == {"across-processes"} and "ended" not in capfd.readouterr().out


def test_labels_of_values_that_are_not_computed_are_noted():
    def metric(samples, reference):
        return {"seen": 1.0}

    metric.labels, metric.omitted = {"seen": "what is seen", "left": "left out", "sene": "misspelt"}, {"left": "why"}
    spec = seqgen.MetricSpec(name="mine", summary="s", source="t", load=lambda: metric)
    assert check_named(spec, "labels")() == "3 labels, of which it has no values here: sene"


def test_a_part_that_fails_in_a_new_process_is_told_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(
        "import os, seqgen\n"
        "def load():\n"
        "    if 'PYTHONUTF8' in os.environ:\n        raise ValueError('not in this process')\n"
        "    return [seqgen.Record('a')] * 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("PYTHONUTF8", raising=False)
    with pytest.raises(AssertionError, match="in a new process it fails: ValueError: not in this process") as found:
        check_named(made(seqgen.CorpusSpec, "only_here:load", licence="l"), "across-processes")()
    assert "Traceback" not in str(found.value)


@pytest.mark.full
def test_a_terminal_shows_which_check_is_made(cli, in_tmp):
    (in_tmp / "two.py").write_text(
        "import seqgen\n@seqgen.hookimpl\ndef register_processors(register):\n    pass\n", encoding="utf-8"
    )
    shown = in_terminal("plugins", "check", "two.py", messages=True)
    assert "1 of 4: package-two-names" in shown and "4 of 4: package-two-events" in shown
    assert "4 of 4" not in cli("plugins", "check", "two.py").err


def test_parts_are_checked_with_records_of_their_domain():
    """A branch that only a text of the domain takes is tried too."""

    class Refuses:
        def validate(self, text):
            return seqgen.Verdict(True) if text in ("xx|", "") else seqgen.Verdict(False, "" if "|" in text else "no |")

    def of_bars(self, samples, reference):
        return {
            "bars": float(sum(text.count("|") for text in samples)),
            **({"odd": "much"} if "xx|" in samples else {}),
        }

    def rarely(text, random):
        return text if random.random() > 0.3 else 7

    specs = [
        seqgen.CorpusSpec(
            name="bars", summary="s", source="none", licence="none", domain="bars",
            load=lambda: [seqgen.Record("xx|") for _ in range(5)],
        ),
        seqgen.DomainSpec(name="bars", summary="s", source="none", validator="bars", metrics=("bars",)),
        seqgen.ValidatorSpec(name="bars", summary="s", source="none", load=Refuses),
        seqgen.MetricSpec(
            name="bars", summary="s", source="none", load=lambda: type("Bars", (), {"__call__": of_bars})()
        ),
        seqgen.AugmentationSpec(name="bars", summary="s", source="none", load=lambda: rarely),
    ]  # fmt: skip
    found = {(check.spec.kind, check.name): check for check in testing.checks_of_plugin(specs)}
    for check, says in (
        (("validator", "verdicts"), "invalid without a reason"),
        (("metric", "values"), "'much'"),
        (("augmentation", "written"), "becomes 7, not a text"),
    ):
        with pytest.raises(AssertionError, match=says):
            found[check]()


def test_a_plugin_for_a_newer_minor_version_is_checked_too(tmp_path):
    major, minor = seqgen.PLUGIN_API
    (tmp_path / "newer.py").write_text(
        f"import seqgen\nseqgen_api = '{major}.{minor + 4}'\n"
        "@seqgen.hookimpl\ndef register_augmentations(register):\n"
        "    register(seqgen.AugmentationSpec(name='same', summary='s', load=lambda: lambda text, random: text))\n",
        encoding="utf-8",
    )
    assert {check.spec.name for check in testing.checks_of_plugin(tmp_path / "newer.py")} >= {"same"}
