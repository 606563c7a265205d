"""What all ways of decoding share: the model at rest, what rows begin with, what may follow.

Dimension letters: A rows, T positions, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from seqgen.errors import BadOption, Diverged
from seqgen.model import count_parameters, device_of, evaluation_mode
from seqgen.plugin_guards import describe_part
from seqgen.protocols import Processor
from seqgen.sampling.constraint import build_constraint
from seqgen.sampling.fast_ops import Quick
from seqgen.sampling.processors import build_processors
from seqgen.sampling.settings import SampleSettings
from seqgen.sampling.steps import Steps
from seqgen.tokenizers import EOS, Vocabulary

_SMALL = 300_000  # parameters


class Decoder:
    """A model whose weights rest, and what is asked of rows.

    Args:
        model: keeps the contract of :class:`seqgen.Model`.
        vocabulary: its symbols.
        settings: how to draw; ``max_length`` must be set.
        multiline: whether a row may hold line ends.
        processors: further decoding steps, applied before those that the settings ask for.
        given: the values of conditions, by name.

    Attributes:
        vocabulary: as given.
        settings: as given.
        max_length: the most symbols of a row.
        n_slots: ids before the text of a row: conditions.
        forced: conditions and prefix, as ids.
        constraint: what every row satisfies, or None.
        forbidden_V: ids that are never drawn.
        processors: all decoding steps.
        device: where the model computes.
        n_parameters: of the model.

    Raises:
        UsageError: a condition or value that is not known, or a constraint that no row can satisfy.
        UnknownSymbol: the prefix holds a symbol that the vocabulary does not know.
        BadOption: the prefix is longer than a row may be, or holds a line end in single-line records.
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
        self._model = model
        self.vocabulary, self.settings, self.max_length = vocabulary, settings, settings.max_length
        self.device, self.n_parameters = device_of(model), count_parameters(model)
        prefix: list[int] = vocabulary.encode(settings.prefix).tolist()
        if len(prefix) > settings.max_length:
            raise BadOption(f"the prefix has {len(prefix)} symbols, more than max_length {settings.max_length}")
        self.n_slots = len(vocabulary.slots)
        self.forced: list[int] = vocabulary.condition_ids([given or {}])[0].tolist() + prefix
        self._foreign = list(processors)
        self.processors = [*self._foreign, *build_processors(settings)]
        allowed_V = torch.from_numpy(vocabulary.allowed_V(line_ends=multiline))
        if not allowed_V[prefix].all():
            raise BadOption("the prefix holds a line end; the records of this run are one line each")
        allowed_V &= ~torch.from_numpy(vocabulary.containing(settings.ban))
        if not allowed_V[EOS + 1 :].any():
            raise BadOption(f"ban {settings.ban!r} leaves no symbol to draw")
        self.forbidden_V = ~allowed_V.to(self.device)
        self.constraint = build_constraint(settings, vocabulary, allowed_V.numpy(), self.device)

    @property
    def wide(self) -> bool:
        """Whether a step costs much: the model is no small one."""
        return self.n_parameters > _SMALL

    def steps(self) -> Steps:
        """The model's steps, within ``resting``."""
        n_prefix = len(self.forced) - self.n_slots
        return Steps(self._model, self.n_slots, n_prefix, self.constraint, self.settings.guidance)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Within it the model is in evaluation mode and needs no gradient."""
        with evaluation_mode(self._model), Quick() if self.wide else contextlib.nullcontext():
            yield

    def process(self, logits_AV: Tensor, history_AT: Tensor) -> Tensor:
        """Return the logits of rows after all decoding steps; what is minus infinity stays so, whatever a step does.

        Args:
            logits_AV: of the next id; minus infinity for what a constraint forbids.
            history_AT: the ids of each row so far, conditions left out.
        """
        *_, (_, processed_AV) = self._processed(logits_AV, history_AT)
        return processed_AV

    def _processed(self, logits_AV: Tensor, history_AT: Tensor) -> Iterator[tuple[Processor | None, Tensor]]:
        """Yield the allowed logits, then those after each decoding step, with the step.

        The steps of plugins get copies, and cannot allow again what is forbidden: probability that they put there is
        dropped before the steps of the settings follow, so that top-k counts allowed symbols only.
        """
        logits_AV = logits_AV.masked_fill(self.forbidden_V, -torch.inf)
        yield None, logits_AV
        if self._foreign:
            forbidden_AV, history_AT = logits_AV == -torch.inf, history_AT.clone()
        for number, process in enumerate(self.processors):
            logits_AV = process(logits_AV, history_AT)
            if number < len(self._foreign):
                logits_AV = logits_AV.masked_fill(forbidden_AV, -torch.inf)
            yield process, logits_AV

    def nothing_left(self, logits_AV: Tensor, history_AT: Tensor, open_A: Tensor | None = None) -> Diverged:
        """Return the error of rows that have nothing left to draw, which names the decoding step at fault.

        Args:
            logits_AV: as ``process`` got them.
            history_AT: as ``process`` got it.
            open_A: which rows go on; None: all.
        """
        start = f"cannot draw symbol {history_AT.shape[1]} of a row: "
        for process, after_AV in self._processed(logits_AV, history_AT):
            drawable_A = torch.softmax(after_AV.float(), -1).isfinite().all(-1)
            if not bool((drawable_A if open_A is None else drawable_A | ~open_A).all()):
                if process is None:
                    return Diverged(f"{start}the model gives no number; sample from another --checkpoint")
                return Diverged(f"{start}{describe_part(process)} leaves nothing to draw; drop it, or ask for less")
        return Diverged(f"{start}nothing is left to draw")
