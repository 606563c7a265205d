"""Measurements of a run that ``Run.evaluate`` sums up or leaves out, for plugins that compare runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seqgen.api.conditioning import Conditioning

if TYPE_CHECKING:
    from seqgen.api.run import Run


def prefix_nats(
    run: Run, prefix: str, *, label: str | None = None, given: Mapping[str, Any] | None = None
) -> list[float]:
    """Return the negative log-likelihood of each symbol of a prefix, in nats; a stop is not counted.

    Args:
        run: the run.
        prefix: the start of a sequence.
        label: of sequences of this label.
        given: values of conditions, or of fields that come before the prefix, which are scored with it.

    Raises:
        UnknownSymbol: the prefix has a symbol that is not in the corpus.
        UsageError: a label or field that the run does not know.
    """
    wishes = Conditioning.of(run, label, given or {})
    n_symbols = len(run.vocabulary.encode(wishes.prefix + prefix))
    if not n_symbols:
        return []
    (score,) = run.score(wishes.prefix + prefix, given=wishes.conditions)
    return list(score.nats_per_symbol[:n_symbols])
