"""The view that a run has of a prefix: its score, the likeliest next symbols, and completions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import seqgen
from seqgen import measure

_N_SYMBOLS, _N_COMPLETIONS = 8, 5
_LONG_TEXT = 80  # symbols of a completion of one long text, which has no end


@dataclass(frozen=True)
class Completion:
    """A sequence sampled from a prefix.

    Attributes:
        text: the whole sequence.
        cut: whether it reached the longest length without ending.
        bits_per_char: its bits per character, the stop counted unless it was cut; None if it cannot be scored.
    """

    text: str
    cut: bool
    bits_per_char: float | None


@dataclass(frozen=True)
class Look:
    """The model's view of a prefix.

    Attributes:
        prefix: the prefix.
        bits_per_symbol: the mean over its symbols; None of an empty one.
        symbols: the likeliest next symbols, at temperature 1, each with ``text``, ``probability`` and ``ends``.
        completions: sequences sampled from it.
        seed: of the completions.
    """

    prefix: str
    bits_per_symbol: float | None
    symbols: Sequence[Any]
    completions: Sequence[Completion]
    seed: int


@dataclass
class Player:
    """A run and the settings of its completions; every look takes the next seed.

    Attributes:
        run: the run.
        given: values of conditions, or of fields that rows begin with.
        label: the label of the rows, or None.
        temperature: of the completions.
        seed: of the next completions.
    """

    run: seqgen.Run
    given: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse impossible settings, and load the model."""
        self.change()

    def change(
        self,
        *,
        temperature: Any = None,
        seed: Any = None,
        label: str | None = "",
        given: Mapping[str, str] | None = None,
    ) -> None:
        """Set temperature, seed, label or values of conditions; a value that is refused changes nothing.

        Args:
            temperature: None: as it is.
            seed: None: as it is.
            label: None: rows of any label; "": as it is.
            given: values that are added to those given before; {}: none is given any more; None: as they are.

        Raises:
            BadOption: an impossible temperature or seed.
            UsageError: a label or field that the run does not know.
        """
        temperature = self.temperature if temperature is None else temperature
        seed = self.seed if seed is None else seed
        label = self.label if label == "" else label
        given = self.given if given is None else {**self.given, **given} if given else {}
        try:
            whole = int(seed)
        except ValueError:
            raise seqgen.BadOption(f"no seed {seed!r}: write a whole number, such as :seed 3") from None
        self.run.sample(0, temperature=temperature, seed=whole, label=label, given=given)
        self.temperature, self.seed, self.label, self.given = float(temperature), whole, label, given

    def look(self, prefix: str) -> Look:
        """Return the score of a prefix, the likeliest next symbols, and completions.

        Raises:
            UnknownSymbol: the prefix has a symbol that is not in the corpus.
            BadOption: it is longer than a row may be.
        """
        run, seed = self.run, self.seed
        conditioning: dict[str, Any] = {"label": self.label, "given": self.given}
        nats = measure.prefix_nats(run, prefix, **conditioning)
        longest = None if run.vocabulary.ends else len(nats) + _LONG_TEXT
        rows = run.sample(
            1 if self.temperature == 0 else _N_COMPLETIONS, prefix=prefix, temperature=self.temperature, seed=seed,
            max_length=longest, **conditioning,
        )  # fmt: skip
        self.seed = (seed + 1) % 2**63
        bits_per_symbol = sum(nats) / math.log(2) / len(nats) if nats else None
        symbols = run.next_symbols(prefix, _N_SYMBOLS, **conditioning)
        completions = [
            Completion(row.text, row.cut, self._bits_per_char(row.text, row.cut, len(prefix))) for row in rows
        ]
        return Look(prefix, bits_per_symbol, symbols, completions, seed)

    def _bits_per_char(self, text: str, cut: bool, start: int) -> float | None:
        """Return the bits per character of a completion, whose text has the given fields already.

        Args:
            text: its text, with U+FFFD in place of bytes that are no character; it is not scored then.
            cut: whether it was cut.
            start: the number of characters that were not sampled, at least.
        """
        if "\N{REPLACEMENT CHARACTER}" in text[start:] and self.run.vocabulary.has_partial():
            return None
        values = self.given if self.label is None else {**self.given, "label": self.label}
        conditions = {name: value for name, value in values.items() if name in self.run.vocabulary.slots}
        try:
            (score,) = self.run.score(text, given=conditions)
        except seqgen.SeqgenError:  # a text that its own tokenizer cannot read again
            return None
        if not (cut and self.run.vocabulary.ends):
            return score.bits_per_char
        return sum(score.nats_per_symbol[:-1]) / math.log(2) / max(1, len(text))
