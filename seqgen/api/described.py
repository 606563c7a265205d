"""Samples with what is known of them: bits per character, and where they stand in the corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seqgen.errors import SeqgenError

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.sampling import Sample

_MAX_CHARS = 100_000_000  # of a corpus that samples are looked up in without being asked


def describe_samples(run: Run, samples: Sequence[Sample], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each sample; see :meth:`seqgen.Run.describe`."""
    texts = [sample.text for sample in samples]
    scores: dict[str, float] = {}
    where: dict[str, str] = {}
    try:
        conditions = {name: value for name, value in given.items() if name in run.vocabulary.slots}
        scores = {score.text: score.bits_per_char for score in run.score(texts, given=conditions)}
        if run.vocabulary.ends and run.settings.corpus.n_chars <= _MAX_CHARS:
            where = run.where(texts)
    except SeqgenError:  # the corpus is gone, or a row cannot be encoded again: the samples are shown all the same
        pass
    return [
        {
            "row": sample.number,
            "text": sample.text,
            "cut": sample.cut,
            **given,
            "bits_per_char": scores.get(sample.text),
            "where": where.get(sample.text),
        }
        for sample in samples
    ]
