"""Checks of canonical forms: invalid ones, and ones with another canonical form."""

from __future__ import annotations

import itertools
import re

import pytest

import seqgen
import seqgen.testing
from seqgen.testing import checks_of_plugin


def validator_of(pattern, form):
    """The spec of a validator that accepts what a pattern matches; ``form`` gives the canonical form."""

    class OfPattern:
        def validate(self, text):
            if not re.fullmatch(pattern, text):
                return seqgen.Verdict(False, "no match")
            return seqgen.Verdict(True, canonical=form(text))

    return seqgen.ValidatorSpec(name="v", summary="s", source="t", load=OfPattern)


def corpus_of(*texts, **more):
    return seqgen.CorpusSpec(
        name="c",
        summary="s",
        source="t",
        licence="CC0-1.0",
        load=lambda: list(map(seqgen.Record, texts)),
        domain="d",
        **more,
    )


class Remembering:
    """Accepts each text of nine letters a and b once."""

    def __init__(self):
        self.seen = set()

    def validate(self, text):
        if text in self.seen or not re.fullmatch("[ab]{9}", text):
            return seqgen.Verdict(False, "form")
        self.seen.add(text)
        return seqgen.Verdict(True)


@pytest.mark.full
def test_a_validator_that_remembers_is_tried_on_texts_of_its_own():
    """No text that the kit has is valid here."""
    validator = seqgen.ValidatorSpec(name="v", summary="s", source="t", load=Remembering)
    corpus = corpus_of(*("".join(letters) for letters in itertools.product("ab", repeat=9)))
    with pytest.raises(AssertionError, match="different results"):
        check("validator-v-deterministic", validator, corpus, DOMAIN)


DOMAIN = seqgen.DomainSpec(name="d", summary="s", source="t", validator="v")


def check(name, *specs):
    (found,) = [check for check in checks_of_plugin(specs) if check.id == name]
    return found()


@pytest.mark.parametrize(
    ("pattern", "form", "says"),
    [
        (r"\d{4}-\d\d-\d\d", lambda text: text.replace("-", "."), "is invalid: no match"),
        (r"\d+", lambda text: text[1:] or text, "is not final"),
        (r"[a-z]+", str.upper, "is invalid"),
        (r"[A-Za-z ]+", str.strip, ""),
        (r"[A-Za-z]+", str.swapcase, "is not final"),
        (r" ?[a-z]+", lambda text: text.removeprefix(" "), ""),
    ],
)
def test_canonical_forms_are_valid_and_final(pattern, form, says):
    spec = validator_of(pattern, form)
    if not says:
        assert check("validator-v-canonical", spec) == ""
        return
    with pytest.raises(AssertionError, match=says):
        check("validator-v-canonical", spec)


def test_a_validator_is_checked_on_its_own_corpus_too():
    spec = validator_of(r"~~[xy]+", lambda text: text + "x" if len(text) < 9 else text)
    assert "accepts none of the texts" in check("validator-v-canonical", spec)
    with pytest.raises(AssertionError, match=r"the canonical form of '~~xy' is not final: '~~xyx' has '~~xyxx'"):
        check("validator-v-canonical", spec, corpus_of("~~xy"), DOMAIN)


def test_records_and_their_forms_are_checked_with_the_corpus():
    spec, corpus = validator_of(r"[a-z]+", str.upper), corpus_of("ab", "cd")
    with pytest.raises(AssertionError, match="is invalid"):
        check("corpus-c-valid", corpus, DOMAIN, spec)
    with pytest.raises(AssertionError, match="is invalid"):
        seqgen.testing.check_accepts(spec, corpus)


def test_a_corpus_declared_canonical_has_canonical_forms():
    spec = validator_of(r"[A-Za-z]+", str.lower)
    assert check("corpus-c-valid", corpus_of("ab", "cd", canonical=True), DOMAIN, spec) == ""
    with pytest.raises(AssertionError, match=r"canonical=True, but 'Cd' has the canonical form 'cd'"):
        check("corpus-c-valid", corpus_of("ab", "Cd", canonical=True), DOMAIN, spec)
