"""The Fréchet ChemNet distance (arXiv:1803.09518), by the network that the package fcd carries."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_LENGTH = 350  # symbols that ChemNet reads
_TOGETHER = 128
_FEWEST = 1000  # molecules: the covariance of 512 figures of fewer says little
Moments = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def available() -> bool:
    """Whether fcd is installed."""
    try:
        import fcd  # noqa: F401
    except ImportError:
        return False
    return True


def distance(samples: Sequence[str], reference: Sequence[str]) -> float | None:
    """The distance of two sets of canonical SMILES; None if one has fewer than 1,000 that ChemNet can read."""
    moments = [_moments([text for text in texts if len(text) < _LENGTH]) for texts in (samples, reference)]
    return None if moments[0] is None or moments[1] is None else frechet(moments[0], moments[1])


def _moments(texts: Sequence[str]) -> Moments | None:
    """Mean and covariance of the network's last layer but one."""
    import torch
    from fcd import load_ref_model
    from fcd.utils import get_one_hot

    if len(texts) < _FEWEST:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the clearing of a folder to chance
        network = load_ref_model()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), _TOGETHER):
            marked = np.stack([get_one_hot(text, _LENGTH) for text in texts[start : start + _TOGETHER]])
            scaled = torch.from_numpy(marked / marked.shape[-1]).float()
            # A copy: what the network gives is a view of all its steps, which would stay in memory with it.
            rows.append(network(scaled.transpose(1, 2)).numpy().copy())
    activations = np.concatenate(rows).astype(np.float64)
    return activations.mean(0), np.cov(activations, rowvar=False)


def frechet(first: Moments, second: Moments) -> float:
    """The Fréchet distance of two normal distributions, each a mean and a covariance.

    The trace of the root of a product of covariances is taken from the eigenvalues of a symmetric matrix that has the
    same, which stays real where the product is singular.
    """
    (mean, covariance), (other_mean, other) = first, second
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    both = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return float(((mean - other_mean) ** 2).sum() + np.trace(covariance) + np.trace(other) - 2 * both)
