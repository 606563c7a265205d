"""The mixture of a blend: a product of powers of two predictions, with exponents that depend on what both know.

    p(s) = p_network(s)^a p_ngram(s)^b / Z,   a = 1/2 + u . x,   b = 1/2 + v . x,   both limited to [0, 2]

x holds, for each context length, the logarithm of its count and the share of the probability that it does not leave to
shorter contexts; the entropies of both distributions; the network's largest log probability; the logarithm of the
position; and a constant. The weights u and v are fitted to held-out symbols, never to training symbols: there the
network repeats what it has learned by heart, and a gate would learn to trust it too far. The prior draws the
constants towards 0 as strongly as some dozen symbols do, and the other weights as some hundred, so that a few records
can choose how far to trust either, and many where.

A symbol that one of both considers impossible is improbable in the product, unlike in a weighted sum, and the loss of
every corpus that was measured is lower than that of a sum. Counts see no syntax: samples of a sum break it often, those
of a product less often, but with fitted exponents still more often than those of the network. Sharp exponents leave the
network its say: a is 0.9, and only v is fitted, under a prior ten times as strong, so that b differs little between
symbols. Its mean is 0.1 to 0.9, so that the mean of a + b is 1 or more, which makes the product sharper than both, as a
lower temperature does. Samples of trained networks break a syntax less often than without counts, and the loss is
between that of the network and that of fitted exponents.

In code, names may be anything, and most of what fitted exponents save is saved on their letters. There the product may
have two levels: with W the letters, digits and underscores,

    p(s) = p_sharp(s) if s is not in W,   p(s) = p_sharp(W) p_fitted(s) / p_fitted(W) if it is,

where p_sharp is a product with sharp exponents, of which the network's is 1, and p_fitted one with exponents that are
fitted to symbols of W.

Source: Klakow 1998, Log-linear interpolation of language models, ICSLP, equation 2; there with constant exponents.
Exponents that depend on the contexts' counts are as in the mixing of Mahoney 2005, Adaptive weighing of context models
for lossless data compression.

Dimension letters: N symbols, F features, V ids that can be predicted, K context lengths, R nodes; E exponents:
of the network and the counts, and then those among the symbols of words, if they have their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqgen.counting.graph import Graph
from seqgen.counting.kneser_ney import MAX_ORDER

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Floats, Integers


N_LENGTHS = MAX_ORDER - 1
N_FEATURES = 2 * N_LENGTHS + 5
"""F: two for each context length, both entropies, the largest log probability, the position and the constant."""
N_WEIGHTS = 2 * N_FEATURES
"""The weights of a gate: u, then v."""
_FORMER_LENGTHS = 7  # of contexts, in runs of older versions
GATE_SIZES = N_WEIGHTS, 2 * N_WEIGHTS, 2 * (2 * _FORMER_LENGTHS + 5)
"""The numbers of weights that a run may have."""
NEUTRAL = [0.0] * N_WEIGHTS
"""The weights of a gate that nothing is known of: both exponents are a half."""
EVEN, LARGEST = 0.5, 2.0
"""The exponent of weights of 0, and the largest one."""


def _constant(*exponents_E: float) -> list[float]:
    """Return the weights of a gate whose exponents are the same everywhere."""
    return [weight for exponent in exponents_E for weight in (*[0.0] * (N_FEATURES - 1), exponent - EVEN)]


SHARP = _constant(0.9, 0.2)
"""The weights of a gate for texts with a syntax before anything is fitted."""
WORDS = _constant(1.0, 0.2, EVEN, EVEN)
"""Those of one that has exponents of its own for the symbols of words."""
INITIAL_GATES = {"fitted": NEUTRAL, "sharp": SHARP, "words": WORDS}
"""The weights before anything is fitted, by the setting ``exponents``."""
FLOOR = float(np.log(np.finfo(np.float32).tiny))
"""The log probability of whatever is less likely."""


def as_gate(weights: npt.ArrayLike) -> Floats:
    """Return u and v (E, F) from all in a row; runs of older versions have none for contexts of eight symbols or more.

    Args:
        weights: as many as one of ``GATE_SIZES``.

    Raises:
        ValueError: these are more or fewer.
    """
    known: Floats = np.asarray(weights, dtype=np.float64)
    if known.size not in GATE_SIZES:
        raise ValueError(f"a gate has {N_WEIGHTS} or {2 * N_WEIGHTS} weights, not {known.size}")
    if known.size % N_WEIGHTS == 0:
        return known.reshape(-1, N_FEATURES)
    lengths = np.arange(_FORMER_LENGTHS)
    rest = np.arange(2 * N_LENGTHS, N_FEATURES)
    found = np.zeros((2, N_FEATURES))
    found[:, np.concatenate((lengths, N_LENGTHS + lengths, rest))] = known.reshape(2, -1)
    return found


def node_features(graph: Graph, node_N: Integers) -> Floats:
    """Return the features of nodes: counts and shares by context length, then the entropy, (N, 2 K + 1) float32."""
    found_NF = np.zeros((len(node_N), 2 * N_LENGTHS + 1), dtype=np.float32)
    found_NF[:, -1] = graph.entropy_R[node_N]
    at_N, rows_N = node_N, np.arange(len(node_N))
    while len(at_N):
        length_N = graph.length_R[at_N].astype(np.int64)
        deep = length_N > 0
        at_N, rows_N, length_N = at_N[deep], rows_N[deep], length_N[deep]
        found_NF[rows_N, length_N - 1] = np.log1p(graph.total_R[at_N])
        found_NF[rows_N, N_LENGTHS + length_N - 1] = 1 - graph.mass_R[at_N]
        at_N = graph.shorter_R[at_N]
    return found_NF


def node_exponents(graph: Graph, weights_EF: Floats) -> Floats:
    """Return the part of the exponents that belongs to each node, the constant included, (R, E) float32."""
    found_RE = np.zeros((graph.n_nodes, len(weights_EF)))
    for length in range(1, graph.order):
        level = graph.level(length)
        own_RE = np.log1p(graph.total_R[level], dtype=np.float64)[:, None] * weights_EF[:, length - 1]
        own_RE += (1 - graph.mass_R[level].astype(np.float64))[:, None] * weights_EF[:, N_LENGTHS + length - 1]
        found_RE[level] = found_RE[graph.shorter_R[level]] + own_RE
    found_RE += graph.entropy_R.astype(np.float64)[:, None] * weights_EF[:, 2 * N_LENGTHS] + weights_EF[:, -1] + EVEN
    return found_RE.astype(np.float32)


def exponents(features_NF: Floats, weights_NEF: Floats) -> Tensor:
    """Return the exponents of each symbol, (N, E) float32."""
    found_NE = np.einsum("nf,nef->ne", features_NF.astype(np.float64), weights_NEF) + EVEN
    return torch.from_numpy(found_NE.clip(0, LARGEST).astype(np.float32))


def mix(
    network_NV: Tensor,
    ngram_NV: Tensor,
    exponents_NE: Tensor,
    penalty_V: Tensor | None = None,
    word_V: Tensor | None = None,
) -> Tensor:
    """Return the log probabilities of the mixture, (N, V).

    Args:
        network_NV: log probabilities by the network, at least ``FLOOR``.
        ngram_NV: those by the counts.
        exponents_NE: a and b, and then those among the symbols of words, if there are some.
        penalty_V: minus infinity for ids that cannot be predicted, else 0.
        word_V: True for the symbols of words, which can be predicted; only if they have exponents of their own.
    """
    product_NV = exponents_NE[:, :1] * network_NV + exponents_NE[:, 1:2] * ngram_NV
    mixed_NV = torch.log_softmax(product_NV if penalty_V is None else product_NV + penalty_V, -1)
    if word_V is None:
        return mixed_NV
    product_NV = exponents_NE[:, 2:3] * network_NV + exponents_NE[:, 3:] * ngram_NV
    among_words_NV = torch.log_softmax(product_NV.masked_fill(~word_V, -torch.inf), -1)
    all_words_N1 = mixed_NV.masked_fill(~word_V, -torch.inf).logsumexp(-1, keepdim=True)
    return torch.where(word_V, all_words_N1 + among_words_NV, mixed_NV)
