from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from seqgen import errors


def _classes():
    return [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


def test_the_drawn_tree_is_the_real_one():
    drawn = dict(re.findall(r"(\w+) +([\d/]+)? {2}\w", errors.__doc__ or ""))
    for error in _classes():
        assert error.__name__ in (errors.__doc__ or ""), f"{error.__name__} is not drawn"
        code = drawn.get(error.__name__)
        if code and code.isdigit():
            assert error.exit_code == int(code)


def test_all_descend_from_one():
    assert all(issubclass(error, errors.SeqgenError) for error in _classes())


@pytest.mark.parametrize(("name", "expected"), [("gro", "did you mean 'gru'?"), ("zzzz", "known: gru, lstm, vanilla")])
def test_unknown_names_get_help(name, expected):
    assert expected in str(errors.UnknownName("cell", name, ["lstm", "gru", "vanilla"]))


def test_unknown_symbol_tells_look_alikes_apart():
    error = errors.UnknownSymbol("\u0430", 3, ["a"])  # a Cyrillic letter that looks like the Latin one
    assert "U+0430" in str(error) and "position 3" in str(error) and "'a'" in str(error)


def test_a_missing_extra_names_a_command_that_works_for_this_installation(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.1.0")
    assert str(errors.MissingExtra("plot", "--html")).endswith("pip install 'seqgen-lm[plot]'")
    monkeypatch.setattr("importlib.metadata.version", version)
    checkout = Path(__file__).parent.parent
    assert str(errors.MissingExtra("plot", "--html")).endswith(f"pip install '{checkout}[plot]'"), "run, not installed"
    other = errors.MissingExtra("audio", "the corpus birds", distribution="seqgen-birds")
    assert str(other).endswith("pip install 'seqgen-birds[audio]'")


def test_interrupted_has_the_code_of_the_shell():
    assert errors.Interrupted(2).exit_code == 130 and errors.Interrupted(15).exit_code == 143
