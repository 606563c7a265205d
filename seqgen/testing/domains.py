"""Checks of domains and of plugins as a whole."""

from __future__ import annotations

import contextlib
import itertools
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from seqgen.errors import short_repr
from seqgen.specs import CorpusSpec, DomainSpec
from seqgen.testing.check import Package, Subject
from seqgen.testing.other_processes import environment
from seqgen.testing.registry import find_spec, installed

_HEAVY = ("torch", "numpy", "pydantic")
_READ, _RECORDS, _EDITS = 20_000, 200, 5
_PROGRAM = "import sys; from seqgen.testing import specs_of; specs_of(sys.argv[1]); print(*sys.modules)"


def parts(subject: Subject) -> None:
    """Check that the parts a domain names exist: in its own plugin, in core, or in an installed plugin."""
    spec: DomainSpec = subject.spec
    named = [("tokenizer", spec.tokenizer), ("validator", spec.validator), ("renderer", spec.renderer)]
    named += [("metric", metric) for metric in spec.metrics]
    missing = [f"{kind} {name}" for kind, name in named if name and find_spec(kind, name, subject.siblings) is None]
    assert not missing, f"it names parts that do not exist: {', '.join(missing)}"


def automaton(subject: Subject) -> str:
    """Check that the automaton has few states, and accepts valid texts but for a small share beyond its bounds."""
    grammar = subject.entry.automaton()
    if grammar is None:
        return ""
    from seqgen.sampling import MAX_EXCLUDED
    from seqgen.sampling.text_automata import MAX_STATES, TooManyStates, accepts, tabulate

    records = [*subject.texts, *_records(subject)]
    try:
        tabulate(grammar, set().union(*records), subject.spec.name)
    except TooManyStates:
        raise AssertionError(f"its automaton has more than {MAX_STATES:,} states: bound what it counts") from None
    note = ""
    for kind, texts, most in (
        ("texts", records, MAX_EXCLUDED),
        ("edited texts", list(_edited(records)), 2 * MAX_EXCLUDED),
    ):
        valid = [text for text in texts if _is_valid(subject, text)]
        refused = [text for text in valid if not accepts(grammar, text)]
        share = len(refused) / max(len(valid), 1)
        shown = f"{len(valid)} valid {kind}" + "".join(f", such as {short_repr(text, 80)}" for text in refused[:1])
        assert share <= most, (
            f"its automaton refuses {share:.0%} of {shown}; at most {most:.0%} may be beyond its bounds"
        )
        if refused:
            note = note or f"refuses {share:.1%} of {shown}: are these beyond its bounds?"
    return note


def _is_valid(subject: Subject, text: str) -> bool:
    """Return the verdict of the domain's validator."""
    spec: DomainSpec = subject.spec

    def build() -> Any:
        found = find_spec("validator", spec.validator, subject.siblings) if spec.validator else None
        return None if found is None else Subject(found, {}).build()

    validator = subject.once("validator", build)
    return validator is None or bool(validator.validate(text).ok)


def _records(subject: Subject) -> Iterator[str]:
    """Yield some records, from beginning to end, of corpora of the same plugin that have the domain."""
    for corpus in subject.siblings:
        if isinstance(corpus, CorpusSpec) and corpus.domain == subject.spec.name and not corpus.network:
            with contextlib.suppress(Exception):  # the checks of the corpus report that
                records = itertools.islice(Subject(corpus, {}).build(), _READ)
                texts = [record.text for record in records if isinstance(record.text, str)]
                yield from texts[:: len(texts) // _RECORDS + 1]


def _edited(texts: Sequence[str]) -> Iterator[str]:
    """Yield texts with a character left out, written twice, or exchanged with another."""
    rng = random.Random(0)  # not a secret
    for text in filter(None, texts):
        for _ in range(_EDITS):
            at, other = rng.randrange(len(text)), rng.randrange(len(text))
            yield text[:at] + text[at + 1 :]
            yield text[:at] + text[at] + text[at:]
            yield text[:at] + text[other] + text[at + 1 :]


def names(package: Package) -> str:
    """Check that each name of a kind is registered once; note those that another installed plugin has too."""
    counted = Counter((spec.kind, spec.name) for spec in package.specs)
    twice = [f"{kind} {name}" for (kind, name), count in counted.items() if count > 1]
    assert not twice, f"it registers more than once: {', '.join(twice)}"
    others = [
        f"{other.package}:{other.spec.name}"
        for spec in package.specs
        for other in installed().registry.entries(spec.kind)
        if other.spec.name == spec.name and other.package != package.name
    ]
    return f"users write PACKAGE:NAME, since there are also {', '.join(others)}" if others else ""


def commands(package: Package) -> None:
    """Check that its commands can be built."""
    app = None if package.commands is None else package.commands()
    if app is not None and (app.registered_commands or app.registered_groups):
        from typer.main import get_command

        app.callback()(lambda: None)
        get_command(app)


def trackers(package: Package) -> str:
    """Check that the trackers it offers have a name and a check, and that it handles reports."""
    return ", ".join([] if package.trackers is None else package.trackers())


def events(package: Package) -> str:
    """Check that its hooks handle the events of a run that is trained, resumed and ended by a user."""
    return ", ".join([] if package.events is None else package.events())


def light_import(package: Package) -> None:
    """Check that importing it and listing its specs imports nothing heavy, since every command does that."""
    found = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, package.name],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert found.returncode == 0, f"it cannot be imported in a new process: {found.stderr.strip()[-400:]}"
    heavy = [module for module in _HEAVY if module in found.stdout.split()]
    assert not heavy, f"importing it imports {' and '.join(heavy)}: name the part lazily, load='package.module:Name'"
