"""Promises about third-party plugins: each fault costs one line that names the plugin, and nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

import seqgen
from conftest import finish, install_fake, one_in, run_seqgen
from seqgen.errors import MissingPlugin, PluginError
from seqgen.plugins import Candidate, Plugins, entry_point_candidates, hooks
from seqgen.specs import KINDS
from test_plugins import BROKEN, CELL, HOOK, SPEC, candidate

OLD = Path(__file__).parent / "plugins_by_api"
GOOD = HOOK.format(name="register_cells", argument="register", body=f"register({SPEC})")


@pytest.fixture
def problems():
    return []


@pytest.fixture
def loaded(problems):
    """Loads plugins from their sources, by package."""

    def load(**sources: str) -> Plugins:
        plugins = Plugins(problems.append)
        plugins.load([candidate(source, package) for package, source in sources.items()])
        return plugins

    return load


@pytest.fixture
def one_file(in_tmp):
    """Writes a plugin in one file, and forgets its module afterwards."""
    written = []

    def write(name: str, source: str) -> str:
        (in_tmp / f"{name}.py").write_text(source, encoding="utf-8")
        written.append(name)
        return f"{name}.py"

    yield write
    for name in written:
        sys.modules.pop(name, None)


# -- R19: faults stay where they are


@pytest.mark.promise("R19")
@pytest.mark.parametrize("fault", BROKEN)
def test_strict_makes_an_error_of_any_fault(fault, loaded, monkeypatch):
    monkeypatch.setenv("SEQGEN_PLUGINS_STRICT", "1")
    with pytest.raises(PluginError, match=r"^plugin guilty \(guilty-dist 1\.0\) is not used: ") as caught:
        loaded(guilty=BROKEN[fault], good=GOOD)
    assert caught.value.exit_code == 5 and "\n" not in str(caught.value)


@pytest.mark.promise("R19")
def test_strict_makes_an_error_of_a_name_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("SEQGEN_PLUGINS_STRICT", "1")
    monkeypatch.setenv("SEQGEN_LOAD_PLUGINS", "nosuch")
    found = finish(run_seqgen("list", "cells", cwd=tmp_path))
    assert found.code == 5 and "plugin 'nosuch' is not installed" in found.err and found.err.count("\n") == 1


@pytest.mark.promise("R19")
@pytest.mark.parametrize("value", ["", "0", "false", "no", "off"])
def test_switches_that_are_off(value, loaded, monkeypatch, capsys, problems):
    for name in ("SEQGEN_PLUGINS_STRICT", "SEQGEN_TRACE_PLUGINS"):
        monkeypatch.setenv(name, value)
    loaded(guilty=BROKEN["exits"], good=GOOD)
    assert len(problems) == 1 and capsys.readouterr().err == ""


@pytest.mark.promise("R19")
def test_strict_from_the_command_line(one_file, cli, monkeypatch, words):
    source = GOOD + "@seqgen.hookimpl\ndef register_commands(app): app.command('train')(print)\n"
    path = one_file("taker", source)
    assert cli("list", "--plugin", path).code == 0
    sys.modules.pop("taker")
    monkeypatch.setenv("SEQGEN_PLUGINS_STRICT", "1")
    result = cli("list", "--plugin", path)
    assert result.code == 5 and "taker (taker.py" in result.err and "'train' is taken already" in result.err


@pytest.mark.promise("R19")
def test_printing_at_import_reaches_no_result(tmp_path):
    install_fake(tmp_path / "site", "noisy", "print('noise')\n" + GOOD)
    result = finish(run_seqgen("plugins", "--json", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")}))
    assert result.code == 0 and "noise" not in result.out and result.err == "noise\n"
    assert any(row["package"] == "noisy" and row["state"] == "ok" for row in json.loads(result.out))


def test_a_trace_names_plugin_hook_and_time(loaded, monkeypatch, capsys):
    monkeypatch.setenv("SEQGEN_TRACE_PLUGINS", "1")
    loaded(good=GOOD)
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if " good " in line]
    assert line.startswith("seqgen: trace: good register_cells ") and line.endswith(" ms")
    assert float(line.split()[-2]) >= 0


# -- R20: light


@pytest.mark.promise("R20")
def test_a_plugin_that_imports_torch_is_shown(tmp_path):
    install_fake(tmp_path / "site", "heavy", "import torch\n" + GOOD)
    (tmp_path / "site" / "torch.py").touch()  # stands for the real one, which takes a second
    result = finish(run_seqgen("plugins", "--json", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")}))
    states = {row["package"]: row["state"] for row in json.loads(result.out)}
    assert states["heavy"] == "ok, but imports torch when it is loaded" and states["seqgen_classic"] == "ok"


# -- R21: what comes back is looked at

WRONG_HOOKS = {
    "an argument that is misspelt": (
        HOOK.format(name="register_cells", argument="registre", body="pass"),
        "register_cells has no argument 'registre'; did you mean 'register'?",
    ),
    "a hook that is misspelt": (BROKEN["misspells_a_hook"], "no hook 'register_cels'; did you mean 'register_cells'"),
    "a name twice": (
        HOOK.format(name="register_cells", argument="register", body=f"register({SPEC}); register({SPEC})"),
        "the cell fake is already registered",
    ),
    "no argument to register with": (
        HOOK.format(name="register_cells", argument="", body=f"return [{SPEC}]"),
        "register_cells registers nothing, since it has no argument 'register': write register_cells(register)",
    ),
    "no app to add commands to": (
        HOOK.format(name="register_commands", argument="", body="pass"),
        "register_commands registers nothing, since it has no argument 'app': write register_commands(app)",
    ),
    "no spec": (BROKEN["registers_a_wrong_object"], "register_cells takes a CellSpec, not 'gru'"),
    "a name nobody can type": (BROKEN["makes_a_bad_spec"], "'A B' is not of the form"),
}


@pytest.mark.promise("R21")
@pytest.mark.parametrize("mistake", WRONG_HOOKS)
def test_wrong_hooks(mistake, loaded, problems):
    source, says = WRONG_HOOKS[mistake]
    loaded(guilty=source)
    assert len(problems) == 1 and says in problems[0]


@pytest.mark.promise("R21")
def test_a_file_that_registers_nothing_is_named_instead_of_asked_for(one_file, cli, words, in_tmp):
    path = one_file("eventsonly", "import seqgen\n\n@seqgen.hookimpl\ndef on_report(path, metrics):\n    pass\n")
    result = cli("train", "--corpus", words, "--cell", "foo", "--plugin", path)
    assert result.code == 2 and "no cell named 'foo' (no part is registered by eventsonly.py)" in result.err
    assert "load one from a file" in cli("train", "--corpus", words, "--cell", "foo").err


DOMAIN = """
@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="odd", summary="s", {kind}={value}))
@seqgen.hookimpl
def register_{kind}s(register):
    register(seqgen.{spec}(name="odd", summary="s", load=load))
