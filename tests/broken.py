"""Plugins that each violate one check of the conformance kit, and one valid plugin of each kind."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import socket
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import BaseModel, Field, field_validator
from rich.text import Text
from torch import nn

import seqgen
from seqgen.model import RecurrentModel
from seqgen.testing import TEXTS
from seqgen.tokenizers import CharTokenizer
from unordered import names_of_a_set

# -- cells


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


class Whole(seqgen.Cell):
    """The same, that computes whole sequences itself."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.inner = Good(input_size, hidden_size)

    def initial_state(self, batch_size):
        return self.inner.initial_state(batch_size)

    def forward(self, x_BTI, state):
        return self.inner(x_BTI, state)


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


class MixesStepsInTraining(Good):
    def project(self, x_BTI):
        return self.input(x_BTI - x_BTI.mean((0, 1)) * self.training)


class ProjectsToTwo(Good):
    def project(self, x_BTI):
        return self.input(x_BTI)[..., None]


class NoiseInPlace(Good):
    def noise(self, p_BTP):
        return p_BTP.mul_(1.1)


class DropsItsInput(Good):
    def project(self, x_BTI):
        return nn.functional.dropout(self.input(x_BTI), 0.5, self.training)


class LooksAhead(Whole):
    def forward(self, x_BTI, state):
        return super().forward(x_BTI.flip(1).cumsum(1).flip(1), state)


class MixesRows(Good):
    def step(self, p_BP, state):
        return super().step(p_BP - p_BP.mean(0, keepdim=True), state)


class ComputesInFloat32(Good):
    def step(self, p_BP, state):
        output, (h_BH,) = super().step(p_BP, state)
        return output, [h_BH.float()]


class LimitsItsState(Good):
    """The whole batch at once, once its numbers are large."""

    def step(self, p_BP, state):
        _, (h_BH,) = super().step(p_BP, state)
        h_BH = h_BH * (3 / h_BH.norm()) if h_BH.norm() > 3 else h_BH
        return h_BH, [h_BH]


class NumbersItsRows(Good):
    """Each row by its place in the batch, which is another one when other rows have ended."""

    def step(self, p_BP, state):
        return super().step(p_BP + torch.arange(len(p_BP))[:, None], state)


class HasADeadParameter(Good):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.dead = nn.Parameter(torch.zeros(3))


class ForgetsBetweenSteps(Whole):
    def forward(self, x_BTI, state):
        y_BTH, end = super().forward(x_BTI, state)
        return y_BTH, [end[0] * 0]


class ForgetsEachPiece(Whole):
    """A cell that computes long sequences in pieces, each from the first state."""

    def forward(self, x_BTI, state):
        pieces = []
        for piece_BTI in x_BTI.split(128, 1):
            y_BTH, end = super().forward(piece_BTI, state)
            pieces.append(y_BTH)
            state = [end[0] * 0]
        return torch.cat(pieces, 1), end


class GivesTheWrongShape(Whole):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH[..., :-1], state


class GivesNoNumbers(Good):
    def step(self, p_BP, state):
        return super().step((p_BP - 9).sqrt(), state)


class StateFirst(Good):
    def step(self, p_BP, state):
        return super().step(p_BP, state)[::-1]


class StateWithoutBatch(Whole):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH, [*state, torch.zeros(1)]


class StateOfNumbers(Good):
    def initial_state(self, batch_size):
        return [self.zeros(batch_size), 3]

    def step(self, p_BP, state):
        y_BH, (h_BH,) = super().step(p_BP, state)
        return y_BH, [h_BH, state[1] + 1]


class StateOfAnotherForm(Whole):
    def forward(self, x_BTI, state):
        y_BTH, (h_BH,) = super().forward(x_BTI, state)
        return y_BTH, (h_BH,)


class IsRandom(Good):
    def step(self, p_BP, state):
        return super().step(nn.functional.dropout(p_BP, 0.5), state)


class NormalisesWholeBatches(Whole):
    """While training, over all steps, those after a row's end too."""

    def forward(self, x_BTI, state):
        if self.training:
            x_BTI = x_BTI - x_BTI.mean((0, 1))
        return super().forward(x_BTI, state)


class NeedsManyUnits(Good):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        if hidden_size < 2:
            raise ValueError("too few units")


class ForwardOfItsOwn(Good):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return 2 * y_BTH, state


class WrongFusedForm(Good):
    def fused(self, x_BTI, state):
        outputs = []
        for p_BP in self.project(x_BTI).unbind(1):
            y_BH, state = self.step(p_BP, [1.01 * state[0]])
            outputs.append(y_BH)
        return torch.stack(outputs, 1), state


class WrongFusedGradient(Good):
    def fused(self, x_BTI, state):
        outputs = []
        for p_BP in self.project(x_BTI).unbind(1):
            y_BH, state = self.step(p_BP, [state[0].detach()])
            outputs.append(y_BH)
        return torch.stack(outputs, 1), state


class FusedWithoutNoise(Good):
    """A cell with dropout, whose form for whole sequences has none."""

    def noise(self, p_BTP):
        return nn.functional.dropout(p_BTP, 0.5, self.training)

    def fused(self, x_BTI, state):
        outputs = []
        for p_BP in self.project(x_BTI).unbind(1):
            y_BH, state = self.step(p_BP, state)
            outputs.append(y_BH)
        return torch.stack(outputs, 1), state


class ForwardWithoutNoise(FusedWithoutNoise):
    def forward(self, x_BTI, state):
        return self.fused(x_BTI, state)


class WrongGradient(Good):
    def step(self, p_BP, state):
        return super().step(p_BP, [state[0].detach()])


class AlwaysDouble(Whole):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH.double(), state


