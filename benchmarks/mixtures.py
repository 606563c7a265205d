"""Products and sums of the predictions of network and counts, for the same weights of the network.

    python benchmarks/mixtures.py [--corpora a,b] [--seeds N] [--time S] [--work DIR] [--finished]

Each run is trained with the default settings and ``--blend ngram``, without what records repeat. Then its network and
its counts are mixed in three ways: "sum" is g p_network + (1 - g) p_ngram with a logistic function for g; "product" is
p_network^a p_ngram^b / Z with fitted exponents, as ``seqgen.counting.log_linear`` has it, both with a gate that sees
the same features and is fitted to the same held-out symbols; "sharp" is the product with sharp exponents. In these the
probability of training records is not lowered; "default" is the run as it is, where it is lowered, and where texts with
a syntax have the sharp exponents and others the fitted ones. Bits per character are of the test part; differences are
means over the seeds with a 95% interval of Student's t. Shares are of 2,000 samples; rows/s are those of sampling them.
With --work, figures are kept there and not measured again; with --finished no others are. The tables are stored in
benchmarks/results/mixtures.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import seqgen
from finished import Finished
from report import mean_text, table, write_page
from seqgen.counting import Blend, Observed, cross_fit, cross_fitted, entropy, node_features
from seqgen.evaluation import penalty, record_losses
from seqgen.measure import read_corpus
from seqgen.training.observer import Observer

CORPORA = {
    "names": "vanilla",
    "titles": "gru",
    "pokemon": "gru",
    "smiles": "gru",
    "cards": "gru",
    "tunes": "gru",
    "python": "gru",
}
_SAMPLES, _ALL = 2000, 1 << 30
MIXTURES = ["network", "counts", "sum", "product", "sharp", "default"]
SHARES = ["valid", "unique", "novel"]
LOSSES = ["corpus", "cell", *MIXTURES, "product - sum", "default - network"]


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
        default = run.model
        assert isinstance(default, Blend)
        models: dict[str, Any] = {"network": default.network, "default": default}
        sample = Observer(default, parts["valid"], penalty_V).sample(_ALL, lambda: None)
        for name, gates in {"product": cross_fit(sample), "sharp": cross_fit(sample, "sharp")}.items():
            models[name] = Blend(default.network, default.graph).eval()
            models[name].set_gate(gates.weights_GEF[0])
        own = [of_NV.gather(1, sample.target_N[:, None])[:, 0] for of_NV in (sample.network_NV, sample.ngram_NV)]
        observed = Observed(own[0].double().numpy(), own[1].double().numpy(), sample.features_NF, sample.record_N)
        only_counts = np.eye(sample.features_NF.shape[1])[-1] * -50
        for name, weights_F in {"sum": cross_fitted(observed)[0], "counts": only_counts}.items():
            models[name] = Sum(default.network, default.graph).eval()
            models[name].set_share(weights_F)
        records = {record.text for record in run.records("train")}
        found = {}
        for name, model in models.items():
            found[name] = record_losses(model, parts["test"], run.vocabulary, penalty_V).bits_per_char
            if name != "counts":
                found |= {f"{share} {name}": value for share, value in looks(run, model, records).items()}
    return found


def looks(run: seqgen.Run, model: Any, records: set[str]) -> dict[str, float]:
    """Return shares of samples of a model."""
    sampled = seqgen.load(run.path)
    sampled.__dict__["_loaded"] = (model, run.state)
    sampled.sample(1)
    started = time.perf_counter()
    texts = [row.text for row in sampled.sample(_SAMPLES, seed=1)]
    rows_s = _SAMPLES / (time.perf_counter() - started)
    valid = [text for text in texts if run.validator_here is None or run.verdict(text).ok]
    novel = sum(text not in records for text in set(valid)) / max(1, len(set(valid)))
    return {
        "valid": len(valid) / _SAMPLES, "unique": len(set(valid)) / max(1, len(valid)), "novel": novel, "rows/s": rows_s
    }  # fmt: skip


def rows(corpus: str, runs: list[dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Return the row of losses of a corpus, and those of its samples."""

    def mean(name: str) -> float:
        return statistics.mean(run[name] for run in runs)

    def gain(one: str, other: str) -> str:
        return mean_text([run[one] - run[other] for run in runs], "+.3f")

    losses = [f"{mean(name):.3f}" for name in MIXTURES]
    shares = [
        [corpus, name, *(f"{mean(f'{share} {name}'):.1%}" for share in SHARES), f"{mean(f'rows/s {name}'):,.0f}"]
        for name in MIXTURES
        if name != "counts"
    ]
    return [corpus, CORPORA[corpus], *losses, gain("product", "sum"), gain("default", "network")], shares


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
    losses, shares = [], []
    for corpus in given.corpora.split(","):
        keys = [(corpus, CORPORA[corpus], seed, given.time) for seed in range(given.seeds)]
        if given.finished and keys[-1] not in finished.figures:
            continue
        of_losses, of_shares = rows(corpus, [finished.of(measure, *key) for key in keys])
        print("\n".join(map(" | ".join, (of_losses, *of_shares))), flush=True)
        losses.append(of_losses)
        shares += of_shares
    limit = "the default time of each corpus" if given.time is None else f"{given.time:g} s of training each"
    caption = (
        f"Written by `python benchmarks/mixtures.py --seeds {given.seeds}`, which says how: bits per character of the\n"
        f"test part, after {limit}. Other programs used both cores."
    )
    body = "\n\n".join((table(LOSSES, losses), table(["corpus", "mixture", *SHARES, "rows/s"], shares)))
    write_page("mixtures", "Products and sums of network and counts", caption, given.seeds, body)


if __name__ == "__main__":
    main()
