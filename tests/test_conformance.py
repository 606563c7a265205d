"""Everything that is registered keeps its contract; and each check can fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import seqgen
from seqgen import testing
from seqgen.plugins import Plugins, entry_point_candidates


def registered():
    plugins = Plugins(print)
    plugins.load(entry_point_candidates())
    entries = [entry for kind in testing.CHECKS for entry in plugins.registry.entries(kind)]
    return [entry for entry in entries if entry.qualified != "seqgen:file"]  # needs a path: tested below


@pytest.mark.parametrize("entry", registered(), ids=lambda entry: f"{entry.spec.kind}-{entry.qualified}")
def test_what_is_registered_keeps_its_contract(entry):
    torch.manual_seed(0)
    try:
        testing.CHECKS[entry.spec.kind](entry.spec)
    except seqgen.MissingExtra as error:
        pytest.skip(str(error))


def corpora_with_a_validator():
    plugins = Plugins(print)
    plugins.load(entry_point_candidates())
    for entry in plugins.registry.entries("corpus"):
        domain = plugins.registry.get("domain", entry.spec.domain).spec if entry.spec.domain else None
        if domain is not None and domain.validator is not None:
            yield pytest.param(plugins.registry.get("validator", domain.validator).spec, entry.spec, id=entry.spec.name)


@pytest.mark.parametrize(("validator", "corpus"), list(corpora_with_a_validator()))
def test_validators_accept_their_own_corpora(validator, corpus):
    try:
        assert testing.check_accepts(validator, corpus, most=1000) >= 0.99
    except seqgen.MissingExtra as error:
        pytest.skip(str(error))


def test_the_kit_refuses_a_validator_that_refuses_its_corpus():
    class Picky:
        def validate(self, text):
            return seqgen.Verdict(text != "b", "is b")

    validator = seqgen.ValidatorSpec(name="picky", summary="s", load=Picky)
    corpus = seqgen.CorpusSpec(
        name="ab", summary="s", source="t", licence="l", load=lambda: [seqgen.Record("a"), seqgen.Record("b")]
    )
    with pytest.raises(AssertionError, match=r"picky accepts 50\.0% of ab; it refuses"):
        testing.check_accepts(validator, corpus)


def test_a_file_keeps_the_contract_of_a_corpus(words, plugins):
    testing.check_corpus(plugins.registry.get("corpus", "file").spec, path=str(words))


def test_domains_name_parts_that_exist():
    plugins = Plugins(print)
    plugins.load(entry_point_candidates())
    for entry in plugins.registry.entries("domain"):
        spec = entry.spec
        assert plugins.registry.has("tokenizer", spec.tokenizer)
        for kind, name in (("validator", spec.validator), ("renderer", spec.renderer)):
            assert name is None or plugins.registry.has(kind, name)
        assert all(plugins.registry.has("metric", name) for name in spec.metrics)


# -- each promise of a cell, broken


class Good(seqgen.StepCell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)

    def initial_state(self, batch_size):
        return [self.zeros(batch_size)]

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, state):
        h_BH = torch.tanh(p_BP + self.recurrent(state[0]))
        return h_BH, [h_BH]


class ModifiesItsState(Good):
    def step(self, p_BP, state):
        with torch.no_grad():
            state[0] += 1
        return super().step(p_BP, state)


class MixesSteps(Good):
    def project(self, x_BTI):
        return self.input(x_BTI).flip(1).cumsum(1).flip(1)


class MixesRowsOfTheInput(Good):
    def project(self, x_BTI):
        return self.input(x_BTI - x_BTI.mean(0, keepdim=True))


class LooksAhead(Good):
    def forward(self, x_BTI, state):
        return super().forward(x_BTI.flip(1).cumsum(1).flip(1), state)


class MixesRows(Good):
    def step(self, p_BP, state):
        return super().step(p_BP - p_BP.mean(0, keepdim=True), state)


class HasADeadParameter(Good):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.dead = nn.Parameter(torch.zeros(3))


class ForgetsBetweenSteps(Good):
    def forward(self, x_BTI, state):
        y_BTH, end = super().forward(x_BTI, state)
        return y_BTH, [end[0] * 0]


class GivesTheWrongShape(Good):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH[..., :-1], state


class StateWithoutBatch(Good):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH, [*state, torch.zeros(1)]


class IsRandom(Good):
    def step(self, p_BP, state):
        return super().step(p_BP + torch.randn_like(p_BP), state)


def spec(load):
    return seqgen.CellSpec(name="c", summary="s", source="t", load=load)


def test_the_good_cell_passes():
    testing.check_cell(spec(Good))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (ModifiesItsState, "modifies the state"),
        (MixesSteps, "project mixes the steps"),
        (MixesRowsOfTheInput, "project mixes rows"),
        (LooksAhead, "one step at a time differs"),
        (MixesRows, "depends on the other rows"),
        (HasADeadParameter, "no gradient reaches dead"),
        (ForgetsBetweenSteps, "one step at a time differs"),
        (GivesTheWrongShape, "the output is"),
        (StateWithoutBatch, r"not \(B, \.\.\.\)"),
        (IsRandom, "differs"),
    ],
)
def test_each_promise_of_a_cell_can_be_broken(cell, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_cell(spec(cell))


# -- the other contracts, broken


def tokenizer(**changes):
    from seqgen.tokenizers import CharTokenizer

    return seqgen.TokenizerSpec(name="t", summary="s", source="t", load=type("Broken", (CharTokenizer,), changes))


def corpus(records, **changes):
    fields = {"licence": "l", "source": "t", **changes}
    return seqgen.CorpusSpec(name="c", summary="s", load=lambda: records, **fields)


def of(kind, load):
    return kind(name="x", summary="s", source="t", load=load)


class Shuffled:
    """Gives its records in another order each time."""

    def __init__(self):
        self.turn = 0

    def __iter__(self):
        self.turn += 1
        return iter([seqgen.Record("a"), seqgen.Record("b")][:: -1 if self.turn % 2 else 1])


BROKEN = {
    "lossy tokenizer": (testing.check_tokenizer, tokenizer(decode=lambda self, ids: "x"), "comes back as"),
    "forgetful tokenizer": (
        testing.check_tokenizer, tokenizer(to_json=lambda self: {"symbols": [*self.symbols, "\x01"]}), "other ids",
    ),
    "wrong encode_many": (
        testing.check_tokenizer, tokenizer(encode_many=lambda self, texts: np.zeros((2, 3), int)), "differs|other",
    ),
    "wrong decode_many": (
        testing.check_tokenizer, tokenizer(decode_many=lambda self, flat, lengths: ["x"]), "decode_many differs",
    ),
    "empty corpus": (testing.check_corpus, corpus([]), "no records"),
    "corpus of strings": (testing.check_corpus, corpus(["a"]), "not a seqgen.Record"),
    "shuffling corpus": (testing.check_corpus, corpus(Shuffled()), "other records"),
    "corpus with line ends": (testing.check_corpus, corpus([seqgen.Record("a\nb")]), "line end"),
    "blank record": (testing.check_corpus, corpus([seqgen.Record(" ")]), "blank"),
    "undeclared label": (testing.check_corpus, corpus([seqgen.Record("a", "y")], labels=("x",)), "not declared"),
    "no source": (testing.check_corpus, corpus([seqgen.Record("a")], source=""), "must be said"),
    "validator without reason": (
        testing.check_validator,
        of(seqgen.ValidatorSpec, type("V", (), {"validate": lambda self, text: seqgen.Verdict(False)})), "no reason",
    ),
    "restless canonical form": (
        testing.check_validator,
        of(seqgen.ValidatorSpec, type("V", (), {"validate": lambda self, text: seqgen.Verdict(True, "", text + "x")})),
        "not final",
    ),
    "metric without numbers": (
        testing.check_metric, of(seqgen.MetricSpec, lambda: lambda samples, reference: {"x": "much"}), "'much'",
    ),
    "renderer of nothing": (testing.check_renderer, of(seqgen.RendererSpec, lambda: lambda text: 3), "print"),
    "greedy processor": (
        testing.check_processor, of(seqgen.ProcessorSpec, lambda: lambda logits, ids: logits - torch.inf), "nothing",
    ),
    "processor in place": (
        testing.check_processor, of(seqgen.ProcessorSpec, lambda: lambda logits, ids: logits.mul_(2)), "modifies",
    ),
    "processor across rows": (
        testing.check_processor, of(seqgen.ProcessorSpec, lambda: lambda logits, ids: logits - logits.mean(0)), "other",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_each_other_promise_can_be_broken(name):
    check, broken, message = BROKEN[name]
    with pytest.raises(AssertionError, match=message):
        check(broken)


def test_a_model_whose_stepper_differs_is_caught():
    class Two(nn.Module):
        def __init__(self, n_symbols):
            super().__init__()
            self.table = nn.Embedding(n_symbols, n_symbols)

        def initial_state(self, batch_size):
            return torch.zeros(batch_size, 0)

        def forward(self, ids_BT, state):
            return self.table(ids_BT), state

        def stepper(self):
            return lambda ids_B, state: (self.table(ids_B) + 1, state)

    with pytest.raises(AssertionError, match=r"stepper\(\) differs"):
        testing.check_model(of(seqgen.ModelSpec, Two))
