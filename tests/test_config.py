from __future__ import annotations

import functools
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from seqgen.config import (
    TrainSettings,
    assign,
    build_options,
    describe_options,
    merge,
    options_model,
    parse_assignments,
    parse_duration_s,
    parse_split,
    read_toml,
    split_warning,
)
from seqgen.errors import BadOption, UsageError


def example(
    n: int, *, rate: Annotated[float, Field(gt=0, description="per second")] = 0.5, name: str = "x"
) -> None: ...


def test_options_come_from_keyword_only_parameters():
    model = options_model(example)
    assert build_options(model, {"rate": "0.25"}, "thing") == {"rate": 0.25, "name": "x"}
    rows = describe_options(model)
    assert [row["name"] for row in rows] == ["rate", "name"]
    assert rows[0]["range"] == "> 0" and rows[0]["description"] == "per second"


def test_a_plain_default_says_what_an_option_is():
    def bare(*, _inner=1, rate=0.5, steps=3, loud=False, name="x", inner=None, listed=()): ...

    model = options_model(bare)
    assert [row["type"] for row in describe_options(model)] == ["float", "int", "bool", "str"]
    built = build_options(model, {"rate": "2", "steps": "4", "loud": "true"}, "thing")
    assert built == {"rate": 2.0, "steps": 4, "loud": True, "name": "x"}
    with pytest.raises(BadOption, match="option 'steps' of thing: input should be a valid integer"):
        build_options(model, {"steps": "many"}, "thing")
    with pytest.raises(BadOption, match=r"option 'steps' of thing: input should be a valid integer, not 2\.5$"):
        build_options(model, {"steps": 2.5}, "thing")
    with pytest.raises(BadOption, match=r"has no option 'inner': its default None does not say of which type it is"):
        build_options(model, {"inner": "1"}, "thing")


def test_a_parameter_that_might_be_meant_as_an_option_says_why_it_is_none():
    def bare(n, rate=0.5, _inner=1, *, steps=3, listed=()): ...

    model = options_model(bare)
    assert list(model.model_fields) == ["steps"] and list(model.no_options) == ["rate", "listed"]
    with pytest.raises(BadOption, match=r"^thing has no option 'rate': it is not keyword-only: put it behind a \*$"):
        build_options(model, {"rate": "1"}, "thing")
    with pytest.raises(BadOption, match=r"^thing has no option 'n'; known: steps$"):
        build_options(model, {"n": "1"}, "thing")
    assert options_model(example).no_options == {}
    fields = {"cell": ["steps"], "train": ["lr"]}
    says = r"^no part has the option 'rate'; the cell has a parameter of that name, but it is not keyword-only: put it"
    with pytest.raises(BadOption, match=says):
        assign([(None, "rate", "1")], fields, {"cell": model.no_options})
    assert assign([(None, "steps", "1")], fields, {"cell": model.no_options}) == {"cell": {"steps": "1"}}


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ("int | foo", r"^cannot read the annotation 'int \| foo' of 'rate': NameError: name 'foo' is not defined$"),
        ("list[", r"^cannot read the annotation 'list\[' of 'rate': SyntaxError: "),
        (pytest.MonkeyPatch, r"^cannot make an option of 'rate' of type"),
    ],
)
def test_a_parameter_whose_annotation_is_wrong_is_named(annotation, says):
    def bare(n: int, *, steps: int = 3, rate=0.5): ...

    bare.__annotations__["rate"] = annotation
    with pytest.raises(TypeError, match=says):
        options_model(bare)


def test_options_of_an_object_that_is_called():
    class Made:
        def __call__(self, size, *, n: Annotated[int, Field(ge=1)], m: int = 2): ...

    for made in (Made(), functools.partial(Made(), 1)):
        assert list(options_model(made).model_fields) == ["n", "m"] and options_model(made).no_options == {}


def test_options_of_a_decorated_function_are_its_own():
    class Decorated:
        def __init__(self, function):
            functools.update_wrapper(self, function)

        def __call__(self, *given, **options): ...

    @Decorated
    def made(size, *, n: int, rate: float | None = None): ...

    assert list(options_model(made).model_fields) == ["n", "rate"]


def test_annotations_of_what_is_no_option_are_not_evaluated():
    def bare(n, *, steps: int = 3, **more): ...

    bare.__annotations__ |= {"n": "Unknown", "more": "Unknown", "return": "Iterator[Unknown]"}
    assert list(options_model(bare).model_fields) == ["steps"]


