"""Validity, uniqueness and novelty of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from seqgen.corpus import Record, Splitter
from seqgen.protocols import Validator, Verdict


@dataclass(frozen=True)
class SampleCounts:
    """Numbers of valid, unique and novel samples, and their shares.

    Attributes:
        n: number of samples.
        n_valid: samples that the domain's validator accepts.
        n_unique: distinct canonical forms of the valid samples.
        n_novel: unique forms that equal no training record.
    """

    n: int
    n_valid: int
    n_unique: int
    n_novel: int

    @property
    def valid(self) -> float:
        """Valid samples as a share of all samples, 0 for none."""
        return self.n_valid / max(1, self.n)

    @property
    def unique(self) -> float:
        """Unique samples as a share of the valid ones, 0 for none."""
        return self.n_unique / max(1, self.n_valid)

    @property
    def novel(self) -> float:
        """Novel samples as a share of the unique ones, 0 for none."""
        return self.n_novel / max(1, self.n_unique)


def membership(
    texts: Iterable[str],
    records: Iterable[Record],
    splitter: Splitter,
    canonical: Callable[[str], str],
    record_form: Callable[[str], str] | None = None,
) -> dict[str, str]:
    """Return the part of the corpus to which each text belongs, compared by canonical form.

    Args:
        texts: the texts to look up; only these are kept in memory.
        records: the corpus.
        splitter: assigns each record to a part.
        canonical: the canonical form of a text.
        record_form: the canonical form of a record, where it is known without computing it.

    Returns:
        "train", "valid", "test" or, where no record is equal, "new" by text; "train" wins over the others.
    """
    forms = {text: canonical(text) for text in texts}
    sought = set(forms.values())
    found: dict[str, str] = {}
    for record in records:
        form = (record_form or canonical)(record.text)
        if form in sought and found.get(form) != "train":
            found[form] = splitter.part(record)
    return {text: found.get(form, "new") for text, form in forms.items()}


def canonical_form(text: str, validator: Validator | None) -> str:
    """Return the form by which "unique" and "novel" compare texts: the validator's, else the text itself."""
    return text if validator is None else validator.validate(text).form(text)


def verdicts(texts: Sequence[str], validator: Validator | None) -> list[Verdict]:
    """Return the validator's verdicts; without a validator every text is valid and its own canonical form."""
    if validator is None:
        return [Verdict(True)] * len(texts)
    return [validator.validate(text) for text in texts]


def count_samples(
    texts: Sequence[str],
    records: Iterable[Record],
    splitter: Splitter,
    validator: Validator | None,
    record_form: Callable[[str], str] | None = None,
) -> SampleCounts:
    """Count valid, unique and novel samples.

    Args:
        texts: the samples.
        records: the corpus.
        splitter: assigns each record to a part.
        validator: the validator of the domain, or None.
        record_form: the canonical form of a record, where it is known without computing it.
    """
    checked = zip(texts, verdicts(texts, validator), strict=True)
    valid = [verdict.form(text) for text, verdict in checked if verdict.ok]
    unique = set(valid)
    known = membership(unique, records, splitter, str, record_form or partial(canonical_form, validator=validator))
    return SampleCounts(len(texts), len(valid), len(unique), sum(where != "train" for where in known.values()))
