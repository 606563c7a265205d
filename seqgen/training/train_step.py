"""One optimizer step whose results stay on the device; ``read_losses`` reads those of many steps at once."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from seqgen.batches import Batch
from seqgen.cells import drawing_masks, is_compiled
from seqgen.errors import FAULT_NOTE, Diverged
from seqgen.evaluation import carried_nats, total_nats
from seqgen.model import device_of
from seqgen.protocols import State, learns
from seqgen.states import list_leaves, map_state
from seqgen.tokenizers import BOS
from seqgen.training.gradients import DividedGradient, Gradients
from seqgen.training.manual_backward import loss_and_gradients, supports_manual_backward
from seqgen.training.optimizer import AdamW

if TYPE_CHECKING:
    from seqgen.training.gang import Gang

_CARRIED = "carried."


@dataclass(frozen=True)
class StepResult:
    """The result of an optimizer step.

    Attributes:
        number: of the step, from 1.
        lr: its learning rate.
        batch: its training batch.
        nats: the loss summed over the batch, 0-dimensional.
        norm: the norm of the gradient before clipping, 0-dimensional; None where there is no gradient.
    """

    number: int
    lr: float
    batch: Batch
    nats: Tensor
    norm: Tensor | None


class TrainStep:
    """Optimizer steps of a model; for one that has a method ``learn``, calls of that method.

    Args:
        model: a :class:`seqgen.Model`, on its device.
        penalty_V: the result of ``penalty``, on that device.
        weight_decay: of AdamW.
        clip_norm: the largest norm of the gradient; 0 for any.
        precision: "float32", or "bfloat16" for products.
        carries: whether batches are windows of a long text, each of which continues the one before.
        pieces: number of pieces that a batch is cut into; 1: it is computed as a whole.
        pad: maps the number of steps of a piece to the number to pad to.
        gang: the processes that share the pieces; None: this one computes all.

    Attributes:
        carries: as given.
    """

    def __init__(
        self,
        model: nn.Module,
        penalty_V: Tensor,
        *,
        weight_decay: float,
        clip_norm: float,
        precision: str,
        carries: bool = False,
        pieces: int = 1,
        pad: Callable[[int], int] = int,
        gang: Gang | None = None,
    ) -> None:
        self.optimizer = AdamW(model.named_parameters(), weight_decay)
        self._model, self._penalty_V, self._clip_norm = model, penalty_V, clip_norm
        self._poisoned, self._zero, self._skip = torch.zeros(3, device=penalty_V.device)
        self._gradients = Gradients(model.parameters())
        self._learns = learns(model)
        self._autocast: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        self._manual: bool | None = None if precision == "float32" else False
        self.carries = carries
        self._carried: State = None
        self._compiled = False
        if precision == "bfloat16":
            self._autocast = torch.autocast(device_of(model).type, dtype=torch.bfloat16)
        self._divided: DividedGradient | None = None
        self._gang = gang
        if pieces > 1 and not self._learns:
            seed, device = partial(_seed, device=penalty_V.device), penalty_V.device
            self._divided = DividedGradient(pieces, self._gradients, self._differentiate, seed, pad, device, gang)

    def run(self, number: int, lr: float, batch: Batch, seed: int | None = None) -> StepResult:
        """Take a step; it changes nothing if its loss or gradient, or that of an earlier step, is not finite.

        Args:
            number: of the step, from 1.
            lr: the learning rate.
            batch: to train on; in pieces, on the CPU.
            seed: of torch's random numbers in the step; None: they continue.

        Raises:
            WorkerLost: a process that shares the pieces has ended, or does not answer in time.
        """
        if not self._model.training:
            self._model.train()
        self._choose_backward()
        if seed is not None:
            _seed(seed, self._penalty_V.device)
        if self._learns:
            with torch.no_grad():
                nats, carried = self._nats(batch, self._carried)
                self._learn(batch)
            self._carried = carried  # only now: where learning fails, the batch is taken again
            return StepResult(number, lr, batch, nats, None)
        if self._divided is not None:
            nats = self._divided.compute(batch, seed or 0)
        else:
            self._gradients.clear()
            with drawing_masks(batch.n_steps):
                nats = self.differentiate(batch)
        norm = self._gradients.clip(self._clip_norm)
        # 0 as long as every step was finite, NaN from the first one on that was not.
        self._poisoned.addcmul_(norm + nats, self._zero)
        self.optimizer.step(number, lr, torch.ne(self._poisoned, 0.0, out=self._skip))
        return StepResult(number, lr, batch, nats, norm)

    def _learn(self, batch: Batch) -> None:
        try:
            self._model.learn(batch.ids_BT, batch.targets_BT)  # type: ignore[operator]
        except TypeError as error:  # it may not have been reached: it takes other arguments
            kind = type(self._model)
            error.add_note(f"{FAULT_NOTE}{kind.__module__}.{kind.__qualname__}.learn(ids_BT, targets_BT) fails")
            raise

    def _choose_backward(self) -> None:
        """Choose the backward pass: after the engine of the cells is set, before a step seeds its random numbers."""
        if self._manual is None:
            self._manual, self._compiled = supports_manual_backward(self._model), is_compiled(self._model)

    def differentiate(self, batch: Batch) -> Tensor:
        """Return the loss summed over a batch; add the gradients of its mean to those of the parameters."""
        self._choose_backward()
        nats, self._carried = self._differentiate(batch, self._carried)
        return nats

    def _differentiate(self, batch: Batch, carried: State) -> tuple[Tensor, State]:
        """Return what ``differentiate`` does, and the state after the batch.

        Args:
            batch: to train on.
            carried: the state after the batch before, from which it goes on where it continues that.
        """
        if self._manual:
            return loss_and_gradients(
                self._model,  # type: ignore[arg-type]  # as supports_manual_backward found
                batch,
                self._penalty_V,
                carried if self.carries and batch.continues else None,
                compiled=self._compiled,
                carries=self.carries,
            )
        with self._autocast:
            nats, state = self._nats(batch, carried)
        (nats / batch.n_targets).backward()  # type: ignore[no-untyped-call]
        return nats.detach(), state

    def _nats(self, batch: Batch, carried: State) -> tuple[Tensor, State]:
        """Return the loss summed over a batch, and the state after it."""
        if not self.carries:
            return total_nats(self._model, batch, self._penalty_V), None
        nats, state = carried_nats(self._model, batch, self._penalty_V, carried)
        return nats, map_state(lambda leaf: leaf.detach(), state)

    def state(self) -> dict[str, Tensor]:
        """Return what ``load`` needs: the optimizer's tensors, and the state carried from window to window."""
        carried = self._all_carried() if self.carries else []
        return self.optimizer.state() | {f"{_CARRIED}{number}": leaf for number, leaf in enumerate(carried)}

    def collect(self) -> None:
        """Send the state after the last batch, over the rows of this process, to rank 0, which asks for it."""
        if self.carries:
            self._all_carried()

    def _all_carried(self) -> list[Tensor]:
        """Return the leaves of the state after the last batch over all rows, at rank 0."""
        if self._divided is None:
            return [] if self._carried is None else list_leaves(self._carried)
        own = self._divided.carried()
        if self._gang is None:
            return own
        parts = self._gang.collect({str(number): leaf.cpu().contiguous() for number, leaf in enumerate(own)})
        with_rows = [part for part in parts if part]  # a process has none where there are fewer rows than pieces
        return (
            [torch.cat([part[name] for part in with_rows]) for name in sorted(with_rows[0], key=int)]
            if with_rows
            else []
        )

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what ``state`` returned.

        Raises:
            KeyError: a tensor is missing.
            RuntimeError: a tensor has the wrong shape.
        """
        carried = {name: tensor for name, tensor in tensors.items() if name.startswith(_CARRIED)}
        self.optimizer.load({name: tensor for name, tensor in tensors.items() if name not in carried})
        if carried:
            tensors_in_order = [carried[f"{_CARRIED}{number}"] for number in range(len(carried))]
            blank, wanted = self._state_shapes()
            found = [tuple(leaf.shape[1:]) for leaf in tensors_in_order]
            if not (len(found) == len(wanted) and all(map(_fits, found, wanted))):
                raise RuntimeError(f"the state it carries has shapes {found}, the model's {wanted}")
            leaves = iter(tensors_in_order)
            self._carried = map_state(lambda leaf: next(leaves).to(self._penalty_V.device), blank)
            if self._divided is not None:
                self._divided.carry(self._carried)

    def _state_shapes(self) -> tuple[State, list[tuple[int | None, ...]]]:
        """Return the initial state, and the sizes of its leaves without the batch; None where they grow."""
        model: Any = self._model
        model.eval()
        with torch.no_grad():  # not in inference mode: a cell may cache values in its first step that training uses
            blank = model.initial_state(1)
            _, after = model(torch.full((1, 1), BOS, device=self._penalty_V.device), blank)
        model.train()
        pairs = list(zip(list_leaves(blank), list_leaves(after), strict=False))
        if len(pairs) != len(list_leaves(after)) or any(leaf.ndim != end.ndim for leaf, end in pairs):
            raise RuntimeError("the model's state changes its structure from step to step")
        forms = [
            tuple(
                size if size == later != 0 else None for size, later in zip(leaf.shape[1:], end.shape[1:], strict=True)
            )
            for leaf, end in pairs
        ]
        return blank, forms


def _fits(sizes: tuple[int, ...], form: tuple[int | None, ...]) -> bool:
    return len(sizes) == len(form) and all(wanted in (None, size) for size, wanted in zip(sizes, form, strict=True))


def _seed(seed: int, device: torch.device) -> None:
    """Seed torch on the CPU and one device; ``torch.manual_seed`` also formats a traceback for each absent device."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):  # the model's, where there are several
            torch.cuda.manual_seed(seed)
    elif device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def read_losses(results: Sequence[StepResult], last: deque[float] | None = None) -> list[float]:
    """Return the losses of steps, nats summed over their batches.

    Args:
        results: of the steps.
        last: losses in nats per symbol, to which those of these steps are appended.

    Raises:
        Diverged: a loss or gradient is not finite; that step and those after it changed nothing.
    """
    last = deque[float]() if last is None else last
    norms = [torch.zeros_like(step.nats) if step.norm is None else step.norm for step in results]
    nats_N, norms_N = torch.stack([torch.stack([step.nats for step in results]), torch.stack(norms)]).tolist()
    for step, nats, norm in zip(results, nats_N, norms_N, strict=True):
        loss_nats = nats / step.batch.n_targets
        if not (math.isfinite(nats) and math.isfinite(norm)):
            raise Diverged(
                f"step {step.number}: the loss is {loss_nats:.4g} and the gradient's norm {norm:.4g}; the step was not "
                f"taken. {_likely_cause(step, math.isfinite(nats), last)}",
                step.number,
            )
        last.append(loss_nats)
    return list(nats_N)


def _likely_cause(step: StepResult, loss_is_finite: bool, last: Iterable[float]) -> str:
    """Return the likely cause of a step that was refused: the learning rate, unless the weights are still the first."""
    if step.number == 1:
        what = "gradient" if loss_is_finite else "output"
        return f"The model's {what} was not finite before any step was taken: check the cell and the data, not --lr"
    before = f"; the losses before it: {', '.join(f'{loss:.4g}' for loss in last)}" if last else ""
    return f"The learning rate is {step.lr:.3g}: try a lower --lr{before}"