def test_a_parameter_without_annotation_and_default_says_why_it_is_no_option():
    def bare(n, *, mode): ...

    assert list(options_model(bare).no_options) == ["mode"]
    with pytest.raises(
        BadOption, match=r"no option 'mode': it has no annotation and no default that say of which type"
    ):
        build_options(options_model(bare), {"mode": "1"}, "thing")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"rat": 1}, "thing has no option 'rat'; did you mean 'rate'?"),
        ({"rate": -1}, "option 'rate' of thing: input should be greater than 0, not -1"),
        ({"rate": "fast"}, "option 'rate' of thing: input should be a valid number"),
    ],
)
def test_a_wrong_option_is_one_line(values, complaint):
    with pytest.raises(BadOption) as caught:
        build_options(options_model(example), values, "thing")
    assert complaint in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), (3, 3),
        ("1 minute", 60), ("90 seconds", 90), ("2 hours", 7200), ("1.5 Hours", 5400), ("10 sec", 10),
    ],
)  # fmt: skip
def test_durations(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-3s", "5d", "soon", "nan"])
def test_bad_durations(text):
    with pytest.raises(BadOption, match="like 90s, 5m or 1h"):
        parse_duration_s(text)


@given(st.lists(st.floats(0, 1000), min_size=3, max_size=3).filter(lambda shares: shares[0] > 1e-300))
def test_split_shares_sum_to_one(shares):
    assert sum(parse_split("/".join(map(str, shares)))) == pytest.approx(1)


def test_shares_may_be_percentages():
    assert parse_split("80%/10%/10%") == parse_split("80/10/10")
    assert parse_split("80 % / 10 % / 10 %") == parse_split("80/10/10")


@pytest.mark.parametrize(
    ("split", "line"),
    [
        ("80/10/20", "the split 80/10/20 sums to 110: 73% for training, 9% for validation, 18% for the test"),
        ((80, 10, 5), "the split 80/10/5 sums to 95: 84% for training, 11% for validation, 5% for the test"),
        ("0.8/0.1/0.2", "the split 0.8/0.1/0.2 sums to 1.1: 73% for training, 9% for validation, 18% for the test"),
        *[(right, "") for right in ("none", "80/10/10", "80%/10%/10%", "33/33/33", "33.3/33.3/33.3", (0.8, 0.1, 0.1))],
        *[(ratio, "") for ratio in ("8/1/1", "1/1/0", "8000/1000/1000", "1/998/1")],
    ],
)
def test_a_split_whose_sum_looks_like_a_typing_error_is_named(split, line):
    assert split_warning(split) == line


def test_the_shares_of_an_unusual_split_are_shown(cli, words, in_tmp):
    small = ("--hidden", 4, "--steps", 1, "-q")
    line = "the split 80/10/20 sums to 110: 73% for training, 9% for validation, 18% for the test"
    assert cli("train", "--corpus", words, "--split", "80/10/20", *small, "--out", "a").err.count(line) == 1
    assert "sums to" not in cli("train", "--corpus", words, "--split", "80/10/10", *small, "--out", "b").err
    assert "sums to" not in cli("refit", "a", "--out", "c").err


@pytest.mark.parametrize("text", ["90/10", "0/50/50", "%/%/%", "a/b/c", "-1/1/1", ""])
def test_bad_splits(text):
    with pytest.raises(BadOption, match="90/5/5"):
        parse_split(text)


def test_a_run_must_end():
    with pytest.raises(BadOption, match="never end"):
        build_options(TrainSettings, {}, "train")


def test_later_layers_win_by_name():
    assert merge({"train": {"lr": 1, "seed": 2}}, {"train": {"lr": 3}}, {"cell": {"a": 4}}) == {
        "train": {"lr": 3, "seed": 2},
        "cell": {"a": 4},
    }


FIELDS = {"cell": ["activation", "size"], "model": ["hidden", "size"]}


def test_bare_names_find_their_part():
    parsed = parse_assignments(["activation=tanh", "model.hidden=3", "cell.size=a=b"])
    assert assign(parsed, FIELDS) == {"cell": {"activation": "tanh", "size": "a=b"}, "model": {"hidden": "3"}}


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("size=3", "write cell.size= or model.size="),
        ("activatoin=tanh", "did you mean 'activation'?"),
        ("sell.size=3", "did you mean 'cell'?"),
        ("activation", "PART.NAME=VALUE"),
        ("=3", "PART.NAME=VALUE"),
    ],
)
def test_bad_assignments(assignment, complaint):
    with pytest.raises(BadOption) as caught:
        assign(parse_assignments([assignment]), FIELDS)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("content", [b"[train", b"steps = 3", b"\xff"])
def test_bad_toml(tmp_path, content):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"run\.toml"):
        read_toml(path)
