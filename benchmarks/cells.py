"""Every registered cell with equal parameters: training and sampling speed beside the bits of bench_cells.py.

    python benchmarks/cells.py [--cells NAME,NAME] [--steps N] [--rounds N] [--quick]

The table is printed and stored in docs/cells.md. --quick uses tiny sizes, as a smoke test; its table, and a table of
some cells only, is stored in a temporary folder.
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

import bench_cells
import seqgen
from bench_cells import bits_of_test
from fixtures import encode, endless_batches, make_learner, names, steps
from quality import n_gram_bits
from report import Section, number, store, table
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.api.factories import build_model
from seqgen.api.run_metadata import solve_width
from seqgen.batches import evaluation_batches
from seqgen.corpus import Corpus, Splitter
from seqgen.evaluation import count_bits_per_char
from seqgen.model import count_parameters
from seqgen.tokenizers import EOS, PAD
from timing import Rounds, Setting, Work, interleave
from torch_baselines import TorchModel, adamw, make_step
from torch_sampling import TorchSampler, torch_step

DOCS = Path(__file__).parent.parent / "docs"
BATCH, EMBEDDING, DROPOUT, LR = 128, 32, 0.2, 3e-3
HEADING = """# Cells

The table at the end is written by `python benchmarks/cells.py`.
"""
CAPTION = """Every cell in the default model with one layer (the n-gram is its own model) on the corpus `names`, the
width chosen so that the model has at most {params} parameters. Bits per character are those of the test part, the end
symbol counted as a character: of the cells after 1,000 steps at their recommended rates, means of three seeds, from
[cells at a common and at the recommended rate](../benchmarks/results/bench_cells.md), which has their intervals; of
the n-gram after one pass and of torch.nn.GRU after {steps} steps at a rate of 0.003, one seed. "Under the best count"
is how many fewer these are than those of the best baseline. The baselines at the top count the training part: n-grams
with Kneser-Ney smoothing and one discount an order, modified Kneser-Ney of the best order n, and the compressors PPMd
and xz. Then, on 1 thread, side by side with a model of torch.nn.GRU with as many parameters (embedding 32, dropout 0.2
before the head): real tokens per second of whole training steps, on the same batches of 128 names of similar length,
without clipping, torch's with fused torch.optim.AdamW; and names per second, decoded, sampling {n_names}, torch's 1,000
rows at a time under inference_mode by softmax and multinomial. "x" is the median ratio to torch.nn.GRU in the same
round, with the smallest and the largest."""
HEAD = ["model", "parameters", "units", "bits per character", "under the best count", "tokens/s trained",
        "x torch.nn.GRU", "names/s sampled", "x torch.nn.GRU"]  # fmt: skip


class TorchGRU:
    """A model of torch.nn.GRU, trained on the corpus.

    Args:
        data: the encoded corpus.
        parameters: maximum number of parameters.
        n_steps: training steps.
    """

    def __init__(self, data: EncodedCorpus, parameters: int, n_steps: int) -> None:
        def make(hidden: int) -> TorchModel:
            return TorchModel(data.vocabulary.size, "gru", hidden, EMBEDDING, dropout=DROPOUT)

        self.data, self.hidden = data, solve_width(lambda hidden: count_parameters(make(hidden)), parameters)
        self.model = make(self.hidden)
        self.step = make_step(self.model, adamw(self.model, fused=True, lr=LR))
        for batch in islice(endless_batches(data.encoded["train"], BATCH), n_steps):
            self.step(batch.ids_BT.t(), batch.targets_BT.t())
        self.n_parameters = count_parameters(self.model)

    @torch.inference_mode()
    def bits_per_char(self) -> float:
        """Return the bits per character of the test part."""
        encoded, nats = self.data.encoded["test"], 0.0
        self.model.eval()
        for rows_B in evaluation_batches(encoded.lengths_N, len(encoded)):
            batch = encoded.take(rows_B)
            logits, targets = self.model(batch.ids_BT.t()).flatten(0, 1), batch.targets_BT.t().flatten()
            nats += functional.cross_entropy(logits, targets, ignore_index=PAD, reduction="sum").item()
        self.model.train()
        return nats / math.log(2) / (int(encoded.chars_N.sum()) + len(encoded))

    def sampler(self) -> TorchSampler:
        """Return a sampler that never samples padding or the start symbol."""
        with torch.no_grad():
            self.model.head.bias[:EOS] = -torch.inf
        step = torch_step(self.model.layer, self.model.embedding, self.model.head)
        return TorchSampler(step, self.data.vocabulary, 2 * self.data.longest_symbols)


def measure(setting: Setting, n_steps: int, cells: list[str], report: Callable[[str], None]) -> Section:
    """Return the section; ``report`` is called with each cell's name."""
    corpus = names()
    data, parameters, n_names = encode(corpus), setting.pick(50_000, 5_000), setting.pick(10_000, 32)
    counts, cell_bits = counts_on_test(corpus), bench_cells.measured()
    best = min(counts.values())
    with setting.threads(1):
        torch_gru = TorchGRU(data, parameters, n_steps)
        bits = torch_gru.bits_per_char()
        works = torch_works(torch_gru, setting, n_names)
        measured: list[Rounds] = []
        rows = [[count, "", "", f"{bits_of:.3f}", *([""] * 5)] for count, bits_of in counts.items()]
        with tempfile.TemporaryDirectory() as folder:
            for name in cells:
                report(name)
                options = {"model": name} if name == "ngram" else {"cell": name, "params": parameters, "steps": n_steps}
                run = seqgen.train("names", out=Path(folder) / name, blend="none", **options)
                measured.append(interleave(works | seqgen_works(run, data, setting, n_names), setting.rounds))
                bits_of_run = cell_bits.get(name) or bits_of_test(run, [record.text for record in run.records("test")])
                rows.append(row(name, run, bits_of_run, measured[-1], best))
    torch_rates = [
        number(statistics.median(rate for rounds in measured for rate in rounds.rates(f"torch {unit}", unit)))
        for unit in ("tokens", "names")
    ]
    rows.insert(len(counts), ["torch.nn.GRU", f"{torch_gru.n_parameters:,}", str(torch_gru.hidden), f"{bits:.3f}",
                              f"{best - bits:+.3f}", torch_rates[0], "1", torch_rates[1], "1"])  # fmt: skip
    caption = CAPTION.format(params=f"{parameters:,}", steps=f"{n_steps:,}", n_names=f"{n_names:,}")
    return Section("cells", "every cell with equal parameters", caption, [table(HEAD, rows)])


