"""The ids that a model sees: pad, begin, end, conditions, then the tokenizer's symbols; and how new ones are added.

Special symbols are ids and never text: "<eos>" in a corpus is plain characters.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.errors import PluginError, SeqgenError, UnknownSymbol, UsageError, did_you_mean, short_repr
from seqgen.protocols import Tokenizer, fits_parts, has_symbol_bytes

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Ids, Lengths


PAD, BOS, EOS = 0, 1, 2
_WORD = re.compile(r"\w+")
_TRIES, _TRIED = 20, 50  # random sequences, and symbols of each


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer's symbols together with special symbols and conditions.

    Attributes:
        tokenizer: the fitted tokenizer.
        conditions: the condition tokens "name=value", grouped by name; their ids follow ``EOS``.
        ends: whether sequences end with ``EOS``; windows of a long text do not.
        label: the name of the tokenizer in messages; "": that of its class.
        n_symbols: the number of the tokenizer's symbols, which stays the same.

    Raises (by its methods):
        PluginError: the tokenizer has another number of symbols by now, or gives ids or bytes of other symbols.
    """

    tokenizer: Tokenizer
    conditions: tuple[str, ...] = ()
    ends: bool = True
    label: str = field(default="", compare=False)
    n_symbols: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the number of symbols."""
        # 0 for what is no tokenizer, which ``check_tokenizer`` refuses by name.
        object.__setattr__(self, "n_symbols", getattr(self.tokenizer, "n_symbols", 0))

    @property
    def symbol_offset(self) -> int:
        """Return the id of the tokenizer's symbol 0."""
        return EOS + 1 + len(self.conditions)

    @property
    def size(self) -> int:
        """Return V, the number of ids including special symbols and conditions."""
        return self.symbol_offset + self.n_symbols

    @property
    def slots(self) -> tuple[str, ...]:
        """Return the names of the conditions, which occupy the positions between ``BOS`` and the first symbol."""
        return tuple(dict.fromkeys(condition.partition("=")[0] for condition in self.conditions))

    @property
    def dtype(self) -> npt.DTypeLike:
        """Return the smallest integer type that holds every id."""
        return np.min_scalar_type(self.size - 1)

    def condition_ids(self, given: Iterable[Mapping[str, str]]) -> Ids:
        """Return the condition ids of some sequences, (N, C) int32.

        Args:
            given: for each sequence, the value of each condition by name; a missing condition becomes ``PAD``.

        Raises:
            UsageError: a value is unknown.
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
        """Return a mask of the ids that may be predicted: ``EOS`` and the symbols, (V,) bool.

        Args:
            line_ends: whether symbols with a line end are allowed; pass False for single-line records.
        """
        allowed = np.ones(self.size, dtype=bool)
        allowed[[PAD, BOS, *([] if self.ends else [EOS]), *range(EOS + 1, self.symbol_offset)]] = False
        if not line_ends:
            allowed &= ~self.containing("\n\r")
        return allowed

    def containing(self, characters: str) -> npt.NDArray[np.bool_]:
        """Return a mask of the symbols whose text contains one of the characters, (V,) bool."""
        holds = np.zeros(self.size, dtype=bool)
        for symbol in range(self.n_symbols if characters else 0):
            holds[self.symbol_offset + symbol] = not set(characters).isdisjoint(self.tokenizer.decode([symbol]))
        return holds

    def word_V(self) -> npt.NDArray[np.bool_]:
        """Return a mask of the symbols that are letters, digits and underscores and nothing else, (V,) bool."""
        texts = [self.tokenizer.decode([symbol]) for symbol in range(self.n_symbols)]
        return np.array([False] * self.symbol_offset + [_WORD.fullmatch(text) is not None for text in texts])

    def pieces(self) -> list[bytes] | None:
        """Return the UTF-8 bytes that each symbol writes, or None if decoding is not concatenation.

        A tokenizer may define them by a method ``symbol_bytes``; otherwise decoding is checked on random sequences.
        """
        if has_symbol_bytes(self.tokenizer):
            found = self.tokenizer.symbol_bytes()
            if fault := bytes_fault(found, self.n_symbols):
                raise self._error(fault)
            return found
        texts = [self.tokenizer.decode([symbol]) for symbol in range(self.n_symbols)]
        rng = np.random.default_rng(0)
        for _ in range(_TRIES if texts else 0):
            ids = rng.integers(len(texts), size=_TRIED).tolist()
            if self.tokenizer.decode(ids) != "".join(texts[symbol] for symbol in ids):
                return None
        return [text.encode("utf-8", "surrogatepass") for text in texts]

    def has_partial(self) -> bool:
        """Return whether symbols may be parts of characters, as bytes are."""
        return any(map(is_partial, self.pieces() or ()))

    def encode(self, text: str) -> Ids:
        """Return the ids of a text, without ``BOS`` and ``EOS``.

        Raises:
            UnknownSymbol: the text contains a symbol that the tokenizer does not know.
        """
        return self._checked(np.asarray(self.tokenizer.encode(text), dtype=np.int32)) + self.symbol_offset

    def encode_option(self, option: str, text: str) -> Ids:
        """Return the ids of the text of an option of sampling.

        Args:
            option: the option, such as "--prefix", which the error names.
            text: its text.

        Raises:
            UnknownSymbol: the text contains a symbol that the tokenizer does not know.
        """
        try:
            return self.encode(text)
        except UnknownSymbol as error:
            raise error.of_option(option, text) from None

    def _checked(self, ids: Ids) -> Ids:
        """Return the tokenizer's ids if all are valid; an invalid one would silently become another symbol."""
        if (now := self.tokenizer.n_symbols) != self.n_symbols:
            raise self._error(f"n_symbols was {self.n_symbols} and is {now}: encode and to_json must leave it as it is")
        if len(ids) and not 0 <= ids.min() <= ids.max() < self.n_symbols:
            raise self._error(f"encode returned the ids {ids.min()} to {ids.max()}, but n_symbols is {self.n_symbols}")
        return ids

    def _error(self, fault: str) -> PluginError:
        kind = type(self.tokenizer)
        return PluginError(f"{self.label or f'tokenizer {kind.__module__}.{kind.__qualname__}'}: {fault}")

    def frame_many(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """Return ``BOS symbols EOS`` of many texts, concatenated, and the length of each with its frame.

        Raises:
            UnknownSymbol: a text contains a symbol that the tokenizer does not know.
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
        """Return the text of ids of symbols.

        Raises:
            ValueError: an id is not that of a symbol: a special symbol, a condition, or out of range.
        """
        symbols = [index - self.symbol_offset for index in ids]
        if symbols:
            self._check_symbols(min(symbols), max(symbols))
        return self.tokenizer.decode(symbols)

    def symbol_text(self, id_: int) -> str:
        r"""Return the text of one symbol, with the codes of bytes that are a part of a character, such as ``\xc3``.

        Raises:
            ValueError: the id is not that of a symbol.
        """
        text = self.decode([id_])
        if "\N{REPLACEMENT CHARACTER}" not in text or self._pieces is None:
            return text
        return self._pieces[id_ - self.symbol_offset].decode("utf-8", "backslashreplace")

    @functools.cached_property
    def _pieces(self) -> list[bytes] | None:
        return self.pieces()  # which asks for all symbols at each call

    def decode_many(self, flat: Ids, lengths: Lengths) -> list[str]:
        """Return the texts of many rows of ids of symbols, concatenated in ``flat``.

        Raises:
            ValueError: an id is not that of a symbol: a special symbol, a condition, or out of range.
        """
        symbols = flat - self.symbol_offset
        if len(symbols):
            self._check_symbols(symbols.min(), symbols.max())
        return self.tokenizer.decode_many(symbols, lengths)

    def _check_symbols(self, least: int, most: int) -> None:
        """Refuse ids out of range: a negative index would silently count from the end."""
        if least < 0 or most >= self.n_symbols:
            raise ValueError(
                f"cannot decode the ids {least + self.symbol_offset} to {most + self.symbol_offset}: "
                f"symbols are {self.symbol_offset} to {self.size - 1}"
            )


def bytes_fault(found: object, n_symbols: int) -> str:
    """Return what is wrong with the result of ``symbol_bytes``, or ""."""
    if found is None:
        return ""
    if not isinstance(found, list):
        return f"symbol_bytes() returned {short_repr(found)}, neither a list nor None"
    if len(found) != n_symbols:
        return f"symbol_bytes() has {len(found):,} entries, and n_symbols is {n_symbols:,}"
    wrong = next((symbol for symbol, piece in enumerate(found) if not isinstance(piece, bytes)), None)
    return (
        "" if wrong is None else f"symbol_bytes() has {short_repr(found[wrong])} for symbol {wrong}, which is not bytes"
    )


# -- extension by new symbols


def extend_tokenizer(known: Tokenizer, texts: Iterable[str], options: Mapping[str, Any]) -> Tokenizer:
    """Return a tokenizer that has every symbol of ``known`` and those of the texts; ``known`` if there are no new ones.

    It is fitted again, on the known symbols and the texts. A tokenizer with ``fit_parts`` is returned unchanged, since
    its merges depend on counts and would come out differently.

    Args:
        known: the fitted tokenizer.
        texts: the new texts; they may not be consumed completely.
        options: the options of the tokenizer's ``fit``.
    """
    make, symbols = type(known), _symbols(known)
    if symbols is None or fits_parts(make):
        return known
    try:
        again = make.fit(symbols, **options)
    except SeqgenError:
        return known
    if _symbols(again) != symbols:
        return known
    wider = make.fit(itertools.chain(symbols, texts), **options)
    return wider if set(symbols) < set(_symbols(wider) or ()) else known


def extend_conditions(known: Sequence[str], found: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the condition tokens ``name=value`` extended by the values found, grouped by name."""
    names = dict.fromkeys(token.partition("=")[0] for token in known)
    tokens = {name: [token for token in known if token.startswith(f"{name}=")] for name in names}
    for name, values in found.items():
        tokens[name] = [*dict.fromkeys([*tokens.get(name, ()), *(f"{name}={value}" for value in values)])]
    return tuple(itertools.chain.from_iterable(tokens.values()))


def map_ids(wider: Vocabulary, known: Vocabulary) -> list[int]:
    """Return, for each id of ``known``, the id of the same symbol in the extended vocabulary ``wider``.

    Raises:
        KeyError: a symbol or condition is missing: ``wider`` does not extend ``known``.
    """
    of_condition = {token: index for index, token in enumerate(wider.conditions, EOS + 1)}
    frame = [*range(EOS + 1), *(of_condition[token] for token in known.conditions)]
    symbols, before = _symbols(wider.tokenizer), _symbols(known.tokenizer)
    if symbols == before and wider.tokenizer.n_symbols == known.tokenizer.n_symbols:
        return [*frame, *range(wider.symbol_offset, wider.size)]
    if symbols is None or before is None:
        raise KeyError(known.symbol_offset)
    of_symbol = {symbol: index for index, symbol in enumerate(symbols, wider.symbol_offset)}
    return [*frame, *(of_symbol[symbol] for symbol in before)]


def new_tokens(wider: Vocabulary, known: Vocabulary) -> list[str]:
    """Return the conditions, then the symbols, of ``wider`` that ``known`` lacks."""
    kept = set(map_ids(wider, known))
    return [
        wider.conditions[index - EOS - 1] if index < wider.symbol_offset else wider.decode([index])
        for index in range(wider.size)
        if index not in kept
    ]


def _symbols(tokenizer: Tokenizer) -> list[str] | None:
    """Return the text of each symbol; None unless decoding is concatenation and all texts differ."""
    pieces = Vocabulary(tokenizer).pieces()
    if pieces is None or len(set(pieces)) < len(pieces):
        return None
    try:
        return [piece.decode("utf-8", "surrogatepass") for piece in pieces]
    except UnicodeDecodeError:  # symbols that are parts of characters, such as bytes
        return None


def is_partial(piece: bytes) -> bool:
    """Return whether some bytes are not whole characters."""
    try:
        piece.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return True
    return False
