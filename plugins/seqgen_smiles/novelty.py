"""Novelty: the share of molecules that are not in the training part."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from seqgen_smiles.molecules import read
from seqgen_smiles.stats import StatsConfig
from seqgen_smiles.translation import to_selfies
from seqgen_smiles.workers import collect_stats

_PROBED = 1000  # training texts from which the notation is inferred
_MIN_CANONICAL = 0.99  # share of them that must be canonical


def novelty(molecules: Iterable[str], training: Iterable[str], jobs: int) -> float | None:
    """Return the share of distinct molecules that are not in the training texts; None if either is empty.

    If nearly all of the first 1,000 training texts are canonical SMILES, or their SELFIES, texts are compared directly,
    as MOSES does; otherwise training texts are canonicalized first, which takes 0.2 ms each.

    Args:
        molecules: canonical SMILES.
        training: training texts; can be iterated repeatedly.
        jobs: maximum number of workers.
    """
    distinct = set(molecules)
    first = list(itertools.islice(training, _PROBED))
    if not distinct or not first:
        return None
    for write in (str, to_selfies):
        if _share(first, write) >= _MIN_CANONICAL:
            wanted = {write(smiles) for smiles in distinct}
            return 1 - len(wanted.intersection(training)) / len(distinct)
    canonical = (text for stats in collect_stats(training, StatsConfig(), jobs) for text in stats.canonical)
    return 1 - len(distinct.intersection(canonical)) / len(distinct)


def _share(texts: Sequence[str], write: Callable[[str], str | None]) -> float:
    """Return the share of texts that equal ``write`` of their molecule's canonical SMILES."""
    from rdkit import Chem

    molecules = [(text, read(text).molecule) for text in texts]
    equal = [molecule is not None and write(Chem.MolToSmiles(molecule)) == text for text, molecule in molecules]
    return sum(equal) / len(texts)
