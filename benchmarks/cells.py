"""Every registered cell at equal parameters: what it learns of names, and how fast it trains and samples.

    python benchmarks/cells.py [--cells NAME,NAME] [--steps N] [--rounds N] [--quick]

The table is printed and kept in docs/cells.md. --quick makes everything tiny, to see that it runs; that table, and one
of some cells only, is kept in a temporary folder.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

import seqgen
from bare_sampling import BareSampler, torch_step
from baselines import TorchModel, adamw, step_of
from ours import encode, endless_batches, learner_of, names, steps
from quality import n_gram_bits
from report import Section, number, store, table
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.api.factories import build_model
from seqgen.api.recommended import solve_width
from seqgen.batches import evaluation_batches
from seqgen.corpus import Corpus, Splitter
from seqgen.model import count_parameters
from seqgen.plugins.selection import default_plugins
from seqgen.tokenizers import EOS, PAD
from timing import Rounds, Setting, Work, interleave

DOCS = Path(__file__).parent.parent / "docs"
BATCH, EMBEDDING, DROPOUT, LR = 128, 32, 0.2, 3e-3
HEADING = """# Cells

The table at the end is written by `python benchmarks/cells.py`, which says how.
"""
CAPTION = """Every cell in the default model of one layer (the n-gram is a model of its own) on the corpus `names`,
its width chosen so that all parameters together are at most {params}; trained for {steps} steps (the n-gram for one
pass) with the recommended settings by `seqgen.train`. Held-out bits per character are those of the validation part
after the last step, the stop counted as a character. Then, 1 thread, side by side with a model of torch.nn.GRU of as
many parameters (embedding 32, dropout 0.2 before the head): real tokens a second of whole training steps, on the same
batches of 128 names of like length, without clipping, torch's with torch.optim.AdamW, fused; and names a second,
decoded, of {n_names} drawn, torch's 1,000 rows together under inference_mode by softmax and multinomial. "x" is the
median of the ratios to torch.nn.GRU of the same round, with the smallest and the largest."""
HEAD = ["model", "parameters", "units", "bits per character", "under the 2-gram", "tokens/s trained", "x torch.nn.GRU",
        "names/s drawn", "x torch.nn.GRU"]  # fmt: skip


class TorchGRU:
    """A model of torch.nn.GRU that was trained on the corpus for so many steps.

    Args:
        data: the corpus.
        parameters: the most it may have.
        n_steps: how long to train.
    """

    def __init__(self, data: EncodedCorpus, parameters: int, n_steps: int) -> None:
        def make(hidden: int) -> TorchModel:
            return TorchModel(data.vocabulary.size, "gru", hidden, EMBEDDING, dropout=DROPOUT)

        self.data, self.hidden = data, solve_width(lambda hidden: count_parameters(make(hidden)), parameters)
        self.model = make(self.hidden)
        self.step = step_of(self.model, adamw(self.model, fused=True, lr=LR))
        for batch in islice(endless_batches(data.encoded["train"], BATCH), n_steps):
            self.step(batch.ids_BT.t(), batch.targets_BT.t())
        self.n_parameters = count_parameters(self.model)

    @torch.inference_mode()
    def bits_per_char(self) -> float:
        """Of the validation part."""
        encoded, nats = self.data.encoded["valid"], 0.0
        self.model.eval()
        for rows_B in evaluation_batches(encoded.lengths_N, 256, len(encoded)):
            batch = encoded.take(rows_B)
            logits, targets = self.model(batch.ids_BT.t()).flatten(0, 1), batch.targets_BT.t().flatten()
            nats += functional.cross_entropy(logits, targets, ignore_index=PAD, reduction="sum").item()
        self.model.train()
        return nats / math.log(2) / (int(encoded.chars_N.sum()) + len(encoded))

    def sampler(self) -> BareSampler:
        """Draws from it; pad and begin are ruled out."""
        with torch.no_grad():
            self.model.head.bias[:EOS] = -torch.inf
        step = torch_step(self.model.layer, self.model.embedding, self.model.head)
        return BareSampler(step, self.data.vocabulary, 2 * self.data.longest_symbols)


def measure(setting: Setting, n_steps: int, cells: list[str], tell: Callable[[str], None]) -> Section:
    """The table."""
    corpus = names()
    data, parameters, n_names = encode(corpus), setting.pick(50_000, 5_000), setting.pick(10_000, 32)
    two_gram = n_gram_on_valid(corpus, 2)
    with setting.threads(1):
        torch_gru = TorchGRU(data, parameters, n_steps)
        bits = torch_gru.bits_per_char()
        works = side_by_side(torch_gru, setting, n_names)
        measured: list[Rounds] = []
        rows = [["2-gram, counted", "", "", f"{two_gram:.3f}", *([""] * 5)]]
        with tempfile.TemporaryDirectory() as folder:
            for name in cells:
                tell(name)
                asked = {"model": name} if name == "ngram" else {"cell": name, "params": parameters, "steps": n_steps}
                run = seqgen.train("names", out=Path(folder) / name, **asked)
                measured.append(interleave(works | our_works(run, data, setting, n_names), setting.rounds))
                rows.append(row(name, run, measured[-1], two_gram))
    told = [
        number(statistics.median(rate for rounds in measured for rate in rounds.rates(f"torch {unit}", unit)))
        for unit in ("tokens", "names")
    ]
    under = "yes" if bits < two_gram else "no"
    rows.insert(1, ["torch.nn.GRU", f"{torch_gru.n_parameters:,}", str(torch_gru.hidden), f"{bits:.3f}", under,
                    told[0], "1", told[1], "1"])  # fmt: skip
    caption = CAPTION.format(params=f"{parameters:,}", steps=f"{n_steps:,}", n_names=f"{n_names:,}")
    return Section("cells", "every cell at equal parameters", caption, [table(HEAD, rows)])


def side_by_side(torch_gru: TorchGRU, setting: Setting, n_names: int) -> dict[str, Work]:
    """What torch's model does in every round."""
    sampler = torch_gru.sampler()

    def draw() -> dict[str, float]:
        return {"names": len(sampler.draw(n_names, 1000))}

    step = torch_gru.step
    train = steps(
        lambda batch: step(batch.ids_BT.t(), batch.targets_BT.t()), fixed_batches(torch_gru.data), n_of(setting)
    )
    return {"torch tokens": train, "torch names": draw}


