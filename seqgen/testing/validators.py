"""Checks of validators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seqgen.errors import short_repr
from seqgen.plugin_guards import verdict_fault
from seqgen.protocols import Verdict
from seqgen.testing.check import Subject, is_one_line
from seqgen.testing.exercise import few_records_of, must_not_raise, records_of

ORDINARY = (
    "word", "Word", "WORD", "two words", " padded ", "a-b", "it's", "x_1", "7", "007", "+7", "1.50", "1e3", "-0",
    "a,b", "b,a", "a;a", "1+2=3", "(a)", "[]", "{}", '{"a": 1}', "<p>", "#fff", "CCO", "OCC", "c1ccccc1", "2024-02-29",
    "20240229", "12:30", "a@b.c", "http://a.b/", "x = 1", "A B C", "aA", "\u00e9", "\ufb01", "\u0130", "\u00df",
)  # fmt: skip
"""Texts of many kinds, several with the same meaning, so that most validators accept some."""

_VARIED = 50
MIN_ACCEPTED = 0.99
"""The least share of the records of a corpus that the validator of its domain accepts."""


def _verdict(validator: Any, text: str) -> Verdict:
    verdict: Verdict = validator.validate(text)
    assert not (fault := verdict_fault(verdict)), f"for {short_repr(text)} it returned {fault}"
    is_line = not verdict.reason or is_one_line(verdict.reason)
    assert is_line, f"the reason against {short_repr(text)} is {short_repr(verdict.reason)}, not one line"
    return verdict


def verdicts(subject: Subject) -> None:
    """Check that it returns a verdict, with a reason of one line for an invalid text."""
    validator, records = subject.build(), few_records_of(subject)
    edited = (edit for text in records for edit in (text[:-1], text[1:], text[: len(text) // 2], text * 2, text[::-1]))
    for text in (*subject.texts, *ORDINARY, *records, *edited):
        verdict = _verdict(validator, text)
        assert verdict.ok or verdict.reason, f"the verdict on {text!r} is invalid without a reason"


def canonical(subject: Subject) -> str:
    """Check that the canonical form of a valid text is valid and its own canonical form."""
    validator = subject.build()
    texts = [*subject.texts, *ORDINARY, *records_of(subject)]
    accepted = [text for text in dict.fromkeys(texts) if _is_final(validator, text)]
    for text in accepted[:_VARIED]:
        for variant in {text.swapcase(), text.lower(), text.upper(), text[::-1], f" {text}", f"{text} ", text * 2}:
            _is_final(validator, variant)
    return "" if accepted else "it accepts none of the texts, so no canonical form was checked"


def _is_final(validator: Any, text: str) -> bool:
    """Check the canonical form of a text if it is valid, and return whether it is."""
    verdict = _verdict(validator, text)
    if verdict.ok:
        check_form(validator, text, verdict)
    return verdict.ok


def check_form(validator: Any, text: str, verdict: Verdict) -> None:
    """Check the canonical form of a valid text.

    Raises:
        AssertionError: the form is invalid, or not its own canonical form.
    """
    form = verdict.form(text)
    if form == text:
        return
    form_verdict = _verdict(validator, form)
    assert form_verdict.ok, (
        f"the canonical form of {short_repr(text)} is not final: {short_repr(form)} is invalid: "
        f"{form_verdict.reason:.100}"
    )
    assert form_verdict.form(form) == form, (
        f"the canonical form of {short_repr(text)} is not final: {short_repr(form)} has "
        f"{short_repr(form_verdict.form(form))}"
    )


def refusals(validator: Any, texts: Iterable[str], *, canonical: bool = False) -> list[tuple[str, str]]:
    """Return the records that a validator refuses, each with the reason.

    Raises:
        AssertionError: the form of one that it accepts is not final or, with ``canonical``, not the record itself.
    """
    refused = []
    for text in texts:
        verdict = _verdict(validator, text)
        if not verdict.ok:
            refused.append((text, verdict.reason))
            continue
        check_form(validator, text, verdict)
        form = verdict.form(text)
        assert form == text or not canonical, (
            f"its spec declares canonical=True, but {short_repr(text)} has the canonical form {short_repr(form)}"
        )
    return refused


def hostile_strings(subject: Subject) -> None:
    """Check that it raises on no string."""
    validator = subject.build()
    must_not_raise(lambda text: _verdict(validator, text))
