"""Error messages name the part at fault: a model, its cell, or neither."""

import sys

import pytest

from conftest import one_in

PARTS = """
import torch
import seqgen


class Cell(seqgen.Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = torch.nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def forward(self, x_BTI, state):
        y_BTH = self.input(x_BTI).cumsum(1) + state[:, None]
        return y_BTH, y_BTH[:, -1]


class Model(torch.nn.Module):
    def __init__(self, n_symbols, make_cell):
        super().__init__()
        self.embedding = torch.nn.Embedding(n_symbols, 8)
        self.cell = make_cell(8, 16)
        self.head = torch.nn.Linear(16, n_symbols)

    def initial_state(self, batch_size):
        return self.cell.initial_state(batch_size)

    def forward(self, ids_BT, state):
        x_BTI = self.embedding(ids_BT)
        y_BTH, state = self.cell(x_BTI, state)
        logits_BTV = self.head(y_BTH)
        return logits_BTV, state


class Alone(Model):
    def __init__(self, n_symbols):
        super().__init__(n_symbols, Cell)


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="inner", summary="s", load=Cell))


@seqgen.hookimpl
def register_models(register):
    register(seqgen.ModelSpec(name="outer", summary="s", load=Model, uses_cell=True))
    register(seqgen.ModelSpec(name="alone", summary="s", load=Alone))
"""
OF_MODEL = {
    "looks ahead": ("x_BTI = self.embedding(ids_BT)", "x_BTI = self.embedding(ids_BT.flip(1))", "looks ahead"),
    "mixes rows": ("return logits_BTV,", "return logits_BTV - logits_BTV.mean(0),", "mixes rows"),
    "forgets its state": ("self.cell(x_BTI, state)", "self.cell(x_BTI, 0 * state)", "is read in two pieces"),
    "gives NaN": ("self.head(y_BTH)", "(self.head(y_BTH) - 99).sqrt()", "gives NaN (not a number)"),
    "gives probabilities": ("self.head(y_BTH)", "self.head(y_BTH).softmax(-1)", "gives probabilities, not logits"),
    "gives the cell what it cannot take": (
        "self.cell(x_BTI, state)", "self.cell(x_BTI[..., 1:], state)", "fails on its first batch: RuntimeError: ",
    ),
}  # fmt: skip
OF_CELL = {
    "looks ahead": ("self.input(x_BTI).cumsum", "self.input(x_BTI.flip(1)).cumsum", "looks ahead"),
    "mixes rows": ("return y_BTH,", "return y_BTH - y_BTH.mean(0),", "mixes rows"),
    "forgets its state": ("+ state[:, None]", "+ 0 * state[:, None]", "is read in two pieces"),
    "gives NaN": ("self.input(x_BTI)", "(self.input(x_BTI) - 99).sqrt()", "gives NaN (not a number)"),
    "begins with NaN": ("self.zeros(batch_size)", "self.zeros(batch_size) + torch.nan", "gives NaN (not a number)"),
    "changes its state": ("y_BTH = self", "state += 1; y_BTH = self", "changes the state it is given"),
    "raises": ("y_BTH = self", "[][1]; y_BTH = self", "IndexError: list index out of range (in forward, line 15"),
}  # fmt: skip


@pytest.fixture
def refused(cli, words, in_tmp):
    """Trains with a plugin in which one piece of the text is another; gives the one line that refuses it."""

    def train(change, *chosen, code=5):
        before, after = change
        assert before in PARTS
        (in_tmp / "oddity.py").write_text(PARTS.replace(before, after))
        result = cli(
            "train", "--corpus", words, "--steps", 2, "--out", "run", "--plugin", "oddity.py", "-q", *chosen
        )  # fmt: skip
        sys.modules.pop("oddity", None)
        assert result.code == code and result.err.count("\n") == (code > 0), result.err
        assert not code or not (in_tmp / "run").exists()
        assert "report" not in result.err
        return result.err

    return train


def test_parts_that_keep_their_contract_are_not_refused(refused):
    assert refused(("x", "x"), "--model", "outer", "--cell", "inner", code=0) == ""


@pytest.mark.parametrize("mistake", one_in(3, OF_MODEL))
@pytest.mark.parametrize("chosen", [("outer",), ("outer", "--cell", "inner"), ("alone",)], ids=" ".join)
def test_a_model_is_named_and_not_its_cell(mistake, chosen, refused):
    before, after, says = OF_MODEL[mistake]
    line = refused((before, after), "--model", *chosen)
    assert line.startswith(f"seqgen: model {chosen[0]} of oddity (oddity.py ") and says in line, line


@pytest.mark.parametrize("mistake", one_in(3, OF_CELL))
@pytest.mark.parametrize("model", ["recurrent", "outer"])
def test_a_cell_is_named_in_any_model(mistake, model, refused):
    before, after, says = OF_CELL[mistake]
    line = refused((before, after), "--model", model, "--cell", "inner")
    assert line.startswith("seqgen: cell inner of oddity (oddity.py ") and says in line, line


INITS = {
    "cell": (
        "        super().__init__(input_size, hidden_size)\n"
        "        self.input = torch.nn.Linear(input_size, hidden_size)\n"
    ),
    "model": (
        "        super().__init__()\n        self.embedding = torch.nn.Embedding(n_symbols, 8)\n"
        "        self.cell = make_cell(8, 16)\n        self.head = torch.nn.Linear(16, n_symbols)\n"
    ),
}
BODIES = {
    "sets a module first": "        self.input = torch.nn.Linear(3, 3)\n",
    "sets a number only": "        self.width = 3\n",
    "asks for what is not there yet": "        self.width = self.hidden_size\n",
    "has a part that is not initialised": (
        "        class Bare(torch.nn.Module):\n            def __init__(self): self.x = 3\n"
        "        {super}\n        self.inner = Bare()\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("kind", INITS)
def test_a_module_that_is_not_initialised_is_told_how(kind, body, refused):
    call = "super().__init__(input_size, hidden_size)" if kind == "cell" else "super().__init__()"
    change = INITS[kind], BODIES[body].replace("{super}", call)
    chosen = ("--cell", "inner") if kind == "cell" else ("--model", "outer")
    line = refused(change, *chosen)
    name = "cell inner" if kind == "cell" else "model outer"
    assert line.startswith(f"seqgen: {name} of oddity (oddity.py ") and f"call {call} first" in line, line


def test_a_model_that_asks_for_an_impossible_cell_is_named(refused):
    line = refused(("make_cell(8, 16)", "make_cell(8, 0)"), "--model", "outer")
    assert line.startswith("seqgen: model outer of oddity (oddity.py ") and "the sizes 8 and 0" in line


def test_a_model_without_a_first_state_is_told_what_it_lacks(refused):
    body = "    def initial_state(self, batch_size):\n        return self.cell.initial_state(batch_size)\n"
    assert "the class Model has no initial_state" in refused((body, ""), "--model", "outer")
