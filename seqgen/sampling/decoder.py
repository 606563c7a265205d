"""The part that all decoding methods share: model, prefix, conditions, allowed ids and decoding steps.

Dimension letters: A rows, T positions, V vocabulary.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from seqgen.config import DecodeConfig
from seqgen.errors import BadOption, Diverged, short_repr
from seqgen.model import count_parameters, device_of, evaluation_mode
from seqgen.plugin_guards import describe_part
from seqgen.protocols import Processor
from seqgen.sampling.automata import Automaton
from seqgen.sampling.constraint import Constraint, build_constraint
from seqgen.sampling.fast_ops import FastOps
from seqgen.sampling.processors import build_processors
from seqgen.sampling.steps import DecodingStep, RowConstraint
from seqgen.tokenizers import EOS, Vocabulary

_LARGE = 300_000  # parameters above which a step costs much more than its call


class Decoder:
    """A model in evaluation mode with the settings of its rows.

    Args:
        model: implements :class:`seqgen.Model`.
        vocabulary: its symbols.
        settings: how to sample; ``max_length`` must be set.
        multiline: whether a row may contain line ends.
        processors: further decoding steps, applied before those of the settings.
        given: the values of conditions, by name.

    Attributes:
        vocabulary: as given.
        settings: as given.
        max_length: the maximum number of symbols of a row.
        n_slots: ids before the text of a row, which are conditions.
        forced: conditions and prefix, as ids.
        constraint: what every row satisfies, or None.
        forbidden_V: True for ids that are never sampled.
        processors: all decoding steps, in order.
        device: the device of the model.
        n_parameters: number of parameters of the model.

    Raises:
        UsageError: an unknown condition or value, or a constraint that no row can satisfy.
        UnknownSymbol: the prefix contains a symbol that the vocabulary lacks.
        BadOption: the prefix is longer than ``max_length``, or contains a line end in single-line records.
    """

    def __init__(
        self,
        model: nn.Module,
        vocabulary: Vocabulary,
        settings: DecodeConfig,
        *,
        multiline: bool = False,
        processors: Sequence[Processor] = (),
        given: Mapping[str, str] | None = None,
    ) -> None:
        assert settings.max_length is not None
        self._model = model
        self.vocabulary, self.settings, self.max_length = vocabulary, settings, settings.max_length
        self.device, self.n_parameters = device_of(model), count_parameters(model)
        prefix: list[int] = vocabulary.encode_option("--prefix", settings.prefix).tolist()
        if len(prefix) > settings.max_length:
            raise BadOption(
                f"cannot start rows with a prefix of {len(prefix)} symbols: --max-length is {settings.max_length}; "
                "shorten --prefix or raise --max-length"
            )
        self.n_slots = len(vocabulary.slots)
        self.forced: list[int] = vocabulary.condition_ids([given or {}])[0].tolist() + prefix
        self._extra = list(processors)
        self.processors = [*self._extra, *build_processors(settings)]
        allowed_V = torch.from_numpy(vocabulary.allowed_V(line_ends=multiline))
        if not allowed_V[prefix].all():
            raise BadOption(
                f"cannot start rows with the prefix {short_repr(settings.prefix)}: it contains a line end, and the "
                "records of this run are single lines; drop the line end"
            )
        if not settings.ban.isascii() and vocabulary.has_partial():
            raise BadOption(
                f"cannot ban {short_repr(settings.ban)}: this run's symbols may be parts of characters; use "
                "--avoid instead"
            )
        allowed_V &= ~torch.from_numpy(vocabulary.containing(settings.ban))
        if not allowed_V[EOS + 1 :].any():
            raise BadOption(f"cannot ban {short_repr(settings.ban)}: no symbol is left to sample; ban fewer characters")
        self.forbidden_V = ~allowed_V.to(self.device)
        self._allowed_V = allowed_V.numpy()
        self.constraint = build_constraint(settings, vocabulary, self._allowed_V, self.device)

    def restricted(self, part: Automaton) -> Self:
        """Return a decoder of the same rows that satisfy one more requirement.

        Raises:
            UsageError: no row can, or the table is too large.
        """
        other = copy.copy(self)
        other.constraint = self.constrained([*(() if self.constraint is None else self.constraint.parts), part])
        return other

    def of_whole_characters(self) -> Self:
        """Return a decoder of the same rows but those with a broken character, where symbols are parts of characters.

        Rows are broken where their bytes are no UTF-8: many of them are the same text, U+FFFD.
        """
        if self.constraint is not None or not self.vocabulary.has_partial():
            return self
        other = copy.copy(self)
        other.constraint = self.constrained([])
        return other

    def constrained(self, parts: Sequence[Automaton], prefix: str | None = None) -> Constraint:
        """Return a constraint on rows of this decoder; its prefix, if none is given.

        Raises:
            UsageError: no row can satisfy it, or the table is too large.
        """
        return Constraint(
            parts,
            self.vocabulary,
            self._allowed_V,
            prefix=self.settings.prefix if prefix is None else prefix,
            max_length=self.max_length,
            device=self.device,
        )

    @property
    def is_large(self) -> bool:
        """True for a model of more than 300,000 parameters, whose steps cost more to compute than to call."""
        return self.n_parameters > _LARGE

    def steps(self) -> DecodingStep:
        """Return the one-step function of the model; call it within ``inference``."""
        n_prefix = len(self.forced) - self.n_slots
        return DecodingStep(self._model, self.n_slots, n_prefix, self.step_constraint, self.settings.guidance)

    @property
    def step_constraint(self) -> RowConstraint | None:
        """The constraint that each step obeys."""
        return self.constraint

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        """Put the model in evaluation mode without gradients for the duration of the context."""
        with evaluation_mode(self._model), FastOps() if self.is_large else contextlib.nullcontext():
            yield

    def process(self, logits_AV: Tensor, history_AT: Tensor) -> Tensor:
        """Return the logits of the rows after all decoding steps.

        An id at minus infinity stays there, whatever a decoding step does.

        Args:
            logits_AV: logits of the next id; minus infinity where the constraint forbids it.
            history_AT: the ids of each row so far, without conditions.
        """
        *_, (_, processed_AV) = self._processed(logits_AV, history_AT)
        return processed_AV

    def _processed(self, logits_AV: Tensor, history_AT: Tensor) -> Iterator[tuple[Processor | None, Tensor]]:
        """Yield the allowed logits, then the logits after each decoding step, with that step.

        The steps of plugins get copies and cannot allow again what is forbidden: probability that they put there is
        dropped before the steps of the settings follow, so that top-k counts allowed symbols only.
        """
        allowed_AV = logits_AV.masked_fill(self.forbidden_V, -torch.inf)
        if self.constraint is not None and not self.vocabulary.ends:
            # A row that has violated its constraint ends, also where rows have no end.
            rejected_A = (allowed_AV == -torch.inf).all(1)
            allowed_AV[:, EOS] = torch.where(rejected_A, logits_AV[:, EOS], allowed_AV[:, EOS])
        logits_AV = allowed_AV
        yield None, logits_AV
        if self._extra:
            forbidden_AV, history_AT = logits_AV == -torch.inf, history_AT.clone()
        for number, process in enumerate(self.processors):
            logits_AV = process(logits_AV, history_AT)
            if number < len(self._extra):
                logits_AV = logits_AV.masked_fill(forbidden_AV, -torch.inf)
            yield process, logits_AV

    def dead_end(self, logits_AV: Tensor, history_AT: Tensor, unfinished_A: Tensor | None = None) -> Diverged:
        """Return the error for rows without a possible next id; it names the decoding step at fault.

        Args:
            logits_AV: the argument of ``process``.
            history_AT: the argument of ``process``.
            unfinished_A: which rows have not ended; None: all.
        """
        start = f"cannot sample symbol {history_AT.shape[1]} of a row: "
        for process, after_AV in self._processed(logits_AV, history_AT):
            possible_A = torch.softmax(after_AV.float(), -1).isfinite().all(-1)
            if not bool((possible_A if unfinished_A is None else possible_A | ~unfinished_A).all()):
                if process is None:
                    return Diverged(f"{start}the logits of the model are not finite; sample from another --checkpoint")
                for what, wrong_AV in (("not a number", after_AV.isnan()), ("plus infinity", after_AV == torch.inf)):
                    if bool(wrong_AV.any()):
                        return Diverged(f"{start}{describe_part(process)} returns logits that are {what}; drop it")
                return Diverged(f"{start}{describe_part(process)} leaves no symbol; drop it or loosen its options")
        return Diverged(f"{start}no symbol is left; drop a decoding step")
