"""Rows from a model: a row's text depends on the seed and its number only, not on how many are drawn together.

Two things make it so. Widths that are multiples of 32 give every row of a matrix product the same bits whatever the
width, so rows are computed in such widths, spare rows padding. And the uniforms of a row are keyed by the seed and
the row (``draw.Uniforms``).

Dimension letters: B rows computed together, T positions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqgen.cells import select_rows
from seqgen.errors import BadOption, Diverged
from seqgen.model import device_of, make_stepper
from seqgen.protocols import Processor
from seqgen.sampling.draw import BLOCK, Uniforms, draw
from seqgen.sampling.processors import build_processors
from seqgen.sampling.settings import SampleSettings
from seqgen.tokenizers import BOS, EOS, PAD, Vocabulary

_MULTIPLE = 32


@dataclass(frozen=True)
class Sample:
    """One drawn sequence.

    Attributes:
        number: its row, from 0.
        text: the sequence.
        cut: whether it reached the longest length without ending by itself.
    """

    number: int
    text: str
    cut: bool


class Sampler:
    """Draws rows from a model whose weights rest.

    Args:
        model: keeps the contract of :class:`seqgen.Model`.
        vocabulary: its symbols.
        settings: how to draw; ``max_length`` must be set.
        multiline: whether a row may hold line ends.
        processors: further decoding steps, applied before those that the settings ask for.

    Raises:
        UnknownSymbol: the prefix holds a symbol that the vocabulary does not know.
        BadOption: the prefix is longer than a row may be, or holds a line end in single-line records.
        Diverged (while drawing): nothing can be drawn, since the logits are not numbers or all forbidden.
    """

    def __init__(
        self,
        model: nn.Module,
        vocabulary: Vocabulary,
        settings: SampleSettings,
        *,
        multiline: bool = False,
        processors: Sequence[Processor] = (),
    ) -> None:
        assert settings.max_length is not None
        self._model, self._vocabulary, self._settings = model, vocabulary, settings
        self._max_length = settings.max_length
        self._device = device_of(model)
        self._prefix: list[int] = vocabulary.encode(settings.prefix).tolist()
        if len(self._prefix) > settings.max_length:
            raise BadOption(f"the prefix has {len(self._prefix)} symbols, more than max_length {settings.max_length}")
        self._processors = [*processors, *build_processors(settings)]
        allowed_V = torch.from_numpy(vocabulary.allowed_V(line_ends=multiline))
        if not allowed_V[self._prefix].all():
            raise BadOption("the prefix holds a line end; the records of this run are one line each")
        self._forbidden_V = ~allowed_V.to(self._device)

    def rows(self, start: int = 0) -> Iterator[Sample]:
        """Rows ``start``, ``start + 1``, ... without end, computed in growing batches as they are asked for."""
        width = _MULTIPLE
        while True:
            room = BLOCK - start % BLOCK
            here = min(width, room)
            yield from self._chunk(start, here, here)
            start += here
            width = min(2 * width, _round_up(self._settings.batch_size))

    def take(self, n: int) -> Iterator[Sample]:
        """Rows 0 to ``n`` - 1."""
        start = 0
        while start < n:
            wanted = min(_round_up(self._settings.batch_size), BLOCK - start % BLOCK, n - start)
            yield from self._chunk(start, _round_up(wanted), wanted)
            start += wanted

    def _chunk(self, start: int, width: int, wanted: int) -> list[Sample]:
        """Rows ``start`` .. ``start + wanted - 1``, all in one block, computed at ``width``."""
        was_training = self._model.training
        self._model.eval()
        try:
            with torch.inference_mode():
                ids_BT = self._draw_ids(start, width).tolist()
        finally:
            self._model.train(was_training)
        return [self._sample(start + index, ids_BT[index]) for index in range(wanted)]

    def _sample(self, number: int, ids_T: list[int]) -> Sample:
        cut = EOS not in ids_T
        length = self._max_length if cut else ids_T.index(EOS)
        return Sample(number, self._vocabulary.decode(ids_T[:length]), cut)

    def _draw_ids(self, start: int, width: int) -> Tensor:
        """Ids (B, T) without ``BOS``; ``PAD`` after ``EOS``."""
        step = make_stepper(self._model)  # type: ignore[arg-type]  # a module that keeps Model's contract
        uniforms = Uniforms(self._settings.seed, start, width)
        alive = torch.arange(width, device=self._device)  # rows still computed; finished ones among them pad
        ended_B = torch.zeros(width, dtype=torch.bool, device=self._device)
        state = self._model.initial_state(width)  # type: ignore[operator]
        ids_B = torch.full((width,), BOS, device=self._device)
        columns: list[Tensor] = []
        for _ in range(self._max_length + 1):
            logits_BV, state = step(ids_B, state)
            ids_B = self._choose(logits_BV, columns, uniforms.next().to(self._device), alive)
            column = torch.full((width,), PAD, device=self._device)
            column[alive] = torch.where(ended_B[alive], PAD, ids_B)
            columns.append(column)
            ended_B |= column == EOS
            keep = _keep(ended_B[alive])
            if keep is None:
                break
            if len(keep) < len(alive):
                alive, ids_B, state = alive[keep], ids_B[keep], select_rows(state, keep)
        return torch.stack(columns, 1)

    def _choose(self, logits_BV: Tensor, columns: list[Tensor], uniform_B: Tensor, alive: Tensor) -> Tensor:
        """The next id of each row: forced by the prefix, else drawn."""
        if len(columns) < len(self._prefix):
            return torch.full((len(alive),), self._prefix[len(columns)], device=self._device)
        logits_BV = logits_BV.masked_fill(self._forbidden_V, -torch.inf)
        if self._processors:
            history_BT = torch.stack(columns, 1) if columns else alive.new_empty(len(uniform_B), 0)
            for process in self._processors:
                logits_BV = process(logits_BV, history_BT[alive])
        ids_B = draw(logits_BV, uniform_B[alive])
        if (ids_B == PAD).any():  # pad is forbidden, so it stands for: nothing could be drawn
            problem = "the decoding steps leave nothing to draw" if self._processors else "the model gives no number"
            raise Diverged(f"{problem} at symbol {len(columns)} of a row")
        return ids_B


def _round_up(n: int) -> int:
    return min(-(-n // _MULTIPLE) * _MULTIPLE, BLOCK)


def _keep(ended_B: Tensor) -> Tensor | None:
    """Which rows to go on with: those not ended, and ended ones to fill a multiple of 32; None when all ended."""
    n_open = int((~ended_B).sum())
    if not n_open:
        return None
    width = -(-n_open // _MULTIPLE) * _MULTIPLE
    if width == len(ended_B):
        return torch.arange(width, device=ended_B.device)
    order = torch.argsort(ended_B, stable=True)
    return torch.sort(order[:width]).values
