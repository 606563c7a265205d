"""What a user asks of a training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.config import Layer
from seqgen.errors import BadOption

if TYPE_CHECKING:
    from seqgen.api.warm_start import Start


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


def with_configuration(request: Request, toml: Layer) -> Request:
    """Return a request with what the table [train] of a configuration says of conditions and of the augmentation.

    Args:
        request: what is asked; a flag wins over the configuration.
        toml: the tables; ``condition`` and ``augment`` are taken out of [train].

    Raises:
        BadOption: ``condition`` is neither a text nor a list of texts, ``augment`` is no text, or it is not the
            augmentation that the table [augmentation] names.
    """
    table = toml.get("train", {})
    condition, augment = table.pop("condition", []), table.pop("augment", None)
    fields = condition.split(",") if isinstance(condition, str) else condition
    if not (isinstance(fields, list) and all(isinstance(one, str) and one.strip() for one in fields)):
        raise BadOption(f'cannot use condition {condition!r} of [train]: write fields, condition = ["label"]')
    if augment is not None and not (isinstance(augment, str) and augment):
        raise BadOption(f'cannot use augment {augment!r} of [train]: write the name of one, augment = "NAME"')
    named = toml.get("augmentation", {}).get("name", augment)
    if augment is not None and named != augment:
        raise BadOption(f"cannot use augment {augment!r} of [train]: [augmentation] names {named!r}; keep one of them")
    conditions = request.conditions or [one.strip() for one in fields]
    return replace(request, conditions=conditions, augment=request.augment or augment)