class OffInSingle(Whole):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return (y_BTH.bfloat16().float() if y_BTH.dtype == torch.float32 else y_BTH), state


class OffInShort(Whole):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return (2 * y_BTH if torch.is_autocast_enabled("cpu") else y_BTH), state


class ForgetsATensor(Whole):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.offset = torch.rand(hidden_size)

    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH + self.offset, state


class SharesItsMemory(Whole):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.register_buffer("one_for_all", torch.zeros(1).expand(hidden_size))


class SavesWhatIsNoTensor(Whole):
    def get_extra_state(self):
        return {"calls": 3}

    def set_extra_state(self, state):
        pass


class CountsForItself(Whole):
    """A model whose counts are not part of its saved state."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.calls = 0

    def forward(self, x_BTI, state):
        self.calls += self.training
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH / self.calls if self.training else y_BTH, state


class GrowsWhileTraining(CountsForItself):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH * 1.5**self.calls, state


class BeginsWithOneRow(Whole):
    def initial_state(self, batch_size):
        return super().initial_state(1)


class BeginsInFloat32(Whole):
    def initial_state(self, batch_size):
        return [leaf.float() for leaf in super().initial_state(batch_size)]


class DrawsItsOwnWeights(Whole):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        with torch.no_grad():
            self.inner.recurrent.weight.copy_(
                torch.from_numpy(np.random.default_rng().random((hidden_size, hidden_size)))
            )


class DrawsWhileTraining(Whole):
    def forward(self, x_BTI, state):
        y_BTH, state = super().forward(x_BTI, state)
        return y_BTH * (1 + np.random.default_rng().random()) if self.training else y_BTH, state


class SeedsTheProcess(Whole):
    def forward(self, x_BTI, state):
        random.seed(3)
        return super().forward(x_BTI, state)


class Lax(BaseModel):
    """Options that accept any name."""


class Beyond(seqgen.Options):
    """Options with a default outside its range."""

    width: Annotated[int, Field(ge=1, description="units")] = 0


class Clamps(seqgen.Options):
    """Options that declare a range and accept values outside."""

    width: Annotated[int, Field(ge=1, description="units")] = 1

    @field_validator("width", mode="before")
    @classmethod
    def clamp(cls, value):
        return max(1, value)


def made(kind, load, **changes):
    return kind(**{"name": "x", "summary": "s", "source": "t", "load": load, **changes})


def cell(load, **changes):
    return made(seqgen.CellSpec, load, **changes)


def common(kind, load, **fields):
    """Yield violations of the checks common to all kinds."""
    yield "options", made(kind, load, options=Lax, **fields), "the options accept the unknown name"
    yield "options", made(kind, load, options=Clamps, **fields), "the option 'width' accepts 0, which is outside"
    yield "options", made(kind, load, options=Beyond, **fields), "the default of the option 'width', 0, is refused"


BAD_CELLS = [
    ("shapes", GivesTheWrongShape, r"the output is \(3, 7, 5\)"),
    ("shapes", GivesNoNumbers, "contains NaN"),
    ("shapes", BeginsWithOneRow, "not batch first"),
    ("shapes", BeginsInFloat32, r"torch.float32 beside weights of torch.float64: give it the type of a parameter"),
    ("batch-independence", MixesRows, "depends on the other rows"),
    ("batch-independence", LimitsItsState, "depends on the other rows"),
    ("shapes", ComputesInFloat32, r"leave \.float\(\) and \.double\(\) out"),
    ("causality", LooksAhead, "not causal"),
    ("step-equals-sequence", ForgetsBetweenSteps, "one step at a time differs at step 1"),
    ("step-equals-sequence", LooksAhead, "one step at a time differs at step 0"),
    ("step-equals-sequence", IsRandom, "one step at a time differs"),
    ("step-equals-sequence", ForgetsEachPiece, "one step at a time differs at step 128 of 150"),
    ("state-form", StateWithoutBatch, r"not \(B, \.\.\.\)"),
    ("state-form", StateOfNumbers, "the state holds a value of type int, not only tensors"),
    ("state-form", StateOfAnotherForm, "differs in structure"),
    ("state-rows", NumbersItsRows, "selected rows of a state continue differently"),
    ("state-untouched", ModifiesItsState, "modifies the state"),
    ("padding", NormalisesWholeBatches, "after a row's end changes its outputs"),
    ("eval-mode", IsRandom, "random numbers in evaluation mode"),
    ("gradients-reach", HasADeadParameter, "no gradient reaches (.*[.])?dead"),
    ("gradients-exact", WrongGradient, "gradient of .* is .*, by finite differences"),
    ("float32", AlwaysDouble, "in float32 the output is torch.float64|mat1 and mat2|same dtype"),
    ("float32", OffInSingle, "in float32 an output is off by"),
    ("bfloat16", OffInShort, "in bfloat16 an output is off by"),
    ("save-load", ForgetsATensor, "not in state_dict"),
    ("save-load", SharesItsMemory, "memory of its own"),
    ("save-load", SavesWhatIsNoTensor, "a dict and not a tensor"),
    ("resume", CountsForItself, "resumed it has different losses"),
    ("determinism", DrawsItsOwnWeights, "two instances with the same seed differ"),
    ("determinism", DrawsWhileTraining, "two runs with the same seed have different losses"),
    ("learns", GrowsWhileTraining, "in 50 steps the loss went from"),
    ("global-state", SeedsTheProcess, "it changes Python's random numbers for the whole process"),
]


def bad_cells():
    yield from ((name, cell(load), message) for name, load, message in BAD_CELLS)
    yield "one-unit", cell(NeedsManyUnits), "too few units"
    yield "shapes", cell(nn.Linear), "not a seqgen.Cell"
    yield "shapes", cell(StateFirst), r"\(output, state\), in this order; its output is a list"
    yield (
        "shapes",
        cell(ProjectsToTwo),
        r"project must return a tensor \(B, T, P\) for an input .*, not \(3, 1, \d+, 1\)",
    )
    yield "state-untouched", cell(NoiseInPlace), "noise modifies the projection it is given"
    yield "projection", cell(MixesSteps), "project mixes the steps"
    yield "projection", cell(MixesRowsOfTheInput), "project mixes rows"
    yield "projection", cell(MixesStepsInTraining), "project mixes the steps"
    yield "projection-noise", cell(DropsItsInput), "project uses random numbers, .*: sample them in noise"
    yield "project-and-step", cell(ForwardOfItsOwn), "forward differs from project and step"
    yield "project-and-step", cell(ForwardWithoutNoise), "forward differs from project and step in training mode"
    yield "engines", cell(FusedWithoutNoise), "a different output than 'eager' in training mode, with the same seed"
    yield "engines", cell(WrongFusedForm), "the engine 'fused' gives a different output"
    yield "engines", cell(WrongFusedGradient), "the engine 'fused' gives a different gradient of"
    yield "state-form", cell(Good, remembers=False), "remembers=False, but its state holds tensors"
    yield "recommended", cell(Good, recommended={"cell": {"nope": 1}}), "has no option 'nope'"
    yield "recommended", cell(Good, recommended={"train": {"lr": -1}}), "option 'lr' of train"
    yield from common(seqgen.CellSpec, Good)


# -- models


def around(cell_class):
    """A model of its own that has a cell."""
    return lambda n_symbols: RecurrentModel(n_symbols, cell_class, hidden=8, embedding=4)


class Table(nn.Module):
    """Logits by the last symbol."""

    def __init__(self, n_symbols):
        super().__init__()
        self.table = nn.Embedding(n_symbols, n_symbols)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 0)

    def forward(self, ids_BT, state):
        return self.table(ids_BT), state


class TooFewLogits(Table):
    def forward(self, ids_BT, state):
        return self.table(ids_BT)[..., 1:], state


class AnotherStepper(Table):
    def stepper(self):
        return lambda ids_B, state: (self.table(ids_B) + 1, state)


class KeepsItsWeights(Table):
    def stepper(self):
        if not hasattr(self, "kept"):
            self.kept = self.table.weight.detach().clone()
        return lambda ids_B, state: (self.kept[ids_B], state)


class Probabilities(Table):
    def forward(self, ids_BT, state):
        return self.table(ids_BT).softmax(-1), state


class LogitsOfOtherPlaces(Table):
    def logits_at(self, ids_BT, state, at_N):
        logits_NV = self.table(ids_BT).flatten(0, 1)
        return logits_NV if at_N is None else logits_NV[at_N]


class Counts(nn.Module):
    """A model that counts how often each symbol follows each."""

    def __init__(self, n_symbols):
        super().__init__()
        self.register_buffer("counts_VV", torch.ones(n_symbols, n_symbols))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 0)

    def forward(self, ids_BT, state):
        return (self.counts_VV / self.counts_VV.sum(1, keepdim=True)).log()[ids_BT], state

    def learn(self, ids_BT, targets_BT):
        for before, after in zip(ids_BT.flatten(), targets_BT.flatten(), strict=True):
            self.counts_VV[before, after] += after != 0


class CountsPads(Counts):
    def learn(self, ids_BT, targets_BT):
        for before, after in zip(ids_BT.flatten(), targets_BT.flatten(), strict=True):
            self.counts_VV[before, after] += 1


class CountsInVain(Counts):
    def learn(self, ids_BT, targets_BT):
        self.seen = targets_BT


class CountsOnItsArguments(Counts):
    def learn(self, ids_BT, targets_BT):
        super().learn(ids_BT, targets_BT)
        targets_BT.zero_()


def bad_models():
    for name, load, message in BAD_CELLS:
        if name != "shapes":
            yield name, made(seqgen.ModelSpec, around(load)), message
    yield "shapes", made(seqgen.ModelSpec, TooFewLogits), "the output is"
    yield "shapes", made(seqgen.ModelSpec, lambda n_symbols: 3), "not a torch.nn.Module"
    yield "stepper", made(seqgen.ModelSpec, AnotherStepper), r"stepper\(\) differs"
    yield "stepper", made(seqgen.ModelSpec, KeepsItsWeights), "after the weights have changed, differs at step 0"
    yield "shapes", made(seqgen.ModelSpec, Probabilities), "the output is probabilities: return logits"
    yield "logits-at", made(seqgen.ModelSpec, LogitsOfOtherPlaces), "differs from forward with time first"
    yield "learn", made(seqgen.ModelSpec, CountsInVain), "learn changes no buffer"
    yield "learn", made(seqgen.ModelSpec, CountsOnItsArguments), "learn modifies its arguments"
    yield "padding", made(seqgen.ModelSpec, CountsPads), "counts padding after a row's end"
    yield "recommended", made(seqgen.ModelSpec, Table, recommended={"model": {"nope": 1}}), "has no option 'nope'"
    yield from common(seqgen.ModelSpec, Table)


# -- tokenizers


class SkipsUnknowns(CharTokenizer):
    def encode(self, text):
        return super().encode("".join(character for character in text if character in self.symbols))


class NamesTheWrongPlace(CharTokenizer):
    def encode(self, text):
        try:
            return super().encode(text)
        except seqgen.UnknownSymbol as error:
            raise seqgen.UnknownSymbol(error.symbol, error.position + 1) from None


class AddsUnknowns(CharTokenizer):
    def __init__(self, symbols):
        super().__init__(symbols)
        self.all = list(self.symbols)

    def encode(self, text):
        self.all += sorted(set(text) - set(self.all))
        return [self.all.index(character) for character in text]

    def encode_many(self, texts):
        return seqgen.Tokenizer.encode_many(self, texts)

    def decode(self, ids):
        return "".join(self.all[index] for index in ids)


class AddsUnknownsOpenly(AddsUnknowns):
    @property
    def n_symbols(self):
        return len(self.all)


class StoresMoreEachTime(AddsUnknownsOpenly):
    def to_json(self):
        self.all.append(chr(0x1F000 + len(self.all)))
        return {"symbols": self.all}


class RaisesKeyError(CharTokenizer):
    def encode(self, text):
        return [self.symbols.index(character) for character in text]


class ShufflesItsSymbols(CharTokenizer):
    @classmethod
    def fit(cls, texts):
        return cls({*"".join(texts), chr(next(_counter) + 0x1F000)})


class KeepsSymbolsInItsClass(CharTokenizer):
    """Fitting again to the same texts changes nothing, and to others the ids of all instances."""

    alphabet: ClassVar[list[str]] = []

    @classmethod
    def fit(cls, texts):
        cls.alphabet[:] = sorted({*"".join(texts)})
        return cls(cls.alphabet)

    def encode(self, text):
        return [sum(other < symbol for other in self.alphabet) for symbol in text]

    def to_json(self):
        return {"symbols": self.alphabet}


class CountsItsTexts(CharTokenizer):
    @classmethod
    def fit(cls, texts):
        return super().fit(texts) if len(texts) else cls("")


class GoesOverTextsTwice(CharTokenizer):
    @classmethod
    def fit(cls, texts):
        longest = max(map(len, texts))
        return cls(sorted({*"".join(text for text in texts if len(text) <= longest)}))


class GoesOverPartsTwice(CharTokenizer):
    @classmethod
    def fit_parts(cls, texts, training):
        longest = max(map(len, training))
        return cls(sorted({*"".join(texts), *(chr(0x1F000 + longest) for text in training)}))


class SeedsInFit(CharTokenizer):
    @classmethod
    def fit(cls, texts):
        random.seed(1)
        return super().fit(texts)


_counter = itertools.count()


def tokenizer(**changes):
    return made(seqgen.TokenizerSpec, type("Broken", (CharTokenizer,), changes))


def only_known_texts(self, ids):
    text = CharTokenizer.decode(self, ids)
    if text not in TEXTS:
        raise ValueError("no such text")
    return text


def bad_tokenizers():
    yield "round-trip", tokenizer(decode=lambda self, ids: "x"), "comes back as"
    yield "n-symbols", tokenizer(n_symbols=3), "not below 3"
    yield "n-symbols", tokenizer(encode=lambda self, text: list(text)), "not an integer"
    yield "any-ids", tokenizer(decode=only_known_texts), "no such text"
    yield "unknown-symbols", made(seqgen.TokenizerSpec, SkipsUnknowns), "raise UnknownSymbol"
    yield "unknown-symbols", made(seqgen.TokenizerSpec, NamesTheWrongPlace), "wrong symbol or position"
    yield "unknown-symbols", made(seqgen.TokenizerSpec, AddsUnknowns), "encode adds symbols to the [0-9]+"
    yield "unknown-symbols", made(seqgen.TokenizerSpec, AddsUnknownsOpenly), "encode adds symbols to the [0-9]+"
    yield "to-json", made(seqgen.TokenizerSpec, StoresMoreEachTime), "to_json changes n_symbols"
    yield "hostile-strings", made(seqgen.TokenizerSpec, RaisesKeyError), "raises ValueError, not UnknownSymbol"
    yield (
        "to-json",
        tokenizer(to_json=lambda self: {"symbols": [*self.symbols, "\x01"]}),
        "a different number of symbols",
    )
    yield (
        "to-json",
        tokenizer(to_json=lambda self: {"symbols": ["\x01", *self.symbols[1:]]}),
        "unknown symbol|other ids",
    )
    yield "stable-ids", made(seqgen.TokenizerSpec, ShufflesItsSymbols), "not stable"
    yield "stable-ids", made(seqgen.TokenizerSpec, KeepsSymbolsInItsClass), "another one was fitted to other texts"
    yield "across-processes", made(seqgen.TokenizerSpec, "unordered:OrderOfASet"), "ids differ from process to process"
    yield "one-pass", made(seqgen.TokenizerSpec, CountsItsTexts), "read once, of a generator: object of type"
    yield "one-pass", made(seqgen.TokenizerSpec, GoesOverTextsTwice), "fit gives another tokenizer for texts that are"
    yield "one-pass", made(seqgen.TokenizerSpec, GoesOverPartsTwice), "fit_parts gives another tokenizer"
    yield "encode-many", tokenizer(encode_many=lambda self, texts: np.zeros((2, 3), int)), "encode_many differs"
    yield "decode-many", tokenizer(decode_many=lambda self, flat, lengths: ["x"]), "decode_many differs"
    yield "symbol-bytes", tokenizer(symbol_bytes=lambda self: [b"x"] * self.n_symbols), r"by symbol_bytes\(\)"
    yield "symbol-bytes", tokenizer(symbol_bytes=lambda self: [b"x"]), "has 1 entries"
    yield "symbol-bytes", tokenizer(symbol_bytes=lambda self: self.symbols), "for symbol 0, which is not bytes"
    yield "corpus-warning", tokenizer(corpus_warning=classmethod(lambda cls, texts: 5)), "returns 5, not one line"
    yield "corpus-warning", tokenizer(corpus_warning=classmethod(lambda cls, texts: "a\nb")), "not one line of text"
    yield (
        "corpus-warning",
        tokenizer(corpus_warning=classmethod(lambda cls, texts: f"{1 / len(texts)}")),
        "ZeroDivisionError",
    )
    yield "join", tokenizer(join=classmethod(lambda cls, fitted: fitted[0])), "join gives another tokenizer"
    yield "global-state", made(seqgen.TokenizerSpec, SeedsInFit), "it changes Python's random numbers"
    yield from common(seqgen.TokenizerSpec, CharTokenizer)


# -- corpora


def corpus(load, **changes):
    return made(seqgen.CorpusSpec, load if callable(load) else lambda: load, **{"licence": "l", **changes})


AB = [seqgen.Record("a"), seqgen.Record("b")]


class OnlyOnce:
    """Gives its records once."""

    def __init__(self):
        self.records = iter(AB)

    def __iter__(self):
        return self.records


class EndsEarly:
    def __iter__(self):
        yield from AB
        raise KeyError("no more")


def called():
    socket.getaddrinfo("example.org", 443)
    return AB


def connected():
    try:
        socket.create_connection(("127.0.0.1", 9))
    except OSError:
        return AB


def another_each_time():
    return [*AB, seqgen.Record(str(next(_counter)))]


def environment():
    os.environ["SEQGEN_TEST_LEFT"] = str(next(_counter))
    return AB


class Picky:
    def validate(self, text):
        return seqgen.Verdict(text != "b", "" if text != "b" else "is b")


PICKY = (
    made(seqgen.ValidatorSpec, Picky, name="picky"),
    seqgen.DomainSpec(name="picky", summary="s", validator="picky"),
)


def bad_corpora():
    yield "offline", corpus(called), r"loading connects to .*example\.org"
    yield "offline", corpus(connected), r"loading connects to .*127\.0\.0\.1"
    yield "records", corpus([]), "holds no records"
    yield "records", corpus(["a"]), "not a seqgen.Record"
    yield "records", corpus([seqgen.Record(" ")]), "blank"
    yield "records", corpus(lambda: None), "^corpus x: load gave None, not a restartable iterable"
    yield "records", corpus([seqgen.Record(5)]), "^corpus x: corpus x yielded the text 5, which is not a string"
    yield "records", corpus(EndsEarly), "^corpus x: KeyError in __iter__, line .* of broken.py: 'no more'"
    yield "line-ends", corpus([seqgen.Record("a\nb")]), "line end"
    yield "labels", corpus([seqgen.Record("a", "y")], labels=("x",)), "not declared"
    yield "restartable", corpus(OnlyOnce), "iterated again"
    yield "restartable", corpus(lambda: iter(AB)), "returns an iterator"
    yield "digest", corpus(another_each_time), "loaded again"
    yield "across-processes", corpus(names_of_a_set), "records differ from process to process"
    yield "source", corpus(AB, source=""), "source is empty"
    yield "licence", corpus(AB, licence=""), "licence is empty"
    yield "valid", corpus(AB, domain="picky"), r"picky accepts 50\.0% of it, and refuses \('b', 'is b'\)"
    yield "valid", corpus(AB, domain="nobodys"), "its domain 'nobodys' does not exist"
    yield "global-state", corpus(environment), "it changes the environment"
    yield "recommended", corpus(AB, recommended={"train": {"lr": "much"}}), "option 'lr' of train"
    yield from common(seqgen.CorpusSpec, lambda: AB, licence="l")


# -- what deals with texts


def validator(validate):
    return made(seqgen.ValidatorSpec, type("V", (), {"validate": validate}))


def sometimes(self, text):
    return seqgen.Verdict(next(_counter) % 3 == 0, "sometimes")


class RefusesRepetitions:
    """A validator that refuses what it has seen."""

    def __init__(self):
        self.seen = set()

    def validate(self, text):
        verdict = seqgen.Verdict(text not in self.seen, "again")
        self.seen.add(text)
        return verdict


class RefusesWhatAnyHasSeen:
    """A validator that refuses what it or another instance has seen."""

    seen: ClassVar = set()

    def validate(self, text):
        verdict = seqgen.Verdict(text not in self.seen, "again")
        self.seen.add(text)
        return verdict


def bad_validators():
    yield "verdicts", validator(lambda self, text: seqgen.Verdict(False)), "without a reason"
    yield "verdicts", validator(lambda self, text: True), "not a seqgen.Verdict"
    yield "verdicts", validator(lambda self, text: seqgen.Verdict(2)), "ok=2, which is neither True nor False"
    yield "verdicts", validator(lambda self, text: seqgen.Verdict(False, 5)), "reason=5, which is not a string"
    yield "verdicts", validator(lambda self, text: seqgen.Verdict(True, canonical=5)), "canonical=5, which is neither"
    yield "verdicts", validator(lambda self, text: seqgen.Verdict(False, "a\nb")), "'a.nb', not one line"
    yield "canonical", validator(lambda self, text: seqgen.Verdict(True, "", text + "x")), "not final"
    yield (
        "hostile-strings",
        validator(lambda self, text: seqgen.Verdict(bool(text.encode()), "-")),
        "UnicodeEncodeError",
    )
    yield "deterministic", validator(sometimes), "different results on the same input"
    yield "deterministic", made(seqgen.ValidatorSpec, RefusesRepetitions), "used again gives different results"
    yield "deterministic", made(seqgen.ValidatorSpec, RefusesWhatAnyHasSeen), "two instances give different results"
    yield "global-state", validator(lambda self, text: seqgen.Verdict(random.random() > 2, "-")), "Python's random"
    yield from common(seqgen.ValidatorSpec, Picky)


def metric(function, **attributes):
    return made(seqgen.MetricSpec, lambda: type("M", (), {"__call__": function, **attributes})())


def sorts(self, samples, reference):
    samples.sort()
    return {"n": len(samples)}


def size(self, samples, reference):
    return {"n": len(samples)}


class CountsItsCalls:
    """A metric that counts how often it was computed."""

    def __init__(self):
        self.n = 0

    def __call__(self, samples, reference):
        self.n += 1
        return {"n": self.n}


def bad_metrics():
    yield "values", metric(lambda self, samples, reference: {"x": "much"}), "'much', not a number"
    yield "values", metric(lambda self, samples, reference: {" x": 1}), "the name ' x' is not one line"
    yield "values", metric(lambda self, samples, reference: {"x": 1 / len(samples)}), "ZeroDivisionError"
    yield "values", metric(lambda self, samples, reference: 3), "not numbers by name"
    yield "values", metric(lambda self, samples, reference, texts: {}), "its signature is .*, texts., not .*training"
    yield "hostile-strings", metric(lambda self, samples, reference: {"x": len(samples[0].encode())}), "raises Unicode"
    yield "untouched", metric(sorts), "modifies the lists"
    yield "published", metric(size, published={"A (arXiv:1)": {"n": "few"}}), "'few', not a number"
    yield "published", metric(size, published=[1]), "not a mapping"
    yield "published", metric(size, published={"A (arXiv:1)": {"n": 3}}, published_on="words"), "not a tuple"
    yield "labels", metric(size, labels=["n"]), "not a mapping"
    yield "labels", metric(size, labels={"n": 3}), "not one line of text"
    yield "values", metric(size, omitted=["n"]), "not a mapping"
    yield "values", metric(size, omitted={"n": "it is odd"}), "among the values"
    yield "values", metric(size, omitted={"m": None}), "not one line of text"
    yield (
        "deterministic",
        metric(lambda self, samples, reference: {"x": next(_counter)}),
        "different results on the same input",
    )
    yield "deterministic", made(seqgen.MetricSpec, CountsItsCalls), "used again gives different results"
    yield "global-state", metric(lambda self, samples, reference: {"x": random.random()}), "Python's random"
    yield from common(seqgen.MetricSpec, lambda: lambda samples, reference: {})


def renderer(function, **attributes):
    return made(seqgen.RendererSpec, lambda: type("R", (), {"__call__": function, **attributes})())


def shown(self, text):
    return Text(seqgen.visible(text))


def bad_renderers():
    yield "renderable", renderer(lambda self, text: 3), "rich cannot print"
    yield "renderable", renderer(lambda self, text: text if text else f"[/{text}x]"), "MarkupError"
    yield "hostile-strings", renderer(lambda self, text: Text(text)), "lets the control characters .* through"
    yield "hostile-strings", renderer(lambda self, text: Text(str(text.encode()))), "raises UnicodeEncodeError"
    yield (
        "draws",
        renderer(shown, suffixes=(".svg",), draw=lambda self, texts, suffix: "<svg/>"),
        "not the bytes of a file",
    )
    yield "draws", renderer(shown, suffixes=("svg",), draw=lambda self, texts, suffix: b"x"), r"\('svg',\), not a tuple"
    yield "draws", renderer(shown, suffixes=(".svg",), draw=None), "draw is None, not a method"
    yield "deterministic", renderer(lambda self, text: Text(str(next(_counter)))), "different results on the same input"
    yield "global-state", renderer(lambda self, text: Text(str(random.random()))), "Python's random"
    yield from common(seqgen.RendererSpec, lambda: seqgen.visible)


def processor(function):
    return made(seqgen.ProcessorSpec, lambda: function)


def smoothed(logits, ids):
    return (0.9 * logits.softmax(-1) + 0.1 / logits.shape[-1]).log()


def bad_processors():
    yield "logits-shape", processor(lambda logits, ids: logits[:, 1:]), r"from \(4, 9\) to \(4, 8\)"
    yield "logits-shape", processor(lambda logits, ids: logits.numpy()), "returns ndarray, not a tensor"
    yield "logits-shape", processor(lambda logits, ids: logits.double()), "dtype"
    yield "something-left", processor(lambda logits, ids: logits - torch.inf), "without a possible symbol|not a number"
    yield (
        "something-left",
        processor(lambda logits, ids: logits * (1 if ids.shape[1] < 100 else torch.nan)),
        "not a number",
    )
    yield (
        "something-left",
        processor(lambda logits, ids: logits.masked_fill(logits < 9, -torch.inf)),
        "without a possible symbol",
    )
    yield "something-left", processor(lambda logits, ids: torch.full_like(logits, torch.inf)), "plus infinity"
    yield "stays-forbidden", processor(smoothed), "a forbidden id"
    yield (
        "rows-apart",
        processor(lambda logits, ids: logits - logits.clamp(min=-99).mean(0)),
        "depends on the other rows",
    )
    yield "untouched", processor(lambda logits, ids: logits.mul_(2)), "modifies its arguments"
    yield "deterministic", processor(lambda logits, ids: logits + next(_counter)), "different results on the same input"
    yield "global-state", processor(lambda logits, ids: logits + torch.rand(1)), "torch's random numbers"
    yield from common(seqgen.ProcessorSpec, lambda: lambda logits, ids: logits)


def report(content, **attributes):
    """A report that writes one file, with the content that a function of the evaluation gives."""

    def write(self, evaluation, path):
        path.write_text(content(evaluation), encoding="utf-8")
        return [path]

    return made(seqgen.ReportSpec, lambda: type("W", (), {"write": write, **attributes})())


def writes_nothing(self, evaluation, path):
    return []


def bad_reports():
    yield (
        "files",
        made(seqgen.ReportSpec, lambda: type("W", (), {"write": writes_nothing})()),
        "not a list of the files",
    )
    yield "files", report(lambda evaluation: ""), "writes an empty file"
    yield "files", report(lambda evaluation: "x", suffixes="json"), "suffixes is 'json', not a tuple"
    yield "few-metrics", report(lambda evaluation: f"{evaluation.metrics['step']}"), "KeyError"
    yield "hostile-strings", report(lambda evaluation: "".join(evaluation.samples) + "."), "UnicodeEncodeError"
    yield "deterministic", report(lambda evaluation: str(next(_counter))), "different results on the same input"
    yield "global-state", report(lambda evaluation: str(random.random())), "Python's random"
    yield from common(seqgen.ReportSpec, lambda: None)


def exporter(export, **attributes):
    part = type("E", (), {"export": staticmethod(export), **attributes})
    return made(seqgen.ExporterSpec, lambda: part(), compares="what it wrote, to 0")


def forgets_the_weights(run, path):
    """The damage is the same the second time."""
    with torch.no_grad():
        next(run.model.parameters()).zero_()
    return exports(run, path)


def exports(run, path, content=b"x", difference=0.0, tolerance=0.0):
    path.write_bytes(content)
    return seqgen.Exported([path], "bytes", difference, tolerance)


def exports_beside(run, path):
    (path.parent / "other").write_bytes(b"x")
    return exports(run, path)


def changes_the_run(run, path):
    with torch.no_grad():
        next(run.model.parameters()).add_(1.0)
    return exports(run, path)


def bad_exporters():
    yield "files", exporter(lambda run, path: exports(run, path), suffixes=(".HTML",)), "not a tuple of lower-case"
    yield "files", exporter(lambda run, path: [path]), "not a seqgen.Exported"
    yield "files", exporter(lambda run, path: seqgen.Exported([path], "b", 0.0, 0.0)), "but has not written it"
    yield "files", exporter(lambda run, path: seqgen.Exported([], "b", 0.0, 0.0)), "names no files"
    yield (
        "files",
        exporter(lambda run, path: seqgen.Exported([path.parent / "x"], "b", 0.0, 0.0)),
        "names 'x', which is not at its path",
    )
    yield "files", exporter(lambda run, path: exports(run, path, b"")), "writes no file, or an empty one"
    yield "files", exporter(exports_beside), "beside the path"
    yield "compares", exporter(lambda run, path: exports(run, path, difference=2.0)), "differ by 2.0"
    yield "compares", exporter(lambda run, path: exports(run, path, difference=float("nan"))), "differ by nan"
    yield "compares", exporter(lambda run, path: exports(run, path, difference=-5.0)), "difference=-5.0, not a number"
    yield "compares", exporter(lambda run, path: exports(run, path, tolerance=float("inf"))), "tolerance=inf, not a fin"
    yield "untouched", exporter(changes_the_run), "changes the weight"
    yield "untouched", exporter(forgets_the_weights), "changes the weight"
    yield "deterministic", exporter(lambda run, path: exports(run, path, b"%d" % next(_counter))), "different results"
    yield "global-state", exporter(lambda run, path: exports(run, path, b"%f" % random.random())), "Python's random"
    yield from common(seqgen.ExporterSpec, lambda: None, compares="bytes")


def executor(make):
    return made(seqgen.ExecutorSpec, lambda workers: make())


class InThisThread(Executor):
    """An executor that calls at once."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class GivesResults(InThisThread):
    def submit(self, fn, /, *args, **kwargs):
        return super().submit(fn, *args, **kwargs).result()


