"""An executor whose calls are tasks of Ray."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import random
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Annotated, Any, Literal, Self, TypeVar

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
        strategy: where Ray places tasks that start together.

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
        strategy: Annotated[
            Literal["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"],
            Field(description="machines of tasks that start together: few (PACK) or many, STRICT: one or each its own"),
        ] = "PACK",
    ) -> None:
        try:
            with _unchanged():
                import ray
        except ImportError:
            raise seqgen.MissingExtra("ray", "the executor ray") from None
        self._ray, self._workers, self._address = ray, workers, address
        self._resources = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": retries}
        self._strategy = strategy
        self._refs: list[Any] = []
        self._is_ours, self._group = False, None

    def __enter__(self) -> Self:
        """Start Ray, or connect to the cluster.

        Raises:
            UsageError: there is no cluster at the address, or no GPU for a task.
        """
        ray, cpus, gpus = self._ray, self._resources["num_cpus"], self._resources["num_gpus"]
        if not ray.is_initialized():
            quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
            own = {"address": "local", "include_dashboard": False, "num_cpus": math.ceil(self._workers * cpus)}
            try:
                with _unchanged():
                    ray.init(**quiet, **(own if self._address is None else {"address": self._address}))
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise seqgen.UsageError(
                    f"cannot use Ray at executor.address={self._address!r}: {' '.join(str(error).split())[:120]}"
                ) from None
            self._is_ours = True
            if self._address is None and (there := ray.cluster_resources().get("GPU", 0)) < gpus:
                self.__exit__(None, None, None)
                raise seqgen.UsageError(
                    f"cannot run tasks with executor.gpus={gpus:g}: this machine has {there:g} GPUs"
                )
        self._use(**self._resources)
        return self

    def _use(self, **options: Any) -> None:
        self._call = self._ray.remote(_call).options(**options)

    def gang(self, n: int, timeout_s: float) -> str:
        """Reserve workers for the next calls by a placement group; see :class:`seqgen.ExecutorSpec`.

        Args:
            n: number of the calls.
            timeout_s: seconds within which Ray has to have the resources for all of them.

        Returns:
            The address of this machine in the cluster, the loopback one in a Ray of its own.

        Raises:
            TimeoutError: it has not.
            UsageError: this process is not on a machine of the cluster.
        """
        ray = self._ray
        if ray.util.client.ray.is_connected():
            raise seqgen.UsageError(
                "cannot train through a Ray client: the workers do not reach this process; run the command on a "
                "machine of the cluster, with -o executor.address=auto"
            )
        cpus, gpus = self._resources["num_cpus"], self._resources["num_gpus"]
        with _unchanged():
            group = ray.util.placement_group(
                [{"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}] * n, self._strategy
            )
        until = time.monotonic() + timeout_s
        while not group.wait(1):  # returns each second, so that Python sees signals
            if time.monotonic() > until:
                there = {name: ray.cluster_resources().get(name, 0) for name in ("CPU", "GPU")}
                ray.util.remove_placement_group(group)
                raise TimeoutError(
                    f"Ray has {there['CPU']:g} CPUs and {there['GPU']:g} GPUs, and each needs {cpus:g} and {gpus:g}"
                )
        self._group = group
        strategy = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(group)
        self._use(**self._resources | {"scheduling_strategy": strategy, "max_retries": 0})
        is_alone = self._is_ours and self._address is None
        return "127.0.0.1" if is_alone else str(ray.util.get_node_ip_address())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the tasks that run, if it is by an exception, and the Ray that this one started."""
        if kind is not None:
            for ref in list(self._refs):  # a cancelled one is removed from it by its callback, in a thread of Ray
                self._ray.cancel(ref, force=True)
        if self._group is not None:
            self._ray.util.remove_placement_group(self._group)
        if self._is_ours:
            with _unchanged():
                self._ray.shutdown()

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Call an importable function on a worker of Ray."""
        with _unchanged():
            ref = self._call.remote(fn, args, kwargs)
            future: Future[_Result] = ref.future()
        self._refs.append(ref)
        future.add_done_callback(lambda _: self._refs.remove(ref))
        return future


@contextlib.contextmanager
def _unchanged() -> Iterator[None]:
    """Keep what Ray changes of this process: random state, environment, warning filters, the handler of SIGTERM."""
    state, environment, handler = random.getstate(), dict(os.environ), signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        random.setstate(state)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _call(function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
    os.environ["LOCAL_RANK"] = "0"  # the GPU to use: Ray shows a task its own ones only
    return function(*arguments, **keywords)
