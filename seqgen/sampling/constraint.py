"""Constraints on rows: the symbols that can still lead to an accepted end.

The requirements form a product of automata (``product``) in which each state knows its distance to the nearest accepted
end. A symbol is allowed exactly if such an end can still be reached within the remaining symbols, so every row
satisfies the constraint and none is rejected. Masking renormalises step by step: rows come from the model guided to
valid ends, not from the model's distribution given the constraint. With ``exact`` the model samples freely and a row
ends where it violates the constraint; the rows that remain follow that conditional distribution.

Dimension letters: C computed rows, S states of the product, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqgen.config import DecodeConfig, SampleConfig
from seqgen.errors import UsageError
from seqgen.sampling import automata
from seqgen.sampling.automata import Automaton
from seqgen.sampling.product import RowAutomaton, explain_conflict
from seqgen.sampling.regexes import regex
from seqgen.sampling.state_graph import UNREACHABLE
from seqgen.sampling.steps import follow
from seqgen.tokenizers import Vocabulary, is_partial

_MAX_PENALTIES = 1 << 22  # entries of the cached penalty tables, with which masking is one addition

if TYPE_CHECKING:
    import numpy.typing as npt


class Constraint:
    """A constraint that every row must satisfy, over the ids of a vocabulary.

    Args:
        parts: the requirements; without any, the characters of rows are whole, and rows may be cut.
        vocabulary: the symbols.
        allowed_V: which ids may be sampled at all.
        prefix: the beginning of every row.
        max_length: the maximum number of symbols of a row.
        exact: let the model sample freely, and end rows that violate the constraint.
        device: the device on which rows are computed.

    Attributes:
        exact: as given.
        parts: as given.
        name: the requirements, for messages.
        automaton: the requirements as one table.

    Raises:
        UsageError: no row can satisfy it (the message names the requirements that exclude each other), or the table is
            too large.
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
        self.parts = list(parts)
        pieces = _allowed_pieces(vocabulary, allowed_V)
        if not parts or any(is_partial(piece) for piece in pieces if piece is not None):
            parts = [*parts, automata.well_formed()]
        start = prefix.encode("utf-8", "surrogatepass")
        n_left = min(max_length - len(vocabulary.encode(prefix)), UNREACHABLE - 1)
        self.automaton = RowAutomaton(parts, pieces, start, vocabulary.ends)
        if self.automaton.min_symbols() > n_left:
            rows = f"rows that begin with {prefix!r}" if prefix else "rows"
            raise UsageError(f"cannot sample {rows}: {explain_conflict(parts, pieces, start, n_left, vocabulary.ends)}")
        self.name = " and ".join(part.name for part in self.parts)
        self._decodes_parts = len(parts) > len(self.parts)
        self._may_be_cut = not (vocabulary.ends and self.parts)
        self._device, self._max_length = device, max_length
        self._next_SC = torch.from_numpy(self.automaton.next_SC).to(device)
        self._class_V = torch.from_numpy(self.automaton.class_V).to(device)
        self._use_distances()

    def _use_distances(self) -> None:
        distance_SC = self.automaton.distance_table(self.exact)
        self._distance_SC = torch.from_numpy(distance_SC).to(self._device)
        self._penalties: dict[int, Tensor] = {}
        self._max_distance = int(distance_SC.max(initial=0, where=distance_SC < UNREACHABLE))
        self._is_small = len(distance_SC) * len(self._class_V) * (self._max_distance + 1) <= _MAX_PENALTIES

    def as_exact(self) -> Constraint:
        """Return the same constraint with ``exact`` set."""
        other = copy.copy(self)
        other.exact = True
        other._use_distances()
        return other

    def initial_state(self, width: int) -> Tensor:
        """Return the state of ``width`` rows after the prefix, (C,)."""
        return torch.zeros(width, dtype=torch.long, device=self._next_SC.device)

    def advance(self, state_C: Tensor, ids_C: Tensor) -> Tensor:
        """Return the state after one more symbol, (C,)."""
        return follow(self._next_SC, state_C, self._class_V.index_select(0, ids_C))

    def mask(self, logits_CV: Tensor, state_C: Tensor, length: int) -> Tensor:
        """Return logits with minus infinity at symbols from which no accepted end can be reached.

        Args:
            logits_CV: logits of the next symbol.
            state_C: the state before it.
            length: symbols of the rows so far, prefix included.
        """
        left = self._max_length - length
        if self._may_be_cut and not left:  # one more symbol is sampled of a row without an end, whatever it is
            left = self._max_distance
        most = min(left, self._max_distance)
        if self._is_small:
            return logits_CV + self._penalty_SV(most).index_select(0, state_C)
        distance_CV = self._distance_SC.index_select(0, state_C).index_select(1, self._class_V)
        return logits_CV.masked_fill(distance_CV > most, -torch.inf)

    def _penalty_SV(self, most: int) -> Tensor:
        """Return minus infinity at symbols after which no accepted end is within ``most`` symbols, else 0."""
        if most not in self._penalties:
            distance_SV = self._distance_SC.index_select(1, self._class_V)
            self._penalties[most] = torch.zeros(distance_SV.shape, device=distance_SV.device)
            self._penalties[most].masked_fill_(distance_SV > most, -torch.inf)
        return self._penalties[most]

    def accepts(self, text: str) -> bool:
        """Return whether a whole row satisfies the constraint."""
        if self._decodes_parts and "\N{REPLACEMENT CHARACTER}" in text:  # from bytes that are not UTF-8
            return False
        data = text.encode("utf-8", "surrogatepass")
        return all(part.accepts(data) for part in self.parts)


