"""Any return value of a plugin's functions gives a documented exit code that names the plugin, never "unexpected"."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from conftest import one_in

CODES = {0, 2, 3, 5, 6, 8}
VALUES = {
    "None": "None",
    "a number": "3",
    "a negative number": "-1",
    "a fraction": "0.5",
    "NaN": "float('nan')",
    "a huge number": "10**30",
    "True": "True",
    "no text": "''",
    "a text": "'a'",
    "half a character": "'\\udcff'",
    "bytes": "b'a'",
    "no list": "[]",
    "numbers": "[1, 2]",
    "texts": "['a']",
    "a deep list": "[[[1]]]",
    "a pair": "(1, 2)",
    "three": "(1, 2, 3)",
    "a mapping": "{'a': 1}",
    "odd keys": "{1: {2}}",
    "a set": "{1}",
    "an object": "object()",
    "a function": "(lambda *a, **k: None)",
    "a class": "int",
    "a generator": "(n for n in range(2))",
    "a tensor": "torch.ones(2)",
    "an empty tensor": "torch.ones(0, 3)",
    "whole numbers": "torch.ones(2, dtype=torch.long)",
    "an array": "numpy.ones(2)",
    "an error": "raised(ValueError('no'))",
    "a recursion": "recursion()",
    "the end of the program": "raised(SystemExit(0))",
    "a broken repr": "BadRepr()",
    "a broken comparison": "BadCompare()",
}
HEAD = """
import numpy, torch, seqgen
from torch import nn


def raised(error):
    raise error


def recursion():
    return recursion()


class BadRepr:
    def __repr__(self):
        raise ValueError("no repr")


class BadCompare:
    def __eq__(self, other):
        raise ValueError("no comparison")

    def __bool__(self):
        raise ValueError("no truth")

    __hash__ = None


def value():
    return {value}

"""
TOKENIZER = {
    "fit": "return cls()", "encode": "return [ord(letter) % 26 for letter in text]",
    "decode": "return ''.join(chr(97 + one) for one in ids)", "to_json": "return {}", "from_json": "return cls()",
    "n": "return 26",
}  # fmt: skip
CELL = {
    "initial_state": "return self.zeros(batch_size)", "forward": "return self.linear(x_BTI), state_BH",
}  # fmt: skip
STEP_CELL = {
    "initial_state": "return self.zeros(batch_size)", "project": "return self.linear(x_BTI)",
    "step": "h_BH = torch.tanh(p_BP + self.recurrent(state)); return h_BH, h_BH",
}  # fmt: skip
STEP_ARGUMENTS = {
    "initial_state": "batch_size", "project": "x_BTI", "step": "p_BP, state", "noise": "p_BTP",
    "fused": "x_BTI, state", "fuses": "", "parallel": "p_BTP, state",
}  # fmt: skip
MODEL = {
    "initial_state": "return torch.zeros(batch_size, 1)",
    "forward": "return self.linear(nn.functional.one_hot(ids_BT, self.n).float()), state",
}  # fmt: skip


def spec(kind: str, plural: str, load: str, **more: str) -> str:
    name = {"corpus": "CorpusSpec"}.get(kind, f"{kind.capitalize()}Spec")
    given = "".join(f", {key}={text}" for key, text in more.items())
    return f"""

@seqgen.hookimpl
def register_{plural}(register):
    register(seqgen.{name}(name="odd", summary="s", load={load}{given}))
"""


def tokenizer(more: str = "", **methods: str) -> str:
    all_of = TOKENIZER | methods
    return f"""
class Odd(seqgen.Tokenizer):
    @property
    def n_symbols(self):
        {all_of["n"]}

    @classmethod
    def fit(cls, texts):
        {all_of["fit"]}

    def encode(self, text):
        {all_of["encode"]}

    def decode(self, ids):
        {all_of["decode"]}

    {more}
    def to_json(self):
        {all_of["to_json"]}

    @classmethod
    def from_json(cls, data):
        {all_of["from_json"]}
""" + spec("tokenizer", "tokenizers", "Odd")


def cell(load: str = "Odd", **methods: str) -> str:
    all_of = CELL | methods
    return f"""
