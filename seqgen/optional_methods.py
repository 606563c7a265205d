"""Optional methods of parts: a protocol for each, and a function that says whether a part has it.

A part with such a method is trained, sampled or read by it; without, core does what every part of its kind allows. The
kit checks each method that is there.

Dimension letters: B batch, T steps, V vocabulary, N positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeGuard

from seqgen.protocols import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from seqgen.protocols import State


# -- of models


class Learns(Protocol):
    """A model that is trained by its own method, such as one that counts, instead of by a gradient."""

    def learn(self, ids_BT: Tensor, targets_BT: Tensor) -> None:
        """Learn from a batch, which is given once; what is learned belongs in buffers."""
        ...


def learns(model: object) -> TypeGuard[Learns]:
    """Return whether a model, or its class, has ``learn``."""
    return hasattr(model, "learn")


class HasStepper(Protocol):
    """A model with a faster step for sampling."""

    def stepper(self) -> Callable[[Tensor, State], tuple[Tensor, State]]:
        """Return a function of ids_B and a state to logits_BV and a state, while the weights do not change."""
        ...


def has_stepper(model: object) -> TypeGuard[HasStepper]:
    """Return whether a model has ``stepper``."""
    return hasattr(model, "stepper")


class HasLogitsAt(Protocol):
    """A model that need not compute logits at padded positions."""

    def logits_at(self, ids_BT: Tensor, state: State, at_N: Tensor | None) -> Tensor:
        """Return logits (N, V) at the positions t * B + b; None: at all, in that order."""
        ...


def has_logits_at(model: object) -> TypeGuard[HasLogitsAt]:
    """Return whether a model has ``logits_at``."""
    return hasattr(model, "logits_at")


# -- of tokenizers


class FitsParts(Protocol):
    """A class of tokenizers that learn more than an alphabet, such as merges."""

    def fit_parts(self, texts: Iterable[str], training: Iterable[str], **options: Any) -> Any:
        """Return a tokenizer with an alphabet from all texts, and the rest from those of the training part."""
        ...


def fits_parts(tokenizer: object) -> TypeGuard[FitsParts]:
    """Return whether a class of tokenizers has ``fit_parts``."""
    return hasattr(tokenizer, "fit_parts")


class Joins(Tokenizer, Protocol):
    """A class of tokenizers that may be fitted to parts of a corpus, which several processes read from the start."""

    @classmethod
    def join(cls, fitted: Sequence[Self]) -> Self:
        """Return what ``fit`` returns of all texts, given what it returned of each part of them, in order."""
        ...


def joins(tokenizer: type[Tokenizer]) -> TypeGuard[type[Joins]]:
    """Return whether a class of tokenizers has ``join``."""
    return hasattr(tokenizer, "join")


class HasSymbolBytes(Tokenizer, Protocol):
    """A tokenizer whose symbols may be parts of characters."""

    def symbol_bytes(self) -> list[bytes] | None:
        """Return the bytes of each symbol, which constraints need; None if decoding does not put them in a row."""
        ...


def has_symbol_bytes(tokenizer: Tokenizer) -> TypeGuard[HasSymbolBytes]:
    """Return whether a tokenizer has ``symbol_bytes``; for others core computes them."""
    return hasattr(tokenizer, "symbol_bytes")


class Doubts(Protocol):
    """A class of tokenizers that knows texts which it can encode and is not made for."""

    def doubt(self, texts: Sequence[str]) -> str:
        """Return a warning about texts, which is logged before training, or "".

        Raises:
            CorpusError: they are refused.
        """
        ...


def doubts(tokenizer: object) -> TypeGuard[Doubts]:
    """Return whether a class of tokenizers has ``doubt``."""
    return hasattr(tokenizer, "doubt")
