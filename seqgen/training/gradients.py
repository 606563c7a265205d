"""The gradients of all parameters in flat tensors, so that an operation on all of them is one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

_ALIGNED = 16  # elements: each gradient begins at a multiple, where vector instructions are fast


class Gradients:
    """The gradients of parameters as views of one flat tensor a type and device; autograd adds to them in place.

    A parameter that a step does not use has a gradient of zeros.

    Args:
        parameters: those that require no gradient are left out.

    Attributes:
        flats: the flat tensors, each with a further number at its end, so that a loss is summed with its gradients.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.flats: list[Tensor] = []
        self._gradients: list[Tensor] = []  # the same without the numbers at the end
        self._views: list[tuple[nn.Parameter, Tensor]] = []
        alike: dict[tuple[torch.dtype, torch.device], list[nn.Parameter]] = {}
        for parameter in parameters:
            if parameter.requires_grad:
                alike.setdefault((parameter.dtype, parameter.device), []).append(parameter)
        for (dtype, device), members in alike.items():
            sizes = [-(-parameter.numel() // _ALIGNED) * _ALIGNED for parameter in members]
            flat = torch.zeros(sum(sizes) + _ALIGNED, dtype=dtype, device=device)
            self.flats.append(flat)
            self._gradients.append(flat[:-_ALIGNED])
            for parameter, piece in zip(members, torch.split(self._gradients[-1], sizes), strict=True):
                self._views.append((parameter, piece[: parameter.numel()].view(parameter.shape)))

    def clear(self) -> None:
        """Set all gradients to zero, before a step."""
        for flat in self.flats:
            flat.zero_()
        for parameter, view in self._views:
            if parameter.grad is not view:
                parameter.grad = view

    def load(self, flats: Sequence[Tensor]) -> None:
        """Set ``flats`` to the content of others, such as sums of copies of them."""
        for own, flat in zip(self.flats, flats, strict=True):
            if own is not flat:
                own.copy_(flat)

    def clip(self, most: float) -> Tensor:
        """Scale the gradients in place so that their norm is at most ``most``, without reading a value from the device.

        Args:
            most: the largest norm; 0 leaves the gradients unchanged.

        Returns:
            The norm before scaling, 0-dimensional; not finite if any gradient is not.
        """
        norms = [torch.linalg.vector_norm(flat) for flat in self._gradients]
        # Of several types or devices: combined on that of the first one.
        norm: Tensor = (
            norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack([n.to(norms[0]) for n in norms]))
        )
        if most:
            scale = torch.clamp(most / norm, max=1.0)
            for flat in self._gradients:
                flat.mul_(scale)
        return norm
