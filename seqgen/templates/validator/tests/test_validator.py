"""Tests of the validator."""

from plugin_package.validator import WordValidator


def test_words():
    """Check that letters in any case are valid and other texts are not."""
    validate = WordValidator().validate
    assert validate("Ada").ok and validate("Ada").canonical == validate("ADA").canonical == "ada"
    assert not validate("").ok and not validate("two words").ok and validate("é").reason
