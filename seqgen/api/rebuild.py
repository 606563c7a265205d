"""The model of a run that is read from disk: what its files say is checked before memory is taken for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seqgen.api.factories import build_model
from seqgen.checkpoint import RunSettings
from seqgen.errors import BadOption, CheckpointError, PluginError
from seqgen.model import count_parameters
from seqgen.plugins import Plugins

_FILLS = {
    Tensor.normal_, Tensor.uniform_, Tensor.bernoulli_, Tensor.exponential_, Tensor.random_, Tensor.log_normal_,
}  # fmt: skip
_MAKERS = {torch.rand, torch.randn}


class _Unfilled(TorchFunctionMode):
    """Within it random numbers are not drawn: without memory torch would import its compiler for that, for seconds."""

    def __torch_function__(
        self, function: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if function in _FILLS or getattr(function, "__module__", None) == nn.init.__name__:
            return args[0] if args else given["tensor"]
        if function in _MAKERS:
            given.pop("generator", None)
            return torch.empty(*args, **given)
        return function(*args, **given)


def rebuild_model(plugins: Plugins, settings: RunSettings, weights: Mapping[str, Tensor] | None) -> Any:
    """The model that a run folder describes, with fresh weights.

    Args:
        plugins: what its parts come from.
        settings: what run.json says, which may be anything.
        weights: the tensors of the checkpoint by name, which are there; None: there is no checkpoint yet.

    Raises:
        CheckpointError: run.json describes no model, or another than the weights are of.
    """
    try:
        blank = blank_model(plugins, settings)
    except BadOption as error:
        raise CheckpointError(f"run.json does not fit this seqgen and its plugins: {error}") from None
    if blank is None:
        return build_model(plugins, settings)
    if weights is None:
        if (n_parameters := count_parameters(blank)) != settings.n_parameters:
            raise CheckpointError(
                f"run.json is damaged: its model has {n_parameters:,} parameters, not {settings.n_parameters:,}"
            )
    elif problem := difference(weights, blank.state_dict()):
        raise CheckpointError(f"the checkpoint does not fit run.json: {problem}")
    return build_model(plugins, settings)


def blank_model(plugins: Plugins, settings: RunSettings) -> Any:
    """The model that some settings describe, without memory; None for one that looks at its weights.

    Raises:
        BadOption: they describe none.
    """
    try:
        with torch.device("meta"), _Unfilled():
            return build_model(plugins, settings)
    except PluginError:  # what else is wrong with it shows when it gets memory
        return None


def difference(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """The first difference in names, types and shapes, or ""."""
    for name in [*wanted, *weights]:
        if name not in weights:
            return f"it has no tensor {name!r:.80}"
        if name not in wanted:
            return f"the model has no tensor {name!r:.80}"
        found, expected = weights[name], wanted[name]
        if (found.shape, found.dtype) != (expected.shape, expected.dtype):
            return (
                f"{name!r:.80} is {found.dtype} of {list(found.shape)}, the model's {expected.dtype} of "
                f"{list(expected.shape)}"
            )
    return ""
