"""Choices of the default recipe: the loss that the network learns from, averaged weights, and weight decay.

    python benchmarks/recipe_choices.py [--corpora a,b] [--seeds N] [--work DIR]

Each run has the default settings and ends at the step at which the default run ended; one thing differs:

- "sum": the network learns from the loss of g p_network + (1 - g) p_ngram, where g follows the mean share that the
  network has in it (expectation maximization). "product": from that of p_network p_ngram^(1/2) / Z. While training, the
  counts of a record are those of all folds of records but its own (FOLDS), so that they do not know it.
- "averaged 0.99", "averaged 0.999": evaluations, checkpoints and samples have an exponential average of the weights,
  which decays by this factor a step, and faster in the first steps: by (1 + n) / (10 + n) if that is less.
- "decay 0", "decay 0.1": of the weights; 0.01 is the default.

All else is as in a default run: the gates of the mixture are fitted to the held-out part, the best step is the one that
predicts it best, blended or not. Bits per character are of the test part; differences from the default are paired by
seed, with a 95% interval of Student's t. Whether a choice would have been made is seen on the held-out part, whose
differences are shown beside. With --work, finished runs are kept there and not trained again. The tables are stored in
benchmarks/results/recipe_choices.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import shutil
import statistics
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from report import mean_text, table, write_page
from seqgen.batches import Batch, Encoded
from seqgen.counting import Blend, count_records
from seqgen.counting.records import records_of_part
from seqgen.tokenizers import PAD
from seqgen.training import manual_backward, optimizer, train_step, trainer

CORPORA = {"names": "vanilla", "titles": "gru", "pokemon": "gru"}
SPLITS = {"pokemon": 10}  # seeds, each with a split of its own: its test part has 50 names
FOLDS = 8
_SAMPLES = 2000
_SHARE_PACE = 0.02  # of a step, by which g follows the mean share of the network
_POWER = 0.5  # of the counts in the product
VARIANTS = ["default", "sum", "product", "averaged 0.99", "averaged 0.999", "decay 0", "decay 0.1"]
HEAD = ["corpus", "cell", "default", *VARIANTS[1:]]


class FoldCounts:
    """Counts of all folds of the training records but one, for each.

    Args:
        network: any, for the paths through the counts.
        train: the training part.
        vocabulary: its symbols.
    """

    def __init__(self, network: nn.Module, train: Encoded, vocabulary: Any) -> None:
        folds_N = np.array([_fold(row[1:]) for row in _rows(train)])
        others = [train.copy(np.flatnonzero(folds_N != fold)) for fold in range(FOLDS)]
        graphs = [count_records(records_of_part(part, vocabulary), vocabulary) for part in others]
        self._blends = [Blend(network, graph) for graph in graphs]
        self.share = 0.5

    def log_probs(self, batch: Batch) -> Tensor:
        """Return the log probabilities of the symbols at all places of a batch, time first, (T * B, V)."""
        folds = [_fold(row[row != PAD].numpy()) for row in batch.targets_BT]
        found_TBV: Tensor | None = None
        for fold, blend in enumerate(self._blends):
            rows = torch.tensor([row for row, own in enumerate(folds) if own == fold])
            if not len(rows):
                continue
            ids_RT = batch.ids_BT[rows]
            _, node_R, position_R, _ = blend.initial_state(len(rows))
            nodes_RT, _ = blend.path(ids_RT, node_R, position_R)
            of_rows = blend.ngram_log_probs(nodes_RT.t().flatten()).view(ids_RT.shape[1], len(rows), -1)
            if found_TBV is None:
                found_TBV = of_rows.new_zeros(ids_RT.shape[1], len(folds), of_rows.shape[-1])
            found_TBV[:, rows] = of_rows
        assert found_TBV is not None
        return found_TBV.flatten(0, 1)


def _rows(part: Encoded) -> Iterator[np.ndarray]:
    for start, length in zip(part.starts_N.tolist(), part.lengths_N.tolist(), strict=True):
        yield part.flat[start : start + length]


def _fold(targets: np.ndarray) -> int:
    """Return the fold of a record, the same for equal ones."""
    return zlib.crc32(targets.astype("<i4").tobytes()) % FOLDS


@contextlib.contextmanager
def learning_from(kind: str) -> Iterator[None]:
    """Let networks learn from the loss of a mixture with counts, "sum" or "product"."""
    counts = list[FoldCounts]()
    batches = list[Batch]()
    prepare = trainer.Trainer.__post_init__
    whole_loss, own_head = manual_backward.loss_and_gradients, manual_backward._head

    def prepared(self: Any) -> None:
        prepare(self)
        counts[:] = [FoldCounts(self.model, self.encoded["train"], self.vocabulary)]

    def of_batch(model: Any, batch: Batch, *others: Any, **named: Any) -> Any:
        batches[:] = [batch]
        return whole_loss(model, batch, *others, **named)

    def head(head: nn.Linear, hidden_NH: Tensor, targets_N: Tensor, penalty_V: Tensor, n_targets: int) -> Any:
        if not counts:  # the trial step before a run
            return own_head(head, hidden_NH, targets_N, penalty_V, n_targets)
        ngram_NV = counts[0].log_probs(batches[0])
        if batches[0].at_N is not None:
            ngram_NV = ngram_NV.index_select(0, batches[0].at_N)
        logits_NV = functional.linear(hidden_NH, head.weight, head.bias) + penalty_V
        known_N = targets_N != PAD
        own_N1 = targets_N.clamp(min=0)[:, None]
        log_probs_NV = torch.log_softmax(logits_NV, -1)
        if kind == "product":
            mixed_NV = torch.log_softmax(log_probs_NV + _POWER * ngram_NV, -1)
            nats_N, scale_N = -mixed_NV.gather(1, own_N1)[:, 0], torch.ones(len(targets_N))
        else:
            mixed_NV, share = log_probs_NV, counts[0].share
            own_N, counted_N = (each.gather(1, own_N1)[:, 0] for each in (log_probs_NV, ngram_NV))
            total_N = torch.logaddexp(own_N + math.log(share), counted_N + math.log(1 - share))
            nats_N, scale_N = -total_N, (own_N + math.log(share) - total_N).exp()
            counts[0].share += _SHARE_PACE * (float(scale_N[known_N].mean()) - share)
        d_logits_NV = mixed_NV.exp()
        d_logits_NV.scatter_add_(1, own_N1, torch.full_like(own_N1, -1, dtype=d_logits_NV.dtype))
        d_logits_NV *= (scale_N * known_N / n_targets)[:, None]
        manual_backward._accumulate_product(head.weight, d_logits_NV.t(), hidden_NH)
        manual_backward._accumulate(head.bias, d_logits_NV.sum(0))
        return nats_N[known_N].sum(), d_logits_NV @ head.weight

    with (
        patch.object(trainer.Trainer, "__post_init__", prepared),
        patch.object(train_step, "loss_and_gradients", of_batch),
        patch.object(manual_backward, "_head", head),
    ):
        yield


@contextlib.contextmanager
def averaging(decay: float) -> Iterator[None]:
    """Let evaluations and checkpoints have an exponential average of the weights; such runs cannot be resumed."""
    step, evaluate = optimizer.AdamW.step, trainer.Trainer._evaluate

    def averaged_step(self: Any, number: int, lr: float, refused: Tensor | None = None) -> None:
        if not hasattr(self, "average"):
            self.average = [parameter.detach().clone() for parameter in self.named.values()]
        step(self, number, lr, refused)
        pace = 1 - min(decay, (1 + number) / (10 + number))
        torch._foreach_lerp_(self.average, [parameter.detach() for parameter in self.named.values()], pace)

    def averaged_evaluate(self: Any, reason: str, stop: Any) -> Iterator[Any]:
        descent = self._train_step.optimizer
        average = getattr(descent, "average", None)
        if average is None:
            yield from evaluate(self, reason, stop)
            return
        weights = [parameter.detach().clone() for parameter in descent.named.values()]
        _set(descent, average)
        try:
            yield from evaluate(self, reason, stop)
        finally:
            _set(descent, weights)

    with (
        patch.object(optimizer.AdamW, "step", averaged_step),
        patch.object(trainer.Trainer, "_evaluate", averaged_evaluate),
    ):
        yield


def _set(descent: Any, values: list[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(descent.named.values(), values, strict=True):
            parameter.copy_(value)


def train(corpus: str, variant: str, seed: int, out: Path, steps: int | None) -> seqgen.Run:
    """Train a variant of the default run."""
    options: dict[str, Any] = {"train.split_seed": seed if corpus in SPLITS else 0}
    kind, _, value = variant.partition(" ")
    if kind == "decay":
        options["train.weight_decay"] = float(value)
    changed: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if kind in ("sum", "product"):
        changed = learning_from(kind)
    elif kind == "averaged":
        changed = averaging(float(value))
    limits = {} if steps is None else {"steps": steps}
    with changed:
        return seqgen.train(corpus, cell=CORPORA[corpus], seed=seed, out=out, options=options, progress=False, **limits)


def measure(corpus: str, variant: str, seed: int, folder: Path, steps: int | None) -> dict[str, float]:
    """Train and evaluate, or return the figures of the finished run."""
    out = folder / f"{corpus}-{seed}-{variant.replace(' ', '-')}"
    known = out.with_name(f"{out.name}.json")
    if not known.exists():
        shutil.rmtree(out, ignore_errors=True)  # a run that was killed
        run = train(corpus, variant, seed, out, steps)
        figures = run.evaluate(_SAMPLES)
        alone = figures.get("test_network_bits_per_char", figures["test_bits_per_char"])
        found = {
            "test": figures["test_bits_per_char"],
            "valid": figures["validation_bits_per_char"],
            "network": alone,
            "copies": figures["copies"],
            "step": seqgen.load(out, checkpoint="latest").state["step"],
        }
        known.write_text(json.dumps(found), encoding="utf-8")
    return dict(json.loads(known.read_text(encoding="utf-8")))


def rows(corpus: str, seeds: int, folder: Path) -> dict[str, list[str]]:
    """Return a row of a corpus for each table."""
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
    for seed in range(SPLITS.get(corpus, seeds)):
        steps = None
        for variant in VARIANTS:
            found[variant].append(measure(corpus, variant, seed, folder, steps))
            steps = int(found["default"][-1]["step"])

    def mean(variant: str, name: str) -> float:
        return statistics.mean(run[name] for run in found[variant])

    def differences(name: str) -> list[str]:
        pairs = {variant: zip(found[variant], found["default"], strict=True) for variant in VARIANTS[1:]}
        return [mean_text([run[name] - other[name] for run, other in both], "+.3f") for both in pairs.values()]

    begin = [corpus, CORPORA[corpus]]
    tables = {
        name: [*begin, f"{mean('default', name):.3f}", *differences(name)] for name in ("test", "valid", "network")
    }
    return tables | {"copies": [*begin, *(f"{mean(variant, 'copies'):.1%}" for variant in VARIANTS)]}


def main() -> None:
    """Measure, print and store the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default=",".join(CORPORA))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder of finished runs")
    given = parser.parse_args()
    tables: dict[str, list[list[str]]] = {"test": [], "valid": [], "network": [], "copies": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for corpus in given.corpora.split(","):
            for name, row in rows(corpus, given.seeds, folder).items():
                print(name, " | ".join(row), flush=True)
                tables[name].append(row)
    titles = {
        "test": "Bits per character of the test part, and the differences from the default:",
        "valid": "The same of the held-out part:",
        "network": "The same of the test part by the network alone:",
        "copies": f"Share of {_SAMPLES:,} samples that are training records:",
    }
    caption = f"Written by `python benchmarks/recipe_choices.py --seeds {given.seeds}`, which says how."
    blocks = [text for name, title in titles.items() for text in (title, table(HEAD, tables[name]))]
    write_page("recipe_choices", "Choices of the default recipe", caption, given.seeds, *blocks)


if __name__ == "__main__":
    main()
