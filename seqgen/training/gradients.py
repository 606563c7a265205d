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
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._flats: list[Tensor] = []
        self._views: list[tuple[nn.Parameter, Tensor]] = []
        alike: dict[tuple[torch.dtype, torch.device], list[nn.Parameter]] = {}
        for parameter in parameters:
            if parameter.requires_grad:
                alike.setdefault((parameter.dtype, parameter.device), []).append(parameter)
        for (dtype, device), members in alike.items():
            sizes = [-(-parameter.numel() // _ALIGNED) * _ALIGNED for parameter in members]
            flat = torch.zeros(sum(sizes), dtype=dtype, device=device)
            self._flats.append(flat)
            for parameter, piece in zip(members, torch.split(flat, sizes), strict=True):
                self._views.append((parameter, piece[: parameter.numel()].view(parameter.shape)))

    def clear(self) -> None:
        """Set all gradients to zero, before a step."""
        for flat in self._flats:
            flat.zero_()
        for parameter, view in self._views:
            if parameter.grad is not view:
                parameter.grad = view

    def copies(self) -> list[Tensor]:
        """Return copies of the flat tensors."""
        return [flat.clone() for flat in self._flats]

    def load(self, flats: Sequence[Tensor]) -> None:
        """Set the gradients to the content of flat tensors, such as sums of ``copies``."""
        for own, flat in zip(self._flats, flats, strict=True):
            own.copy_(flat)

    def clip(self, most: float) -> Tensor:
        """Scale the gradients in place so that their norm is at most ``most``, without reading a value from the device.

        Args:
            most: the largest norm; 0 leaves the gradients unchanged.

        Returns:
            The norm before scaling, 0-dimensional; not finite if any gradient is not.
        """
        norms = [torch.linalg.vector_norm(flat) for flat in self._flats]
        # Of several types or devices: combined on that of the first one.
        norm: Tensor = (
            norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack([n.to(norms[0]) for n in norms]))
        )
        if most:
            scale = torch.clamp(most / norm, max=1.0)
            for flat in self._flats:
                flat.mul_(scale)
        return norm
