"""The conformance kit: the contracts of plugins as small named checks that need no pytest.

- ``@parametrize_with_checks(plugin)`` turns each check into a pytest test.
- ``check_cell(spec)``, ``check_tokenizer(spec)``, ... run all checks of one spec; ``CHECKS`` maps kinds to these
  functions.
- ``checks_of(spec)`` returns the checks one by one, ``checks_of_plugin(plugin)`` all checks of a plugin,
  ``specs_of(plugin)`` its specs. ``seqgen plugins check`` shows the results as a table.

Calling a check raises AssertionError where the contract is violated, else returns a note, which is usually empty.
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
    check_executor,
    check_exporter,
    check_metric,
    check_model,
    check_processor,
    check_reader,
    check_renderer,
    check_report,
    check_tokenizer,
    check_validator,
)

__all__ = [
    "CHECKS", "TEXTS", "Check", "Package", "check_accepts", "check_augmentation", "check_cell", "check_corpus",
    "check_domain", "check_executor", "check_exporter", "check_metric", "check_model", "check_processor",
    "check_reader", "check_renderer", "check_report", "check_tokenizer", "check_validator", "checks_of",
    "checks_of_plugin", "parametrize_with_checks", "specs_of",
]  # fmt: skip
