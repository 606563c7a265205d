"""The contracts of parts as protocols: the types that specs, core and plugins share, and optional methods of parts.

Dimension letters: B batch, T steps, V vocabulary, N positions. A *state* is a nested tuple, list or dict of tensors
whose first dimension is B; core never reads its values, it only selects rows. Helpers on states are in ``states``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeGuard, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    import numpy as np
    import numpy.typing as npt
    from rich.console import RenderableType
    from torch import Tensor

    from seqgen.metrics import Evaluation

    Ids = npt.NDArray[np.integer[Any]]
    Integers = npt.NDArray[np.integer[Any]]
    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Lengths = npt.NDArray[np.int64]

State = Any
"""A nested tuple, list or dict of tensors, every leaf (B, ...)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a validator for one text.

    Attributes:
        ok: whether the text is a valid member of its domain.
        reason: why a text is invalid, which each invalid one needs; "" for a valid one.
        canonical: the form that "unique" and "novel" compare; None means the text itself.
    """

    ok: bool
    reason: str = ""
    canonical: str | None = None

    def form(self, text: str) -> str:
        """Return the form by which a text with this verdict is compared."""
        return text if self.canonical is None else self.canonical


class Tokenizer(Protocol):
    """A mapping of text to symbol ids 0 .. ``n_symbols`` - 1 and back.

    Core adds special symbols (pad, begin, end, conditions), as ids and never as text. Subclass it to inherit
    ``encode_many`` and ``decode_many``. ``fit_parts``, ``join``, ``symbol_bytes`` and ``corpus_warning`` are optional:
    see ``seqgen.protocols``.
    """

    @property
    def n_symbols(self) -> int:
        """The number of symbols."""
        ...

    @classmethod
    def fit(cls, texts: Iterable[str], **options: Any) -> Self:
        """Learn the symbols from texts; keyword-only parameters are the options of the tokenizer."""
        ...

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of a text.

        Raises:
            UnknownSymbol: the text holds a symbol that is not known.
        """
        ...

    def encode_many(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """Return the ids of many texts one after another, and the number of ids of each text."""
        import numpy as np

        rows = [self.encode(text) for text in texts]
        flat = np.fromiter((symbol for row in rows for symbol in row), dtype=np.int32)
        return flat, np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; ``decode(encode(text)) == text``."""
        ...

    def decode_many(self, flat: Ids, lengths: Lengths) -> list[str]:
        """Return the texts of many rows of ids, one after another in ``flat``; the inverse of ``encode_many``."""
        ids, texts, start = flat.tolist(), [], 0
        for length in lengths.tolist():
            texts.append(self.decode(ids[start : start + length]))
            start += length
        return texts

    def to_json(self) -> dict[str, Any]:
        """Return all that ``from_json`` needs, as JSON values."""
        ...

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the tokenizer that ``to_json`` returned the values of."""
        ...


@runtime_checkable
class Model(Protocol):
    """A function of ids and a state to logits and the next state. Implementations are ``torch.nn.Module``.

    ``learn``, ``stepper`` and ``logits_at`` are optional; see ``seqgen.protocols``.
    """

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first symbol, every leaf (B, ...)."""
        ...

    def forward(self, ids_BT: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the logits (B, T, V) of the next symbol after each id, and the state after the last one."""
        ...


@runtime_checkable
class Validator(Protocol):
    """A check whether a text is a valid member of its domain."""

    def validate(self, text: str) -> Verdict:
        """Return the verdict on one text; never raise on any string."""
        ...


class TextAutomaton(Protocol):
    """A deterministic automaton that reads a text from left to right and accepts every valid text of a domain.

    It need not tell everything that the validator does: it stands for rules that a text may break at a distance, such
    as brackets that are never closed. Rows that it cannot accept any more are not sampled; the validator decides on the
    others. Its states are few: what has no bound, such as the depth of brackets, gets one, which its documentation
    states together with the share of records beyond it. Texts beyond are sampled where no look-ahead is needed.
    """

    start: Hashable
    """The state before the first character."""

    def advance(self, state: Any, character: str) -> Hashable | None:
        """Return the state after a character; None: no text that begins like this is accepted.

        A character beyond ASCII may be given as U+FFFD, where symbols are parts of characters.
        """
        ...

    def accepts(self, state: Any) -> bool:
        """Return whether a text may end in a state."""
        ...


class Metric(Protocol):
    """A function of a list of samples to named numbers.

    One that has a third parameter, ``training``, also gets the training records, as a restartable iterable of texts;
    its attribute ``canonical`` says whether the corpus declares that each text is its own canonical form.
    One that has an attribute ``published``, ``{"a model (arXiv:...)": {"metric": value}}``, has these values shown
    beside where samples are compared with a reference corpus; with an attribute ``published_on``, names of corpora, for
    these corpora only. A value that cannot be computed, such as a mean of nothing, is None or left out, and NaN and
    infinity are read as None; an attribute ``omitted``, ``{"value": "the reason"}``, which is read after each call,
    says why. Names of values are single lines of at most 80 printable characters.
    """

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float | None]:
        """Return named values of the samples, compared with reference texts (held-out records) where that applies."""
        ...


