"""The share of rows that begin with the text of a prefix and not with its symbols."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from typing import NamedTuple

import torch

from seqgen.protocols import State
from seqgen.sampling.decoder import Decoder
from seqgen.tokenizers import BOS

_MOST_STEPS = 64  # of the model, beside those over the symbols of the prefix
_LEAST = 1e-3  # probability below which other symbols are not followed, as a ratio to the largest that is known


class _Beginning(NamedTuple):
    """Symbols that write a part of the prefix: what orders them, and the model after all of them but the last."""

    priority: float
    number: int
    log_prob: float
    n_bytes: int
    n_read: int
    last: int
    state: State
    is_own: bool


def share_across(decoder: Decoder) -> float:
    """Return the probability, given that a row begins with the text of the prefix, of other symbols than the prefix's.

    No row of the decoder has such symbols: the prefix is tokenized by itself, "An" as it stands, and so "Anna" never
    begins with the symbol "Ann". The model is not run where only one symbol fits at each place, such as a character.
    Improbable symbols are left out, so that the result is a lower bound.

    Args:
        decoder: of the rows.

    Returns:
        From 0 to 1; not a number if the logits of the model are none.
    """
    own = decoder.forced[decoder.n_slots :]
    fitting = _fitting(decoder, own) if own else []
    if all(len(found) <= 1 for found in fitting):
        return 0.0
    with decoder.inference():
        step, last = decoder.steps(), BOS
        state = step.initial_state(1)
        for n_read, following in enumerate(decoder.forced[: decoder.n_slots]):
            _, state = step(torch.full((1,), last, device=decoder.device), state, n_read)
            last = following
        kept, left_out, numbers = -math.inf, list[float](), itertools.count()
        queue = [_Beginning(-math.inf, next(numbers), 0.0, 0, decoder.n_slots, last, state, True)]
        for n_steps in itertools.count():
            if not queue:
                break
            before = heapq.heappop(queue)
            least = max([kept, *left_out]) + math.log(_LEAST)
            if not before.is_own and (n_steps > _MOST_STEPS + len(own) or before.log_prob < least):
                break
            logits_CV, state = step(torch.full((1,), before.last, device=decoder.device), before.state, before.n_read)
            log_probs = torch.log_softmax(logits_CV[0].double(), -1).tolist()
            for id_, n_bytes in fitting[before.n_bytes]:
                log_prob, end = before.log_prob + log_probs[id_], before.n_bytes + n_bytes
                is_own = before.is_own and id_ == own[before.n_read - decoder.n_slots]
                if end < len(fitting):
                    first = -math.inf if is_own else -log_prob
                    heapq.heappush(
                        queue, _Beginning(first, next(numbers), log_prob, end, before.n_read + 1, id_, state, is_own)
                    )
                elif is_own:
                    kept = log_prob
                else:
                    left_out.append(log_prob)
    most = max([kept, *left_out])
    others = math.fsum(math.exp(one - most) for one in left_out)
    return others / (others + math.exp(kept - most))


def _fitting(decoder: Decoder, own: list[int]) -> list[list[tuple[int, int]]]:
    """Return, for each byte of the prefix, the symbols that go on with its text from there, and the length of each."""
    offset, pieces = decoder.vocabulary.symbol_offset, decoder.vocabulary.pieces()
    if pieces is None:
        return []
    text, by_first = b"".join(pieces[id_ - offset] for id_ in own), defaultdict[int, list[tuple[int, bytes]]](list)
    for id_, (piece, forbidden) in enumerate(zip(pieces, decoder.forbidden_V[offset:].tolist(), strict=True), offset):
        if piece and (not forbidden or id_ in own):
            by_first[piece[0]].append((id_, piece))
    return [
        [(id_, len(one)) for id_, one in by_first[first] if text.startswith(one, at) or one.startswith(text[at:])]
        for at, first in enumerate(text)
    ]
