"""Tasks on Ray, on this machine or a cluster: ``--on ray``."""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_executors(register: Callable[[seqgen.ExecutorSpec], None]) -> None:
    """Register Ray."""
    register(
        seqgen.ExecutorSpec(
            name="ray",
            summary="tasks on Ray, on this machine or a cluster (extra: ray)",
            source="arXiv:1712.05889",
            load="seqgen_ray.executor:RayExecutor",
        )
    )
