"""Constraints: which symbols can still lead a row to an end that satisfies all that was asked.

What is asked is a product of automata (``product``), in which each state knows its distance from the nearest accepted
end: a symbol may be drawn exactly if such an end can still be reached in the symbols left after it. So every row drawn
satisfies the constraint and none is thrown away. Forbidding symbols renormalises step by step: rows are drawn from the
model guided to valid ends, not from the model's distribution given the constraint. With ``exact`` the model draws
freely and a row ends where it leaves what is wanted; those that remain are of that distribution.

Dimension letters: C rows computed, S states of the product, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqgen.errors import UsageError
from seqgen.sampling import automata
from seqgen.sampling.automata import Automaton
from seqgen.sampling.product import Product, why_not
from seqgen.sampling.regexes import regex
from seqgen.sampling.settings import SampleSettings
from seqgen.sampling.state_graph import NEVER
from seqgen.tokenizers import Vocabulary

_MAX_PENALTIES = 1 << 22  # numbers that are kept ready, so that masking is one addition

if TYPE_CHECKING:
    import numpy.typing as npt


class Constraint:
    """What every row must satisfy, in terms of ids.

    Args:
        parts: what is asked, at least one.
        vocabulary: the symbols.
        allowed_V: which ids may be drawn at all.
        prefix: what rows begin with.
        max_length: the most symbols of a row.
        exact: let the model draw freely and give up rows that leave what is wanted.
        device: where rows are computed.

    Attributes:
        exact: as given.
        name: what is asked, for messages.

    Raises:
        UsageError: no row can satisfy it, said with the parts that exclude each other; or its table is too large.
    """

    def __init__(
        self,
        parts: Sequence[Automaton],
        vocabulary: Vocabulary,
        allowed_V: npt.NDArray[np.bool_],
        *,
        prefix: str,
        max_length: int,
        exact: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.exact = exact
        self._parts = list(parts)
        pieces = _allowed_pieces(vocabulary, allowed_V)
        if any(_is_part(piece) for piece in pieces if piece is not None):
            parts = [*parts, automata.well_formed()]
        start = prefix.encode("utf-8", "surrogatepass")
        n_left = max_length - len(vocabulary.encode(prefix))
        product = Product(parts, pieces, start, vocabulary.ends)
        if product.least() > n_left:
            rows = f"rows that begin with {prefix!r}" if prefix else "rows"
            raise UsageError(f"impossible for {rows}: {why_not(parts, pieces, start, n_left, vocabulary.ends)}")
        self.name = " and ".join(part.name for part in self._parts)
        self._decodes_parts = len(parts) > len(self._parts)
        self._product, self._device, self._max_length = product, device, max_length
        self._use_tables()

    def _use_tables(self) -> None:
        next_SV, distance_SV = self._product.tables(self.exact)
        device = self._device
        self._next_SV = torch.from_numpy(next_SV).to(device)
        self._distance_SV = torch.from_numpy(distance_SV).to(device)
        self._penalties: dict[int, Tensor] = {}
        self._farthest = int(distance_SV[distance_SV < NEVER].max(initial=0))

    def as_exact(self) -> Constraint:
        """Return the same constraint, but ``exact``."""
        other = copy.copy(self)
        other.exact = True
        other._use_tables()
        return other

    def initial_state(self, width: int) -> Tensor:
        """The state after the prefix of some rows (C,)."""
        return torch.zeros(width, dtype=torch.long, device=self._next_SV.device)

    def advance(self, state_C: Tensor, ids_C: Tensor) -> Tensor:
        """The state after one more symbol (C,)."""
        places_C = torch.add(ids_C, state_C, alpha=self._next_SV.shape[1])  # a third of the time of two indices
        return self._next_SV.view(-1).index_select(0, places_C).long()

    def mask(self, logits_CV: Tensor, state_C: Tensor, length: int) -> Tensor:
        """Logits in which symbols that lead to no accepted end are minus infinity.

        Args:
            logits_CV: of the next symbol.
            state_C: the state before it.
            length: symbols of the rows so far, prefix included.
        """
        most = min(self._max_length - length, self._farthest)
        if self._distance_SV.numel() * (self._farthest + 1) <= _MAX_PENALTIES:
            return logits_CV + self._penalty_SV(most).index_select(0, state_C)
        return logits_CV.masked_fill(self._distance_SV.index_select(0, state_C) > most, -torch.inf)

    def _penalty_SV(self, most: int) -> Tensor:
        """Minus infinity for symbols after which no end is within so many."""
        if most not in self._penalties:
            self._penalties[most] = torch.zeros(self._distance_SV.shape, device=self._distance_SV.device)
            self._penalties[most].masked_fill_(self._distance_SV > most, -torch.inf)
        return self._penalties[most]

    def accepts(self, text: str) -> bool:
        """Whether a whole row satisfies all that was asked."""
        if self._decodes_parts and "\N{REPLACEMENT CHARACTER}" in text:  # bytes that are no character
            return False
        data = text.encode("utf-8", "surrogatepass")
        return all(part.accepts(data) for part in self._parts)


def build_constraint(
    settings: SampleSettings, vocabulary: Vocabulary, allowed_V: npt.NDArray[np.bool_], device: torch.device
) -> Constraint | None:
    """What the settings ask of whole rows; None: nothing.

    Raises:
        UsageError: no row can satisfy it.
        UnknownSymbol: it is to hold a symbol that the vocabulary does not know.
        MissingExtra: outlines-core is not installed, which regular expressions need.
    """
    either = settings.ignore_case
    parts = [automata.contains([text], ignore_case=either) for text in settings.contains]
    parts += [automata.contains(settings.contains_any, ignore_case=either)] if settings.contains_any else []
    parts += [automata.avoids(settings.avoid, ignore_case=either)] if settings.avoid else []
    of_ends = [automata.ends(settings.ends, ignore_case=either)] if settings.ends else []
    of_ends += [automata.length(*automata.parse_length(settings.length))] if settings.length else []
    of_ends += [regex(settings.regex, ignore_case=either)] if settings.regex else []
    if of_ends and not vocabulary.ends:
        raise UsageError(f"this run learned one long text, whose rows have no end: {of_ends[0].name} has no meaning")
    if not parts and not of_ends:
        if settings.exact:
            raise UsageError("exact without a constraint changes nothing: ask for a regex, a length, ...")
        return None
    assert settings.max_length is not None
    try:
        return Constraint(
            [*parts, *of_ends],
            vocabulary,
            allowed_V,
            prefix=settings.prefix,
            max_length=settings.max_length,
            exact=settings.exact,
            device=device,
        )
    except UsageError:
        for text in () if either else (*settings.contains, settings.ends):
            vocabulary.encode(text)  # a symbol that is not known says more
        raise


def _allowed_pieces(vocabulary: Vocabulary, allowed_V: npt.NDArray[np.bool_]) -> list[bytes | None]:
    """The bytes of each id that may be drawn and is a symbol."""
    pieces = vocabulary.pieces()
    if pieces is None:
        name = type(vocabulary.tokenizer).__name__
        raise UsageError(
            f"what a text holds cannot be asked of this run: its symbols ({name}) are not pieces of the text; "
            "train with --tokenizer char"
        )
    return [None] * vocabulary.symbol_offset + [
        piece if allowed else None for piece, allowed in zip(pieces, allowed_V[vocabulary.symbol_offset :], strict=True)
    ]


def _is_part(piece: bytes) -> bool:
    """Whether some bytes are no whole characters."""
    try:
        piece.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return True
    return False
