"""The gradients of all parameters in flat tensors, and those of a batch as a sum over its pieces.

An operation on all gradients is one call. Several processes can share the pieces: the order of additions is a fixed
binary tree over them, and each piece draws its random numbers from its own seed, so that the sum has the same bits for
any number of processes whose shares are whole branches of the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from seqgen.batches import FULL, Batch, derive_seed
from seqgen.cells import drawing_masks
from seqgen.protocols import State
from seqgen.states import list_leaves, map_state
from seqgen.tokenizers import PAD

if TYPE_CHECKING:
    from seqgen.training.gang import Gang

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


def piece_bounds(n_rows: int, n_pieces: int) -> list[int]:
    """Return the first row of each piece, and the number of rows; pieces are empty where there are fewer rows."""
    return [n_rows * piece // n_pieces for piece in range(n_pieces + 1)]


def take_piece(batch: Batch, first: int, last: int, pad: Callable[[int], int]) -> Batch:
    """Return some rows of a batch, as a function of these rows alone.

    Args:
        batch: on the CPU.
        first: the first row.
        last: the row after the last one, greater than ``first``.
        pad: maps the number of steps of the longest row to the number to pad to.

    Returns:
        The rows, without the steps in which none has a target; ``n_targets`` is that of the whole batch, of which each
        piece's loss is a share.
    """
    targets_BT = batch.targets_BT[first:last]
    is_target_BT = targets_BT != PAD
    n_own = int(is_target_BT.any(0).nonzero().max()) + 1
    n_steps = min(pad(n_own), targets_BT.shape[1])
    is_target_BT = is_target_BT[:, :n_steps]
    at_N = None
    if int(is_target_BT.sum()) < FULL * is_target_BT.numel():
        at_N = torch.nonzero(is_target_BT.t().flatten()).flatten()
    return batch._replace(
        ids_BT=batch.ids_BT[first:last, :n_steps],
        targets_BT=targets_BT[:, :n_steps],
        at_N=at_N,
        n_steps=n_own if n_own < n_steps else None,
    )


class DividedGradient:
    """The share of one process in the gradients of a batch, and the sum over all processes.

    Args:
        n_pieces: of a batch.
        gradients: of the model; they hold the sum in the end.
        differentiate: adds the gradients of a piece, from the state that it continues; returns its loss in nats, and
            the state after it, or None.
        seed: seeds torch's random numbers.
        pad: maps the number of steps of a piece to the number to pad to.
        device: of the model.
        gang: the other processes; None: this one computes all pieces.
    """

    def __init__(
        self,
        n_pieces: int,
        gradients: Gradients,
        differentiate: Callable[[Batch, State], tuple[Tensor, State]],
        seed: Callable[[int], None],
        pad: Callable[[int], int],
        device: torch.device,
        gang: Gang | None = None,
    ) -> None:
        rank, size = (0, 1) if gang is None else (gang.rank, gang.size)
        self._first, self._last = piece_bounds(n_pieces, size)[rank : rank + 2]
        self._n_pieces, self._gradients, self._differentiate, self._seed = n_pieces, gradients, differentiate, seed
        self._pad, self._device, self._gang = pad, device, gang
        self._carried: dict[int, State] = {}
        self._next: dict[int, State] = {}  # carried from the batch that is being computed

    def compute(self, batch: Batch, seed: int) -> Tensor:
        """Set the gradients to those of a batch's mean loss; return the loss summed over the batch, nats.

        Args:
            batch: on the CPU.
            seed: of the step's random numbers.

        Raises:
            WorkerLost: another process has ended, or does not answer in time.
        """
        self._next = {}
        total = self._branch(batch, seed, self._first, self._last)
        if self._gang is not None:
            self._gang.sum(total)
        self._gradients.load(total)
        self._carried |= self._next  # only now: where a piece fails, the batch is computed again
        return total[0][-1].clone()  # a view would keep the gradients of all steps whose losses are not read yet

    def _branch(self, batch: Batch, seed: int, first: int, last: int) -> list[Tensor]:
        """Return the gradients of some pieces, flat, with the loss at the end of the first tensor.

        Those of one piece are the tensors of the model's gradients themselves, which the next piece overwrites.
        """
        if last - first == 1:
            self._leaf(batch, seed, first)
            return self._gradients.flats
        middle = (first + last) // 2
        left = self._branch(batch, seed, first, middle)
        if left is self._gradients.flats:
            left = [tensor.clone() for tensor in left]
        for tensor, right in zip(left, self._branch(batch, seed, middle, last), strict=True):
            tensor.add_(right)
        return left

    def _leaf(self, batch: Batch, seed: int, number: int) -> None:
        """Set the gradients to those of a piece, with its loss at the end of the first tensor."""
        self._gradients.clear()
        first, last = piece_bounds(len(batch.ids_BT), self._n_pieces)[number : number + 2]
        if first < last:
            piece = take_piece(batch, first, last, self._pad).to(self._device)
            self._seed(derive_seed("piece", seed, number))
            with drawing_masks(piece.n_steps):
                nats, self._next[number] = self._differentiate(piece, self._carried.get(number))
            self._gradients.flats[0][-1].copy_(nats)

    # -- the state carried from window to window

    def carried(self) -> list[Tensor]:
        """Return the leaves of the state after the last batch, over the rows of this process."""
        pieces = [list_leaves(state) for _, state in sorted(self._carried.items()) if state is not None]
        return [torch.cat(leaves) for leaves in zip(*pieces, strict=True)]

    def carry(self, state: State) -> None:
        """Set the state that the next batch continues, over all rows."""
        bounds = piece_bounds(len(list_leaves(state)[0]), self._n_pieces)
        for number in range(self._first, self._last):
            rows = slice(*bounds[number : number + 2])
            if rows.start < rows.stop:
                self._carried[number] = map_state(itemgetter(rows), state)
