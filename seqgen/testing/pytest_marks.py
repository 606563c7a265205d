"""The checks of a plugin as pytest tests; pytest is imported only when this is used."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from seqgen.errors import MissingExtra, UsageError, did_you_mean
from seqgen.specs import Spec
from seqgen.testing.check import Check, Foundations, Waits
from seqgen.testing.plugin import checks_of_plugin


def parametrize_with_checks(
    plugin_or_specs: ModuleType | str | Path | Sequence[Spec],
    *,
    expected_failures: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that runs a test once per check: ``def test_contracts(check): check()``.

    A check with a missing dependency is skipped, and so are those of a part of which one that they rest on has failed.

    Args:
        plugin_or_specs: a module, the name of an import package, the path of a plugin in one file; or some specs.
        expected_failures: the reason why a check cannot pass, by its id; that check must fail.

    Raises:
        UsageError: no check has a given id, or a reason is empty.
        UnknownName: there is no such package.
        PluginError: the plugin cannot be loaded.
    """
    import pytest

    checks, expected = checks_of_plugin(plugin_or_specs), expected_failures or {}
    known = [check.id for check in checks]
    for name, reason in expected.items():
        if name not in known:
            raise UsageError(f"expected_failures: no check has the id {name!r}{did_you_mean(name, known)}")
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f"expected_failures: the reason of {name!r} is empty; say why it cannot pass")

    def parameter(check: Check) -> Any:
        reason = expected.get(check.id)
        marks = () if reason is None else (pytest.mark.xfail(strict=True, reason=reason, raises=AssertionError),)
        return pytest.param(check, id=check.id, marks=marks)

    foundations = Foundations()

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def run(*arguments: Any, **named: Any) -> Any:
            check: Check = named["check"]
            call = functools.partial(test, *arguments, **named)
            try:
                return call() if check.id in expected else foundations.run(check, call)
            except (MissingExtra, Waits) as error:
                pytest.skip(str(error))

        mark: Callable[[Callable[..., Any]], Callable[..., Any]] = pytest.mark.parametrize(
            "check", list(map(parameter, checks))
        )
        return mark(run)

    return decorate
