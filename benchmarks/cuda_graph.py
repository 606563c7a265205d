"""A training step as one CUDA graph, and several models of one shape trained as one: experiments for ``gpu.py``.

A graph runs the same kernels on the same memory at each replay. Parts of ``TrainStep`` do not, and are done otherwise:

- Each batch has new tensors of any length: they are copied into those of their shape, with a graph for each shape.
- The loss is divided by the number of targets, a number of Python: here the gradients are, by a tensor.
- So are the learning rate and the number of a step, which the optimizer gets: here they are tensors.
- A random mask is drawn from the seed of the step: torch gives the seed to a graph at each replay.

A step that is not finite changes nothing by tensors alone, in ``TrainStep`` too. The trials before a capture use that.

Dimension letters: B batch, T steps, S models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.batches import Batch
from seqgen.cells import drawing_masks, use_engine
from seqgen.engine.torch_compat import FUSED_ADAMW
from seqgen.model import device_of
from seqgen.tokenizers import PAD
from seqgen.training.optimizer import BETA1, BETA2, EPSILON
from seqgen.training.train_step import StepResult, TrainStep, _seed

_TRIALS = 3


def capture(compute: Callable[[], None], pool: Any = None) -> torch.cuda.CUDAGraph:
    """Return a function of nothing, that has the same memory at each call, as a CUDA graph, after some trials of it.

    Args:
        compute: the function.
        pool: of memory, of another graph that does not run at the same time.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_TRIALS):
            compute()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        compute()
    return graph


@dataclass
class _Static:
    """The tensors of batches of one shape, and of the results of a step on them."""

    batch: Batch
    share: Tensor
    results: list[Tensor] = field(default_factory=list)
    replay: Callable[[], None] = lambda: None


class GraphStep(TrainStep):
    """The steps of ``TrainStep``, each replayed as a graph; for records, in one piece.

    Args:
        model: on its device; its layers are set to their engine.
        penalty_V: as of ``TrainStep``.
        captures: whether to capture graphs; otherwise the same is computed without them, on any device.
        settings: of ``TrainStep``.
    """

    def __init__(self, model: nn.Module, penalty_V: Tensor, *, captures: bool, **settings: Any) -> None:
        super().__init__(model, penalty_V, **settings)
        self._captures, self._pool = captures, None
        self._static: dict[tuple[int, ...], _Static] = {}
        self._lr, self._number = torch.zeros(2, device=penalty_V.device)

    def run(self, number: int, lr: float, batch: Batch, seed: int | None = None) -> StepResult:
        """Take a step, as ``TrainStep.run``; a batch whose shape is new is tried and captured first."""
        self._model.train()
        self._choose_backward()
        shape = tuple(batch.ids_BT.shape)
        if shape not in self._static:
            self._static[shape] = self._prepare(batch)
        static = self._static[shape]
        static.batch.ids_BT.copy_(batch.ids_BT)
        static.batch.targets_BT.copy_(batch.targets_BT)
        static.share.fill_(1 / batch.n_targets)
        self._lr.fill_(lr)
        self._number.fill_(number)
        if seed is not None:
            _seed(seed, self._lr.device)
        static.replay()
        nats, norm = (result.clone() for result in static.results)  # the next replay writes over them
        return StepResult(number, lr, batch, nats, norm)

    def _prepare(self, batch: Batch) -> _Static:
        ids_BT, targets_BT = (tensor.t().contiguous().t() for tensor in (batch.ids_BT, batch.targets_BT))
        static = _Static(batch._replace(ids_BT=ids_BT, targets_BT=targets_BT, at_N=None, n_targets=1), self._lr.clone())
        static.replay = lambda: self._compute(static)
        if self._captures:
            before = self._poisoned.clone()
            self._poisoned.fill_(math.nan)  # so the trials change no weight
            graph = capture(static.replay, self._pool)
            self._poisoned.copy_(before)
            self._pool, static.replay = graph.pool(), graph.replay
        return static

    def _compute(self, static: _Static) -> None:
        self._gradients.clear()
        with drawing_masks(static.batch.n_steps):
            nats = self.differentiate(static.batch)
        for flat in self._gradients.flats:
            flat.mul_(static.share)
        norm = self._gradients.clip(self._clip_norm)
        self._poisoned.addcmul_(norm + nats, self._zero)
        torch.ne(self._poisoned, 0.0, out=self._skip)
        for group in self.optimizer._groups.values():
            weights, gradients, means, squares = group.with_gradient()
            adamw(weights, gradients, means, squares, self._number, self._lr, group.decay, self._skip)
        static.results = [nats, norm]


