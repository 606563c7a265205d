"""What a model expects after a prefix: what ``Run.next_symbols`` gives.

Dimension letters: B batch (one), T steps, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from seqgen.api.conditioning import Wishes
from seqgen.api.environment import computing
from seqgen.errors import BadOption

if TYPE_CHECKING:
    from seqgen.api.run import Run


class NextSymbol(NamedTuple):
    """A symbol that may come next.

    Attributes:
        text: the symbol; "" for the end of the sequence.
        probability: that it comes, 0 to 1, at temperature 1.
        ends: whether it is the end.
    """

    text: str
    probability: float
    ends: bool


def next_symbols(run: Run, prefix: str, n: int | None, wishes: Wishes) -> list[NextSymbol]:
    """The likeliest symbols after a prefix; see :meth:`seqgen.Run.next_symbols` for what is raised.

    Symbols that no row may hold, such as a line end in records of one line, are left out, as in sampling.
    """
    import torch

    from seqgen.model import device_of, log_probs
    from seqgen.tokenizers import BOS, EOS

    if n is not None and (not isinstance(n, int) or n < 0):
        raise BadOption(f"the number of symbols must be a whole number, at least 0, not {n!r}")
    model, vocabulary = run.model, run.vocabulary
    conditions = vocabulary.condition_ids([wishes.conditions])[0].tolist()
    ids = [BOS, *conditions, *vocabulary.encode(wishes.prefix + prefix).tolist()]
    allowed_V = torch.from_numpy(vocabulary.allowed_V(line_ends=run.settings.corpus.multiline))
    with computing(run.settings.engine.threads), torch.inference_mode():
        device = device_of(model)
        logits_BTV, _ = model(torch.tensor([ids], device=device), model.initial_state(1))
        share_V = log_probs(logits_BTV[0, -1].double(), allowed_V.to(device)).exp().cpu()
    order = torch.argsort(share_V, descending=True, stable=True)[: int(allowed_V.sum())]
    return [
        NextSymbol("" if index == EOS else vocabulary.decode([index]), float(share_V[index]), index == EOS)
        for index in order[:n].tolist()
    ]
