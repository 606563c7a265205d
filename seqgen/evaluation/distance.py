"""How far the lengths and the characters of some texts are from those of others.

Dimension letters: V characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_DRAWS = 20  # of training records, whose distances are averaged


def symbol_distance(texts: Sequence[str], others: Sequence[str]) -> float:
    """Total variation of the characters, sum |p - q| / 2: 0 for the same shares, 1 for no character in common."""
    n_codes = 1 + max((ord(max(text)) for text in (*texts, *others) if text), default=0)
    p_V, q_V = (_shares(some, n_codes) for some in (texts, others))
    return float(np.abs(p_V - q_V).sum() / 2)


def length_distance(texts: Sequence[str], others: Sequence[str]) -> float:
    """The 1-Wasserstein distance of the lengths, in characters: by how many characters texts must grow or shrink.

    In one dimension it is the area between the distribution functions (Vallender 1974, doi:10.1137/1118101).
    """
    lengths = [np.fromiter(map(len, some), np.int64, len(some)) for some in (texts, others)]
    longest = max(int(some.max()) for some in lengths)
    below = [np.cumsum(np.bincount(some, minlength=longest + 1)) / len(some) for some in lengths]
    return float(np.abs(below[0] - below[1]).sum())


def distances(
    texts: Sequence[str], held_out: Sequence[str], training: Sequence[str], *, seed: int = 0, lengths: bool = True
) -> dict[str, float]:
    """Both distances of samples from held-out records, and what training records score by chance.

    Args:
        texts: the samples, at least one.
        held_out: held-out records, at least one.
        training: training records, of which as many as there are samples are drawn 20 times.
        seed: of these draws.
        lengths: whether lengths mean anything; those of pieces of one long text do not.

    Returns:
        ``symbol_distance`` (a share) and ``length_distance_chars``, and both with ``_chance`` after them: the mean over
        the draws.
    """
    random = np.random.default_rng(seed)
    n = min(len(texts), len(training))
    draws = [[training[at] for at in random.choice(len(training), n, replace=False)] for _ in range(_DRAWS)]
    figures = {
        "symbol_distance": symbol_distance(texts, held_out),
        "symbol_distance_chance": float(np.mean([symbol_distance(draw, held_out) for draw in draws])),
    }
    if lengths:
        figures["length_distance_chars"] = length_distance(texts, held_out)
        figures["length_distance_chars_chance"] = float(np.mean([length_distance(draw, held_out) for draw in draws]))
    return figures


def _shares(texts: Sequence[str], n_codes: int) -> Floats:
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    shares_V: Floats = np.bincount(codes, minlength=n_codes) / max(1, len(codes))
    return shares_V