@runtime_checkable
class LabelledMetric(Protocol):
    """A metric with labels for people; the names in JSON stay."""

    labels: Mapping[str, str]
    """By the name of a value, its label with its unit: ``{"weight": "weight, distance to the reference (g/mol)"}``."""

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float | None]:
        """Return named values, as ``Metric``."""
        ...


class Renderer(Protocol):
    """A display of one text in the notation of its domain.

    A renderer that also draws files has ``suffixes``, such as ``(".png", ".mid")``, and
    ``draw(texts, suffix) -> bytes``: the content of a file that shows some texts together.
    """

    def __call__(self, text: str) -> RenderableType:
        """Return an object that rich can print."""
        ...


class Processor(Protocol):
    """A change of the distribution of the next symbol while sampling."""

    def __call__(self, logits_BV: Tensor, ids_BT: Tensor) -> Tensor:
        """Return new logits (B, V) from the logits and the ids sampled so far in each row (B, T; T may be 0).

        Each row must depend on that row alone, and the arguments must not be modified. A symbol with a logit of minus
        infinity is forbidden and stays so: core drops any probability it gets.
        """
        ...


class Report(Protocol):
    """A presentation of an evaluation as files, such as a page.

    A report of one kind of file may have ``suffixes``, such as ``(".html", ".htm")``; a path with the suffix of another
    kind is then refused before anything is evaluated.
    """

    def write(self, evaluation: Evaluation, path: Path) -> Sequence[str | Path]:
        """Write the report to ``path`` and return the files written; ``seqgen.write_atomic`` writes atomically.

        Raises:
            DiskError: a file cannot be written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Exported:
    """The files of an export, and how they were compared with the run.

    Attributes:
        files: the files written; a folder stands for all files in it.
        compared: what was compared, for messages: "logits of 64 steps".
        difference: the largest difference that was found, in the unit of ``compared``.
        tolerance: the largest difference that is accepted.
        notes: further lines for the user, such as bits lost by rounding the weights.
    """

    files: Sequence[Path]
    compared: str
    difference: float
    tolerance: float
    notes: Sequence[str] = ()


class Exporter(Protocol):
    """A writer of runs in another form, such as a page or a model for another library.

    An exporter of one kind of file may have ``suffixes``, such as ``(".html", ".htm")``; a path with the suffix of
    another kind is then refused before anything is written.
    """

    def export(self, run: Any, path: Path) -> Exported:
        """Write a :class:`seqgen.Run` to ``path``, read it back, and compare it with the run.

        Args:
            run: the run, in evaluation mode.
            path: a file or folder that does not exist yet, in a folder of its own. Core renames it if the difference
                is within the tolerance, and removes it otherwise.

        Raises:
            ExportRefused: this form cannot hold the run; the line names the part and the reason.
            DiskError: a file cannot be written.
        """
        ...


class Augmentation(Protocol):
    """A random rewriting of a record that keeps its meaning."""

    def __call__(self, text: str, random: Random) -> str:
        """Return the text rewritten; all random numbers come from ``random``."""
        ...


# -- optional methods, each with a function that says whether a part has it
#
# A part with such a method is trained, sampled or read by it; without, core does what every part of its kind allows.
# The kit checks each method that is there.


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


class HasCorpusWarning(Protocol):
    """A class of tokenizers that knows texts which it can encode and is not made for."""

    def corpus_warning(self, texts: Sequence[str]) -> str:
        """Return a warning about texts, which is logged before training, or "".

        Raises:
            CorpusError: they are refused.
        """
        ...


def has_corpus_warning(tokenizer: object) -> TypeGuard[HasCorpusWarning]:
    """Return whether a class of tokenizers has ``corpus_warning``."""
    return hasattr(tokenizer, "corpus_warning")
