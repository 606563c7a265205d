"""The figures of MOSES (arXiv:1811.12823) on RDKit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

import seqgen
from seqgen_smiles import frechet
from seqgen_smiles.molecules import need_rdkit
from seqgen_smiles.molsets import MolsetsPath, molsets
from seqgen_smiles.novelty import novelty
from seqgen_smiles.properties import PROPERTIES
from seqgen_smiles.similarity import cosine, diversities, nearest, wasserstein
from seqgen_smiles.summary import Plan, Summary, total
from seqgen_smiles.workers import cores, summaries

_PUBLISHED = {
    "valid": 0.9748, "unique@1k": 1.0, "unique@10k": 0.9994, "Novelty": 0.8419, "FCD": 0.0732, "SNN": 0.6015,
    "Frag": 0.9998, "Scaf": 0.9242, "IntDiv": 0.8562, "IntDiv2": 0.8503, "Filters": 0.9943,
}  # fmt: skip

_DISTANCE = "Wasserstein distance to the reference"
_LABELS = {
    "valid": "valid, share",
    "unique@1k": "unique@1k, share of the first 1,000",
    "unique@10k": "unique@10k, share of the first 10,000",
    "Novelty": "Novelty, share of the different ones",
    "FCD": "FCD, Fréchet ChemNet distance to the reference",
    "SNN": "SNN, mean similarity to the nearest reference molecule",
    "Frag": "Frag, cosine of fragment counts and the reference's",
    "Scaf": "Scaf, cosine of scaffold counts and the reference's",
    "IntDiv": "IntDiv, 1 - mean similarity of samples to one another",
    "IntDiv2": "IntDiv2, the same of order 2",
    "Filters": "Filters, share that passes",
    "logP": f"logP, {_DISTANCE}",
    "SA": f"SA, {_DISTANCE}",
    "QED": f"QED, {_DISTANCE}",
    "weight": f"weight, {_DISTANCE} (g/mol)",
}

_MAX_PROPERTIES = 10_000  # molecules whose properties are computed, evenly spaced: QED alone takes a millisecond


class Moses:
    """The figures of MOSES, by its names; those that cannot be had are left out.

    - valid: the share that is a molecule. All further figures are of the valid ones, repeats included.
    - unique@1k, unique@10k: different ones among the first 1,000 and 10,000, if as many samples are given.
    - Novelty: the share of the different ones that was not trained on.
    - FCD: Fréchet ChemNet distance to the reference, where the extra ``fcd`` is installed and both have 1,000 molecules
      and more. It takes 1.6 ms a molecule.
    - SNN: Tanimoto similarity to the nearest reference molecule, mean (Morgan fingerprints, radius 2, 1024 bits).
    - Frag, Scaf: cosine between the counts of BRICS fragments, and of Murcko scaffolds, of samples and reference.
    - IntDiv, IntDiv2: 1 - the mean similarity of samples to one another, of order 1 and 2.
    - Filters: the share that passes the medicinal chemistry filters, whose lists lie in the package molsets.
    - logP, SA, QED, weight: Wasserstein distance to the reference, of at most 10,000 evenly spaced molecules of each;
      SA where RDKit carries it.

    The figures of the paper are for 30,000 samples, the whole training part, and its test part as the reference.
    """

    published: ClassVar = {"CharRNN on MOSES, test set (arXiv:1811.12823)": _PUBLISHED}
    published_on: ClassVar = ("moses-test",)
    labels: ClassVar = _LABELS

    def __init__(
        self,
        *,
        path: MolsetsPath = None,
        most: Annotated[int, Field(ge=1, description="samples looked at, the first ones")] = 30_000,
        properties: Annotated[bool, Field(description="whether to compare logP, SA, QED and weight")] = True,
        fcd: Annotated[bool, Field(description="whether to compute FCD where the extra fcd is installed")] = True,
        jobs: Annotated[int, Field(ge=0, description="processes that read molecules; 0: one a core")] = 0,
    ) -> None:
        """Prepare the figures.

        Raises:
            MissingExtra: RDKit is not installed.
            UsageError: there is nothing at ``path``.
        """
        need_rdkit("the metric moses")
        self._smarts = _filter_patterns(path)
        self._most, self._fcd, self._jobs = most, fcd and frechet.available(), jobs or cores()
        self._properties = tuple(PROPERTIES) if properties else ()

    def __call__(
        self, samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()
    ) -> dict[str, float]:
        """The figures of samples, beside reference texts and training texts; any of them may be empty."""
        texts = samples[: self._most]
        described = self._describe(texts, self._smarts)
        beside = self._describe(reference, None) if described.valid else Summary()
        figures: dict[str, float | None] = {"valid": len(described.valid) / len(texts) if texts else None}
        figures |= self._alone(described, training) | self._compared(described, beside)
        return {name: float(value) for name, value in figures.items() if value is not None}

    def _describe(self, texts: Sequence[str], smarts: tuple[str, ...] | None) -> Summary:
        every = max(1, -(-len(texts) // _MAX_PROPERTIES))
        return total(summaries(texts, Plan(True, self._properties, every, smarts), self._jobs))

    def _alone(self, samples: Summary, training: Iterable[str]) -> dict[str, float | None]:
        if not (valid := samples.valid):
            return {}
        figures: dict[str, float | None] = {
            f"unique@{k // 1000}k": len(set(valid[:k])) / len(valid[:k])
            for k in (1000, 10_000)
            if len(samples.canonical) >= k
        }
        figures["Novelty"] = novelty(valid, training, self._jobs)
        figures["IntDiv"], figures["IntDiv2"] = diversities(samples.prints)
        figures["Filters"] = None if self._smarts is None else samples.passed / len(valid)
        return figures

    def _compared(self, samples: Summary, reference: Summary) -> dict[str, float | None]:
        if not samples.valid or not reference.valid:
            return {}
        return {
            "FCD": frechet.distance(samples.valid, reference.valid) if self._fcd else None,
            "SNN": nearest(samples.prints, reference.prints),
            "Frag": cosine(samples.fragments, reference.fragments),
            "Scaf": cosine(samples.scaffolds, reference.scaffolds),
        } | {
            name: wasserstein(values, reference.properties.get(name, ())) for name, values in samples.properties.items()
        }


def _filter_patterns(path: str | None) -> tuple[str, ...] | None:
    """The SMARTS patterns of both lists of molsets; None where it is neither installed nor given."""
    files = molsets("the filters of the metric moses", path)
    try:
        lists = [files.read(f"moses/metrics/{name}.csv") for name in ("mcf", "wehi_pains")]
    except seqgen.MissingExtra:
        return None
    own, pains = (csv.reader(io.StringIO(text)) for text in lists)
    next(own)  # the header; the other list has none
    return (*(row[1].strip() for row in own if row), *(row[0].strip() for row in pains if row))
