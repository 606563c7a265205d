"""What the notebook's loop over TensorFlow's cells prints, and what answers each name here."""

from __future__ import annotations

import json
import re

import pytest

import seqgen
from conftest import in_terminal, registered
from seqgen.cli.tf import tf_answers
from seqgen.config import TrainSettings, assign, parse_assignments

# What ends in "Cell" in tf.nn.rnn_cell and tf.contrib.rnn of TensorFlow 1.15.
PRINTED = """
    RNNCell LayerRNNCell FusedRNNCell MultiRNNCell BasicRNNCell GRUCell GRUBlockCell BasicLSTMCell LSTMBlockCell
    LSTMBlockFusedCell LSTMCell LayerNormBasicLSTMCell CoupledInputForgetGateLSTMCell NASCell UGRNNCell
    IntersectionRNNCell PhasedLSTMCell GLSTMCell SRUCell IndRNNCell IndyGRUCell IndyLSTMCell GridLSTMCell
    BidirectionalGridLSTMCell TimeFreqLSTMCell ConvLSTMCell Conv1DLSTMCell Conv2DLSTMCell Conv3DLSTMCell
""".split()
# What tf.contrib.rnn defines beside them and does not export.
HIDDEN = "LayerNormLSTMCell WeightNormLSTMCell MinimalRNNCell CFNCell NTMCell".split()
# The rest of tf.nn.rnn_cell and tf.contrib.rnn, but for LSTMStateTuple: wrappers and bases.
WRAPPERS = """
    DropoutWrapper ResidualWrapper HighwayWrapper DeviceWrapper AttentionCellWrapper CompiledWrapper EmbeddingWrapper
    InputProjectionWrapper OutputProjectionWrapper GRUBlockCellV2 LSTMBlockWrapper FusedRNNCellAdaptor
    TimeReversedFusedRNN
""".split()
CUDNN = "CudnnGRU CudnnLSTM CudnnRNNRelu CudnnRNNTanh CudnnCompatibleGRUCell CudnnCompatibleLSTMCell".split()
GRID = """
    GridRNNCell Grid1BasicRNNCell Grid1BasicLSTMCell Grid1LSTMCell Grid2BasicRNNCell Grid2BasicLSTMCell Grid2LSTMCell
    Grid2GRUCell Grid3LSTMCell
""".split()
ALSO = WRAPPERS + CUDNN + GRID + ["AttentionWrapper"]


@pytest.fixture
def answers(cli):
    return json.loads(cli("list", "cells", "--tf", "--json").out)


def test_all_names_of_the_notebook_are_answered_once(answers):
    assert len(PRINTED) == 29 and len(HIDDEN) == 5
    assert (len(CUDNN), len(GRID)) == (6, 9)
    assert sorted(answer["tf"] for answer in answers) == sorted(PRINTED + HIDDEN + ALSO)


def test_nothing_is_said_to_answer_where_nothing_does(answers):
    """By name: the cells of tf.contrib.grid_rnn, what reads backward, and what reads an encoder."""
    by_tf = {answer["tf"]: answer for answer in answers}
    unanswered = {tf for tf, answer in by_tf.items() if answer["kind"] == "none"}
    assert unanswered == {*GRID, "TimeReversedFusedRNN", "AttentionWrapper"}
    assert {by_tf[tf]["use"] for tf in unanswered} == {"nothing"} and all(by_tf[tf]["summary"] for tf in unanswered)


def test_options_are_those_of_the_defaults_of_tensorflow(answers):
    uses = {answer["tf"]: answer["use"] for answer in answers}
    assert uses["LSTMCell"] == uses["BasicLSTMCell"] == "--cell lstm"  # use_peepholes=False, forget_bias=1
    assert uses["CudnnLSTM"] == uses["CudnnCompatibleLSTMCell"] == "--cell lstm -o cell.forget_bias=0.0"
    assert uses["CudnnGRU"] == "--cell gru -o cell.reset=after" and uses["GRUCell"].endswith("reset=before")
    assert uses["ResidualWrapper"] == "--model recurrent -o model.skip=residual"
    assert uses["CompiledWrapper"] == "-o train.engine=compiled"


