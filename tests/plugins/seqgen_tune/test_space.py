"""The search space of ``seqgen tune``: as it is written, in TOML, and by the declared ranges of parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from seqgen.errors import BadOption, UnknownName, UsageError
from seqgen_tune.dimension import as_keywords
from seqgen_tune.ranges import Given, parse, read_toml
from seqgen_tune.space import SpaceBuilder, first_values

PARTS = {"model": "recurrent", "tokenizer": "char", "cell": "gru"}


def built(*assignments, fixed=(), parts=PARTS):
    """The dimensions of a space by key."""
    space = SpaceBuilder(parse(assignments), dict(fixed), parts, seqgen.choose_plugins()).build()
    return {one.key: one for one in space}


@given(st.floats(1e-6, 10, exclude_max=True), st.booleans())
def test_a_range_is_read_as_it_was_written(low, log):
    (found,) = parse([f"lr={low!r}..10.0{':log' if log else ''}"])
    assert found == Given("lr", (), low, 10.0, log, False)


@given(st.lists(st.from_regex(r"[a-z0-9,]{1,8}", fullmatch=True), min_size=2, unique=True))
def test_a_list_is_read_as_it_was_written(choices):
    assert parse([f"cell={'|'.join(choices)}"]) == [Given("cell", tuple(choices))]


def test_choices_may_be_relative_paths():
    assert parse(["name=../a|../b:log"]) == [Given("name", ("../a", "../b:log"))]
    assert parse(["name=a/...|b"]) == [Given("name", ("a/...", "b"))]


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["lr"], "cannot search 'lr': write it like"),
        (["=1..2"], "write it like"),
        (["cell.*=3"], "write it like"),
        (["hidden=32"], "write A..B or A|B"),
        (["hidden=32||64"], "write A..B or A|B"),
        (["hidden=8|8"], "its choices are all the same"),
        (["lr=1e-4...1e-2:log"], "a range has two dots; write lr=1e-4..1e-2:log"),
        (["dropout=0...0.5"], "a range has two dots; write dropout=0..0.5"),
        (["lr=a..b"], "ends of a range are numbers"),
        (["lr=1e-2..1e-3"], "first end must be smaller"),
        (["lr=0..inf"], "first end must be smaller"),
        (["lr=0..1:log"], "begins above 0"),
        (["lr=0..1", "lr=1|2"], "cannot search lr twice"),
    ],
)
def test_what_is_no_range_is_said_in_one_line(assignments, expected):
    with pytest.raises(BadOption, match=expected.replace("|", r"\|").replace("..", r"\.\.")):
        parse(assignments)


def test_a_file_says_the_same_as_the_command_line(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        '[train]\nlr = "1e-4..1e-2:log"\nparams = ["10k", "20k"]\n[model]\nlayers = "1..3"\n'
        '[cell]\nname = ["gru", "lstm"]\n"*" = true\n2.forget_bias = "0..2"\n[augmentation]\nname = ["a", "b"]\n'
    )
    assert read_toml(path) == [
        "lr=1e-4..1e-2:log", "params=10k|20k", "model.layers=1..3", "cell=gru|lstm", "cell.*",
        "cell.2.forget_bias=0..2", "augment=a|b",
    ]  # fmt: skip
    for content, expected in (
        ("lr = 3", "must stand in a table"),
        ("[train]\nlr = 3", "cannot search lr = 3"),
        ("[train", "it is no TOML"),
    ):
        path.write_text(content)
        with pytest.raises(UsageError, match=expected):
            read_toml(path)
    with pytest.raises(UsageError, match="cannot read the search space"):
        read_toml(tmp_path / "none.toml")


def test_settings_are_found_in_their_part_and_typed_as_declared():
    found = built("lr=1e-4..1e-2:log", "dropout=0..1", "layers=1..3", "cell=gru|lstm", "cell.forget_bias=0..2")
    assert list(found) == ["cell", "train.lr", "model.dropout", "model.layers", "cell.forget_bias"]
    assert found["train.lr"].log and not found["train.lr"].whole
    assert (found["model.dropout"].low, found["model.dropout"].whole) == (0.0, False)
    assert 0.999 < found["model.dropout"].high < 1, "1 itself is not allowed"
    assert found["model.layers"].whole and found["model.layers"].high == 3
    assert (found["cell.forget_bias"].of, found["cell.forget_bias"].only) == ("cell", ("lstm",)), "gru has none"
    assert str(found["train.lr"]) == "train.lr=0.0001..0.01:log" and str(found["cell"]) == "cell=gru|lstm"
    assert built("zoneout=0|0.1")["model.zoneout"].choices == ("0", "0.1")
    assert built("norm=none|before")["model.norm"].only == ()


def test_the_first_values_are_found_however_they_are_written():
    plan = seqgen.plan("names", cell="gru", options={"train.lr": 0.005})
    space = built("lr=0.5|5e-3", "zoneout=0.9|0", "layers=1..3", "skip=highway|none").values()
    expected = {"train.lr": "5e-3", "model.zoneout": "0", "model.layers": 1, "model.skip": "none"}
    assert first_values(list(space), plan.settings) == expected


def test_whole_ends_are_written_whole():
    assert str(built("steps=1..1234567")["train.steps"]) == "train.steps=1..1234567"


def test_all_declared_ranges_of_a_part():
    found = built("cell=lstm|phased|gru", "cell.*", "cell.leak=0..0.1", fixed={"options": {"cell.reset": "after"}})
    assert found["cell.ratio_on"].only == ("phased",) and not found["cell.ratio_on"].log
    assert found["cell.peepholes"].choices == ("true", "false") and found["cell.peepholes"].only == ("lstm", "phased")
    assert found["cell.leak"].high == 0.1, "what is given wins"
    assert "cell.reset" not in found, "it is fixed"
    assert "cell.forget_bias" not in found, "it is declared without ends"
    found = built("model.*")
    assert found["model.skip"].choices == ("none", "residual", "highway")
    assert "model.hidden" not in found, "65,536 only guards against slips"
    assert built("cell.*", parts={**PARTS, "cell": "mamba"})["cell.kernel"].log


def test_options_of_one_layer_of_a_stack():
    found = built("cell.2.expand=1..4", "cell.activation=silu|gelu", parts={**PARTS, "cell": "rglru,mlp"})
    assert found["cell.2.expand"].high == 4 and found["cell.activation"].of == ""
    with pytest.raises(BadOption, match=r"has no such option"):
        built("cell.1.activation=silu|gelu", parts={**PARTS, "cell": "rglru,mlp"})


@pytest.mark.parametrize(
    ("assignments", "error", "expected"),
    [
        ([], BadOption, "no setting to search"),
        (["nothing=1|2"], BadOption, "no part has such an option; seqgen show KIND NAME lists"),
        (["hiden=32|64"], BadOption, "no part has such an option; did you mean 'hidden'?"),
        (["patienc=1|2"], BadOption, "no part has such an option; did you mean 'patience'?"),
        (["cell.nothing=1|2"], BadOption, "the cell of this study has no such option"),
        (["cell=gru|lstmm"], UnknownName, "did you mean 'lstm'"),
        (["cell=1..2"], BadOption, "give a list, like cell=A|B"),
        (["cell.reset=after|never"], BadOption, "its values are after, before"),
        (["cell.reset=1..2"], BadOption, "it is no number"),
        (["layers=1..2.5"], BadOption, "it is a whole number"),
        (["layers=0..2"], BadOption, "it is from 1 to 256"),
        (["dropout=0..2"], BadOption, "it is from 0 to 1"),
        (["seed=1|2"], BadOption, "says nothing of other seeds"),
        (["corpus=names|titles"], BadOption, "different corpora"),
        (["split=90/5/5|80/10/10"], BadOption, "same held-out records"),
        (["hidden=8|16", "model.hidden=8|16"], BadOption, "searched twice"),
        (["weight_decay=0..0.1"], BadOption, "as a fixed setting too"),
        (["train.*"], BadOption, "cell\\.\\*, model\\.\\*"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_first(assignments, error, expected):
    with pytest.raises(error, match=expected):
        built(*assignments, fixed={"options": {"weight_decay": "0.1"}})


def test_values_become_keywords_of_train():
    keywords = as_keywords({"cell": "gru", "train.lr": 0.1}, {"hidden": 8, "options": {"blend": "none"}})
    assert keywords == {"hidden": 8, "cell": "gru", "options": {"blend": "none", "train.lr": 0.1}}
