"""Options that hold several values: written with commas on a command line, kept as lists in run.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

import seqgen
from seqgen.config import build_options, options_model
from seqgen.errors import BadOption

PLUGIN = """
import seqgen

ALL = {"DE": ["berlin", "bonn", "hamburg", "jena"], "FR": ["paris", "lyon", "nantes"], "IT": ["roma", "milano"]}


def load(*, countries: tuple[str, ...] = ("DE", "FR", "IT"), skipped: frozenset[str] = frozenset(), most: int = 99):
    kept = [town for country in countries for town in ALL[country] if town not in skipped]
    return [seqgen.Record(text) for text in (kept * 10)[:most]]


@seqgen.hookimpl
def register_corpora(register):
    register(seqgen.CorpusSpec(name="towns", summary="towns", source="an atlas", licence="CC0-1.0", load=load))
"""


def thing(
    *,
    names: list[str] = [],  # noqa: B006
    sizes: tuple[int, ...] | None = None,
    pair: tuple[int, float] = (1, 1.0),
    kinds: frozenset[str] = frozenset(),
    shares: Annotated[Sequence[float], Field(max_length=2)] = (),
    text: str = "",
    either: str | list[str] = "",
) -> None: ...


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("names", "DE,FR", ["DE", "FR"]),
        ("names", "DE", ["DE"]),
        ("names", "DE, FR", ["DE", "FR"]),
        ("names", "", []),
        ("names", '""', [""]),
        ("names", '"a,b",c', ["a,b", "c"]),
        ("names", '"say ""a""",b', ['say "a"', "b"]),
        ("sizes", "3,4", (3, 4)),
        ("pair", "2,0.5", (2, 0.5)),
        ("kinds", "x,y,x", frozenset({"x", "y"})),
        ("shares", "0.25,0.5", [0.25, 0.5]),
        ("text", "a,b", "a,b"),
        ("either", "a,b", "a,b"),
        ("sizes", (3, 4), (3, 4)),
        ("names", ["a,b"], ["a,b"]),
    ],
)
def test_values_are_separated_by_commas_where_an_option_holds_several(name, written, value):
    assert build_options(options_model(thing), {name: written}, "thing")[name] == value


def test_a_model_that_a_plugin_wrote_itself_takes_them_too():
    class Own(BaseModel):
        names: set[str]

    assert build_options(Own, {"names": "a,b"}, "thing") == {"names": {"a", "b"}}


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"sizes": "3,x"}, "option 'sizes.1' of thing: input should be a valid integer, not 'x'"),
        ({"pair": "1,2,3"}, "option 'pair' of thing: tuple should have at most 2 items"),
        ({"shares": "1,2,3"}, "option 'shares' of thing: "),
        ({"names": 3}, "option 'names' of thing: input should be a valid list, not 3"),
        ({"names": "a" * 200_000}, "cannot split 'aaaa"),
        ({"names": "a,b", "nams": "c"}, "thing has no option 'nams'; did you mean 'names'?"),
    ],
)
def test_a_wrong_value_among_several_is_one_line(written, complaint):
    with pytest.raises(BadOption) as caught:
        build_options(options_model(thing), written, "thing")
    assert str(caught.value).startswith(complaint) and "\n" not in str(caught.value)


@pytest.mark.full
def test_a_corpus_with_several_values_is_trained_resumed_and_read_again(cli, in_tmp):
    (in_tmp / "towns.py").write_text(PLUGIN)
    common = "--corpus", "towns", "--plugin", "towns.py", "--hidden", 4, "--steps", 2, "--split", "80/10/10", "-q"
    asked = "-o", "countries=IT,FR", "-o", "corpus.skipped=roma,lyon"
    result = cli("train", *common, *asked, "--out", "run")
    assert result.code == 0, result.err
    options = json.loads((in_tmp / "run" / "run.json").read_text())["corpus"]["options"]
    assert options == {"countries": ["IT", "FR"], "skipped": ["lyon", "roma"], "most": 99}
    run = seqgen.load("run", plugins=["towns.py"])
    assert {record.text for record in run.corpus} == {"milano", "paris", "nantes"}
    assert cli("resume", "run", "--plugin", "towns.py", "-q").code == 0
    again = cli("train", "--from", "run", "--plugin", "towns.py", "--steps", 1, "--out", "next", "-q")
    assert again.code == 0, again.err
    assert json.loads((in_tmp / "next" / "run.json").read_text())["corpus"]["options"] == options
    wrong = cli("train", *common, "-o", "countries=IT,FR", "-o", "most=1,2", "--out", "other")
    assert wrong.code == 2 and "option 'most' of corpus towns" in wrong.err


def test_an_option_of_another_part_is_refused_where_one_part_is_meant(cli, tiny_run, in_tmp):
    (in_tmp / "a.csv").write_text("text,born\nanna,1\nbert,2\n")
    shown = cli("show", "corpus", "a.csv", "-o", "cell.text_field=born")
    assert shown.code == 2 and "-o cell.text_field is of cell, not of the corpus: write -o text_field=" in shown.err
    assert cli("show", "corpus", "a.csv", "-o", "corpus.text_field=born").code == 0
    exported = cli("export", "page", tiny_run.path, "x.html", "-o", "nosuch.title=Hi")
    assert exported.code == 2 and "-o nosuch.title is of nosuch, not of the exporter" in exported.err
