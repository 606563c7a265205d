"""Names that users look for: aliases of cells, options of show, held-out files."""

from __future__ import annotations

import json

import pytest
import torch

import seqgen
from seqgen.errors import UnknownName
from seqgen.specs import CellSpec

TINY = ("--cell", "vanilla", "--hidden", 4, "--steps", 1)


@pytest.mark.parametrize("name", ["rnn", "RNN", "Elman", "SimpleRNN"])
def test_the_plain_cell_is_found_by_its_other_names(name, cli, words):
    refused = cli("train", "--corpus", words, "--cell", name)
    assert refused.code == 2 and f"no cell named {name!r}; did you mean 'vanilla'?" in refused.err, refused.err
    with pytest.raises(UnknownName) as caught:
        seqgen.train(words, cell=name)
    assert caught.value.meant == ("vanilla",)
    with pytest.raises(ValueError, match="aliases='rnn' is not a tuple of names like"):
        CellSpec(name="c", summary="s", load="a:b", aliases="rnn")


class Sum(seqgen.StepCell):
    """h' = tanh(x W + h): the input is what a step sees, no projection is given."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = torch.nn.Parameter(torch.randn(hidden_size, input_size) / input_size**0.5)

    def initial_state(self, batch_size, device=None, dtype=None):
        return torch.zeros(batch_size, self.hidden_size, device=device, dtype=dtype)

    def step(self, p_BP, state):
        h_BH = torch.tanh(p_BP @ self.weight.t() + state)
        return h_BH, h_BH


def test_a_step_cell_without_project_sees_its_input(words, in_tmp):
    x_BTI = torch.randn(2, 3, 5)
    assert Sum(5, 4).project(x_BTI) is x_BTI
    run = seqgen.train(words, cell=Sum, hidden=4, steps=2, options={"samples": 1}, out="run")
    assert run.folder.load_latest(pytest.fail).state["step"] == 2


@pytest.mark.full
def test_a_corpus_is_shown_by_the_fields_that_are_named(cli, in_tmp):
    (in_tmp / "cards.csv").write_text("name,rule,kind\nann,draw a card,spell\nben,lose a card,curse\n")
    shown = cli("show", "corpus", "cards.csv", "--text-field", "rule", "--label-field", "kind", "--json")
    profile = json.loads(shown.out)
    assert profile["shown"] == ["draw a card", "lose a card"] and profile["labels"] == {"curse": 1, "spell": 1}
    for kind in (("cell", "gru"), ("train",), ("run", "x")):
        refused = cli("show", *kind, "--text-field", "rule")
        assert refused.code == 2 and "are of a corpus, not of" in refused.err


@pytest.mark.full
def test_held_out_files_have_names_of_their_own(cli, words, in_tmp):
    (in_tmp / "valid.txt").write_text("anna\n")
    (in_tmp / "test.txt").write_text("ben\nbob\n")
    files = ("--valid-file", "valid.txt", "--test-file", "test.txt")
    trained = cli("train", "--corpus", words, *files, *TINY, "--out", "run")
    assert trained.code == 0, trained.err
    parts = seqgen.load("run").settings.corpus.parts
    assert (parts["valid"], parts["test"]) == (1, 2)
    refused = cli("train", "--corpus", words, "--valid", "valid.txt", *TINY, "--out", "earlier")
    assert refused.code == 2 and "--valid-file" in refused.err
    helped = cli("train", "--help").out
    assert "--valid-file" in helped and "--valid " not in helped
    both = cli("train", "--corpus", words, *files, "--split", "none")
    assert both.code == 2 and "(--valid-file, --test-file)" in both.err


@pytest.mark.full
def test_evaluate_says_that_it_wrote_the_page(cli, words, in_tmp):
    assert cli("train", "--corpus", words, *TINY, "--out", "run").code == 0
    judged = cli("evaluate", "run", "-n", 5, "--html", "page.html")
    assert judged.code == 0 and "wrote page.html" in judged.err and (in_tmp / "page.html").exists()
    assert "wrote" not in cli("evaluate", "run", "-n", 5).err
