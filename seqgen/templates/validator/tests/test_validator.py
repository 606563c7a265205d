"""Which texts are valid."""

from plugin_package.validator import WordValidator


def test_words():
    """Letters only, whatever their case."""
    validate = WordValidator().validate
    assert validate("Ada").ok and validate("Ada").canonical == validate("ADA").canonical == "ada"
    assert not validate("").ok and not validate("two words").ok and validate("é").reason
