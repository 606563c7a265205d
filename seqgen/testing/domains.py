"""Checks of domains and of plugins as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

from seqgen.specs import DomainSpec
from seqgen.testing.check import Package, Subject
from seqgen.testing.registry import find_spec

_HEAVY = ("torch", "numpy", "pydantic")
_PROGRAM = "import sys; from seqgen.testing import specs_of; specs_of(sys.argv[1]); print(*sys.modules)"


def parts(subject: Subject) -> None:
    """Check that the parts a domain names exist: in its own plugin, in core, or in an installed plugin."""
    spec: DomainSpec = subject.spec
    named = [("tokenizer", spec.tokenizer), ("validator", spec.validator), ("renderer", spec.renderer)]
    named += [("metric", metric) for metric in spec.metrics]
    missing = [f"{kind} {name}" for kind, name in named if name and find_spec(kind, name, subject.siblings) is None]
    assert not missing, f"it names parts that do not exist: {', '.join(missing)}"


def names(package: Package) -> None:
    """Check that each name of a kind is registered once."""
    counted = Counter((spec.kind, spec.name) for spec in package.specs)
    twice = [f"{kind} {name}" for (kind, name), count in counted.items() if count > 1]
    assert not twice, f"it registers more than once: {', '.join(twice)}"


def commands(package: Package) -> None:
    """Check that its commands can be built."""
    app = None if package.commands is None else package.commands()
    if app is not None and (app.registered_commands or app.registered_groups):
        from typer.main import get_command

        app.callback()(lambda: None)
        get_command(app)


def light_import(package: Package) -> None:
    """Check that importing it and listing its specs imports nothing heavy, since every command does that."""
    path = os.pathsep.join(filter(None, sys.path))
    found = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, package.name],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert found.returncode == 0, f"it cannot be imported in a new process: {found.stderr.strip()[-400:]}"
    heavy = [module for module in _HEAVY if module in found.stdout.split()]
    assert not heavy, f"importing it imports {' and '.join(heavy)}: name the part lazily, load='package.module:Name'"