class Odd(seqgen.Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        {all_of["initial_state"]}

    def forward(self, x_BTI, state_BH):
        {all_of["forward"]}
""" + spec("cell", "cells", load)


def model(load: str = "Odd", more: str = "", **methods: str) -> str:
    all_of = MODEL | methods
    return f"""
class Odd(nn.Module):
    def __init__(self, n_symbols):
        super().__init__()
        self.n, self.linear = n_symbols, nn.Linear(n_symbols, n_symbols)

    def initial_state(self, batch_size):
        {all_of["initial_state"]}

    def forward(self, ids_BT, state):
        {all_of["forward"]}

    {more}
""" + spec("model", "models", load)


def step_cell(**methods: str) -> str:
    all_of = STEP_CELL | methods
    more = "".join(f"""
    def {name}(self, {arguments}):
        {all_of[name]}
""" for name, arguments in STEP_ARGUMENTS.items() if name in all_of)  # fmt: skip
    return f"""
class Odd(seqgen.StepCell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.linear, self.recurrent = nn.Linear(input_size, hidden_size), seqgen.Recurrent(hidden_size, hidden_size)
{more}
""" + spec("cell", "cells", "Odd")


def of_domain(kind: str, plural: str, load: str) -> str:
    value = "('odd',)" if kind == "metric" else "'odd'"
    field = "metrics" if kind == "metric" else kind
    return (
        spec(kind, plural, load)
        + f"""

@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="odd", summary="s", {field}={value}))
"""
    )


def corpus(load: str) -> str:
    return f"""
class Records:
    def __iter__(self):
        for text in ("anna", "ben", "carl", "dora") * 5:
            yield {load}

