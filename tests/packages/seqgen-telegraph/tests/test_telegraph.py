"""The contracts, by seqgen's kit, and what is particular to Morse code."""

import pytest
import seqgen.testing

from telegraph.morse import MorseTokenizer, code, dots


@seqgen.testing.parametrize_with_checks("telegraph")
def test_contracts(check):
    check()


def test_codes():
    assert [code(letter) for letter in "SOS+"] == ["...", "---", "...", "+"]
    assert dots("E") == 4 and dots("T") == 6


@pytest.mark.parametrize("ids", [[0, 0, 0, 0, 0, 0, 0, 2], [2, 2], [0]])
def test_signs_that_are_no_letter_say_nothing(ids):
    assert MorseTokenizer().decode(ids) == ""