def test_every_answer_exists(answers):
    entries = {(kind, entry.spec.name): entry for kind in ("cell", "model") for entry in registered(kind)}
    for answer in answers:
        if answer["kind"] == "class":
            assert (
                issubclass(getattr(seqgen, answer["name"]), seqgen.Cell) and answer["use"] == f"seqgen.{answer['name']}"
            )
            continue
        if answer["kind"] == "none":
            continue
        if answer["kind"] == "train":
            TrainSettings(steps=1, **answer["options"])
            continue
        entry = entries[answer["kind"], answer["name"]]
        assert entry.options(answer["options"]).items() >= answer["options"].items()
        assert answer["package"] == entry.package
        assert answer["tf"] in WRAPPERS or answer["summary"] == entry.spec.summary


def test_what_it_says_can_be_typed(answers):
    """The options are spelled so that the command line reads the same values from them."""
    entries = {(kind, entry.spec.name): entry for kind in ("cell", "model") for entry in registered(kind)}
    for answer in (answer for answer in answers if answer["kind"] in ("cell", "model")):
        flag, name, *rest = answer["use"].split(" ")
        assert (flag, name) == (f"--{answer['kind']}", answer["name"]) and set(rest[::2]) <= {"-o"}
        entry = entries[answer["kind"], name]
        typed = assign(parse_assignments(rest[1::2]), {answer["kind"]: entry.options_model.model_fields})
        assert entry.options(typed.get(answer["kind"], {})) == entry.options(answer["options"])


def test_an_answer_trains(cli, words, in_tmp):
    line = next(row for row in cli("list", "cells", "--tf").out.splitlines() if row.split()[:1] == ["CudnnLSTM"])
    assert "--cell lstm -o cell.forget_bias=0.0" in line
    use = "--cell lstm -o cell.forget_bias=0.0".split()
    result = cli("train", "--corpus", words, *use, "--steps", 1, "--hidden", 4)
    assert result.code == 0, result.err
    assert seqgen.load().settings.cell.options["forget_bias"] == 0


def test_a_terminal_of_80_columns_shows_it_whole(cli):
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", in_terminal("list", "cells", "--tf", columns=80)).splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(" ".join(lines).split())
    listed = json.loads(cli("list", "cells", "--tf", "--json").out)
    for row in listed:
        assert f"{row['tf']} {row['use']} {row['summary']}" in words
    assert len(lines) < 4 * len(listed)


def test_a_plugin_of_the_users_own_may_answer(cli, in_tmp):
    (in_tmp / "answers.py").write_text(
        "import seqgen\n"
        "@seqgen.hookimpl\n"
        "def register_cells(register):\n"
        "    tf = {'GRUCell': {}, 'MyCell': {}}\n"
        "    register(seqgen.CellSpec(name='mine', summary='my own', load='answers:Cell', tf=tf))\n"
    )
    rows = json.loads(cli("list", "cells", "--tf", "--json", "--plugin", "answers.py").out)
    assert [row["name"] for row in rows if row["tf"] == "GRUCell"] == ["mine", "gru"]
    assert [row["use"] for row in rows if row["tf"] == "MyCell"] == ["--cell mine"]


@pytest.mark.parametrize("arguments", [("list", "--tf"), ("list", "corpora", "--tf"), ("list", "--tf", "--json")])
def test_it_is_of_cells(cli, arguments):
    result = cli(*arguments)
    assert result.code == 2 and result.err.count("\n") == 1
    assert "--tf is of cells" in result.err and "seqgen list cells --tf" in result.err


def test_without_plugins_core_answers_its_own(plugins):
    from seqgen.plugins import builtin
    from seqgen.registry import Entry, Registry

    registry = Registry()
    builtin.register_models(lambda spec: registry.add(Entry("seqgen", spec)))
    own = {"FusedRNNCell", "LayerRNNCell", "MultiRNNCell", "RNNCell", *GRID, *WRAPPERS, "AttentionWrapper"}
    assert {answer.tf for answer in tf_answers(registry)} == own - {"GRUBlockCellV2"}


def test_show_names_what_a_cell_answers(cli):
    assert "BasicLSTMCell, LSTMBlockCell, LSTMBlockFusedCell, LSTMCell" in cli("show", "cell", "lstm").out