"""
TOKENIZER = """
import seqgen
class Odd(seqgen.Tokenizer):
    n_symbols = 30
    def __init__(self): pass
    @classmethod
    def fit(cls, texts): return cls()
    def encode(self, text): return [1]
    def decode(self, ids): return "a"
    def to_json(self): return {}
    @classmethod
    def from_json(cls, data): return cls()
load = Odd
@seqgen.hookimpl
def register_tokenizers(register):
    register(seqgen.TokenizerSpec(name="odd", summary="s", load=load))
"""


def part(kind: str, load: str) -> str:
    """A plugin with a domain that has an odd part."""
    value = "('odd',)" if kind == "metrics" else "'odd'"
    kind, spec = kind.removesuffix("s"), kind.removesuffix("s").capitalize() + "Spec"
    text = DOMAIN.format(kind=kind, value=value, spec=spec).replace("metric=(", "metrics=(")
    return f"import seqgen\n{load}\n{text}"


def own(kind: str, load: str) -> str:
    """A plugin with an odd part of its own."""
    return (
        f"import seqgen\n{load}\n@seqgen.hookimpl\ndef register_{KINDS[kind]}(register):\n"
        f"    register(seqgen.{kind.capitalize()}Spec(name='odd', summary='s', load=load"
        f"{', licence=chr(99)' if kind == 'corpus' else ''}))\n"
    )


TRAIN, SAMPLE, JUDGE = ("train", "--corpus", "WORDS", "--steps", "2"), ("sample", "-n", "3"), ("evaluate", "-n", "4")
ODD_PARTS = {
    "a cell that is none": (own("cell", "def load(i, h): return 3"), ("--cell", "odd"), TRAIN, "not a seqgen.Cell"),
    "a model that is none": (own("model", "def load(n): return 3"), ("--model", "odd"), TRAIN, "not a torch.nn.Module"),
    "a corpus of texts": (own("corpus", "def load(): return ['a']"), ("--corpus", "odd"), TRAIN, "not a seqgen.Record"),
    "a corpus of numbers": (
        own("corpus", "def load(): return [seqgen.Record(3)]"), ("--corpus", "odd"), TRAIN,
        "yielded the text 3, which is not a string",
    ),
    "a corpus with a list of fields": (
        own("corpus", "def load(): return [seqgen.Record('a', fields=['n'])]"), ("--corpus", "odd"), TRAIN,
        "yielded the fields ['n'], not values by name",
    ),
    "a corpus that ends": (own("corpus", "def load(): return iter(())"), ("--corpus", "odd"), TRAIN, "restartable"),
    "a tokenizer without encode": (
        TOKENIZER.replace("def encode", "def encoded").replace("(seqgen.Tokenizer)", ""),
        ("--tokenizer", "odd"), TRAIN, "the class Odd, which has no encode, encode_many, decode_many",
    ),
    "a tokenizer that is built": (
        TOKENIZER.replace("load = Odd", "load = lambda: Odd()").replace("load=load", "load=Odd()"),
        ("--tokenizer", "odd"), TRAIN, "load must be a string or a function",
    ),
    "ids that there are not": (TOKENIZER.replace("[1]", "[30]"), ("--tokenizer", "odd"), TRAIN, "ids 30 to 30"),
    "ids that are none": (TOKENIZER.replace("[1]", "['a']"), ("--tokenizer", "odd"), TRAIN, "tokenizer odd of oddity"),
    "a validator without validate": (
        part("validator", "class load: pass"), ("--domain", "odd"), TRAIN, "which has no validate"),
    "a validator that says yes or no": (
        part("validator", "class load:\n    def validate(self, text): return True"),
        ("--domain", "odd"), TRAIN, "returned True, not a seqgen.Verdict",
    ),
    "a validator that says it in words": (
        part("validator", "class load:\n    def validate(self, text): return seqgen.Verdict('no')"),
        ("--domain", "odd"), TRAIN, "returned a seqgen.Verdict with ok='no', which is neither True nor False",
    ),
    "a validator that forgets to say no": (
        part("validator", "class load:\n    def validate(self, t):\n        if not t: return seqgen.Verdict(True)"),
        ("--domain", "odd"), TRAIN, "returned None, not a seqgen.Verdict",
    ),
    "a metric of words": (
        part("metrics", "def load(): return lambda samples, reference: {'a': 'b'}"),
        ("--domain", "odd"), JUDGE, "the value of 'a' is 'b', not a number",
    ),
    "a processor of another shape": (
        own("processor", "def load(): return lambda logits_BV, ids_BT: logits_BV[:1]"),
        ("--processor", "odd"), SAMPLE, "not logits of the same shape, dtype and device",
    ),
    "a processor that gives nothing": (
        own("processor", "def load(): return lambda logits_BV, ids_BT: None"),
        ("--processor", "odd"), SAMPLE, "returned None, not logits",
    ),
    "an augmentation of numbers": (
        own("augmentation", "def load(): return lambda text, random: len(text)"),
        ("--augment", "odd"), TRAIN, "not a non-empty string",
    ),
    "a domain that names nothing": (
        "import seqgen\n@seqgen.hookimpl\ndef register_domains(register):\n"
        "    register(seqgen.DomainSpec(name='odd', summary='s', validator='gone'))\n",
        ("--domain", "odd"), TRAIN, "names the validator 'gone', which no plugin offers",
    ),
}  # fmt: skip


ODD_RENDERERS = {
    "def load(): return len": "not something rich can print",
    "def load(): return 3": "returned 3, which cannot be called",
}


@pytest.mark.promise("R21")
@pytest.mark.parametrize("load", ODD_RENDERERS)
def test_an_odd_renderer_leaves_plain_text_and_one_line(load, cli, one_file, words, in_tmp):
    path = one_file("oddity", part("renderer", load))
    arguments = ["--domain", "odd", "--steps", 2, "--hidden", 4, "--plugin", path]
    result = cli("train", "--corpus", words, *arguments)
    assert result.code == 0 and "Next:" in result.err, result.err  # the run is finished, and its report is shown
    lines = [line for line in result.err.splitlines() if "cannot render the samples" in line]
    assert len(lines) == 1 and "oddity" in lines[0] and ODD_RENDERERS[load] in lines[0], result.err


@pytest.mark.promise("R21")
@pytest.mark.parametrize("mistake", one_in(4, ODD_PARTS))
def test_an_odd_part_is_told_in_one_line(mistake, cli, one_file, words, in_tmp):
    source, chosen, command, says = ODD_PARTS[mistake]
    path = one_file("oddity", source)
    plugin = ("--plugin", path)
    if command is not TRAIN:
        domain = chosen if chosen[0] == "--domain" else ()
        trained = cli("train", "--corpus", words, "--steps", 2, "--hidden", 4, *domain, "--out", "run", *plugin)
        assert trained.code == 0, trained.err
        sys.modules.pop("oddity")
        chosen = () if domain else chosen
    arguments = [words if argument == "WORDS" else argument for argument in command]
    if chosen[:1] == ("--corpus",):
        arguments = ["train", "--steps", 2]
    extra = ("--out", "run2") if command is TRAIN else ()
    where = ("run",) if command is not TRAIN else ()
    result = cli(arguments[0], *where, *arguments[1:], *chosen, *extra, *plugin)
    last = result.err.splitlines()[-1]
    assert result.code == 5, result.err
    assert says in result.err and "oddity" in result.err, result.err
    assert "Traceback" not in result.err and "report" not in result.err
    assert "oddity (oddity.py " in last, last


BREAKS = CELL.replace(
    "        h_BH = torch",
    "        Bad.calls += 1\n        if Bad.calls > Bad.limit: raise ZeroDivisionError('in the step')\n"
    "        h_BH = torch",
).replace("    def __init__", "    calls, limit = 0, 10**9\n    def __init__", 1)


@pytest.mark.promise("R21")
def test_a_failure_in_the_middle_of_training_saves_first(one_file, cli, words, in_tmp):
    """The run goes on from the step it reached; what it then gives is what an unbroken run gives."""
    path = one_file("breaks", BREAKS)
    train = ("train", "--corpus", words, "--cell", "bad", "--hidden", 4, "--batch-size", 8, "--steps", 12)
    options = ("--engine", "eager", "-o", "train.eval_every=100", "--plugin", path)
    assert cli(*train, "--out", "whole", *options).code == 0
    module = sys.modules.pop("breaks")
    n_calls = module.Bad.calls
    Path("breaks.py").write_text(BREAKS.replace("10**9", str(n_calls // 2)))
    broken = cli(*train, "--out", "run", *options)
    assert broken.code == 5 and broken.err.splitlines()[-1].startswith("seqgen: plugin breaks (breaks.py "), broken.err
    line = BREAKS[: BREAKS.index("raise ZeroDivisionError")].count("\n") + 1
    assert f" failed in step, line {line} of breaks.py: ZeroDivisionError: in the step; step " in broken.err
    assert broken.err.endswith("continue with: seqgen resume run --plugin breaks.py\n")
    sys.modules.pop("breaks")
    Path("breaks.py").write_text(BREAKS)
    resumed = cli("resume", "run", "--plugin", path)
    assert resumed.code == 0 and "resuming run at step " in resumed.err, resumed.err
    saved = [sorted(Path(run, "checkpoints").iterdir())[-1] / "model.safetensors" for run in ("whole", "run")]
    assert saved[0].read_bytes() == saved[1].read_bytes()


@pytest.mark.promise("R21")
def test_an_event_that_fails_strictly_saves_first(words, in_tmp, monkeypatch):
    class Picky:
        @staticmethod
        @seqgen.hookimpl
        def on_report(metrics):
            raise KeyError("no such figure")

    monkeypatch.setenv("SEQGEN_PLUGINS_STRICT", "1")
    plugins = Plugins(pytest.fail)
    plugins.load([*entry_point_candidates(), Candidate("picky", "picky-dist", "2.1", Picky)])
    with pytest.raises(
        PluginError, match=r"picky \(picky-dist 2\.1\): its on_report .*; step 3 is saved, continue with"
    ):
        seqgen.train(words, cell="vanilla", hidden=4, steps=3, out="run", plugins=plugins)
    monkeypatch.delenv("SEQGEN_PLUGINS_STRICT")
    run = seqgen.resume("run")
    assert run.state["step"] == 3 and run.state["ended"] == "steps"


# -- R22: clashes


@pytest.mark.promise("R22")
def test_a_stranger_called_gru_changes_no_default(loaded, words, in_tmp):
    """Only who writes the bare name is asked which is meant; what seqgen's own parts name is theirs."""
    plugins = Plugins(pytest.fail)
    plugins.load(entry_point_candidates())
    source = "".join(
        HOOK.format(
            name=f"register_{plural}", argument="register",
            body=f"register(seqgen.{kind.capitalize()}Spec(name={name!r}, summary='s', load='no.such:Thing'))",
        )
        for kind, plural, name in (("cell", "cells", "gru"), ("tokenizer", "tokenizers", "char"))
    )  # fmt: skip
    plugins.load([candidate(source, "stranger")])
    run = seqgen.train(words, hidden=4, steps=1, plugins=plugins, out="run")
    assert run.settings.cell.name == "seqgen_classic:gru" and run.settings.tokenizer.name == "seqgen:char"
    with pytest.raises(seqgen.UsageError, match="write seqgen_classic:gru or stranger:gru"):
        seqgen.train(words, cell="gru", hidden=4, steps=1, plugins=plugins, out="other")