def build_constraint(
    settings: DecodeConfig, vocabulary: Vocabulary, allowed_V: npt.NDArray[np.bool_], device: torch.device
) -> Constraint | None:
    """Return the constraint of the settings, or None if they have none.

    Raises:
        UsageError: no row can satisfy it.
        UnknownSymbol: it contains a symbol that the vocabulary lacks.
        MissingExtra: outlines-core, needed for regular expressions, is not installed.
    """
    either = settings.ignore_case
    parts = [automata.contains([text], ignore_case=either) for text in settings.contains]
    parts += [automata.contains(settings.contains_any, ignore_case=either)] if settings.contains_any else []
    parts += [automata.avoids(settings.avoid, ignore_case=either)] if settings.avoid else []
    whole = [automata.ends(settings.ends, ignore_case=either)] if settings.ends else []
    whole += [automata.template(settings.template, ignore_case=either)] if settings.template else []
    whole += [automata.length(*automata.parse_length(settings.length))] if settings.length else []
    whole += [regex(settings.regex, ignore_case=either)] if settings.regex else []
    if either and not (parts or settings.ends or settings.template or settings.regex):
        raise UsageError("cannot apply --ignore-case: there is no text to compare; add one, such as --contains")
    if whole and not vocabulary.ends:
        raise UsageError(
            f"cannot apply {whole[0].name}: this run was trained on one long text, whose rows have no end; "
            "use --contains or --avoid"
        )
    if not parts and not whole:
        if settings.exact and not (isinstance(settings, SampleConfig) and settings.valid):
            raise UsageError("cannot apply --exact: there is no constraint; add one, such as --contains or --regex")
        return None
    assert settings.max_length is not None
    try:
        return Constraint(
            [*parts, *whole],
            vocabulary,
            allowed_V,
            prefix=settings.prefix,
            max_length=settings.max_length,
            exact=settings.exact,
            device=device,
        )
    except UsageError:
        texts = {
            "--contains": settings.contains,
            "--ends": (settings.ends,),
            "--template": automata.template_pieces(settings.template),
        }
        for option, text in () if either else ((name, text) for name, given in texts.items() for text in given):
            vocabulary.encode_option(option, text)  # an unknown symbol is the more helpful error
        raise


def symbol_pieces(vocabulary: Vocabulary) -> list[bytes]:
    """Return the bytes of each symbol.

    Raises:
        UsageError: symbols are not pieces of the text.
    """
    pieces = vocabulary.pieces()
    if pieces is None:
        name = type(vocabulary.tokenizer).__name__
        raise UsageError(
            f"cannot constrain the text of rows: the symbols of this run ({name}) are not pieces of the text; "
            "train with --tokenizer char"
        )
    return pieces


def _allowed_pieces(vocabulary: Vocabulary, allowed_V: npt.NDArray[np.bool_]) -> list[bytes | None]:
    """Return the bytes of each id that is a symbol and may be sampled; None for the others."""
    pieces = symbol_pieces(vocabulary)
    return [None] * vocabulary.symbol_offset + [
        piece if allowed else None for piece, allowed in zip(pieces, allowed_V[vocabulary.symbol_offset :], strict=True)
    ]
