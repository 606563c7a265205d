"""The metrics of MOSES (arXiv:1811.12823), computed with RDKit."""

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
from seqgen_smiles.stats import MoleculeStats, StatsConfig, total
from seqgen_smiles.workers import collect_stats, cores

_PUBLISHED = {
    "valid": 0.9748, "unique@1k": 1.0, "unique@10k": 0.9994, "Novelty": 0.8419, "FCD": 0.0732, "SNN": 0.6015,
    "Frag": 0.9998, "Scaf": 0.9242, "IntDiv": 0.8562, "IntDiv2": 0.8503, "Filters": 0.9943,
}  # fmt: skip

_DISTANCE = "Wasserstein distance to the reference"
_LABELS = {
    "valid": "share of valid samples",
    "unique@1k": "unique@1k, share of distinct among the first 1,000 valid ones, or all if fewer",
    "unique@10k": "unique@10k, share of distinct among the first 10,000 valid ones, or all if fewer",
    "Novelty": "Novelty, share of distinct molecules not in the training part",
    "FCD": "FCD, Fréchet ChemNet distance to the reference",
    "SNN": "SNN, mean similarity to the nearest reference molecule",
    "Frag": "Frag, cosine similarity of fragment counts to the reference",
    "Scaf": "Scaf, cosine similarity of scaffold counts to the reference",
    "IntDiv": "IntDiv, 1 - mean similarity of samples, each to itself too",
    "IntDiv2": "IntDiv2, the same with the root mean square similarity of each sample",
    "Filters": "Filters, share that passes the filters",
    "logP": f"logP, {_DISTANCE}",
    "SA": f"SA, {_DISTANCE}",
    "QED": f"QED, {_DISTANCE}",
    "weight": f"weight, {_DISTANCE} (g/mol)",
}

_COMPARED = ("FCD", "SNN", "Frag", "Scaf", *PROPERTIES)  # with the reference

_MAX_PROPERTIES = 10_000  # molecules whose properties are computed, evenly spaced: QED alone takes a millisecond


