from __future__ import annotations

import io
import sys
import warnings
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import seqgen.testing

pytest.importorskip("seqgen_python")
from seqgen_python.metric import python
from seqgen_python.renderer import PythonRenderer
from seqgen_python.validator import PythonValidator

CODE = "def f(a, b=1):\n    # why\n    return [a +  b]"
PARTS = (
    *(
        "def ",
        "f",
        "(",
        ")",
        ":",
        "\n",
        "    ",
        "\t",
        "return ",
        "'",
        '"""',
        "\\",
        "x",
        "=",
        "1e999",
        "f'{x!r}'",
        "0x",
        "j",
    ),
    *("lambda ", "#", "\x00", "\x0c", "-", "\\d", "async ", "match ", "case _", "[", "]", "*", ",", "\ud800", "{", "}"),
)
LIKE_CODE = st.lists(st.sampled_from(PARTS)).map("".join)


def test_the_canonical_form_is_that_of_the_tree():
    verdict = PythonValidator().validate(CODE)
    assert verdict.ok and verdict.canonical == "def f(a, b=1):\n    return [a + b]"
    assert PythonValidator().validate("x = 'a'").canonical == PythonValidator().validate('x="a"  # b').canonical


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(:\n  pass", "line 1: "),
        ("x = 1\n  y = 2", "line 2: unexpected indent"),
        ("a\x00b", "null bytes"),
        ("\ud800", "not source code"),
        ("-" * 100_000 + "1", "too deeply"),
        ("(" * 100_000, "too many nested parentheses"),
        pytest.param(
            "x.y" + ".y" * 100_000,
            "too deeply",
            marks=pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python 3.14 parses it"),
        ),
        ("x=" + "9" * 10_000, "line 1: "),
    ],
)
def test_what_is_wrong_is_said(text, reason):
    verdict = PythonValidator().validate(text)
    assert not verdict.ok and reason in verdict.reason and len(verdict.reason) < 150


def test_no_warning_gets_out():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert PythonValidator().validate("'\\d' is 1 and 1or 2").ok
    assert not caught


def test_nothing_is_executed(in_tmp):
    assert PythonValidator().validate("open('made', 'w').close()").ok
    assert not list(in_tmp.iterdir())


@given(LIKE_CODE | st.text())
def test_it_never_raises_and_is_final(text):
    verdict = PythonValidator().validate(text)
    assert verdict.ok == (not verdict.reason)
    if verdict.canonical is not None:
        assert PythonValidator().validate(verdict.canonical) == verdict


def test_a_number_that_cannot_be_written_out_has_no_canonical_form():
    verdict = PythonValidator().validate("x = 0x" + "f" * 10_000)
    assert verdict.ok and verdict.canonical is None


def shown(text: str) -> str:
    console = Console(width=80, file=io.StringIO())
    console.print(PythonRenderer()(text))
    return console.file.getvalue()


def test_code_is_shown_as_it_is():
    assert [line.rstrip() for line in shown(CODE).splitlines()] == CODE.split("\n")
    assert "[b]x[/b]" in shown("[b]x[/b]") and "\\x1b[31m\\x00" in shown("\x1b[31m\x00\ty")


def test_code_has_colours():
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(PythonRenderer()(CODE))
    assert "\x1b[" in console.file.getvalue()


def test_a_picture():
    picture = PythonRenderer().draw([CODE, "def g(:\x1b", ""], ".svg")
    assert picture == PythonRenderer().draw([CODE, "def g(:\x1b", ""], ".svg")
    text = "".join(ElementTree.fromstring(picture).itertext()).replace("\xa0", " ")
    assert "return" in text and "line 1: " in text and "\\x1b" in text
    assert b"url(http" not in picture and b"font-face" not in picture


@given(st.lists(LIKE_CODE | st.text(), max_size=3))
def test_any_texts_make_a_picture(texts):
    ElementTree.fromstring(PythonRenderer().draw(texts, ".svg"))


def test_figures():
    samples = [CODE, "x = unheard_of", "def g(:", "return_value = compute(1)"]
    figures = python(samples, [CODE], iter([CODE, "    return_value = compute(1)\n    a"]))
    assert figures["parses"] == 3 / 4 and figures["defines"] == 1 / 4
    assert figures["lines"] == (3 + 1 + 1 + 1) / 4 and figures["lines_held_out"] == 3
    assert figures["copied_lines"] == 1 and figures["copied_lines_held_out"] is None  # no line of the code is long
    names = ["f", "a", "b", "a", "b", "x", "unheard_of", "return_value", "compute"]
    assert figures["known_names"] == pytest.approx((len(names) - 2) / len(names))
    assert figures["known_names_held_out"] == 1
    assert figures["depth_held_out"] == python([CODE], [])["depth"] > python(["x"], [])["depth"] == 4


def test_figures_of_nothing(plugins):
    assert set(python([], [], []).values()) == {None}
    of_errors = python(["def g(:"], [CODE], [CODE])
    assert of_errors["parses"] == 0 and of_errors["depth"] is of_errors["known_names"] is None
    seqgen.testing.check_metric(plugins.registry.get("metric", "python").spec)


def test_depth_is_no_recursion():
    assert python(["x" + "+x" * 900], [])["depth"] > 900
