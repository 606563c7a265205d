from __future__ import annotations

import ast
import inspect
import json
import platform
import re
import textwrap
from pathlib import Path

import pytest

import seqgen

pytest.importorskip("seqgen_python")
import seqgen_python
from seqgen_python.corpus import StandardLibrary, load
from seqgen_python.extraction import extract_definitions
from seqgen_python.validator import PythonValidator

SOURCE = '''
import os

def plain(a):
    """About it.

    More.
    """

    # a comment
    return a  # another

@decorate(
    1,
)
async def decorated(): pass

def only():
    """The whole body."""

class Outer(Base):
    """A class."""

    x = 1

    class Inner:
        @property
        def method(self):
            "One line."
            def within():
                """Within."""
                return 1
            return """a
            b
  c"""

def beside(): "doc"; return 1
if os:
    def conditional(): pass
'''


def texts(**options):
    return {
        found.name: found.text
        for found in extract_definitions(SOURCE, **{"kind": "functions", "docstrings": False, **options})
    }


def test_functions():
    found = texts()
    assert list(found) == ["plain", "decorated", "only", "Outer.Inner.method", "beside"]
    assert found["plain"] == "def plain(a):\n    # a comment\n    return a  # another"
    assert found["decorated"] == "@decorate(\n    1,\n)\nasync def decorated(): pass"
    assert found["only"] == 'def only():\n    """The whole body."""'
    assert found["beside"] == 'def beside(): "doc"; return 1'
    assert found["Outer.Inner.method"].split("\n") == [
        "@property", "def method(self):", "    def within():", "        return 1", '    return """a', "    b", '  c"""',
    ]  # fmt: skip


def test_classes_and_all():
    assert list(texts(kind="classes")) == ["Outer"]
    assert list(texts(kind="all")) == ["plain", "decorated", "only", "Outer", "beside"]
    assert texts(kind="classes")["Outer"].startswith("class Outer(Base):\n    x = 1\n\n    class Inner:\n")


def test_docstrings_can_stay():
    assert texts(docstrings=True)["plain"].startswith('def plain(a):\n    """About it.\n\n    More.\n    """\n\n    #')


def test_what_does_not_parse_has_no_pieces():
    assert not list(extract_definitions("def f(:", kind="functions", docstrings=False))


@pytest.fixture
def library(tmp_path):
    files = {
        "b.py": "def second(x):\n    return x\n\ndef long(x):\n    return x * 1000000000000000000\n",
        "a/__init__.py": "class A:\n    def first(self):\n        return 'a' + 'b'\n    def tiny(self): pass\n",
        "c.py": "def second(x):\n    return x\n\ndef accent():\n    return 'é'\n\ndef tabs():\n\treturn 12345\n",
        "broken.py": "def f(:\n",
        "latin.py": "# no cookie: \udce9\ndef hidden(x):\n    return x\n",
        "test/d.py": "def tested(x):\n    return x\n",
        "site-packages/e.py": "def foreign(x):\n    return x\n",
        "note.txt": "def text(x):\n    return x\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape").replace(b"\n", b"\r\n"))
    return StandardLibrary(tmp_path, "functions", 21, 40, False)


def test_what_is_left_out(library):
    records = list(library)
    assert [record.fields for record in records] == [
        {"module": "a", "name": "A.first", "line": 2},
        {"module": "b", "name": "second", "line": 1},
        {"module": "c", "name": "tabs", "line": 7},
    ]
    assert records[0].text == "def first(self):\n    return 'a' + 'b'" and "\t" in records[2].text


def test_no_library_is_one_line(tmp_path):
    with pytest.raises(seqgen.CorpusError, match=r"no \.py files in the standard library folder"):
        list(StandardLibrary(tmp_path, "functions", 1, 100, False))


def test_lengths_that_exclude_each_other_are_refused_as_options(cli):
    with pytest.raises(seqgen.BadOption, match=r"min_chars=3 must not be above max_chars=2; lower min_chars or raise"):
        load(min_chars=3, max_chars=2)
    refused = cli("show", "corpus", "python", "-o", "min_chars=2000")
    assert refused.code == 2 and "min_chars=2000 must not be above max_chars=1000" in refused.err


def test_a_library_without_a_definition_that_fits_is_not_reported_as_missing(library):
    for kind, kinds in (("functions", "functions"), ("all", "functions or classes")):
        corpus = StandardLibrary(library.root, kind, 1000, 2000, False)
        with pytest.raises(seqgen.CorpusError, match=f"hold no {kinds} of 1,000 to 2,000 ASCII characters; lower min_"):
            list(corpus)


@pytest.fixture(scope="module")
def real():
    records = list(load())
    if len(records) < 100:
        pytest.skip("this Python comes without the source of its library")
    return records


@pytest.mark.full
def test_the_library_of_this_python(real):
    texts = [record.text for record in real]
    assert len(set(texts)) == len(texts) > 5000
    assert all(30 <= len(text) <= 1000 and text.isascii() and text == text.strip("\n") for text in texts)
    assert all(text.strip() and not text[0].isspace() for text in texts)
    defining = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert all(isinstance(ast.parse(text).body[0], defining) for text in texts[::7])


@pytest.mark.full
def test_the_text_is_that_of_the_source(real):
    by_name = {(record.fields["module"], record.fields["name"]): record for record in real}
    for name, function in (("JSONDecoder.decode", json.JSONDecoder.decode), ("detect_encoding", json.detect_encoding)):
        record = next(record for key, record in by_name.items() if key[0].startswith("json") and key[1] == name)
        lines, line = inspect.getsourcelines(function)
        assert record.fields["line"] == line
        source = textwrap.dedent("".join(lines)).split("\n")
        assert set(record.text.split("\n")) <= set(source)
        assert ast.dump(ast.parse(record.text).body[0].args) == ast.dump(ast.parse("\n".join(source)).body[0].args)


@pytest.mark.full
def test_the_validator_accepts_it(real):
    validator = PythonValidator()
    looked_at = real[::5]
    verdicts = [validator.validate(record.text) for record in looked_at]
    assert all(verdict.ok and verdict.canonical for verdict in verdicts)
    assert all(validator.validate(verdict.canonical) == verdict for verdict in verdicts[::10])


@pytest.mark.full
def test_the_datasheet_counts_what_is_there(real):
    text = (Path(seqgen_python.__file__).parent / "DATASHEET-python.md").read_text(encoding="utf-8")
    assert all(f"## {word}" in text for word in ("Origin", "Licence", "Limits"))
    if f"Python {platform.python_version()}, with" not in text:
        pytest.skip("the datasheet counts another version of Python")
    said = {name: int(value) for name, value in re.findall(r"^\| (\w+) \| (\d+) \|$", text, re.M)}
    texts = [record.text for record in real]
    assert said == {
        "records": len(texts),
        "characters": sum(map(len, texts)),
        "symbols": len(set("".join(texts))),
        "longest": max(map(len, texts)),
        "duplicates": len(texts) - len(set(texts)),
    }