class GivesTheFirst(InThisThread):
    def submit(self, fn, /, *args, **kwargs):
        return super().submit(fn, 0, *args[1:])


class SwallowsErrors(InThisThread):
    def submit(self, fn, /, *args, **kwargs):
        future = super().submit(fn, *args, **kwargs)
        return super().submit(int) if future.exception() else future


class Seeds(InThisThread):
    def __enter__(self):
        random.seed(1)
        return self


class IsSomewhere(InThisThread):
    def gang(self, n, timeout_s):
        return "203.0.113.7"  # of nobody, by RFC 5737


def bad_executors():
    yield "results", executor(GivesResults), "submit returns 0, not a concurrent.futures.Future"
    yield "results", executor(GivesTheFirst), r"return \[0, 0, 0, 0, 0\], not the squares"
    yield "errors", executor(SwallowsErrors), "the exception of a call does not arrive"
    yield "together", executor(InThisThread), "one does not start within 0.1 s while the other runs"
    yield "together", executor(IsSomewhere), "'203.0.113.7', which is no address of this machine"
    yield "global-state", executor(Seeds), "Python's random"
    yield from common(seqgen.ExecutorSpec, lambda workers: InThisThread())


def reader(read, example=b"a=1\nb=2\n", counts=MappingProxyType({}), **fields):
    """A reader whose ``read`` is a function of the source."""
    part = type("R", (), {"read": lambda self, source: read(source), "counts": counts})
    given = {"endings": (".ini",), "example": example, **fields}
    return seqgen.ReaderSpec(name="x", summary="s", source="s", load=lambda: part(), **given)


