from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_names")
from seqgen_names.validator import NameValidator

MAX = NameValidator()


@pytest.mark.parametrize(
    "name",
    ["Ada", "Zoë", "Zoe\u0308", "Anne-Marie", "O'Neill", "D’Arcy", "Mr. Mime", "J. R. R. Tolkien", "J.-P. Sartre",
     "Mime Jr.", "TEirtza", "Łukasz", "日本語", "ǅani", "हिन्दी"],
)  # fmt: skip
def test_accepted(name):
    assert MAX.validate(name) == seqgen.Verdict(True, "", unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("ada", "it begins with 'a', which is not a capital letter"),
        ("-Ada", "it begins with '-', which is not a capital letter"),
        ("\u0301Ada", "it begins with '\u0301', which is not a capital letter"),
        ("Porygon2", "'2' at position 7 is not a letter"),
        ("Ada\n", "'\\n' at position 3 is not a letter"),
        ("Ada \ud800", "'\\ud800' at position 4 is not a letter"),
        ("Ada  Byron", "' ' at position 4 follows ' '"),
        ("Ada--Byron", "'-' at position 4 follows '-'"),
        ("St.'s", "\"'\" at position 3 follows '.'"),
        ("A..", "'.' at position 2 follows '.'"),
        ("Ada-", "it ends in '-', at position 3"),
        ("Ada ", "it ends in ' ', at position 3"),
        ("O'\u0301a", "the combining mark '\u0301' at position 2 does not follow a letter"),
    ],
)
def test_refused(text, reason):
    assert MAX.validate(text) == seqgen.Verdict(False, reason)


@given(st.text() | st.text("AZaé'’-. \u0301\u0345\u212b"))
def test_any_text_gets_a_verdict_and_its_canonical_form_is_final(text):
    verdict = MAX.validate(text)
    if verdict.ok:
        assert MAX.validate(verdict.canonical) == verdict
        assert unicodedata.normalize("NFD", verdict.canonical) == unicodedata.normalize("NFD", text)
    else:
        assert verdict.reason and "\n" not in verdict.reason


def test_its_corpus(plugins):
    corpus, validator = (plugins.registry.get(*what).spec for what in (("corpus", "names"), ("validator", "name")))
    assert corpus.domain == "name"
    assert testing.check_accepts(validator, corpus, most=10_000) == 1
    if corpus.canonical:  # then nobody asks
        assert all(MAX.validate(record.text).canonical == record.text for record in corpus.resolve()())
