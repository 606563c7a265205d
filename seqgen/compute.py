"""CPU threads, memory and random state while torch computes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_TURN_S = 0.05  # for which results are computed before those are yielded
_KEEP = ((-4, 0), (-1, 2**31 - 1))  # M_MMAP_MAX: map nothing apart; M_TRIM_THRESHOLD: give back only beyond 2 GiB
_DEFAULTS = ((-4, 1 << 16), (-3, 1 << 25), (-1, 1 << 26))  # what glibc arrives at by itself: M_MMAP_THRESHOLD 32 MiB
_keeping: list[None] = []
_shares: list[int] = []


def threads_here() -> int:
    """Return the CPU threads of this process: those of torch where it is loaded."""
    if "torch" in sys.modules:
        import torch

        return torch.get_num_threads()
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal():
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def keeping_memory() -> Iterator[None]:
    """Keep freed memory with the process meanwhile, with glibc.

    Otherwise large blocks go back to the system at each step and return as thousands of zeroed pages, which takes a
    fifth of the time of a wide model.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        yield
        return
    if not _keeping:
        for option in _KEEP:
            set_option(*option)
    _keeping.append(None)
    try:
        yield
    finally:
        _keeping.pop()
        if not _keeping:
            for option in _DEFAULTS:
                set_option(*option)
            give_back_memory()


def give_back_memory() -> None:
    """Give freed memory back to the system, with glibc, which otherwise keeps what lies between blocks in use."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def computing(threads: int | None = None) -> Iterator[None]:
    """Compute with a number of CPU threads; restore it and the random state of torch afterwards.

    Modes of torch that surround the call do not hold within (``as_torch_starts``): a run must not depend on where it is
    computed.

    Args:
        threads: CPU threads, at most as many as ``within_share`` allows; None: as many as torch uses now.
    """
    with keeping_memory(), as_torch_starts(), _kept_state(threads):
        yield


def in_turns(threads: int | None, results: Iterator[_Result]) -> Iterator[_Result]:
    """Yield results that are computed as by ``computing``, with all restored whenever the caller has its turn.

    Results of some hundredths of a second are computed at a time, as many as take so long on average: a batch gives
    many at once, and with the next one awaited in the same turn, they would come as late. An error comes after the
    results before it.

    Args:
        threads: as for ``computing``.
        results: computed as they are asked for.
    """
    with keeping_memory():
        failure: BaseException | None = None
        ended, n_found, spent_s = False, 0, 0.0
        while not ended:
            found: list[_Result] = []
            start, most = time.monotonic(), max(1, int(_TURN_S * n_found / max(spent_s, 1e-9)))
            try:
                with as_torch_starts(), _kept_state(threads):
                    for result in results:
                        found.append(result)
                        if len(found) == most or time.monotonic() > start + _TURN_S:
                            break
                    else:
                        ended = True
            except BaseException as error:  # raised below
                failure, ended = error, True
            n_found, spent_s = n_found + len(found), spent_s + time.monotonic() - start
            yield from found
        if failure is not None:
            raise failure


@contextlib.contextmanager
def as_torch_starts() -> Iterator[None]:
    """Compute as where nobody has changed a mode of torch: 32 bits by default, no inference mode, no autocast."""
    import torch

    dtype = torch.get_default_dtype()
    with contextlib.ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, dtype)
        yield


@contextlib.contextmanager
def _kept_state(threads: int | None) -> Iterator[None]:
    """Restore the number of threads and the random state of torch after the block."""
    import torch

    before, random_state = torch.get_num_threads(), torch.get_rng_state()
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    if threads is not None:
        torch.set_num_threads(min([threads, *_shares]))
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_rng_state(random_state)
        if on_gpus:
            torch.cuda.set_rng_state_all(on_gpus)


@contextlib.contextmanager
def within_share() -> Iterator[None]:
    """Compute meanwhile with no more CPU threads than this process has: of a worker, its share of the machine's.

    Runs are otherwise sampled and evaluated with as many threads as they were trained with, and several workers that do
    so wait for one another most of the time.
    """
    import torch

    _shares.append(torch.get_num_threads())
    try:
        yield
    finally:
        _shares.pop()


def without_filling() -> AbstractContextManager[Any]:
    """Skip the filling of new tensors with random numbers, for a model on the device "meta".

    A meta tensor has no memory to fill, and filling it would import torch's compiler, which takes seconds.
    """
    import torch
    from torch import Tensor, nn
    from torch.overrides import TorchFunctionMode

    fills = {
        Tensor.normal_,
        Tensor.uniform_,
        Tensor.bernoulli_,
        Tensor.exponential_,
        Tensor.random_,
        Tensor.log_normal_,
    }
    makers = {torch.rand, torch.randn}

    class Unfilled(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            named = dict(kwargs or {})
            if function in fills or getattr(function, "__module__", None) == nn.init.__name__:
                return args[0] if args else named["tensor"]
            if function in makers:
                named.pop("generator", None)
                return torch.empty(*args, **named)
            return function(*args, **named)

    return Unfilled()
