"""Parts of an evaluation as tasks: losses of some batches, and some of the samples."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqgen.api.encoded_corpus import EncodedCorpus
    from seqgen.api.run import Run


@functools.lru_cache(maxsize=1)
def _opened(run: str, checkpoint: int) -> tuple[Run, EncodedCorpus]:
    from seqgen.api.run import load

    opened = load(run, checkpoint=checkpoint)
    return opened, opened.read_corpus()


def losses(*, run: str, checkpoint: int, what: str, first: int, last: int) -> list[Any]:
    """Return the losses of some batches, nats.

    Args:
        run: the run folder.
        checkpoint: the step of its checkpoint.
        what: "valid", "network" or "unconditional" for a number a batch, of the validation part, or on the test part of
            the network alone or without conditions; "test" for a list a batch, with a number a record.
        first: the first batch.
        last: the batch after the last one.
    """
    from seqgen.compute import computing, within_share
    from seqgen.counting import network_of
    from seqgen.evaluation import loss_of_batches, losses_of_batches, penalty

    opened, data = _opened(run, checkpoint)
    encoded: Any = data.encoded["valid" if what == "valid" else "test"]
    encoded = encoded.without_conditions() if what == "unconditional" else encoded
    model = network_of(opened.model) if what == "network" else opened.model
    compute = losses_of_batches if what == "test" else loss_of_batches
    with within_share(), computing(opened.settings.engine.threads):
        return compute(model, encoded, penalty(opened.vocabulary, opened.model), first, last)


def samples(*, run: str, checkpoint: int, seed: int, first: int, last: int) -> list[Any]:
    """Return the number, text and cut of rows ``first`` to ``last - 1``."""
    from seqgen.compute import within_share

    with within_share():
        return [list(row) for row in _opened(run, checkpoint)[0].iter_samples(rows=(first, last), seed=seed)]
