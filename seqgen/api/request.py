"""What a user asks of a training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqgen.api.start import Start


@dataclass(frozen=True)
class Request:
    """What a user asks of a training; None and empty mean: not said.

    Attributes:
        corpus: a registered name, or a file.
        cell: the cell's name.
        model: the model's name.
        tokenizer: the tokenizer's name.
        domain: the domain's name.
        valid: a file of validation records.
        test: a file of test records.
        flags: options by part.
        assignments: (part or None, name, value), as ``-o`` gives them.
        config: a TOML file.
        params: the most parameters the model may have; its width follows.
        layout: "lines", or "stream" for one long text.
        conditions: "label" or fields that the model is told.
        augment: the name of an augmentation.
        start: the run whose weights it begins with; what is not said is as it was there.
    """

    corpus: str | Path | None = None
    cell: str | None = None
    model: str | None = None
    tokenizer: str | None = None
    domain: str | None = None
    valid: str | Path | None = None
    test: str | Path | None = None
    flags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    assignments: Iterable[tuple[str | None, str, Any]] = ()
    config: Path | None = None
    params: int | None = None
    layout: str | None = None
    conditions: Sequence[str] = ()
    augment: str | None = None
    start: Start | None = None
