"""Rows from a model: a row's text depends on the seed and its number only, not on how many are drawn together.

Two things make it so. Widths that are multiples of 32 give every row of a matrix product the same bits whatever the
width, so rows are computed in such widths (``rows.Rows``). And the uniforms of a row are keyed by the seed and the row
(``draw.Uniforms``).

Dimension letters: A rows still computed, L rows that have left, T positions, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seqgen.errors import BadOption, Diverged
from seqgen.model import count_parameters, device_of, make_stepper
from seqgen.protocols import Processor, State
from seqgen.sampling.draw import Uniforms, as_it_is, draw
from seqgen.sampling.processors import build_processors
from seqgen.sampling.quick import Quick
from seqgen.sampling.rows import MULTIPLE, Rows, round_up
from seqgen.sampling.settings import SampleSettings
from seqgen.tokenizers import BOS, EOS, PAD, Vocabulary

_SMALL = 300_000  # parameters
_MOST_LOGITS = 2**22


class Sample(NamedTuple):
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
        given: the values of conditions, by name.

    Raises:
        UsageError: a condition or value that is not known.
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
        given: Mapping[str, str] | None = None,
    ) -> None:
        assert settings.max_length is not None
        self._model, self._vocabulary, self._settings = model, vocabulary, settings
        self._max_length = settings.max_length
        self._device = device_of(model)
        n_parameters = count_parameters(model)
        self._wide = n_parameters > _SMALL
        self._width = round_up(settings.batch_size or _choose_width(n_parameters, vocabulary.size))
        prefix: list[int] = vocabulary.encode(settings.prefix).tolist()
        if len(prefix) > settings.max_length:
            raise BadOption(f"the prefix has {len(prefix)} symbols, more than max_length {settings.max_length}")
        self._n_slots = len(vocabulary.slots)
        self._forced: list[int] = vocabulary.condition_ids([given or {}])[0].tolist() + prefix
        self._processors = [*processors, *build_processors(settings)]
        allowed_V = torch.from_numpy(vocabulary.allowed_V(line_ends=multiline))
        if not allowed_V[prefix].all():
            raise BadOption("the prefix holds a line end; the records of this run are one line each")
        self._forbidden_V = ~allowed_V.to(self._device)
        self._allows_all = bool(allowed_V[EOS:].all())  # then the ids before it need only be left out

    def rows(self, start: int = 0) -> Iterator[Sample]:
        """Rows ``start``, ``start + 1``, ... without end, computed in growing batches as they are asked for."""
        width = MULTIPLE
        while True:
            yield from self._chunk(start, width)
            start += width
            width = min(2 * width, self._width)

    def take(self, n: int) -> Iterator[Sample]:
        """Rows 0 to ``n`` - 1."""
        for start in range(0, n, self._width):
            yield from self._chunk(start, min(self._width, n - start))

    def _chunk(self, start: int, wanted: int) -> list[Sample]:
        """Rows ``start`` .. ``start + wanted - 1``."""
        was_training = self._model.training
        self._model.eval()
        try:
            with torch.inference_mode(), Quick() if self._wide else contextlib.nullcontext():
                rows = self._draw_rows(start, wanted)
        finally:
            self._model.train(was_training)
        numbers: list[int] = []
        texts: list[str] = []
        cut: list[bool] = []
        for numbers_L, ids_LT in rows.finish():
            numbers += numbers_L.tolist()
            self._read(ids_LT[:, self._n_slots :].cpu().numpy(), texts, cut)
        order = np.argsort(numbers).tolist()
        return [Sample(number, texts[place], cut[place]) for number, place in enumerate(order, start)]

    def _read(self, ids_LT: npt.NDArray[np.int64], texts: list[str], cut: list[bool]) -> None:
        """Append the texts of rows, and whether each was cut."""
        ends_LT = ids_LT == EOS
        cut_L = ~ends_LT.any(1)
        lengths_L = np.where(cut_L, self._max_length, ends_LT.argmax(1))
        flat = ids_LT[np.arange(ids_LT.shape[1]) < lengths_L[:, None]].astype(np.int32)
        texts += self._vocabulary.decode_many(flat, lengths_L)
        cut += cut_L.tolist()

    def _draw_rows(self, start: int, width: int) -> Rows:
        step = make_stepper(self._model)  # type: ignore[arg-type]  # a module that keeps Model's contract
        uniforms = Uniforms(self._settings.seed, start, width)
        rows = Rows(width, self._vocabulary.size, BOS, self._device, wide=self._wide)
        state: State | None = self._model.initial_state(MULTIPLE)  # type: ignore[operator]
        while state is not None and rows.n_drawn <= self._n_slots + self._max_length:
            logits_CV, state = step(rows.ids_C, state)
            uniform_W = uniforms.next().to(self._device)
            state = rows.add(self._choose(logits_CV, rows, uniform_W), state)
        return rows

    def _choose(self, logits_CV: Tensor, rows: Rows, uniform_W: Tensor) -> Tensor:
        """The next id of each row: forced by conditions and prefix, else drawn."""
        if rows.n_drawn < len(self._forced):
            return torch.full_like(rows.alive_A, self._forced[rows.n_drawn])
        of_rows: Callable[[Tensor], Tensor] = rows.of_rows
        first = EOS
        if self._allows_all and not self._processors:
            logits_CV = logits_CV[:, EOS:]
        else:
            logits_CV, first = logits_CV.masked_fill(self._forbidden_V, -torch.inf), 0
        if self._processors:
            logits_CV, history_AT = of_rows(logits_CV), rows.history_AT()[:, self._n_slots :]
            for process in self._processors:
                logits_CV = process(logits_CV, history_AT)
            of_rows = as_it_is
        uniform_A = uniform_W if len(rows.alive_A) == len(uniform_W) else uniform_W.index_select(0, rows.alive_A)
        ids_A = draw(logits_CV, uniform_A, of_rows).add_(first)
        if int(ids_A.max()) == self._vocabulary.size:
            nothing_A = ids_A == self._vocabulary.size
            if (nothing_A & rows.open_A()).any():
                who = "the decoding steps leave nothing to draw" if self._processors else "the model gives no number"
                raise Diverged(f"{who} at symbol {rows.n_drawn} of a row")
            ids_A = ids_A.masked_fill(nothing_A, PAD)  # a row that has ended
        return ids_A


def _choose_width(n_parameters: int, n_ids: int) -> int:
    """Rows drawn together: many where a step is so small that its calls cost most, as far as memory allows."""
    return min(max(_MOST_LOGITS // n_ids, 256), 2048 if n_parameters > _SMALL else 4096)