@pytest.mark.promise("R22")
def test_the_order_is_sorted_whatever_the_file_system_says(monkeypatch):
    points = importlib.metadata.entry_points(group="seqgen")
    expected = [found.package for found in entry_point_candidates()]
    for order in (points, tuple(reversed(list(points)))):
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group, order=order: order)
        assert [found.package for found in entry_point_candidates()] == expected == sorted(expected)


@pytest.mark.promise("R22")
def test_one_entry_point_name_in_two_distributions(tmp_path):
    site = tmp_path / "site"
    install_fake(site, "twin", GOOD, distribution="twin-a")
    install_fake(site, "twin", GOOD, distribution="twin-b")
    result = finish(run_seqgen("plugins", "--json", cwd=tmp_path, env={"PYTHONPATH": str(site)}))
    assert result.code == 0 and result.err.count("\n") == 1
    assert "plugin twin (twin-b 1.0) is not loaded" in result.err and "by twin-a 1.0" in result.err
    rows = [row for row in json.loads(result.out) if row["package"] == "twin"]
    assert [row["distribution"] for row in rows] == ["twin-a", "twin-b"] and "already taken" in rows[1]["state"]


# -- R23: versions of the hooks

HERE = ".".join(map(str, seqgen.PLUGIN_API))


@pytest.mark.promise("R23")
@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("'2'", f"written for version 2 of the hooks, but this is {HERE}: pip install 'seqgen-lm>=2,<3'"),
        ("'2.4'", "pip install 'seqgen-lm>=2,<3'"),
        ("1.1", f"seqgen_api is 1.1, not a version such as '{HERE}'"),
        ("'one'", "seqgen_api is 'one'"),
        ("(1, 0)", "seqgen_api is (1, 0)"),
    ],
)
def test_another_version_is_refused(said, says, loaded, problems):
    plugins = loaded(guilty=f"seqgen_api = {said}\n{GOOD}")
    assert len(problems) == 1 and says in problems[0] and plugins.registry.names("cell") == []