def our_works(run: seqgen.Run, data: EncodedCorpus, setting: Setting, n_names: int) -> dict[str, Work]:
    """What ours does in every round: training goes on with weights of its own."""
    learner = learner_of(build_model(run.plugins, run.settings), data, engine=run.settings.engine.name)

    def draw() -> dict[str, float]:
        return {"names": len(run.sample(n_names))}

    return {"our tokens": steps(learner.take, fixed_batches(data), n_of(setting), ours=True), "our names": draw}


def fixed_batches(data: EncodedCorpus) -> Any:
    """The same few batches again and again."""
    return cycle(islice(endless_batches(data.encoded["train"], BATCH), 60))


def n_of(setting: Setting) -> int:
    """Training steps of a round."""
    return setting.pick(30, 1)


def row(name: str, run: seqgen.Run, rounds: Rounds, two_gram: float) -> list[str]:
    """The row of a cell."""
    bits = run.metrics[-1]["valid_bits_per_char"]
    told = []
    for unit in ("tokens", "names"):
        ratios = rounds.ratios(f"our {unit}", f"torch {unit}", unit)
        spread = f"{number(statistics.median(ratios))} ({number(min(ratios))}-{number(max(ratios))})"
        told += [number(statistics.median(rounds.rates(f"our {unit}", unit))), spread]
    units = str(run.settings.model.options.get("hidden", ""))
    under = "yes" if bits < two_gram else "no"
    return [name, f"{run.settings.n_parameters:,}", units, f"{bits:.3f}", under, *told]


def n_gram_on_valid(corpus: Corpus, order: int) -> float:
    """Bits per character of counts, of the validation part."""
    splitter = Splitter()
    records = list(corpus)
    train, valid = ([r.text for r in records if splitter.part(r) == part] for part in ("train", "valid"))
    return n_gram_bits(train, valid, order)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", help="which, by name, with commas between them; ngram is the model; left out: all")
    parser.add_argument("--steps", type=int, default=1000, help="how long each cell is trained")
    parser.add_argument("--rounds", type=int, default=5, help="how often speed is timed")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    given = parser.parse_args()
    setting = Setting(2 if given.quick else given.rounds, given.quick)
    n_steps = setting.pick(given.steps, 3)
    cells = given.cells.split(",") if given.cells else [*default_plugins().registry.names("cell"), "ngram"]
    section = measure(setting, n_steps, cells, lambda name: print(name, file=sys.stderr, flush=True))
    path = (Path(tempfile.mkdtemp()) if given.quick or given.cells else DOCS) / "cells.md"
    text = section.text(setting)
    store(path, HEADING, {"cells": text}, ["Choosing a cell", "cells"])
    print(text)
    print(f"kept in {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
