"""The Fréchet ChemNet distance (arXiv:1803.09518), with the network in the package fcd."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

import seqgen

_LENGTH = 350  # input length of ChemNet, symbols
_BATCH_SIZE = 128
_MIN_MOLECULES = 1000  # fewer give no useful covariance of 512 activations
Moments = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def lacking_extra() -> str:
    """Return that the package fcd is not installed, or ""."""
    return "" if importlib.util.find_spec("fcd") else str(seqgen.MissingExtra("fcd", "it"))


def lacking(samples: Sequence[str], reference: Sequence[str]) -> str:
    """Return that two sets of canonical SMILES are too small for a distance, or ""."""
    counts = {"the valid samples": len(_readable(samples)), "the reference": len(_readable(reference))}
    few = [f"{count:,} of {name}" for name, count in counts.items() if count < _MIN_MOLECULES]
    return f"it needs {_MIN_MOLECULES:,} of fewer than {_LENGTH} characters: {', '.join(few)}" if few else ""


def distance(samples: Sequence[str], reference: Sequence[str]) -> float:
    """Return the distance of two sets of canonical SMILES, for which nothing may be lacking."""
    return frechet(_moments(_readable(samples)), _moments(_readable(reference)))


def _readable(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if len(text) < _LENGTH]


def _moments(texts: Sequence[str]) -> Moments:
    """Return mean and covariance of the activations of the network's penultimate layer."""
    import torch
    from fcd import load_ref_model
    from fcd.utils import get_one_hot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it does not close a temporary folder
        network = load_ref_model()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH_SIZE):
            marked = np.stack([get_one_hot(text, _LENGTH) for text in texts[start : start + _BATCH_SIZE]])
            scaled = torch.from_numpy(marked / marked.shape[-1]).float()
            # Copy, because the output is a view that keeps the activations of all steps in memory.
            rows.append(network(scaled.transpose(1, 2)).numpy().copy())
    activations = np.concatenate(rows).astype(np.float64)
    return activations.mean(0), np.cov(activations, rowvar=False)


def frechet(first: Moments, second: Moments) -> float:
    """Return the Fréchet distance of two normal distributions, each given by mean and covariance.

    The trace of the square root of the covariances' product is computed from the eigenvalues of a symmetric matrix with
    the same trace, which stays real where the product is singular.
    """
    (mean, covariance), (other_mean, other) = first, second
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    both = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return float(((mean - other_mean) ** 2).sum() + np.trace(covariance) + np.trace(other) - 2 * both)
