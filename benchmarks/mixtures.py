"""A product and a sum of the predictions of network and counts, for the same weights of both.

    python benchmarks/mixtures.py [--corpora a,b] [--seeds N] [--time S] [--work DIR] [--finished]

Each run is trained with the default settings and ``--blend ngram``, without what records repeat. Then its network and
its counts are mixed in two ways, each with a gate that sees the same features and is fitted to the same held-out
symbols: the product p_network^a p_ngram^b / Z, as ``seqgen.counting.log_linear`` has it, and the sum
g p_network + (1 - g) p_ngram with a logistic function for g. The probability of training records is not lowered in
either. Bits per character are of the test part; the difference is a mean over the seeds with a 95% interval of
Student's t. Valid are shares of 2,000 samples by network, sum and product. With --work, figures are kept there and not
measured again; with --finished no others are. The table is stored in benchmarks/results/mixtures.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import seqgen
from finished import Finished
from report import mean_text, table, write_page
from seqgen.counting import Blend, Observed, blend_of, cross_fit, cross_fitted, entropy
from seqgen.counting.log_linear import node_features
from seqgen.evaluation import penalty, record_losses
from seqgen.measure import read_corpus
from seqgen.training.observer import Observer

CORPORA = {"names": "vanilla", "titles": "gru", "pokemon": "gru", "smiles": "gru", "tunes": "gru", "python": "gru"}
_SAMPLES, _ALL = 2000, 1 << 30
HEADERS = ["corpus", "cell", "network", "counts", "sum", "product", "product - sum", "valid"]


class Sum(Blend):
    """A blend as a weighted sum."""

    def set_share(self, weights_F: npt.NDArray[np.floating[Any]]) -> None:
        """Set the weights of the gate."""
        features_RF = node_features(self.graph, np.arange(self.graph.n_nodes))
        scores_R = features_RF @ weights_F[:-4] + weights_F[-1]
        self.register_buffer("scores_R", torch.from_numpy(scores_R.astype(np.float32)), persistent=False)
        self._of_network = weights_F[-4:-1].tolist()

    def _mixed(self, logits_NV: Tensor, node_N: Tensor, position_N: Tensor) -> Tensor:
        log_probs_NV = torch.log_softmax(logits_NV + self.penalty_V, -1)
        of_entropy, of_largest, of_position = self._of_network
        score_N = self.get_buffer("scores_R")[node_N] + of_entropy * entropy(log_probs_NV, log_probs_NV.exp())
        score_N = score_N + of_largest * log_probs_NV.amax(-1) + of_position * torch.log1p(position_N.float())
        share_N1 = torch.sigmoid(score_N)[:, None]
        return torch.lerp(self.ngram_probs(node_N), log_probs_NV.exp(), share_N1).clamp(min=1e-38).log()


def measure(corpus: str, cell: str, seed: int, time_s: float | None) -> dict[str, float]:
    """Train and evaluate."""
    limits = {} if time_s is None else {"time": f"{time_s}s"}
    with tempfile.TemporaryDirectory() as place:
        run = seqgen.train(
            corpus, cell=cell, seed=seed, out=Path(place) / "run", blend="ngram", repeats="none",
            options={"train.samples": 0, "split_seed": seed if corpus == "pokemon" else 0}, **limits,
        )  # fmt: skip
        parts, penalty_V = read_corpus(run).encoded, penalty(run.vocabulary)
        blend = blend_of(run.model)
        assert blend is not None
        sample = Observer(blend, parts["valid"], penalty_V).sample(_ALL, lambda: None)
        blend.set_gate(cross_fit(sample).weights_G2F[0])
        own = [of_NV.gather(1, sample.target_N[:, None])[:, 0] for of_NV in (sample.network_NV, sample.ngram_NV)]
        observed = Observed(own[0].double().numpy(), own[1].double().numpy(), sample.features_NF, sample.record_N)
        total = Sum(blend.network, blend.graph).eval()
        total.set_share(cross_fitted(observed)[0])
        counts = total.__class__(blend.network, blend.graph).eval()
        counts.set_share(np.eye(sample.features_NF.shape[1])[-1] * -50)
        found = {}
        for name, model in {"network": blend.network, "counts": counts, "sum": total, "product": blend}.items():
            found[name] = record_losses(model, parts["test"], run.vocabulary, penalty_V).bits_per_char
            if run.validator_here is not None and name != "counts":
                sampled = seqgen.load(run.path)
                sampled.__dict__["_loaded"] = (model, run.state)
                rows = sampled.sample(_SAMPLES, seed=1)
                found[f"valid {name}"] = sum(run.verdict(row.text).ok for row in rows) / _SAMPLES
    return found


def row(corpus: str, runs: list[dict[str, float]]) -> list[str]:
    """Return the row of a corpus."""

    def mean(name: str) -> float:
        return statistics.mean(run[name] for run in runs)

    losses = [f"{mean(name):.3f}" for name in ("network", "counts", "sum", "product")]
    differences = [run["product"] - run["sum"] for run in runs]
    kinds = [f"valid {name}" for name in ("network", "sum", "product")]
    valid = " / ".join(f"{mean(name):.1%}" for name in kinds) if kinds[0] in runs[0] else ""
    return [corpus, CORPORA[corpus], *losses, mean_text(differences, "+.3f"), valid]


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default=",".join(CORPORA))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--time", type=float, help="seconds of training; the default time of each corpus if not given")
    parser.add_argument("--work", type=Path, help="folder in which figures are kept")
    parser.add_argument("--finished", action="store_true", help="only the finished runs: train nothing")
    given = parser.parse_args()
    finished = Finished(given.work and given.work / "mixtures.jsonl")
    rows = []
    for corpus in given.corpora.split(","):
        keys = [(corpus, CORPORA[corpus], seed, given.time) for seed in range(given.seeds)]
        if given.finished and keys[-1] not in finished.figures:
            continue
        rows.append(row(corpus, [finished.of(measure, *key) for key in keys]))
        print(" | ".join(rows[-1]), flush=True)
    limit = "the default time of each corpus" if given.time is None else f"{given.time:g} s of training each"
    caption = (
        f"Written by `python benchmarks/mixtures.py --seeds {given.seeds}`, which says how: bits per character of the\n"
        f"test part, after {limit}; valid samples by the network, the sum and the product. Other programs used a core."
    )
    write_page("mixtures", "A product and a sum of network and counts", caption, given.seeds, table(HEADERS, rows))


if __name__ == "__main__":
    main()