@pytest.mark.promise("R23")
def test_an_older_major_version_says_what_to_install(loaded, problems, monkeypatch):
    monkeypatch.setattr(hooks, "PLUGIN_API", (2, seqgen.PLUGIN_API[1]))
    loaded(guilty=f"seqgen_api = '1.1'\n{GOOD}")
    assert "pip install 'seqgen-lm>=0.1,<2' or a version of guilty-dist for 2" in problems[0]


@pytest.mark.promise("R23")
@pytest.mark.parametrize("said", ["1", "1.0", HERE])
def test_what_is_not_newer_is_silent(said, loaded, problems):
    plugins = loaded(good=f"seqgen_api = {said!r}\n{GOOD}")
    assert problems == [] and plugins.plugins["good"].provenance.api == said


@pytest.mark.promise("R23")
def test_a_newer_minor_version_is_a_warning(loaded, problems):
    plugins = loaded(good=f"seqgen_api = '1.7'\n{GOOD}")
    assert plugins.registry.names("cell") == ["fake"]
    assert problems == [
        f"plugin good (good-dist 1.0) is written for version 1.7 of the hooks, but this is {HERE}: newer features are "
        "missing; pip install --upgrade seqgen-lm"
    ]
    problems.clear()
    loaded(good="seqgen_api = '1.7'\n" + BROKEN["misspells_a_hook"])
    assert "written for version 1.7" in problems[0] and "--upgrade" in problems[0]