def pairs(lines):
    for line in lines:
        name, sign, value = line.partition("=")
        if line and not (sign and value):
            raise seqgen.CorpusError("no value")
        if line:
            yield seqgen.Record(name, fields={"value": value})


def closed_by_blank_lines(lines):
    text = ""
    for line in lines:
        if not line and text:
            yield seqgen.Record(text)
        text = line


def bad_readers():
    yield "example", reader(lambda lines: iter(())), "reads nothing of its example"
    yield "example", reader(lambda lines: list(lines)), "read yielded str 'a=1', not a seqgen.Record"
    yield "example", reader(lambda lines: [seqgen.Record(" ")]), "a record without text"
    yield "example", reader(lambda lines: [seqgen.Record("a", 3)]), "the label 3, which is not a string"
    yield "example", reader(lambda lines: [seqgen.Record("a", fields={1: 2})]), "the field name 1, which is not a"
    yield (
        "example",
        reader(lambda lines: [{"a": 1, None: 2}], table=True),
        "the column name None, which is not a string",
    )
    yield "example", reader(pairs, counts={"skipped": "many"}), "counts is {'skipped': 'many'}, not numbers by"
    yield "example", reader(pairs, counts="x"), "counts is 'x', not numbers by description"
    yield "example", reader(lambda lines: [{"a": 1}, {"b": 1}], table=True), "different columns"
    yield "example", reader(pairs, example=lambda: "text"), "not the bytes of a file"
    yield "restartable", reader(lambda lines: [seqgen.Record(str(next(_counter)))]), "yields something else"
    yield "restartable", reader(closed_by_blank_lines, example=b"a=1\n\nb=2\n\n"), "without empty lines at the end"
    yield "matches", reader(pairs, matches=lambda name, start: b"," in start), "for its own"
    yield "matches", reader(pairs, matches=lambda name, start: False, endings=()), "does not recognize"
    yield "damaged", reader(lambda lines: [seqgen.Record(dict(line.split("=") for line in lines)["b"])]), "Error"
    yield "source", dataclasses.replace(reader(pairs), source=""), "source is empty"
    yield "deterministic", reader(lambda lines: [seqgen.Record(str(next(_counter)))]), "different results"
    yield "global-state", reader(lambda lines: [seqgen.Record(str(random.random()))]), "Python's random"
    yield from common(seqgen.ReaderSpec, lambda: None, endings=(".x",), example=b"a=1\n", source="s")


