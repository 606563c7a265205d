"""Playing with a run: what it makes of a prefix, asked again and again with settings that stay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqgen.api.conditioning import Wishes
from seqgen.api.next_symbols import NextSymbol
from seqgen.api.run import Run
from seqgen.config import build_options
from seqgen.errors import SeqgenError

_SYMBOLS, _COMPLETIONS = 8, 5
_LONG_TEXT = 80  # symbols of a completion where texts have no end


@dataclass(frozen=True)
class Completion:
    """A sequence drawn from a prefix.

    Attributes:
        text: the whole of it.
        cut: whether it reached the longest length without ending.
        bits_per_char: what it costs, its stop counted unless it was cut; None if it cannot be scored.
    """

    text: str
    cut: bool
    bits_per_char: float | None


@dataclass(frozen=True)
class Look:
    """What a model makes of a prefix.

    Attributes:
        prefix: the prefix.
        bits_per_symbol: the mean cost of its symbols; None of an empty one.
        symbols: the likeliest next symbols, at temperature 1.
        completions: sequences drawn from it.
        seed: with which they were drawn.
    """

    prefix: str
    bits_per_symbol: float | None
    symbols: Sequence[NextSymbol]
    completions: Sequence[Completion]
    seed: int


@dataclass
class Player:
    """A run and how it is played with; every look draws with the next seed.

    Attributes:
        run: the run.
        given: values of conditions, or of fields that rows begin with.
        label: the label that is asked for, or None.
        temperature: of the completions.
        seed: of the next completions.
    """

    run: Run
    given: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn with, and read the model."""
        self.change()
        _ = self.run.model

    def change(self, **settings: Any) -> None:
        """Set temperature, seed or label; what cannot be leaves all as it was.

        Raises:
            BadOption: an impossible temperature or seed.
            UsageError: a label or field that the run does not know.
        """
        from seqgen.sampling import SampleSettings

        now = {"temperature": self.temperature, "seed": self.seed, "label": self.label} | settings
        label = now.pop("label")
        drawn = build_options(SampleSettings, now, "play")
        wishes = Wishes.of(self.run, label, self.given)
        self.run.vocabulary.condition_ids([wishes.conditions])
        self.label, self.temperature, self.seed, self._wishes = label, drawn["temperature"], drawn["seed"], wishes

    def look(self, prefix: str) -> Look:
        """The score of a prefix, what may come next, and completions.

        Raises:
            UnknownSymbol: the prefix holds a symbol that the corpus did not.
            BadOption: it is longer than a row may be.
        """
        run, seed = self.run, self.seed
        n_symbols = len(run.vocabulary.encode(self._wishes.prefix + prefix))
        longest = None if run.vocabulary.ends else n_symbols + _LONG_TEXT
        rows = run.sample(
            1 if self.temperature == 0 else _COMPLETIONS, prefix=prefix, temperature=self.temperature, seed=seed,
            label=self.label, given=self.given, max_length=longest,
        )  # fmt: skip
        self.seed = (seed + 1) % 2**63
        bits_per_symbol = None
        if n_symbols:
            (score,) = run.score(self._wishes.prefix + prefix, given=self._wishes.conditions)
            bits_per_symbol = sum(score.nats_per_symbol[:n_symbols]) / math.log(2) / n_symbols
        symbols = run.next_symbols(prefix, _SYMBOLS, label=self.label, given=self.given)
        completions = [Completion(row.text, row.cut, self._bits_per_char(row.text, row.cut)) for row in rows]
        return Look(prefix, bits_per_symbol, symbols, completions, seed)

    def _bits_per_char(self, text: str, cut: bool) -> float | None:
        try:
            (score,) = self.run.score(text, given=self._wishes.conditions)
        except SeqgenError:  # a text that its own tokenizer cannot read again
            return None
        if not (cut and self.run.vocabulary.ends):
            return score.bits_per_char
        return sum(score.nats_per_symbol[:-1]) / math.log(2) / max(1, len(text))
