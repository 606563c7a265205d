"""What the parts promise each other, as types: the words that specs, core and plugins share.

Dimension letters: B batch, T steps, V vocabulary. A *state* is a nested tuple, list or dict of tensors whose
first dimension is B; core never looks inside it, it only selects rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    import numpy as np
    import numpy.typing as npt
    from rich.console import RenderableType
    from torch import Tensor

    from seqgen.metrics import Evaluation

    Ids = npt.NDArray[np.integer[Any]]
    Lengths = npt.NDArray[np.int64]

State = Any
"""A nested tuple, list or dict of tensors, every leaf (B, ...)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a validator says of one text.

    Attributes:
        ok: whether the text is a valid member of its domain.
        reason: why not; "" when it is.
        canonical: the form by which "unique" and "novel" compare; None means the text itself.
    """

    ok: bool
    reason: str = ""
    canonical: str | None = None

    def form(self, text: str) -> str:
        """The form by which a text of this verdict is compared."""
        return text if self.canonical is None else self.canonical


class Tokenizer(Protocol):
    """Turns text into symbol ids 0 .. ``n_symbols`` - 1 and back; knows symbols only.

    Special symbols (pad, begin, end, conditions) are added by core, as ids and never as text. Subclass it to
    inherit ``encode_many`` and ``decode_many``.
    """

    @property
    def n_symbols(self) -> int:
        """How many symbols there are."""
        ...

    @classmethod
    def fit(cls, texts: Iterable[str], **options: Any) -> Self:
        """Learn the symbols from texts; keyword-only parameters are the tokenizer's options."""
        ...

    # A tokenizer that learns more than an alphabet, such as merges, may also have a class method
    # fit_parts(texts, training, **options): all texts for the alphabet, those of the training part for the rest.
    # One whose symbols are parts of characters may have symbol_bytes(): the bytes that each symbol writes, which
    # constraints need; of others it is found out. doubt(texts), a class method, may give a line on texts that it can
    # cut and is not made for, which is logged before training, "" if there is no doubt; or raise CorpusError to refuse
    # to be trained on them.

    def encode(self, text: str) -> Sequence[int]:
        """The ids of a text.

        Raises:
            UnknownSymbol: the text holds a symbol that is not known.
        """
        ...

    def encode_many(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """All ids of many texts one after another, and how many each text has."""
        import numpy as np

        rows = [self.encode(text) for text in texts]
        flat = np.fromiter((symbol for row in rows for symbol in row), dtype=np.int32)
        return flat, np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; ``decode(encode(text)) == text``."""
        ...

    def decode_many(self, flat: Ids, lengths: Lengths) -> list[str]:
        """The texts of many rows of ids, one after another in ``flat``; the inverse of ``encode_many``."""
        ids, texts, start = flat.tolist(), [], 0
        for length in lengths.tolist():
            texts.append(self.decode(ids[start : start + length]))
            start += length
        return texts

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make this tokenizer again, as JSON values."""
        ...

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The tokenizer that ``to_json`` described."""
        ...


@runtime_checkable
class Model(Protocol):
    """Ids and a state give logits and the next state. Implementations are ``torch.nn.Module``."""

    def initial_state(self, batch_size: int) -> State:
        """The state before the first symbol, every leaf (B, ...)."""
        ...

    def forward(self, ids_BT: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (B, T, V) of the next symbol after each id, and the state after the last one."""
        ...


@runtime_checkable
class Validator(Protocol):
    """Says whether a text is a valid member of its domain."""

    def validate(self, text: str) -> Verdict:
        """The verdict on one text; never raises on any string."""
        ...


class Metric(Protocol):
    """Figures about a list of samples.

    One that has a third parameter, ``training``, also gets the training records, as a restartable iterable of texts.
    One that has an attribute ``published``, ``{"a model (arXiv:...)": {"figure": value}}``, has these shown beside
    where samples are compared with a reference corpus; with an attribute ``published_on``, names of corpora, with one
    of these only.
    """

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float]:
        """Named figures of the samples, compared with reference texts (held-out records) where that applies."""
        ...


@runtime_checkable
class LabelledMetric(Protocol):
    """A metric that also says how its figures are called where people read them; their names in JSON stay."""

    labels: Mapping[str, str]
    """By the name of a figure: what it is, with its unit: ``{"weight": "weight, distance to the reference (g/mol)"}``
    is shown where the figure ``weight`` is."""

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float]:
        """Named figures, as of ``Metric``."""
        ...


class Renderer(Protocol):
    """Shows one text the way its domain is read.

    One that can also draw has ``suffixes``, such as ``(".png", ".mid")``, and ``draw(texts, suffix) -> bytes``: the
    content of a file that shows some texts together.
    """

    def __call__(self, text: str) -> RenderableType:
        """Something that rich can print."""
        ...


class Processor(Protocol):
    """Changes the distribution of the next symbol while sampling."""

    def __call__(self, logits_BV: Tensor, ids_BT: Tensor) -> Tensor:
        """New logits (B, V), made from the logits and the ids drawn so far in each row (B, T; T may be 0).

        Each row must depend on that row alone, and the arguments must not be modified. A logit of minus infinity is
        forbidden and stays so: probability that it is given is dropped.
        """
        ...


class Report(Protocol):
    """Presents an evaluation as files, such as a page."""

    def write(self, evaluation: Evaluation, path: Path) -> Sequence[str | Path]:
        """Write the report to ``path`` and return the files written; ``seqgen.write_atomic`` writes atomically.

        Raises:
            DiskError: the disk refused.
        """
        ...


class Augmentation(Protocol):
    """Another way to write a record that means the same."""

    def __call__(self, text: str, random: Random) -> str:
        """The text written anew; all that is random in it comes from ``random``."""
        ...