@pytest.mark.full
@pytest.mark.promise("R23")
@pytest.mark.parametrize("source", sorted(OLD.glob("*.py")), ids=lambda path: path.stem)
def test_plugins_of_old_still_work(source, cli, words, in_tmp, monkeypatch):
    """Every kind of part that they hand in, through the command line."""
    monkeypatch.setenv("SEQGEN_PLUGINS_STRICT", "1")
    shutil.copy(source, in_tmp)
    plugin = ("--plugin", source.name)
    commands = {
        "api_1_0": [
            ("train", "--corpus", "syllables", "--cell", "half", "-o", "share=0.25", "--hidden", 4, "--out", "run"),
            ("sample", "run", "-n", 3, "--processor", "flat"),
            ("evaluate", "run", "-n", 5),
            ("train", "--corpus", words, "--augment", "turn", "--steps", 2, "--hidden", 4, "--out", "turned"),
            ("list", "cells", "--tf"),
            ("train", "--corpus", words, "--domain", "street", "--steps", 2, "--hidden", 4, "--out", "streets"),
            ("spell", "ada"),
        ],
        "api_1_1": [("means", "--on", "mine")],
        "api_1_2": [
            ("train", "--corpus", words, "--steps", 2, "--hidden", 4, "--track", "lines=out.txt", "--out", "run"),
            ("lines", "out.txt"),
        ],
    }
    commands["api_1_3"] = [
        ("train", "--corpus", words, "--steps", 2, "--hidden", 4, "--out", "run"),
        ("export", "letters", "run", "letters.json", "--indent", 2),
        ("letters", "run"),
    ]
    for command in commands[source.stem]:
        result = cli(*command, *plugin)
        assert result.code == 0, result.err
        sys.modules.pop(source.stem)
    said = {"api_1_0": "a-d-a\n", "api_1_1": "[1, 2, 3]\n", "api_1_2": "2 3 str\n", "api_1_3": "0.0 ['run.json']\n"}
    assert result.out == said[source.stem]