def torch_works(torch_gru: TorchGRU, setting: Setting, n_names: int) -> dict[str, Work]:
    """Return the work of torch's model in each round."""
    sampler = torch_gru.sampler()

    def sample() -> dict[str, float]:
        return {"names": len(sampler.sample(n_names, 1000))}

    step = torch_gru.step
    train = steps(
        lambda batch: step(batch.ids_BT.t(), batch.targets_BT.t()),
        fixed_batches(torch_gru.data),
        steps_per_round(setting),
    )
    return {"torch tokens": train, "torch names": sample}


def seqgen_works(run: seqgen.Run, data: EncodedCorpus, setting: Setting, n_names: int) -> dict[str, Work]:
    """Return the work of seqgen's model in each round; training uses fresh weights."""
    learner = make_learner(build_model(run.plugins, run.settings), data, engine=run.settings.engine.name)

    def sample() -> dict[str, float]:
        return {"names": len(run.sample(n_names))}

    return {
        "our tokens": steps(learner.take, fixed_batches(data), steps_per_round(setting), ours=True),
        "our names": sample,
    }


def fixed_batches(data: EncodedCorpus) -> Any:
    """Cycle over the first 60 batches."""
    return cycle(islice(endless_batches(data.encoded["train"], BATCH), 60))


def steps_per_round(setting: Setting) -> int:
    """Return the training steps per round."""
    return setting.pick(30, 1)


def row(name: str, run: seqgen.Run, bits: float, rounds: Rounds, best: float) -> list[str]:
    """Return the row of a cell."""
    speeds = []
    for unit in ("tokens", "names"):
        ratios = rounds.ratios(f"our {unit}", f"torch {unit}", unit)
        spread = f"{number(statistics.median(ratios))} ({number(min(ratios))}-{number(max(ratios))})"
        speeds += [number(statistics.median(rounds.rates(f"our {unit}", unit))), spread]
    units = str(run.settings.model.options.get("hidden", ""))
    return [name, f"{run.settings.n_parameters:,}", units, f"{bits:.3f}", f"{best - bits:+.3f}", *speeds]


def counts_on_test(corpus: Corpus) -> dict[str, float]:
    """Return the bits per character of the test part by the name of a baseline."""
    splitter = Splitter()
    records = list(corpus)
    train, test = ([r.text for r in records if splitter.part(r) == part] for part in ("train", "test"))
    alphabet = {character for record in records for character in record.text}
    return {"2-gram": n_gram_bits(train, test, 2)} | count_bits_per_char(train, test, alphabet)


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", help="cells, comma-separated; ngram is the model; left out: all")
    parser.add_argument("--steps", type=int, default=1000, help="training steps of each cell")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of timing")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, as a smoke test")
    args = parser.parse_args()
    setting = Setting(2 if args.quick else args.rounds, args.quick)
    n_steps = setting.pick(args.steps, 3)
    cells = args.cells.split(",") if args.cells else [*bench_cells.cells_alone(), "ngram"]
    section = measure(setting, n_steps, cells, lambda name: print(name, file=sys.stderr, flush=True))
    path = (Path(tempfile.mkdtemp()) if args.quick or args.cells else DOCS) / "cells.md"
    text = section.text(setting)
    store(path, HEADING, {"cells": text}, ["Choosing a cell", "cells"])
    print(text)
    print(f"stored in {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
