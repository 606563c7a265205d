"""The conformance kit: one check per contract. Each raises AssertionError with what is wrong, and needs no pytest.

A plugin's test is a line: ``seqgen.testing.check_cell(spec)``. ``CHECKS`` has them by kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqgen.testing.cells import check_cell, check_model
from seqgen.testing.texts import (
    check_accepts,
    check_augmentation,
    check_corpus,
    check_metric,
    check_processor,
    check_renderer,
    check_tokenizer,
    check_validator,
)

CHECKS: dict[str, Callable[[Any], None]] = {
    "corpus": check_corpus,
    "tokenizer": check_tokenizer,
    "cell": check_cell,
    "model": check_model,
    "validator": check_validator,
    "metric": check_metric,
    "renderer": check_renderer,
    "processor": check_processor,
    "augmentation": check_augmentation,
}

__all__ = ["CHECKS", "check_accepts", *(check.__name__ for check in CHECKS.values())]