def test_each_version_of_the_hooks_has_an_old_plugin():
    assert {path.stem for path in OLD.glob("*.py")} == {f"api_1_{n}" for n in range(seqgen.PLUGIN_API[1] + 1)}


# -- R24: a run knows what it was made with

NAMED = "the distribution stranger 1.0;"


@pytest.mark.full
def test_runs_whose_plugin_is_gone_are_marked(tmp_path, words):
    site = tmp_path / "site"
    install_fake(site, "stranger", CELL)
    env = {"PYTHONPATH": str(site)}
    train = ("train", "--corpus", words, "--cell", "bad", "--hidden", 4, "--steps", 2, "-q", "--out", "runs/run")
    assert finish(run_seqgen(*train, cwd=tmp_path, env=env)).code == 0

    def told(*arguments: str, **env: str) -> list[str]:
        (row,) = json.loads(finish(run_seqgen("runs", "--json", *arguments, cwd=tmp_path, env=env)).out)
        assert row["state"] == "steps"
        return row["missing"]

    assert told(PYTHONPATH=str(site)) == [] == told("--no-plugins", PYTHONPATH=str(site))
    assert told() == [f"needs 'stranger': run.json names {NAMED} install it only if you trust the author of the run"]
    wide = run_seqgen("runs", cwd=tmp_path, env={"COLUMNS": "60"})  # of a terminal: a pipe has no width
    assert "steps; needs 'stranger': run.json names" in finish(wide).out
    path = tmp_path / "runs" / "run" / "run.json"
    path.write_text(path.read_text().replace('"stranger"', '"x; \\u001b[31m `rm -rf ~`"'))
    result = finish(run_seqgen("runs", cwd=tmp_path))
    assert result.code == 0 and "not installed" in result.out and "\x1b" not in result.out + result.err
    assert "pip" not in result.out + result.err


