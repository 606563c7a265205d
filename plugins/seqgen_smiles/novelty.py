"""How many molecules are not among those trained on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from seqgen_smiles.molecules import read
from seqgen_smiles.summary import Plan
from seqgen_smiles.translation import to_selfies
from seqgen_smiles.workers import summaries

_LOOKED_AT = 1000  # training texts, to tell how they are written
_ENOUGH = 0.99


def novelty(molecules: Iterable[str], training: Iterable[str], jobs: int) -> float | None:
    """The share of different molecules that no training text is; None if there is nothing to compare.

    Where nearly all of the first thousand training texts are canonical SMILES, or SELFIES made of such, texts are
    compared, as MOSES does; other training texts are brought to their canonical form first, which takes 0.2 ms each.

    Args:
        molecules: canonical SMILES.
        training: can be iterated again and again.
        jobs: how many workers at most.
    """
    different = set(molecules)
    first = list(itertools.islice(training, _LOOKED_AT))
    if not different or not first:
        return None
    for write in (str, to_selfies):
        if _share(first, write) >= _ENOUGH:
            wanted = {write(smiles) for smiles in different}
            return 1 - len(wanted.intersection(training)) / len(different)
    forms = (form for summary in summaries(training, Plan(), jobs) for form in summary.canonical)
    return 1 - len(different.intersection(forms)) / len(different)


def _share(texts: Sequence[str], write: Callable[[str], str | None]) -> float:
    """The share of texts that are what ``write`` makes of the canonical SMILES of their molecule."""
    from rdkit import Chem

    molecules = [(text, read(text).molecule) for text in texts]
    equal = [molecule is not None and write(Chem.MolToSmiles(molecule)) == text for text, molecule in molecules]
    return sum(equal) / len(texts)