class Moses:
    """The metrics of MOSES under its names; metrics that cannot be computed are omitted.

    - valid: share of valid molecules. All other metrics use the valid samples, duplicates included.
    - unique@1k, unique@10k: share of distinct molecules among the first 1,000 and 10,000 valid ones, or all of
      them if fewer, given as many samples.
    - Novelty: share of the distinct molecules that are not in the training part.
    - FCD: Fréchet ChemNet distance to the reference, if the extra ``fcd`` is installed and both sets have at least
      1,000 molecules of fewer than 350 characters. It takes 1.6 ms per molecule.
    - SNN: mean Tanimoto similarity to the nearest reference molecule (Morgan fingerprints, radius 2, 1024 bits).
    - Frag, Scaf: cosine similarity of the counts of BRICS fragments and of Murcko scaffolds to the reference.
    - IntDiv, IntDiv2: 1 - the mean similarity of samples, each to itself too, by the mean and the 2-mean.
    - Filters: share that passes the medicinal chemistry filters, whose lists are in the package molsets.
    - logP, SA, QED, weight: Wasserstein distance to the reference, on at most 10,000 evenly spaced molecules of each;
      SA if RDKit includes it.

    The paper's values are for 30,000 samples, the whole training part, and its test part as the reference.

    Attributes:
        omitted: why values were omitted from the last result, by name.
    """

    published: ClassVar = {"CharRNN on MOSES, test set (arXiv:1811.12823)": _PUBLISHED}
    published_on: ClassVar = ("moses-test",)
    labels: ClassVar = _LABELS

    def __init__(
        self,
        *,
        path: MolsetsPath = None,
        most: Annotated[int, Field(ge=1, description="maximum number of samples, from the first")] = 30_000,
        properties: Annotated[bool, Field(description="compare logP, SA, QED and weight")] = True,
        fcd: Annotated[bool, Field(description="compute FCD if the extra fcd is installed")] = True,
        jobs: Annotated[int, Field(ge=0, description="processes that parse molecules; 0: one per core")] = 0,
    ) -> None:
        """Read the filters and the options.

        Raises:
            MissingExtra: RDKit is not installed.
            UsageError: ``path`` does not exist.
        """
        need_rdkit("the metric moses")
        self._smarts = _filter_patterns(path)
        self._most, self._fcd, self._jobs = most, fcd, jobs or cores()
        self._properties = tuple(PROPERTIES) if properties else ()
        self.omitted: dict[str, str] = {}

    def __call__(
        self, samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()
    ) -> dict[str, float]:
        """Return the metrics of samples against reference and training texts; any of them may be empty."""
        texts = samples[: self._most]
        sample_stats = self._collect(texts, self._smarts)
        reference_stats = self._collect(reference, None) if sample_stats.valid else MoleculeStats()
        reasons = self._reasons(sample_stats, reference_stats, len(reference))
        metrics: dict[str, float | None] = {"valid": len(sample_stats.valid) / len(texts) if texts else None}
        metrics |= self._own_metrics(sample_stats, training)
        metrics |= self._compare(sample_stats, reference_stats, with_fcd="FCD" not in reasons)
        found = {name: float(value) for name, value in metrics.items() if value is not None}
        unknown = "it cannot be computed for these molecules"
        self.omitted = {name: reasons.get(name, unknown) for name in self._wanted if name not in found}
        return found

    def _collect(self, texts: Sequence[str], smarts: tuple[str, ...] | None) -> MoleculeStats:
        every = max(1, -(-len(texts) // _MAX_PROPERTIES))
        return total(collect_stats(texts, StatsConfig(True, self._properties, every, smarts), self._jobs))

    @property
    def _wanted(self) -> list[str]:
        """The names of the values that no option switches off."""
        off = {name for name in PROPERTIES if name not in self._properties} | (set() if self._fcd else {"FCD"})
        return [name for name in _LABELS if name not in off]

    def _reasons(self, samples: MoleculeStats, reference: MoleculeStats, n_reference: int) -> dict[str, str]:
        """Return why a value is missing, if it is, by name; the reason that holds for most values comes first."""
        n, extra = len(samples.canonical), frechet.lacking_extra()
        no_sample = "" if samples.valid else "no sample is valid" if n else "there is no sample"
        no_reference = (
            "no molecule of the reference is valid" if n_reference else "there is no molecule to compare with"
        )
        lacks_sa = bool(samples.valid) and "SA" not in samples.properties
        not_installed = {
            "FCD": extra,
            "Filters": "" if self._smarts else "its lists are in the package molsets: -o moses.path=WHEEL",
            "SA": "this RDKit has no SA_Score" if lacks_sa else "",
        }
        of_reference = dict.fromkeys(_COMPARED, "" if reference.valid else no_reference)
        of_value = {
            "unique@1k": f"there are only {n:,} samples",
            "unique@10k": f"there are only {n:,} samples",
            "Novelty": "there is no training record",
            "FCD": "" if extra else frechet.lacking(samples.valid, reference.valid),
            "Scaf": "the samples or the reference have no scaffold with two rings",
        }

        def reason(name: str) -> str:
            return not_installed.get(name) or no_sample or of_reference.get(name) or of_value.get(name) or ""

        return {name: found for name in _LABELS if (found := reason(name))}

    def _own_metrics(self, samples: MoleculeStats, training: Iterable[str]) -> dict[str, float | None]:
        if not (valid := samples.valid):
            return {}
        metrics: dict[str, float | None] = {
            f"unique@{k // 1000}k": len(set(valid[:k])) / len(valid[:k])
            for k in (1000, 10_000)
            if len(samples.canonical) >= k
        }
        metrics["Novelty"] = novelty(valid, training, self._jobs)
        metrics["IntDiv"], metrics["IntDiv2"] = diversities(samples.prints)
        metrics["Filters"] = None if self._smarts is None else samples.passed / len(valid)
        return metrics

    def _compare(self, samples: MoleculeStats, reference: MoleculeStats, *, with_fcd: bool) -> dict[str, float | None]:
        if not samples.valid or not reference.valid:
            return {}
        return {
            "FCD": frechet.distance(samples.valid, reference.valid) if self._fcd and with_fcd else None,
            "SNN": nearest(samples.prints, reference.prints),
            "Frag": cosine(samples.fragments, reference.fragments),
            "Scaf": cosine(samples.scaffolds, reference.scaffolds),
        } | {
            name: wasserstein(values, reference.properties.get(name, ())) for name, values in samples.properties.items()
        }


def _filter_patterns(path: str | None) -> tuple[str, ...] | None:
    """Return the SMARTS patterns of both filter lists in molsets; None if it is neither installed nor given."""
    files = molsets("the filters of the metric moses", path, "moses.path")
    try:
        lists = [files.read(f"moses/metrics/{name}.csv") for name in ("mcf", "wehi_pains")]
    except seqgen.MissingExtra:
        return None
    own, pains = (csv.reader(io.StringIO(text)) for text in lists)
    next(own)  # the header; the other list has none
    return (*(row[1].strip() for row in own if row), *(row[0].strip() for row in pains if row))