@pytest.mark.full
@pytest.mark.promise("R24")
def test_a_run_stores_distribution_version_and_api(tmp_path, words):
    site = tmp_path / "site"
    install_fake(site, "stranger", "seqgen_api = '1.0'\n" + CELL)
    env = {"PYTHONPATH": str(site)}
    train = ("train", "--corpus", words, "--cell", "bad", "--hidden", 4, "--steps", 2, "-q", "--out", "run")
    assert finish(run_seqgen(*train, cwd=tmp_path, env=env)).code == 0
    stored = json.loads((tmp_path / "run" / "run.json").read_text())["plugins"]
    (row,) = [row for row in stored if row["package"] == "stranger"]
    assert re.fullmatch("[0-9a-f]{64}", row.pop("code"))
    assert row == {"package": "stranger", "distribution": "stranger", "version": "1.0", "sha256": None, "api": "1.0"}

    def refused(**env: str) -> str:
        result = finish(run_seqgen("sample", "run", cwd=tmp_path, env=env))
        assert result.code == 4 and result.err.count("\n") == 1
        return result.err

    assert "not installed; run.json names the distribution stranger 1.0" in refused() and "pip" not in refused()
    assert "installed but disabled" in refused(PYTHONPATH=str(site), SEQGEN_LOAD_PLUGINS="seqgen_classic")
    (site / "stranger-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.2\n")
    result = finish(run_seqgen("sample", "run", "-n", 2, cwd=tmp_path, env=env))
    assert result.code == 0 and result.err.count("\n") == 1
    assert "the run was made with stranger (stranger) 1.0, this is 1.2" in result.err