def augmentation(function):
    return made(seqgen.AugmentationSpec, lambda: function)


def bad_augmentations():
    yield "written", augmentation(lambda text, random: ""), "becomes ''"
    yield "written", augmentation(lambda text, random: 3), "becomes 3"
    yield "seeded", augmentation(lambda text, own: text + str(random.random())), "differs for the same"
    yield "hostile-strings", augmentation(lambda text, random: text.encode().decode()), "raises UnicodeEncodeError"
    yield "global-state", augmentation(lambda text, own: text * random.randint(1, 2)), "Python's random"
    yield from common(seqgen.AugmentationSpec, lambda: lambda text, random: text)


def bad_domains():
    missing = seqgen.DomainSpec(name="x", summary="s", validator="nobodys", metrics=("none",))
    yield "parts", missing, "validator nobodys, metric none"
    for automaton, message in (
        (lambda: Reader(lambda state, character: None), "refuses 90% of 10 valid texts, such as "),
        (lambda: Reader(lambda state, character: state + 1), "more than 32,768 states"),
        (lambda: Reader(lambda state, character: []), "fails with TypeError: unhashable type: 'list'"),
        (lambda: Reader(lambda state, character: 1 / 0), "fails with ZeroDivisionError: division by zero"),
        (lambda: Reader(lambda state, character: 0, "no"), r"accepts\(0\) returned 'no', neither True nor False"),
        (lambda: object(), "has no start, advance, accepts"),
    ):
        yield "automaton", seqgen.DomainSpec(name="x", summary="s", automaton=automaton), message


