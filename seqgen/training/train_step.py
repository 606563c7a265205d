"""One optimizer step, of which nothing is read back: what it came to is looked at later, for many steps at once."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgen.batches import Batch
from seqgen.cells import is_compiled
from seqgen.errors import FAULT_NOTE, Diverged
from seqgen.evaluation import carried_nats, total_nats
from seqgen.model import device_of
from seqgen.protocols import State
from seqgen.states import list_leaves, map_state
from seqgen.tokenizers import BOS
from seqgen.training.gradients import Gradients
from seqgen.training.manual_backward import loss_and_gradients, supports_manual_backward
from seqgen.training.optimizer import AdamW

_CARRIED = "carried."


@dataclass(frozen=True)
class StepResult:
    """A step that was taken.

    Attributes:
        number: which one, from 1.
        lr: its rate.
        batch: what was learned from.
        nats: the loss summed over the batch, 0-dimensional.
        norm: the gradient's norm before clipping, 0-dimensional; None where there is no gradient.
    """

    number: int
    lr: float
    batch: Batch
    nats: Tensor
    norm: Tensor | None


class TrainStep:
    """Takes steps; a model that counts (it has a method ``learn``) is shown the batch instead.

    Args:
        model: keeps the contract of :class:`seqgen.Model`, on its device.
        penalty_V: what ``penalty`` gives, on that device.
        weight_decay: of AdamW.
        clip_norm: the largest norm of the gradient; 0 for any.
        precision: "float32", or "bfloat16" for products.
        carries: whether batches are windows of a long text, which go on where the ones before ended.
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
    ) -> None:
        self.optimizer = AdamW(model.named_parameters(), weight_decay)
        self._model, self._penalty_V, self._clip_norm = model, penalty_V, clip_norm
        self._poisoned, self._zero, self._skip = torch.zeros(3, device=penalty_V.device)
        self._gradients = Gradients(model.parameters())
        self._learns = hasattr(model, "learn")
        self._autocast: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        self._manual: bool | None = None if precision == "float32" else False
        self._carries = carries
        self._carried: State = None
        self._compiled = False
        if precision == "bfloat16":
            self._autocast = torch.autocast(device_of(model).type, dtype=torch.bfloat16)

    def take(self, number: int, lr: float, batch: Batch, seed: int | None = None) -> StepResult:
        """Take a step; it changes nothing if its loss or gradient is not finite, or that of an earlier one was not.

        Args:
            number: which one, from 1.
            lr: the rate.
            batch: what to learn from.
            seed: of what is random in it; None: torch's random numbers go on.
        """
        if not self._model.training:
            self._model.train()
        self._choose_backward()
        if seed is not None:
            _seed(seed, self._penalty_V.device)
        if self._learns:
            with torch.no_grad():
                nats = self._nats(batch)
                self._learn(batch)
            return StepResult(number, lr, batch, nats, None)
        self._gradients.clear()
        nats = self.differentiate(batch)
        return StepResult(number, lr, batch, nats, self._update(number, lr, nats))

    def _learn(self, batch: Batch) -> None:
        try:
            self._model.learn(batch.ids_BT, batch.targets_BT)  # type: ignore[operator]
        except TypeError as error:  # it may not have been reached: it takes other arguments
            kind = type(self._model)
            error.add_note(f"{FAULT_NOTE}{kind.__module__}.{kind.__qualname__}.learn(ids_BT, targets_BT) fails")
            raise

    def _update(self, number: int, lr: float, nats: Tensor) -> Tensor:
        """Clip the gradients and go along them; gives their norm before."""
        norm = self._gradients.clip(self._clip_norm)
        # 0 as long as all was finite, and not a number from the first step on that was not.
        self._poisoned.addcmul_(norm + nats, self._zero)
        self.optimizer.step(number, lr, torch.ne(self._poisoned, 0.0, out=self._skip))
        return norm

    def _choose_backward(self) -> None:
        """Decide how to differentiate: not before it is settled how the cells run, nor amid a step's randomness."""
        if self._manual is None:
            self._manual, self._compiled = supports_manual_backward(self._model), is_compiled(self._model)

    def differentiate(self, batch: Batch) -> Tensor:
        """The loss summed over a batch; the gradients of its mean are added to the parameters'."""
        self._choose_backward()
        if self._manual:
            state = self._carried if self._carries and batch.continues else None
            nats, self._carried = loss_and_gradients(
                self._model,  # type: ignore[arg-type]  # as ``supports_manual_backward`` found
                batch,
                self._penalty_V,
                state,
                compiled=self._compiled,
                carries=self._carries,
            )
            return nats
        with self._autocast:
            nats = self._nats(batch)
        (nats / batch.n_targets).backward()  # type: ignore[no-untyped-call]
        return nats.detach()

    def _nats(self, batch: Batch) -> Tensor:
        """The loss summed over a batch, from the state that the batch before left where it goes on with that."""
        if not self._carries:
            return total_nats(self._model, batch, self._penalty_V)
        nats, state = carried_nats(self._model, batch, self._penalty_V, self._carried)
        self._carried = map_state(lambda leaf: leaf.detach(), state)
        return nats

    def state(self) -> dict[str, Tensor]:
        """What ``load`` needs: the optimizer's tensors, and the state carried from window to window."""
        carried: list[Tensor] = [] if self._carried is None or not self._carries else list_leaves(self._carried)
        return self.optimizer.state() | {f"{_CARRIED}{number}": leaf for number, leaf in enumerate(carried)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what ``state`` gave.

        Raises:
            KeyError: a tensor is missing.
            RuntimeError: one has another shape than it must.
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

    def _state_shapes(self) -> tuple[State, list[tuple[int | None, ...]]]:
        """The state before the first step, and the sizes of its leaves, the batch aside; None where they grow."""
        model: Any = self._model
        model.eval()
        with torch.no_grad():  # not in inference mode: what a cell keeps of its first steps is used in training too
            blank = model.initial_state(1)
            _, after = model(torch.full((1, 1), BOS, device=self._penalty_V.device), blank)
        model.train()
        pairs = list(zip(list_leaves(blank), list_leaves(after), strict=False))
        if len(pairs) != len(list_leaves(after)) or any(leaf.ndim != end.ndim for leaf, end in pairs):
            raise RuntimeError("the model's state changes its form from step to step")
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
    """What ``torch.manual_seed`` does, where it matters: it notes a traceback for each device that is not there."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):  # the model's, where there are several
            torch.cuda.manual_seed(seed)
    elif device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def read_losses(taken: Sequence[StepResult], last: deque[float] | None = None) -> list[float]:
    """The losses of steps, nats summed over their batches.

    Args:
        taken: the steps.
        last: losses in nats per symbol, to which those of these steps are added.

    Raises:
        Diverged: one of them, or of the gradients, is not finite; that step and those after it changed nothing.
    """
    last = deque[float]() if last is None else last
    norms = [torch.zeros_like(step.nats) if step.norm is None else step.norm for step in taken]
    nats_N, norms_N = torch.stack([torch.stack([step.nats for step in taken]), torch.stack(norms)]).tolist()
    for step, nats, norm in zip(taken, nats_N, norms_N, strict=True):
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
    """What is to be looked at where a step was refused: the rate, unless none has touched the weights yet."""
    if step.number == 1:
        what = "gradient" if loss_is_finite else "output"
        return (
            f"The model's {what} was not finite before any step was taken: look at the cell and the data, not at --lr"
        )
    before = f"; the losses before it: {', '.join(f'{loss:.4g}' for loss in last)}" if last else ""
    return f"The rate is {step.lr:.3g}: try a lower --lr{before}"
