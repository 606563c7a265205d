"""A plugin written for version 1.0 of the hooks, with every kind of part. It must keep working: never change it."""

import torch
from torch import nn

import seqgen

seqgen_api = "1.0"


class HalfCell(seqgen.StepCell):
    """h' = h / 2 + tanh(W x + U h)."""

    def __init__(self, input_size, hidden_size, *, share: float = 0.5):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.share = share

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, h_BH):
        h_BH = self.share * h_BH + torch.tanh(p_BP + self.recurrent(h_BH))
        return h_BH, h_BH


class EndsWell:
    def validate(self, text):
        return seqgen.Verdict(text.endswith("a"), "" if text.endswith("a") else "another end")


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="half", summary="half of it stays", source="none", load=HalfCell))
    register(seqgen.CellSpec(name="plain", summary="none", load="json:loads", tf={"PlainCell": {}}))


@seqgen.hookimpl
def register_corpora(register):
    records = [seqgen.Record(a + b + "a", label=a) for a in "bcdfg" for b in "aeiou" for _ in range(4)]
    register(
        seqgen.CorpusSpec(
            name="syllables",
            summary="made up",
            source="none",
            licence="CC0-1.0",
            load=lambda: records,
            domain="syllable",
            labels=tuple("bcdfg"),
            recommended={"train": {"steps": 3}},
        )
    )


@seqgen.hookimpl
def register_domains(register):
    register(
        seqgen.DomainSpec(
            name="syllable", summary="made up", validator="ends-well", renderer="plain", metrics=("ends",)
        )
    )
    register(
        seqgen.DomainSpec(
            name="street", summary="streets", aliases=("road",), columns=("street", "road"), trailing_names=True
        )
    )


@seqgen.hookimpl
def register_augmentations(register):
    register(seqgen.AugmentationSpec(name="turn", summary="backwards", load=lambda: lambda text, random: text[::-1]))


@seqgen.hookimpl
def register_validators(register):
    register(seqgen.ValidatorSpec(name="ends-well", summary="ends with a", load=EndsWell))


@seqgen.hookimpl
def register_renderers(register):
    register(seqgen.RendererSpec(name="plain", summary="as it is", load=lambda: str.strip))


@seqgen.hookimpl
def register_metrics(register):
    def ends(samples, reference):
        return {"a": sum(text.endswith("a") for text in samples)}

    register(seqgen.MetricSpec(name="ends", summary="how many end with a", load=lambda: ends))


@seqgen.hookimpl
def register_processors(register):
    register(seqgen.ProcessorSpec(name="flat", summary="flatter", load=lambda: lambda logits_BV, ids_BT: logits_BV / 2))


@seqgen.hookimpl
def register_commands(app):
    @app.command()
    def spell(word: str):
        print("-".join(word))


@seqgen.hookimpl
def on_run_start(path):
    (path / "started.txt").write_text("by an old plugin")
