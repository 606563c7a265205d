"""What can be said of samples beside their corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from seqgen.corpus import Record, Splitter
from seqgen.protocols import Validator, Verdict


@dataclass(frozen=True)
class SampleCounts:
    """How many samples are valid, unique and novel, and the shares.

    Attributes:
        n: how many samples.
        n_valid: those that the domain's validator accepts.
        n_unique: different canonical forms among the valid ones.
        n_novel: the unique ones that no training record equals.
    """

    n: int
    n_valid: int
    n_unique: int
    n_novel: int

    @property
    def valid(self) -> float:
        """The share of valid samples, 0 for none."""
        return self.n_valid / max(1, self.n)

    @property
    def unique(self) -> float:
        """Unique ones as a share of the valid ones, 0 for none."""
        return self.n_unique / max(1, self.n_valid)

    @property
    def novel(self) -> float:
        """Novel ones as a share of the unique ones, 0 for none."""
        return self.n_novel / max(1, self.n_unique)


def membership(
    texts: Iterable[str],
    records: Iterable[Record],
    splitter: Splitter,
    canonical: Callable[[str], str],
    recorded: Callable[[str], str] | None = None,
) -> dict[str, str]:
    """Where texts stand in the corpus, by their canonical form.

    Args:
        texts: what to look for; only these are kept in memory.
        records: the corpus.
        splitter: tells the part of each record.
        canonical: the form by which texts are compared.
        recorded: the same for a record, where that is known in another way.

    Returns:
        For each text "train", "valid", "test", or "new" when no record equals it; training counts first.
    """
    forms = {text: canonical(text) for text in texts}
    wanted = set(forms.values())
    found: dict[str, str] = {}
    for record in records:
        form = (recorded or canonical)(record.text)
        if form in wanted and found.get(form) != "train":
            found[form] = splitter.part(record)
    return {text: found.get(form, "new") for text, form in forms.items()}


def canonical_form(text: str, validator: Validator | None) -> str:
    """The form by which "unique" and "novel" compare texts: the validator's, else the text itself."""
    return text if validator is None else validator.validate(text).form(text)


def verdicts(texts: Sequence[str], validator: Validator | None) -> list[Verdict]:
    """The validator's verdicts; without one every text is valid and its own canonical form."""
    if validator is None:
        return [Verdict(True)] * len(texts)
    return [validator.validate(text) for text in texts]


def count_samples(
    texts: Sequence[str],
    records: Iterable[Record],
    splitter: Splitter,
    validator: Validator | None,
    recorded: Callable[[str], str] | None = None,
) -> SampleCounts:
    """How many samples are valid, unique and novel.

    Args:
        texts: the samples.
        records: the corpus.
        splitter: tells which records are trained on.
        validator: of the domain, or None.
        recorded: the canonical form of a record, where that is known in another way.
    """
    judged = zip(texts, verdicts(texts, validator), strict=True)
    valid = [verdict.form(text) for text, verdict in judged if verdict.ok]

    def canonical(text: str) -> str:
        return canonical_form(text, validator)

    unique = set(valid)
    known = membership(unique, records, splitter, str, recorded or canonical)
    return SampleCounts(len(texts), len(valid), len(unique), sum(where != "train" for where in known.values()))
