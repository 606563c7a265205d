"""The grammar of Python code accepts what the validator does."""

import pytest

from seqgen.sampling.text_automata import accepts
from seqgen_python.grammar import PythonGrammar
from seqgen_python.validator import PythonValidator

GOOD_CODE = [
    "f(x)[0]",
    "'(' + \"]\"",
    "# (\nx = ''",
    '"""(\n"\n"""',
    "r'\\' '",
    "'''a''b'''",
    "''",
    "x = {1: (2, [3])}",
    "'\\\n'",
    "'a\\\r\nb'",
    "'\\\r'",
    "'''\\\r\n'''",
]


@pytest.mark.parametrize("text", GOOD_CODE)
def test_the_grammar_of_python_accepts(text):
    if not text.startswith("r"):
        assert PythonValidator().validate(text).ok
    assert accepts(PythonGrammar(), text)


@pytest.mark.parametrize(
    "text",
    ["f(", "f)", "f(]", "'a", "'''a''", "'\n'", "'\\\r\n\n'", "'\\\n\r'", "'\\\r\r\n'", "'\\\r", "\"'", '""" "" '],
)
def test_the_grammar_of_python_refuses(text):
    assert not PythonValidator().validate(text).ok and not accepts(PythonGrammar(), text)
