"""What validators promise."""

from __future__ import annotations

from typing import Any

from seqgen.protocols import Verdict
from seqgen.testing.check import Subject
from seqgen.testing.trying import bear


def _verdict(validator: Any, text: str) -> Verdict:
    verdict = validator.validate(text)
    assert isinstance(verdict, Verdict), f"of {text!r:.60} it says {verdict!r:.60}, not a seqgen.Verdict"
    return verdict


def verdicts(subject: Subject) -> None:
    """It gives a verdict, and a reason where a text is not valid."""
    validator = subject.build()
    for text in subject.texts:
        verdict = _verdict(validator, text)
        assert verdict.ok or verdict.reason, f"no reason why {text!r} is not valid"


def canonical(subject: Subject) -> None:
    """The canonical form of a valid text is valid, and its own canonical form."""
    validator = subject.build()
    for text in subject.texts:
        verdict = _verdict(validator, text)
        if verdict.ok and verdict.canonical is not None:
            again = _verdict(validator, verdict.canonical)
            assert again.ok and again.form(verdict.canonical) == verdict.canonical, (
                f"canonical of {text!r} is not final"
            )


def hostile_strings(subject: Subject) -> None:
    """It never raises, on any string."""
    validator = subject.build()
    bear(lambda text: _verdict(validator, text))
