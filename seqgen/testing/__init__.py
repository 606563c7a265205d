"""The conformance kit: what a plugin promises, as small named checks that need no pytest.

- ``@parametrize_with_checks(plugin)`` makes a test of pytest of each check.
- ``check_cell(spec)``, ``check_tokenizer(spec)``, ... run all checks of one spec; ``CHECKS`` has them by kind.
- ``checks_of(spec)`` gives them one by one, ``checks_of_plugin(plugin)`` all of a plugin, ``specs_of(plugin)`` what it
  hands in. ``seqgen plugins check`` shows the same as a table.

A check that is called raises AssertionError where the promise is not kept, else gives a note, which is mostly empty.
"""

from seqgen.testing.catalog import checks_of
from seqgen.testing.check import TEXTS, Check, Package
from seqgen.testing.plugin import checks_of_plugin, specs_of
from seqgen.testing.pytest_marks import parametrize_with_checks
from seqgen.testing.suite import (
    CHECKS,
    check_accepts,
    check_augmentation,
    check_cell,
    check_corpus,
    check_domain,
    check_metric,
    check_model,
    check_processor,
    check_renderer,
    check_report,
    check_tokenizer,
    check_validator,
)

__all__ = [
    "CHECKS",
    "TEXTS",
    "Check",
    "Package",
    "check_accepts",
    "check_augmentation",
    "check_cell",
    "check_corpus",
    "check_domain",
    "check_metric",
    "check_model",
    "check_processor",
    "check_renderer",
    "check_report",
    "check_tokenizer",
    "check_validator",
    "checks_of",
    "checks_of_plugin",
    "parametrize_with_checks",
    "specs_of",
]
