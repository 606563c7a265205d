"""The processes that train one model together: orders of the first to the others, and sums over all of them.

Rank 0 owns the run: it decides every step, writes the run folder, and tells the other ranks what to do. A sum follows
a fixed binary tree over the ranks, so that its bits depend on what is summed and not on how many processes there are.
torch's own wrapper (DistributedDataParallel) is not used: gradients here are written by hand into flat tensors, which
it would neither see nor sum in a fixed order.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import IntEnum
from typing import Any, NamedTuple

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch import distributed as dist

from seqgen.errors import WorkerLost, one_line

_PATIENT = timedelta(days=365)  # others wait for rank 0, which may evaluate or sample for any time, until it ends
_RUN = "run"
_POLL_S = 0.05
_GRACE_S = 2.0  # in which the rank that saw a loss first can say so


class Order(IntEnum):
    """The orders of rank 0 to the others."""

    STEP = 0
    COLLECT = 1  # the state that is carried from window to window
    END = 2
    LOSSES = 3  # of held-out batches; this and the following: see ``seqgen.training.shares``
    LOG_PROBS = 4  # of the same, for the gate of a blend
    RECORDS = 5  # receive training records
    TRAINING_LOG_PROBS = 6  # of these
    SAMPLES = 7


class Command(NamedTuple):
    """An order, with the numbers that it is for.

    Attributes:
        order: the order.
        number: the steps done before; in an evaluation, the round.
        value: the learning rate of a step; in an evaluation, the limit on the records.
    """

    order: Order
    number: int = 0
    value: float = 0.0


class Gang:
    """The connection of one rank to the others.

    Args:
        rank: of this process, from 0.
        size: number of processes, a power of two.
        store: where ranks find each other and leave notes, such as a ``torch.distributed.FileStore``.
        timeout_s: seconds after which a rank that does not take part in a sum is lost.
        cuda: whether gradients lie on GPUs, and are summed there.
        find_ended: returns the number, from 0, of a task of this process that was to be another rank and has ended, and
            how; None if all run.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        store: Any,
        *,
        timeout_s: float,
        cuda: bool = False,
        find_ended: Callable[[], tuple[int, str] | None] = lambda: None,
    ) -> None:
        self.rank, self.size = rank, size
        self._store, self._find_ended, self._timeout_s = _prefixed(store), find_ended, timeout_s
        self._sums: Any = None
        self._backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        self._store.set(f"host/{rank}", socket.gethostname())

    # -- notes, before the ranks are connected

    def announce(self, run: Mapping[str, Any]) -> None:
        """Tell the other ranks what to train."""
        self._store.set(_RUN, json.dumps(run))

    @staticmethod
    def announced(store: Any) -> dict[str, Any]:
        """Return what rank 0 announces, when it does."""
        found = json.loads(_prefixed(store).get(_RUN))
        assert isinstance(found, dict)
        return found

    def connect(self) -> None:
        """Connect to the other ranks, when all are ready.

        Raises:
            WorkerLost: another rank has ended.
        """
        self._store.set(f"ready/{self.rank}", "")
        for rank in range(self.size):
            while not self._store.check([f"ready/{rank}"]):
                if reason := self._lost() or self._ended():
                    raise WorkerLost(self._lost() or reason)  # it leaves its note before it ends
                time.sleep(_POLL_S)
        dist.init_process_group(
            self._backend,
            store=self._store,
            rank=self.rank,
            world_size=self.size,
            timeout=_PATIENT if self.rank else timedelta(seconds=self._timeout_s),
        )
        self._sums = dist.new_group(timeout=timedelta(seconds=self._timeout_s))

    def close(self) -> None:
        """Disconnect."""
        if self._sums is not None:
            self._sums = None
            dist.destroy_process_group()

    # -- between the ranks

    def command(self, command: Command) -> None:
        """Send a command from rank 0 to all others.

        Raises:
            WorkerLost: a rank has ended, or does not answer within the time.
        """
        self._tell(torch.tensor([command.order, command.number, command.value], dtype=torch.float64))

    def receive(self) -> Command:
        """Return the next command of rank 0.

        Raises:
            WorkerLost: rank 0 has ended.
        """
        order, number, value = self._tell(torch.empty(3, dtype=torch.float64)).tolist()
        return Command(Order(int(order)), int(number), value)

    def share(self, tensors: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return the tensors that rank 0 gives, on every rank; on the CPU."""
        data = b"" if tensors is None else save_tensors(dict(tensors))
        size = self._tell(torch.tensor([len(data)]))
        data_N = self._tell(torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else _bytes(size))
        return load_tensors(data_N.numpy().tobytes())

    def _tell(self, tensor: Tensor) -> Tensor:
        """Send a tensor from rank 0 to each other rank, one by one: who hangs is known; return it."""
        if self.rank:
            return self._receive(tensor, 0)
        for rank in range(1, self.size):
            self._send(tensor, rank)
        return tensor

    def collect(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """Return the tensors of each rank in order, at rank 0; nothing at the others."""
        if self.rank:
            data_N = torch.frombuffer(bytearray(save_tensors(dict(tensors))), dtype=torch.uint8)
            for tensor in (torch.tensor([len(data_N)]), data_N):
                self._send(tensor, 0, self._sums)
            return []
        found = [dict(tensors)]
        for rank in range(1, self.size):
            size = self._receive(torch.zeros(1, dtype=torch.int64), rank, self._sums)
            data_N = self._receive(_bytes(size), rank, self._sums)
            found.append(load_tensors(data_N.numpy().tobytes()))
        return found

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Add up flat tensors of all ranks in place, along a binary tree; all ranks have the sum then.

        Recursive halving: with one rank after another, each exchanges halves, and adds up the half that it keeps; then
        the sums go back the same way. So all ranks add and send at once (Thakur, Rabenseifner and Gropp, "Optimization
        of Collective Communication Operations in MPICH", 2005, section 4.5).

        Raises:
            WorkerLost: a rank has ended, or does not answer within the time.
        """
        for tensor_N in tensors:
            halved: list[tuple[int, Tensor, Tensor]] = []
            rest_N = tensor_N
            for stride in (2**k for k in range(self.size.bit_length() - 1)):
                peer = self.rank ^ stride
                low_N, high_N = rest_N.tensor_split(2)
                kept_N, sent_N = (low_N, high_N) if self.rank < peer else (high_N, low_N)
                self._exchange(sent_N, received_N := torch.empty_like(kept_N), peer)
                left_N, right_N = (kept_N, received_N) if self.rank < peer else (received_N, kept_N)
                torch.add(left_N, right_N, out=kept_N)
                halved.append((peer, kept_N, sent_N))
                rest_N = kept_N
            for peer, kept_N, sent_N in reversed(halved):
                self._exchange(kept_N, sent_N, peer)

    def _exchange(self, sent_N: Tensor, received_N: Tensor, peer: int) -> None:
        """Send a tensor to a rank and receive another from it, at once; both ranks know the sizes."""
        ways = ((dist.isend, sent_N), (dist.irecv, received_N))
        with self._losing(peer):
            works = [dist.P2POp(way, tensor_N, peer, self._sums) for way, tensor_N in ways if len(tensor_N)]
            for work in dist.batch_isend_irecv(works) if works else ():
                work.wait()

    def _send(self, tensor: Tensor, rank: int, group: Any = None) -> None:
        with self._losing(rank):
            dist.send(tensor, rank, group)

    def _receive(self, tensor: Tensor, rank: int, group: Any = None) -> Tensor:
        with self._losing(rank):
            dist.recv(tensor, rank, group)
        return tensor

    # -- losses

    def report_failure(self, reason: str) -> None:
        """Leave a note for rank 0 why this rank ends; the first note counts."""
        self._note(self.rank, reason)

    def _note(self, rank: int, reason: str) -> None:
        if self._store.add("failures", 1) == 1:
            self._store.set("failure", f"{self._name(rank)} {reason}")

    def _name(self, rank: int) -> str:
        key = f"host/{rank}"
        return f"worker {rank} on {self._store.get(key).decode()}" if self._store.check([key]) else f"worker {rank}"

    def _ended(self) -> str:
        found = self._find_ended()
        return "" if found is None else f"{self._name(found[0] + 1)} {found[1]}"

    def _lost(self) -> str:
        return self._store.get("failure").decode() if self._store.check(["failure"]) else ""

    @contextmanager
    def _losing(self, peer: int) -> Iterator[None]:
        """Raise an error of torch in talking to a rank as ``WorkerLost``, with the rank that was lost first."""
        try:
            yield
        except RuntimeError as error:  # gloo and nccl have no classes of their own for it
            if "timed out" in str(error).lower() or "timeout" in str(error).lower():
                self._note(self._find_late(peer), f"did not answer within {self._timeout_s:g} s")
            else:
                self._note(peer, "has ended")
            until = time.monotonic() + _GRACE_S
            while not (reason := self._lost() or self._ended()) and time.monotonic() < until:
                time.sleep(_POLL_S)
            raise WorkerLost(reason or f"worker {peer} is not connected any more: {one_line(error)}") from None

    def _find_late(self, peer: int) -> int:
        """Return the rank for which all wait, where ``peer`` did not answer: it may itself wait for another one."""
        self._store.set(f"late/{self.rank}", str(peer))
        time.sleep(_GRACE_S)
        passed = {self.rank}
        while peer not in passed and self._store.check([f"late/{peer}"]):
            passed.add(peer)
            peer = int(self._store.get(f"late/{peer}"))
        return peer


def _prefixed(store: Any) -> Any:
    prefixed = dist.PrefixStore("seqgen", store)  # type: ignore[attr-defined]
    prefixed.set_timeout(_PATIENT)
    return prefixed


def _bytes(size: Tensor) -> Tensor:
    return torch.empty(int(size), dtype=torch.uint8)