class Reader:
    """An automaton of all texts, but for how it reads a character."""

    start = 0

    def __init__(self, advance, accepts=True):
        self._advance, self._accepts = advance, accepts

    def advance(self, state, character):
        return self._advance(state, character)

    def accepts(self, state):
        return self._accepts


BROKEN = [
    (kind, name, spec, message)
    for kind, found in {
        "cell": bad_cells(),
        "model": bad_models(),
        "tokenizer": bad_tokenizers(),
        "corpus": bad_corpora(),
        "validator": bad_validators(),
        "metric": bad_metrics(),
        "renderer": bad_renderers(),
        "processor": bad_processors(),
        "report": bad_reports(),
        "exporter": bad_exporters(),
        "executor": bad_executors(),
        "reader": bad_readers(),
        "augmentation": bad_augmentations(),
        "domain": bad_domains(),
    }.items()
    for name, spec, message in found
]

GOOD = [
    cell(Good),
    made(seqgen.ModelSpec, around(Good)),
    made(seqgen.ModelSpec, Table),
    made(seqgen.ModelSpec, Counts),
    made(seqgen.TokenizerSpec, CharTokenizer),
    corpus(AB),
    made(seqgen.ValidatorSpec, type("V", (), {"validate": lambda self, text: seqgen.Verdict(True)})),
    metric(size, published={"A (arXiv:1)": {"n": 3}}, labels={"n": "number of samples"}, omitted={"m": "it is odd"}),
    metric(lambda self, samples, reference: {"mean": sum(map(len, samples)) / len(samples) if samples else None}),
    metric(lambda self, samples, reference: {"a": np.float32(len(samples)), "b": Fraction(1, 3), "c": float("nan")}),
    renderer(shown, suffixes=(".txt",), draw=lambda self, texts, suffix: b"x"),
    processor(lambda logits, ids: logits / 2),
    report(lambda evaluation: f"{len(evaluation.samples)} samples"),
    reader(pairs, matches=lambda name, start: start.startswith(b"a=")),
    augmentation(lambda text, random: text),
    exporter(exports),
    executor(lambda: ThreadPoolExecutor(2)),
    seqgen.DomainSpec(name="x", summary="s"),
]