def adamw(
    weights: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    number: Tensor,
    lr: Tensor,
    decay: float,
    refused: Tensor | None = None,
) -> None:
    """Take a fused step of AdamW whose number and learning rate are tensors."""
    if not weights:
        return
    with torch.no_grad():
        FUSED_ADAMW(
            weights, gradients, means, squares, [], [number] * len(weights),
            lr=lr, beta1=BETA1, beta2=BETA2, weight_decay=decay, eps=EPSILON, amsgrad=False, maximize=False,
            found_inf=refused,
        )  # fmt: skip


class _Loss(nn.Module):
    """The loss of a batch, summed, in nats."""

    def __init__(self, model: nn.Module, penalty_V: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("penalty_V", penalty_V)

    def forward(self, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """Return it."""
        logits_BTV, _ = self.model(ids_BT, self.model.initial_state(len(ids_BT)))
        logits_NV = (logits_BTV + self.penalty_V).flatten(0, 1)
        return functional.cross_entropy(logits_NV, targets_BT.flatten(), ignore_index=PAD, reduction="sum")


class StackedStep:
    """A training step of several models of one shape at once: a product of each is one of a batch of matrices.

    Args:
        models: on their device; steps of their cells run one by one under autograd, as torch.vmap needs it.
        penalty_V: as of ``TrainStep``.
        weight_decay: of AdamW.
        clip_norm: the largest norm of the gradient of each model.
        shape: (B, T) of the batch of each model.
        captures: whether to capture a graph.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        penalty_V: Tensor,
        *,
        weight_decay: float,
        clip_norm: float,
        shape: tuple[int, int],
        captures: bool,
    ) -> None:
        losses = [_Loss(model.train(), penalty_V) for model in models]
        use_engine(losses[0], "eager")
        self._loss, device = losses[0], device_of(models[0])
        self.parameters, self._buffers = torch.func.stack_module_state(losses)
        self.parameters = {name: stacked.detach() for name, stacked in self.parameters.items()}
        self._means = {name: torch.zeros_like(stacked) for name, stacked in self.parameters.items()}
        self._squares = {name: torch.zeros_like(stacked) for name, stacked in self.parameters.items()}
        self._decay, self._clip_norm = weight_decay, clip_norm
        self.ids_SBT, self.targets_SBT = torch.ones(2, len(models), *shape, dtype=torch.int64, device=device)
        self._share_S, self.nats_S = torch.ones(2, len(models), device=device)
        self._lr, self._number = torch.zeros(2, device=device)
        self._number += 1
        self._replay: Callable[[], None] = self._compute
        if captures:
            state = [self.parameters, self._means, self._squares]
            before = [{name: tensor.clone() for name, tensor in tensors.items()} for tensors in state]
            self._replay = capture(self._compute).replay
            for tensors, copies in zip(state, before, strict=True):
                for name, tensor in tensors.items():
                    tensor.copy_(copies[name])

    def run(self, number: int, lr: float, batches: Sequence[Batch]) -> Tensor:
        """Take a step of each model on its batch; return their losses, summed over their batches, nats."""
        for index, batch in enumerate(batches):
            self.ids_SBT[index].copy_(batch.ids_BT)
            self.targets_SBT[index].copy_(batch.targets_BT)
            self._share_S[index] = 1 / batch.n_targets
        self._lr.fill_(lr)
        self._number.fill_(number)
        self._replay()
        return self.nats_S.clone()

    def _nats(self, parameters: Any, buffers: Any, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
        return torch.func.functional_call(self._loss, (parameters, buffers), (ids_BT, targets_BT))

    def _compute(self) -> None:
        differentiate = torch.vmap(torch.func.grad_and_value(self._nats), randomness="different")
        found, nats_S = differentiate(self.parameters, self._buffers, self.ids_SBT, self.targets_SBT)
        self.nats_S.copy_(nats_S)

        def over_models(factor_S: Tensor, gradient: Tensor) -> Tensor:
            return gradient * factor_S.view(-1, *[1] * (gradient.ndim - 1))

        gradients = {name: over_models(self._share_S, found[name]) for name in self.parameters}
        squares_S = torch.stack([gradient.square().flatten(1).sum(1) for gradient in gradients.values()]).sum(0)
        scale_S = torch.clamp(self._clip_norm / squares_S.sqrt(), max=1.0)
        for decayed in (False, True):
            names = [name for name, stacked in self.parameters.items() if (stacked.ndim > 2) == decayed]
            columns = [[tensors[name] for name in names] for tensors in (self.parameters, self._means, self._squares)]
            scaled = [over_models(scale_S, gradients[name]) for name in names]
            adamw(columns[0], scaled, *columns[1:], self._number, self._lr, self._decay if decayed else 0.0)
