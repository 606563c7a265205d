"""Tests of the tokenizer."""

from plugin_package.tokenizer import ShiftTokenizer


def test_large_letters_are_shifted():
    """Check that a capital takes two symbols and a lower-case letter one."""
    tokenizer = ShiftTokenizer.fit(["Ada", "dad"])
    assert tokenizer.n_symbols == 3
    assert tokenizer.encode("Ad") == [0, 1, 2] and tokenizer.decode([0, 1, 2]) == "Ad"
