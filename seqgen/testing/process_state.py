"""The state of the process that a plugin must not change."""

from __future__ import annotations

import contextlib
import locale
import os
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch


@contextlib.contextmanager
def record_changes(changed: list[str]) -> Iterator[None]:
    """Append the names of the process settings that change within the context to ``changed``."""
    before = _settings()
    try:
        yield
    finally:
        after = _settings()
        changed += [name for name, value in before.items() if after[name] != value]


def _settings() -> dict[str, Any]:
    return {
        "Python's random numbers": random.getstate(),
        "NumPy's random numbers": repr(np.random.get_state()),
        "torch's random numbers": torch.get_rng_state().tolist(),
        "torch's default type": torch.get_default_dtype(),
        "torch's default device": torch.zeros(()).device,
        "torch's number of threads": torch.get_num_threads(),
        "whether torch keeps gradients": torch.is_grad_enabled(),
        "whether torch is deterministic": torch.are_deterministic_algorithms_enabled(),
        "the precision of torch's products": torch.get_float32_matmul_precision(),
        "the current folder": Path.cwd(),
        "the environment": dict(os.environ),
        "the limit of recursion": sys.getrecursionlimit(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the filters of warnings": list(warnings.filters),
    }