{spec("corpus", "corpora", "Records", licence="'none'")}
"""


TRAIN = ("train", "--corpus", "words.txt", "--steps", "2", "--hidden", "4", "--out", "new")
SAMPLE, EVALUATE = ("sample", "run", "-n", "2"), ("evaluate", "run", "-n", "4")
MODELS = (*TRAIN[:5], *TRAIN[7:], "--model", "odd")
RETURN = "return value()"
CORPUS = ("train", "--corpus", "odd", *TRAIN[3:])
OWN = ("--tokenizer", "odd")
PLACES = {
    **{f"tokenizer {name}": (tokenizer(**{name: RETURN}), (*TRAIN, *OWN)) for name in TOKENIZER},
    "tokenizer encode_many": (tokenizer("def encode_many(self, texts): return value()"), (*TRAIN, *OWN)),
    "tokenizer decode_many": (tokenizer("def decode_many(self, rows): return value()"), (*TRAIN, *OWN)),
    "tokenizer decodes": (tokenizer(decode="return [value()]"), (*TRAIN, *OWN)),
    "tokenizer ids": (tokenizer(encode="return [value()]"), (*TRAIN, *OWN)),
    **{f"cell {name}": (cell(**{name: RETURN}), (*TRAIN, "--cell", "odd")) for name in CELL},
    "cell output": (cell(forward="return value(), state_BH"), (*TRAIN, "--cell", "odd")),
    "cell next state": (cell(forward="return self.linear(x_BTI), value()"), (*TRAIN, "--cell", "odd")),
    "cell load": (cell("lambda i, h: value()"), (*TRAIN, "--cell", "odd")),
    **{f"model {name}": (model(**{name: RETURN}), MODELS) for name in MODEL},
    "model logits": (model(forward="return value(), state"), MODELS),
    "model load": (model("lambda n: value()"), MODELS),
    **{f"step cell {name}": (step_cell(**{name: RETURN}), (*TRAIN, "--cell", "odd")) for name in STEP_ARGUMENTS},
    "step cell output": (step_cell(step="return value(), state"), (*TRAIN, "--cell", "odd")),
    "step cell state": (step_cell(step="return p_BP, value()"), (*TRAIN, "--cell", "odd")),
    "model logits_at": (model(more="def logits_at(self, ids_BT, state, at_N): return value()"), MODELS),
    "model learn": (model(more="def learn(self, batches): return value()"), MODELS),
    "model stepper": (model(more="def stepper(self): return value()"), MODELS),
    "tokenizer symbol_bytes": (
        tokenizer("def symbol_bytes(self): return value()"), ("sample", "new", "-n", "2", "--regex", "[a-z]*", *OWN)),
    "tokenizer corpus_warning": (
        tokenizer("@classmethod\n    def corpus_warning(cls, texts): return value()"), (*TRAIN, *OWN)),
    "tokenizer fit_parts": (tokenizer("@classmethod\n    def fit_parts(cls, *a, **k): return value()"), (*TRAIN, *OWN)),
    **{
        f"corpus {name}": (
            corpus("seqgen.Record(text)").replace("class Records:", f"class Records:\n    {member}\n"), CORPUS)
        for name, member in {
            "counts": "counts = property(lambda self: value())", "stamp": "def stamp(self): return value()",
            "source_files": "def source_files(self): return value()",
        }.items()
    },
    "metric labels": (
        of_domain("metric", "metrics", "lambda: Odd()")
        + "class Odd:\n    labels = property(lambda self: value())\n"
        "    def __call__(self, samples, reference): return {'a': 1.0}\n", (*EVALUATE, "--domain", "odd")),
    "metric omitted": (
        of_domain("metric", "metrics", "lambda: Odd()")
        + "class Odd:\n    omitted = property(lambda self: value())\n"
        "    def __call__(self, samples, reference): return {'a': 1.0}\n", (*EVALUATE, "--domain", "odd")),
    "metric published": (
        of_domain("metric", "metrics", "lambda: Odd()")
        + "class Odd:\n    published = property(lambda self: value())\n"
        "    def __call__(self, samples, reference): return {'a': 1.0}\n", (*EVALUATE, "--domain", "odd")),
    "renderer suffixes": (
        of_domain("renderer", "renderers", "lambda: Odd()")
        + "class Odd:\n    suffixes = property(lambda self: value())\n    def __call__(self, text): return text\n",
        (*EVALUATE, "--domain", "odd")),
    "corpus load": (spec("corpus", "corpora", "lambda: value()", licence="'none'"), CORPUS),
    "corpus record": (corpus("value()"), CORPUS),
    "corpus text": (corpus("seqgen.Record(value())"), CORPUS),
    "corpus label": (corpus("seqgen.Record(text, label=value())"), CORPUS),
    "corpus field": (corpus("seqgen.Record(text, fields={'f': value()})"), (*CORPUS, "--condition", "f")),
    "validator load": (of_domain("validator", "validators", "lambda: value()"), (*TRAIN, "--domain", "odd")),
    "validator verdict": (
        "class Odd:\n    def validate(self, text):\n        return value()\n"
        + of_domain("validator", "validators", "Odd"),
        (*TRAIN, "--domain", "odd"),
    ),
    "validator form": (
        "class Odd:\n    def validate(self, text):\n        return seqgen.Verdict(True, canonical=value())\n"
        + of_domain("validator", "validators", "Odd"),
        (*TRAIN, "--domain", "odd"),
    ),
    "metric load": (of_domain("metric", "metrics", "lambda: value()"), (*EVALUATE, "--domain", "odd")),
    "metric figures": (of_domain("metric", "metrics", "lambda: lambda *a: value()"), (*EVALUATE, "--domain", "odd")),
    "metric figure": (
        of_domain("metric", "metrics", "lambda: lambda *a: {'a': value()}"), (*EVALUATE, "--domain", "odd")),
    "renderer load": (of_domain("renderer", "renderers", "lambda: value()"), (*TRAIN, "--domain", "odd")),
    "renderer": (of_domain("renderer", "renderers", "lambda: lambda text: value()"), (*TRAIN, "--domain", "odd")),
    "processor load": (spec("processor", "processors", "lambda: value()"), (*SAMPLE, "--processor", "odd")),
    "processor": (
        spec("processor", "processors", "lambda: lambda logits, ids: value()"), (*SAMPLE, "--processor", "odd")),
    "augmentation load": (spec("augmentation", "augmentations", "lambda: value()"), (*TRAIN, "--augment", "odd")),
    "augmentation": (
        spec("augmentation", "augmentations", "lambda: lambda text, random: value()"), (*TRAIN, "--augment", "odd")),
    "command": (
        "@seqgen.hookimpl\ndef register_commands(app):\n    @app.command()\n    def odd():\n        return value()\n",
        ("odd",)),
    **{
        hook: (f"@seqgen.hookimpl\ndef {hook}():\n    return value()\n", TRAIN)
        for hook in ("on_run_start", "on_report", "on_checkpoint", "on_run_end")
    },
    **{
        f"register_{plural}": (f"@seqgen.hookimpl\ndef register_{plural}(register):\n    register(value())\n", TRAIN)
        for plural in ("corpora", "tokenizers", "cells", "models", "domains", "validators", "metrics", "renderers",
                       "processors", "augmentations")
    },
    "register_trackers": (
        "@seqgen.hookimpl\ndef register_trackers(register):\n    register(value(), print)\n",
        (*TRAIN, "--track", "odd")),
    "register_commands": ("@seqgen.hookimpl\ndef register_commands(app):\n    app.command()(value())\n", TRAIN),
    "name of a spec": ("@seqgen.hookimpl\ndef register_cells(register):\n"
                       "    register(seqgen.CellSpec(name=value(), summary='s', load='a:b'))\n", TRAIN),
    "summary of a spec": ("@seqgen.hookimpl\ndef register_cells(register):\n"
                          "    register(seqgen.CellSpec(name='odd', summary=value(), load='a:b'))\n",
                          ("list", "cells")),
    "load of a spec": ("@seqgen.hookimpl\ndef register_cells(register):\n"
                       "    register(seqgen.CellSpec(name='odd', summary='s', load=value()))\n",
                       (*TRAIN, "--cell", "odd")),
    "version of the hooks": ("seqgen_api = value()\n@seqgen.hookimpl\ndef register_cells(register): pass\n", TRAIN),
}  # fmt: skip


@pytest.fixture
def attempt(cli, in_tmp, tiny_run, monkeypatch):
    """Tries a value at a place; gives what is wrong with the answer, or ""."""
    sys.modules.pop("oddity", None)
    (in_tmp / "words.txt").write_text("anna\nben\ncarl\ndora\nemil\nfritz\n" * 4)
    shutil.copytree(tiny_run.path, in_tmp / "run")

    def try_it(place: str, value: str) -> str:
        source, words = PLACES[place]
        (in_tmp / "oddity.py").write_text(HEAD.replace("{value}", VALUES[value]) + source)
        shutil.rmtree(in_tmp / "new", ignore_errors=True)
        monkeypatch.delitem(sys.modules, "oddity", raising=False)
        if words[-1] == "odd" and words[0] in ("evaluate", "sample") and words[-2] != "--processor":
            trained = cli(*TRAIN, *words[-2:], "--plugin", "oddity.py")
            sys.modules.pop("oddity", None)
            if trained.code:
                return told(trained)
            words = (words[0], "new", *words[2:-2])
        return told(cli(*words, "--plugin", "oddity.py"))

    yield try_it
    sys.modules.pop("oddity", None)


def told(result) -> str:
    if "unexpected" in result.err or "Traceback" in result.err or result.code not in CODES:
        return f"code {result.code}: {result.err[-300:]}"
    if result.code == 5 and "oddity" not in result.err.splitlines()[-1]:
        return f"names no plugin: {result.err[-300:]}"
    return ""


@pytest.mark.parametrize("place", one_in(8, PLACES))
def test_one_value_at_each_place(place, attempt):
    """Another at each, so that all have their turn."""
    value = list(VALUES)[list(PLACES).index(place) * 7 % len(VALUES)]
    assert not attempt(place, value), (place, value)


@pytest.mark.parametrize("place", one_in(3, PLACES, ("slow", "release")))
def test_every_value_at_each_place(place, attempt):
    bad = {value: said for value in VALUES if (said := attempt(place, value))}
    assert not bad


@pytest.mark.parametrize(
    ("place", "right"), [("tokenizer n", "26"), ("cell load", "Odd(i, h)"), ("model load", "Odd(n)")]
)
def test_what_is_right_is_taken(place, right, attempt, cli):
    """So that nothing above is refused for another reason."""
    source, words = PLACES[place]
    Path("oddity.py").write_text(HEAD.replace("{value}", "None") + source.replace("value()", right))
    result = cli(*words, "--plugin", "oddity.py")
    assert result.code == 0, result.err
