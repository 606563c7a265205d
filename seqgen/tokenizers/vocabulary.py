"""The ids that a model sees: pad, begin, end, conditions, then the tokenizer's symbols.

Specials are ids and never text: a corpus that contains "<eos>" is plain characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqgen.errors import PluginError, UsageError, did_you_mean
from seqgen.protocols import Tokenizer

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Ids, Lengths

PAD, BOS, EOS = 0, 1, 2
_TRIES, _TRIED = 20, 50  # sequences, and symbols of each


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer's symbols, framed.

    Attributes:
        tokenizer: knows the symbols.
        conditions: the condition tokens, "name=value", whose ids follow ``EOS``; those of a name stand together.
        ends: whether sequences end; windows of a long text do not.
    """

    tokenizer: Tokenizer
    conditions: tuple[str, ...] = ()
    ends: bool = True

    @property
    def symbol_offset(self) -> int:
        """The id of the tokenizer's symbol 0."""
        return EOS + 1 + len(self.conditions)

    @property
    def size(self) -> int:
        """V: every id, the specials too."""
        return self.symbol_offset + self.tokenizer.n_symbols

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the conditions, each of which has a place between ``BOS`` and the first symbol."""
        return tuple(dict.fromkeys(condition.partition("=")[0] for condition in self.conditions))

    @property
    def dtype(self) -> npt.DTypeLike:
        """The smallest integers that hold every id."""
        return np.min_scalar_type(self.size - 1)

    def condition_ids(self, given: Iterable[Mapping[str, str]]) -> Ids:
        """The condition tokens of some sequences, as ids.

        Args:
            given: for each sequence the value of each condition, by name; what is left out is ``PAD``.

        Returns:
            (N, C).

        Raises:
            UsageError: a condition or a value that is not known.
        """
        id_of = {condition: index for index, condition in enumerate(self.conditions, EOS + 1)}
        try:
            rows = [
                [id_of[f"{name}={values[name]}"] if name in values else PAD for name in self.slots] for values in given
            ]
        except KeyError as error:
            name, _, value = error.args[0].partition("=")
            known = [known.partition("=")[2] for known in self.conditions if known.startswith(f"{name}=")]
            raise UsageError(f"no {name} {value!r}{did_you_mean(value, known)}") from None
        return np.array(rows, dtype=np.int32).reshape(len(rows), len(self.slots))

    def allowed_V(self, *, line_ends: bool = True) -> npt.NDArray[np.bool_]:
        """Which ids may be predicted: ``EOS`` and the symbols, not pad, begin or conditions.

        Args:
            line_ends: False forbids symbols that hold a line end too, for records that are one line.
        """
        allowed = np.ones(self.size, dtype=bool)
        allowed[[PAD, BOS, *([] if self.ends else [EOS]), *range(EOS + 1, self.symbol_offset)]] = False
        if not line_ends:
            allowed &= ~self.containing("\n\r")
        return allowed

    def containing(self, characters: str) -> npt.NDArray[np.bool_]:
        """Which ids (V,) are symbols whose text holds one of some characters."""
        holds = np.zeros(self.size, dtype=bool)
        for symbol in range(self.tokenizer.n_symbols if characters else 0):
            holds[self.symbol_offset + symbol] = not set(characters).isdisjoint(self.tokenizer.decode([symbol]))
        return holds

    def pieces(self) -> list[bytes] | None:
        """What each symbol writes, as UTF-8, where a text is what its symbols write one after another; else None.

        A tokenizer may say it, by a method ``symbol_bytes``; otherwise it is tried on sequences drawn at random.
        """
        own: Callable[[], list[bytes] | None] | None = getattr(self.tokenizer, "symbol_bytes", None)
        if own is not None:
            found = own()
            said = isinstance(found, list) and all(isinstance(piece, bytes) for piece in found)
            if found is not None and not (said and len(found) == self.tokenizer.n_symbols):
                called = f"{type(self.tokenizer).__module__}.{type(self.tokenizer).__qualname__}.symbol_bytes"
                raise PluginError(f"{called} gave {type(found).__name__}, not the bytes of each symbol in a list")
            return found
        texts = [self.tokenizer.decode([symbol]) for symbol in range(self.tokenizer.n_symbols)]
        rng = np.random.default_rng(0)
        for _ in range(_TRIES if texts else 0):
            ids = rng.integers(len(texts), size=_TRIED).tolist()
            if self.tokenizer.decode(ids) != "".join(texts[symbol] for symbol in ids):
                return None
        return [text.encode("utf-8", "surrogatepass") for text in texts]

    def encode(self, text: str) -> Ids:
        """The ids of a text, without frame.

        Raises:
            UnknownSymbol: the text holds a symbol that the tokenizer does not know.
        """
        return self._checked(np.asarray(self.tokenizer.encode(text), dtype=np.int32)) + self.symbol_offset

    def _checked(self, ids: Ids) -> Ids:
        """The tokenizer's ids, if they are that: a wrong one would be cast to another symbol in silence."""
        n_symbols = self.tokenizer.n_symbols
        if len(ids) and not 0 <= ids.min() <= ids.max() < n_symbols:
            raise ValueError(f"encode gave the ids {ids.min()} to {ids.max()}, and n_symbols is {n_symbols}")
        return ids

    def frame_many(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """``BOS symbols EOS`` of many texts one after another, and the length of each with its frame.

        Raises:
            UnknownSymbol: a text holds a symbol that the tokenizer does not know.
        """
        flat, lengths = self.tokenizer.encode_many(texts)
        framed_lengths = lengths + 2
        ends = np.cumsum(framed_lengths)
        framed = np.empty(int(framed_lengths.sum()), dtype=self.dtype)
        is_symbol = np.ones(len(framed), dtype=bool)
        is_symbol[ends - 1] = False
        is_symbol[ends - framed_lengths] = False
        framed[ends - framed_lengths] = BOS
        framed[ends - 1] = EOS
        framed[is_symbol] = np.add(self._checked(flat), self.symbol_offset, dtype=self.dtype, casting="unsafe")
        return framed, framed_lengths

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids without frame.

        Raises:
            ValueError: an id is no symbol but pad, begin, end or a condition, or is not known.
        """
        symbols = [index - self.symbol_offset for index in ids]
        if symbols:
            self._check_symbols(min(symbols), max(symbols))
        return self.tokenizer.decode(symbols)

    def decode_many(self, flat: Ids, lengths: Lengths) -> list[str]:
        """Return the texts of many rows of ids without frame, one after another in ``flat``.

        Raises:
            ValueError: an id is no symbol but pad, begin, end or a condition, or is not known.
        """
        symbols = flat - self.symbol_offset
        if len(symbols):
            self._check_symbols(symbols.min(), symbols.max())
        return self.tokenizer.decode_many(symbols, lengths)

    def _check_symbols(self, least: int, most: int) -> None:
        """Refuse what a tokenizer would read as another symbol in silence: a negative index counts from the end."""
        if least < 0 or most >= self.tokenizer.n_symbols:
            raise ValueError(
                f"cannot decode the ids {least + self.symbol_offset} to {most + self.symbol_offset}: "
                f"symbols are {self.symbol_offset} to {self.size - 1}"
            )
