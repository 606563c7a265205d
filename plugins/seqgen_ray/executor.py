"""An executor whose calls are tasks of Ray."""

from __future__ import annotations

import contextlib
import logging
import math
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field

import seqgen

_Result = TypeVar("_Result")


class RayExecutor(Executor):
    """Calls as tasks of Ray, which starts and ends with the context unless it runs already.

    Args:
        workers: tasks that run at once, for a Ray of its own.
        address: of a cluster: "auto" for the one this machine is part of, or "ray://host:10001".
        cpus: CPUs of a task, which are its threads too.
        gpus: GPUs of a task.
        retries: how often Ray itself runs a task again whose worker died.

    Raises:
        MissingExtra: ray is not installed.
    """

    def __init__(
        self,
        workers: int,
        *,
        address: Annotated[str | None, Field(description='address of a cluster, such as "auto"; none: its own')] = None,
        cpus: Annotated[float, Field(gt=0, description="CPUs of a task")] = 1,
        gpus: Annotated[float, Field(ge=0, description="GPUs of a task, or a share of one")] = 0,
        retries: Annotated[int, Field(ge=0, description="times that Ray runs a lost task again")] = 0,
    ) -> None:
        try:
            import ray
        except ImportError:
            raise seqgen.MissingExtra("ray", "the executor ray") from None
        self._ray, self._workers, self._address = ray, workers, address
        self._resources = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": retries}
        self._refs: list[Any] = []
        self._is_ours = False

    def __enter__(self) -> Self:
        """Start Ray, or connect to the cluster.

        Raises:
            UsageError: there is no cluster at the address.
        """
        ray, cpus, gpus = self._ray, self._resources["num_cpus"], self._resources["num_gpus"]
        if not ray.is_initialized():
            quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
            own = {"address": "local", "include_dashboard": False, "num_cpus": math.ceil(self._workers * cpus)}
            own |= {"num_gpus": math.ceil(self._workers * gpus)} if gpus else {}
            try:
                with _same_random():
                    ray.init(**quiet, **(own if self._address is None else {"address": self._address}))
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise seqgen.UsageError(
                    f"cannot use Ray at executor.address={self._address!r}: {' '.join(str(error).split())[:120]}"
                ) from None
            self._is_ours = True
        self._call = ray.remote(_call).options(**self._resources)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the tasks that run, if it is by an exception, and the Ray that this one started."""
        if kind is not None:
            for ref in self._refs:
                self._ray.cancel(ref, force=True)
        if self._is_ours:
            with _same_random():
                self._ray.shutdown()

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Call an importable function on a worker of Ray."""
        with _same_random():
            ref = self._call.remote(fn, args, kwargs)
            future: Future[_Result] = ref.future()
        self._refs.append(ref)
        future.add_done_callback(lambda _: self._refs.remove(ref))
        return future


@contextlib.contextmanager
def _same_random() -> Iterator[None]:
    """Keep Python's random state, which Ray uses for its own names."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _call(function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
    return function(*arguments, **keywords)
