"""Distances between the character and length distributions of texts.

Dimension letters: V characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from seqgen.protocols import Floats


_N_SUBSETS = 20  # of training records, over which distances are averaged


def symbol_distance(texts: Sequence[str], others: Sequence[str]) -> float:
    """Return the total variation distance of character frequencies, sum |p - q| / 2: 0 if equal, 1 if disjoint."""
    n_codes = 1 + max((ord(max(text)) for text in (*texts, *others) if text), default=0)
    p_V, q_V = (_frequencies(some, n_codes) for some in (texts, others))
    return float(np.abs(p_V - q_V).sum() / 2)


def length_distance(texts: Sequence[str], others: Sequence[str]) -> float:
    """Return the 1-Wasserstein distance of the lengths, in characters.

    In one dimension it is the area between the distribution functions (Vallender 1974, doi:10.1137/1118101).
    """
    lengths = [np.fromiter(map(len, some), np.int64, len(some)) for some in (texts, others)]
    longest = max(int(some.max()) for some in lengths)
    below = [np.cumsum(np.bincount(some, minlength=longest + 1)) / len(some) for some in lengths]
    return float(np.abs(below[0] - below[1]).sum())


def distances(
    texts: Sequence[str], held_out: Sequence[str], training: Sequence[str], *, lengths: bool = True
) -> dict[str, float]:
    """Return both distances of samples from held-out records, and the chance level of training records.

    Args:
        texts: the samples, at least one.
        held_out: held-out records, at least one.
        training: training records, of which 20 random subsets as large as the samples give the chance level.
        lengths: whether lengths are meaningful; those of pieces of one long text are not.

    Returns:
        ``symbol_distance`` (0 to 1) and ``length_distance_chars``, and both with the suffix ``_chance``: the mean over
        the subsets.
    """
    random = np.random.default_rng(0)
    n = min(len(texts), len(training))
    subsets = [[training[at] for at in random.choice(len(training), n, replace=False)] for _ in range(_N_SUBSETS)]
    metrics: dict[str, float] = {}
    measures = {"symbol_distance": symbol_distance} | ({"length_distance_chars": length_distance} if lengths else {})
    for name, measure in measures.items():
        metrics[name] = measure(texts, held_out)
        metrics[f"{name}_chance"] = float(np.mean([measure(subset, held_out) for subset in subsets]))
    return metrics


def _frequencies(texts: Sequence[str], n_codes: int) -> Floats:
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    freq_V: Floats = np.bincount(codes, minlength=n_codes) / max(1, len(codes))
    return freq_V