@pytest.mark.promise("R24")
@pytest.mark.parametrize(
    ("told", "origin", "way"),
    [
        ({"url": "file:///home/me/my%2Bcell", "dir_info": {"editable": True}}, "/home/me/my+cell",
         "run.json says it was installed from the folder /home/me/my+cell"),
        ({"url": "file:///home/me/my%20cell", "dir_info": {}}, "/home/me/my cell",
         "from a local folder or a repository"),
        ({"url": "https://host/me/cell.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}},
         "git+https://host/me/cell.git@ab12", "from the repository git+https://host/me/cell.git@ab12"),
        ({"url": "https://me:secret@host/cell.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}}, None, NAMED),
        ({"url": "https://host/cell-1.0.whl", "archive_info": {}}, None, NAMED),
        ([], None, NAMED),
        ({"url": 3, "dir_info": {}}, None, NAMED),
    ],
    ids=range(7),
)  # fmt: skip
def test_what_came_from_no_index_is_not_looked_for_there(tmp_path, monkeypatch, words, told, origin, way):
    site = tmp_path / "site"
    install_fake(site, "stranger", CELL)
    (site / "stranger-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    monkeypatch.syspath_prepend(site)
    plugins = Plugins(pytest.fail)
    plugins.load(entry_point_candidates())
    seqgen.train(words, cell="bad", hidden=4, steps=1, out=tmp_path / "run", plugins=plugins)
    stored = json.loads((tmp_path / "run" / "run.json").read_text())["plugins"]
    (row,) = [row for row in stored if row["package"] == "stranger"]
    assert row.get("origin") == origin and "secret" not in json.dumps(row)
    assert not [row for row in stored if row["distribution"] == "seqgen-lm" and "origin" in row]
    monkeypatch.delitem(sys.modules, "stranger")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(site)])
    bare = Plugins(pytest.fail)
    bare.load(entry_point_candidates())
    with pytest.raises(MissingPlugin, match=re.escape(way)) as refused:
        seqgen.load(tmp_path / "run", plugins=bare).sample(1)
    assert "pip" not in str(refused.value)


@pytest.mark.promise("R24")
def test_a_file_that_is_not_given_is_asked_for(one_file, words, in_tmp):
    path = one_file("mine", CELL)
    seqgen.train(words, cell="bad", hidden=4, steps=1, out="run", plugins=[path])
    with pytest.raises(MissingPlugin, match=r"--plugin mine\.py"):
        seqgen.load("run").sample(1)


@pytest.mark.full
@pytest.mark.promise("R24")
def test_a_name_that_an_earlier_run_had_says_from_where(one_file, cli, words, in_tmp):
    path = one_file("mine", CELL)
    train = ("train", "--corpus", words, "--cell", "bad", "--hidden", 4, "--steps", 1, "-q")
    assert cli(*train, "--plugin", path).code == 0
    lost = cli(*train)
    assert lost.code == 2 and "no cell named 'bad' (the run words-bad-001 had it: --plugin mine.py" in lost.err
    assert lost.err.rstrip().endswith(": --plugin mine.py)")
    settings = Path("runs", "words-bad-001", "run.json")
    data = json.loads(settings.read_text())
    for row in data["plugins"]:
        if row["package"] == "mine":
            row |= {"distribution": "seqgen-mine", "version": "0.3", "sha256": None}
    settings.write_text(json.dumps(data))
    assert "had it: run.json names the distribution seqgen-mine 0.3;" in cli(*train).err
    assert "had it" not in cli("train", "--corpus", words, "--cell", "worse").err


def test_what_an_event_does_to_the_figures_is_its_own_affair(words, in_tmp):
    class Clearing:
        @staticmethod
        @seqgen.hookimpl
        def on_report(metrics):
            metrics.clear()

    plugins = Plugins(pytest.fail)
    plugins.load([*entry_point_candidates(), Candidate("clearing", "clearing-dist", "1", Clearing)])
    heard = []
    run = seqgen.train(
        words,
        cell="vanilla",
        hidden=4,
        steps=3,
        out="run",
        plugins=plugins,
        listener=lambda _, event: heard.append(event),
    )
    assert run.state["ended"] == "steps" and run.metrics[-1]["step"] == 3
    assert [event.metrics["step"] for event in heard if type(event).__name__ == "Report"] == [3]
