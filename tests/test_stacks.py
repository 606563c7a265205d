"""Stacks of different cells: the setting, the options of each layer, run.json, and runs that resume and sample."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import seqgen
from conftest import registered
from resuming import SMALL, Stopper, digests
from seqgen.api.factories import rebuild_model
from seqgen.cells import Around, Stack, use_engine
from seqgen.engine.torch_compat import children
from seqgen.errors import BadOption, CheckpointError, Interrupted, MissingPlugin, PluginError, UsageError
from seqgen.model import RecurrentModel, make_stepper
from seqgen.testing import check_cell
from test_manual_backward import assert_same

STACK = "rglru,mlp,transformer"
QUICK = {"steps": 2, "hidden": 8, "embedding": 5, "batch_size": 8, "options": {"samples": 0}}
ENTRIES = {entry.spec.name: entry for entry in registered("cell")}


def maker(names):
    """A function as ``make_cell``, whose calls build the cells of a stack in turn."""
    rest = iter(names.split(","))
    return lambda input_size, hidden_size: ENTRIES[next(rest)].build({}, input_size, hidden_size)


def cells(run):
    return [(part.name, dict(part.options)) for part in run.settings.cells]


def given(*lines):
    return {"options": {"samples": 0} | dict(line.split("=", 1) for line in lines)}


# -- the setting


def test_a_stack_has_a_cell_in_each_layer(words, in_tmp):
    run = seqgen.train(words, cell=STACK, **QUICK)
    assert [type(cell).__name__ for cell in run.model.stack.layers] == ["RGLRUCell", "MLPCell", "TransformerCell"]
    stored = json.loads((run.path / "run.json").read_text())
    assert [part["name"] for part in stored["cell"]] == [
        "seqgen_parallel:rglru",
        "seqgen_parallel:mlp",
        "seqgen_attention:transformer",
    ]
    assert stored["model"]["options"]["layers"] == 3 and stored["format_version"] == 1
    assert {plugin["package"] for plugin in stored["plugins"]} >= {"seqgen_parallel", "seqgen_attention"}
    assert run.path.name == "words-rglru-mlp-transformer-001" and run.settings.architecture == STACK


def test_one_cell_is_stored_as_ever(words, in_tmp):
    run = seqgen.train(words, cell="gru", layers=2, **QUICK)
    stored = json.loads((run.path / "run.json").read_text())
    assert stored["cell"] == {"name": "seqgen_classic:gru", "options": {"reset": "after"}}
    assert run.path.name == "words-gru-001" and run.settings.architecture == "gru"


class Doubling(seqgen.Cell):
    """A cell of the user's own."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return ()

    def forward(self, x_BTI, state):
        return 2 * self.linear(x_BTI), state


@pytest.mark.full
def test_python_takes_a_list_of_names_classes_and_specs(words, in_tmp):
    spec = seqgen.CellSpec(name="twice", summary="twice", load=Doubling, remembers=False)
    run = seqgen.train(words, cell=["gru", Doubling, spec], **QUICK)
    names = [name.rpartition(":")[2] for name, _ in cells(run)]
    assert names == ["gru", "doubling", "twice"]
    assert cells(seqgen.train(words, cell=["gru"], layers=2, **QUICK)) == [("seqgen_classic:gru", {"reset": "after"})]


def test_toml_takes_a_list_and_tables_of_layers(words, cli, in_tmp):
    (in_tmp / "stack.toml").write_text(
        '[cell]\nname = ["hgrn", "mlp", "hgrn"]\nlower_bound = [0, 0.5]\nexpand = 2\n'
        "[cell.3]\nlower_bound = 0.7\n[train]\nsteps = 1\n"
    )
    result = cli("train", "--corpus", words, "--config", "stack.toml", "--hidden", 6, "-o", "cell.2.activation=gelu")
    assert result.code == 0, result.err
    assert cells(seqgen.load()) == [
        ("seqgen_parallel:hgrn", {"lower_bound": 0.0}),
        ("seqgen_parallel:mlp", {"expand": 2.0, "activation": "gelu"}),
        ("seqgen_parallel:hgrn", {"lower_bound": 0.7}),
    ]


@pytest.mark.parametrize("asked", ["cell.expand=2", "expand=2", "cell.2.expand=2"])
def test_an_option_wins_over_the_table_of_a_layer(words, in_tmp, asked):
    (in_tmp / "stack.toml").write_text('[cell]\nname = ["gru", "mlp"]\n[cell.2]\nexpand = 3\n[train]\nsteps = 1\n')
    run = seqgen.train(words, config="stack.toml", hidden=6, **given(asked))
    assert run.settings.cells[1].options["expand"] == 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"cell": "gru,gruu"}, "no cell named 'gruu'"),
        ({"cell": "gru,"}, "cannot stack the cells 'gru,': a name is empty"),
        (
            {"cell": STACK, "layers": 2},
            r"cannot stack 3 cells \(rglru,mlp,transformer\) in 2 layers: leave --layers out",
        ),
        ({"cell": "gru,mlp", "model": "ngram"}, "the model 'ngram' is not made of cells: leave --cell gru,mlp out"),
        ({"cell": "gru,mlp", **given("cell.3.expand=2")}, "no part 'cell.3' in this run"),
        ({"cell": "gru,mlp", **given("cell.0.expand=2")}, "no part 'cell.0' in this run"),
        ({"cell": "gru", "layers": 2, **given("cell.3.reset=before")}, "no part 'cell.3' in this run: it has 2 layers"),
        ({"cell": "gru,mlp", **given("cell.1.expand=2")}, "cell gru has no option 'expand'"),
        ({"cell": "gru,mlp", **given("cell.expnd=2")}, "no cell of this run has the option 'expnd'.*'expand'"),
        ({"cell": "gru,mlp", **given("expnd=2")}, "no part has the option 'expnd'.*'expand'"),
        (
            {"cell": "hgrn", "layers": 2, **given("lower_bound=0,0.1,0.2")},
            "has 3 values for 2 layers: give one, or one a",
        ),
        ({"cell": "hgrn", **given("lower_bound=0,0.1")}, "has 2 values for 1 layer: give one, or one a layer"),
        (
            {"cell": "hgrn", "layers": 2, **given("lower_bound=0,1.5")},
            "option 'lower_bound' of cell hgrn: input should .*, not '1.5'",
        ),
        ({"cell": "gru,transformer", **given("zoneout=0.1")}, "zoneout needs a cell written as steps; Transformer"),
    ],
)
def test_mistakes_are_one_line(words, in_tmp, settings, says):
    with pytest.raises(UsageError, match=says) as caught:
        seqgen.train(words, **{**QUICK, **settings})
    assert "\n" not in str(caught.value) and not (in_tmp / "runs").exists()


# -- the options of each layer


def test_options_go_to_every_layer_that_has_them_and_those_of_a_layer_win(words, in_tmp):
    run = seqgen.train(
        words, cell="rglru,mlp,gru", **QUICK | given("cell.expand=1.5", "cell.2.expand=2", "reset=before")
    )
    assert cells(run) == [
        ("seqgen_parallel:rglru", {"expand": 1.5, "kernel": 4}),
        ("seqgen_parallel:mlp", {"expand": 2.0, "activation": "silu"}),
        ("seqgen_classic:gru", {"reset": "before"}),
    ]


def test_layers_of_one_cell_may_have_values_of_their_own(words, in_tmp):
    """As the lower bounds of HGRN, which grow from layer to layer."""
    run = seqgen.train(words, cell="hgrn", layers=3, **QUICK | given("lower_bound=0,0.4,0.8"))
    assert [cell.lower_bound for cell in run.model.stack.layers] == [0, 0.4, 0.8]
    again = seqgen.train(
        words, cell="hgrn", layers=3, **QUICK | given("cell.2.lower_bound=0.4", "cell.3.lower_bound=0.8")
    )
    assert cells(again) == cells(run)
    kept = [cell.project(100 * torch.randn(50, 9, cell.input_size))[..., :8].min() for cell in run.model.stack.layers]
    assert kept[0] < 0.1 and 0.4 <= kept[1] < 0.5 and 0.8 <= kept[2] < 0.9


def test_an_option_of_several_values_is_not_cut_up(words, in_tmp):
    run = seqgen.train(words, cell="tcn", layers=2, **QUICK | given("dilations=1,2"))
    assert cells(run) == [("seqgen_attention:tcn", {"kernel": 2, "dilations": "1,2", "gated": False})]


def test_a_stack_takes_what_all_its_cells_recommend(words, in_tmp):
    """The rate of the linear recurrences is too high for a transformer."""
    assert seqgen.plan(words, cell="rglru,mlp,hgrn", **QUICK).settings.train.lr == 1e-2
    assert seqgen.plan(words, cell=STACK, **QUICK).settings.train.lr == 3e-3
    assert seqgen.plan(words, cell=STACK, lr=1e-3, **QUICK).settings.train.lr == 1e-3


def test_a_budget_of_parameters_chooses_the_width_of_all_layers(words, in_tmp):
    settings = {name: value for name, value in QUICK.items() if name != "hidden"}
    run = seqgen.train(words, cell=STACK, params=5000, **settings)
    assert 4000 < run.settings.n_parameters <= 5000
    assert len({cell.hidden_size for cell in run.model.stack.layers}) == 1


# -- the parts of a run


@pytest.mark.full
def test_the_commands_show_each_layer(cli, words, in_tmp):
    seqgen.train(words, cell=STACK, out="one", **QUICK)
    seqgen.train(words, cell=STACK, out="two", **QUICK | given("cell.2.expand=2"))
    shown = cli("show", "run", "one").out
    for line in ("cell.1 seqgen_parallel:rglru expand=1.0", "cell.3 seqgen_attention:transformer mlp_ratio=4.0"):
        assert line in " ".join(shown.split())
    assert json.loads(cli("show", "run", "two", "--json").out)["cell"] == STACK
    compared = cli("compare", "one", "two", "-n", 0, "--part", "valid", "--json")
    assert json.loads(compared.out)["settings"]["cell.2.expand"] == {"one": 3.0, "two": 2.0}
    assert cli("evaluate", "one", "-n", 5, "--html", "page.html").code == 0
    assert STACK in (in_tmp / "page.html").read_text(encoding="utf-8")
    result = cli("show", "cell", STACK)
    assert result.code == 2 and "show a cell at a time, seqgen show cell rglru" in result.err


@pytest.mark.full
def test_bench_compares_stacks(words, in_tmp):
    pytest.importorskip("seqgen_bench")
    from seqgen_bench.runner import bench

    options = {"cell.2.expand": 1.5, "cell.reset": "before"}
    result = bench(words, "gru,rglru+mlp", params=3000, steps=2, seeds=1, options=options)
    assert {row["cell"]: row["problem"] for row in result.rows} == {"gru": "", "rglru+mlp": ""}
    assert cells(seqgen.load(result.folder / "rglru+mlp-seed0"))[1][1]["expand"] == 1.5
    with pytest.raises(UsageError, match="no cell named 'gruu'"):
        bench(words, "gru,mlp+gruu", params=3000, steps=2, seeds=1)
    two = bench(words, "gru,rglru+mlp", params=3000, steps=2, seeds=1, layers=1)
    assert (
        "cannot stack 2 cells (rglru,mlp) in 1 layers" in {row["cell"]: row["problem"] for row in two.rows}["rglru+mlp"]
    )


class Short(nn.Module):
    """A model of another plugin, which builds as many layers as it likes."""

    def __init__(self, n_symbols, make_cell, *, layers: int = 2, built: int = 1):
        super().__init__()
        self.inner = RecurrentModel(n_symbols, make_cell, hidden=8, layers=built, embedding=5)

    def initial_state(self, batch_size):
        return self.inner.initial_state(batch_size)

    def forward(self, ids_BT, state):
        return self.inner(ids_BT, state)


@pytest.mark.parametrize(
    ("built", "says"), [(1, "builds 1 layers of the 2 cells"), (3, "builds more layers than the 2")]
)
def test_a_model_must_build_all_layers(words, in_tmp, built, says):
    settings = {**QUICK, "options": {"model.built": built, "samples": 0}}
    del settings["hidden"], settings["embedding"]
    with pytest.raises(PluginError, match=says):
        seqgen.train(words, model=Short, cell="gru,mlp", **settings)
    assert seqgen.train(words, model=Short, cell="gru,mlp", **settings | {"options": {"model.built": 2}}).settings.cells


def test_the_cell_at_fault_is_named(words, in_tmp):
    class Broken(Doubling):
        def forward(self, x_BTI, state):
            return super().forward(x_BTI, state)[0].flip(1), state  # looks ahead

    with pytest.raises(PluginError, match=r"cell broken of .* looks ahead"):
        seqgen.train(words, cell=["gru", Broken], **QUICK)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda parts: [], r"run.json is damaged: cell: "),
        (lambda parts: parts[:1], r"run.json is damaged: cell: "),
        (lambda parts: [*parts, {"name": "os:system;", "options": {}}], r"run.json is damaged: cell.3.name: "),
        (lambda parts: parts[0] | {"name": 5}, r"run.json is damaged: cell.name: "),
    ],
)
def test_a_damaged_list_of_cells_is_refused(words, in_tmp, damage, says):
    run = seqgen.train(words, cell=STACK, **QUICK)
    stored = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(stored | {"cell": damage(stored["cell"])}))
    with pytest.raises(CheckpointError, match=says):
        seqgen.load(run.path)


def test_a_list_of_cells_that_describes_no_model_is_refused(words, in_tmp, plugins):
    settings = seqgen.train(words, cell=STACK, **QUICK).settings
    first, second, third = settings.cells
    for changed, error, says in (
        (
            (first, second.model_copy(update={"options": {"expand": -1}}), third),
            CheckpointError,
            "option 'expand' of cell",
        ),
        ((first, second), PluginError, "builds more layers than the 2 cells"),
        ((first, second, third, second), PluginError, "builds 3 layers of the 4 cells"),
        (
            (first, second.model_copy(update={"name": "gone:mlp"}), third),
            MissingPlugin,
            "the run needs the cell 'gone:mlp'",
        ),
    ):
        with pytest.raises(error, match=says):
            rebuild_model(plugins, settings.model_copy(update={"cell": changed}), None)


# -- from the weights of another run


def test_a_run_starts_from_the_weights_of_a_stack(words, in_tmp):
    options = given("cell.2.expand=2", "cell.lower_bound=0.1")
    first = seqgen.train(words, cell="hgrn,mlp", out="first", **QUICK | options)
    after = seqgen.train(words, start="first", out="after", steps=3, options={"samples": 0})
    assert cells(after) == cells(first) and after.settings.model == first.settings.model
    assert seqgen.plan(words, start="first", cell="hgrn,mlp", options={"cell.lower_bound": 0.5}).settings.cells
    for settings, says in (
        ({"cell": "hgrn,hgrn"}, "its cell is seqgen_parallel:hgrn,seqgen_parallel:mlp, so it cannot be 'hgrn,hgrn'"),
        ({"cell": "hgrn"}, "so it cannot be 'hgrn'"),
        (given("cell.2.expand=1"), r"they have cell.2.expand 2.0, not 1.0"),
    ):
        with pytest.raises(BadOption, match=says):
            seqgen.train(words, start="first", **settings)
    single = seqgen.train(words, cell="hgrn", layers=2, out="single", **QUICK)
    now = seqgen.train(words, start="single", out="now", steps=3, **given("cell.2.lower_bound=0.5"))
    assert len(single.settings.cells) == 1 and [part[1]["lower_bound"] for part in cells(now)] == [0, 0.5]


# -- computing


@pytest.mark.full
@pytest.mark.parametrize("names", [STACK, "gru,mlp,lstm", "mlp,gru", "transformer,mlp,mingru"])
def test_a_stack_passes_the_kit_as_a_cell(names):
    def load(input_size, hidden_size):
        make, sizes = maker(names), [input_size, *[hidden_size] * 2]
        layers = [make(size, hidden_size) for size, _ in zip(sizes, names.split(","), strict=False)]
        return Stack([Around(cell, norm="before", skip="residual") for cell in layers])

    check_cell(seqgen.CellSpec(name="stack", summary="a stack", source="none", load=load, options="seqgen:Options"))


@pytest.mark.parametrize("names", [STACK, "gru,mlp,vanilla", "mlp,gru", "transformer,mlp,lstm", "hgrn,mlp,mogrifier"])
@pytest.mark.parametrize("around", [{}, {"norm": "before", "skip": "residual"}])
def test_gradients_are_those_of_autograd(names, around):
    torch.manual_seed(0)
    model = (
        RecurrentModel(13, maker(names), hidden=8, layers=names.count(",") + 1, embedding=5, **around).double().train()
    )
    assert_same(model)


@pytest.mark.parametrize("engine", ["fused", "scan", "eager"])
@pytest.mark.parametrize("names", [STACK, "gru,mlp,lstm", "mlp,gru", "transformer,mlp,mingru"])
def test_steps_of_sampling_equal_the_sequence(names, engine):
    torch.manual_seed(0)
    model = RecurrentModel(13, maker(names), hidden=8, layers=names.count(",") + 1, embedding=5).double().eval()
    use_engine(model, engine)
    ids_BT = torch.randint(13, (3, 9))
    with torch.inference_mode():
        logits_BTV, end = model(ids_BT, model.initial_state(3))
        step, state = make_stepper(model), model.initial_state(3)
        for t in range(9):
            logits_BV, state = step(ids_BT[:, t], state)
            assert torch.allclose(logits_BV, logits_BTV[:, t], rtol=1e-9, atol=1e-9)
    assert len(state) == len(end) == len(children(model.stack.cells))


def test_wrappers_of_steps_leave_layers_without_a_state_as_they_are():
    options = {"zoneout": 0.1, "recurrent_dropout": 0.1, "attention": 3}
    model = RecurrentModel(13, maker("gru,mlp,lstm"), hidden=8, layers=3, embedding=5, **options).double().train()
    assert [type(cell).__name__ for cell in model.stack.layers] == ["PastAttention", "MLPCell", "PastAttention"]
    assert_same(model)


@pytest.mark.full
@pytest.mark.parametrize("names", [STACK, "gru,mlp,vanilla"])
def test_a_stopped_run_resumes_to_the_same_bytes(words, in_tmp, names):
    settings = {**SMALL, "cell": names, "steps": 12, "dropout": 0.1, "options": {"eval_every": 3, "norm": "before"}}
    whole = seqgen.train(words, out="whole", **settings)
    with pytest.raises(Interrupted):
        seqgen.train(words, out="cut", listener=Stopper(5), **settings)
    resumed = seqgen.resume("cut")
    assert digests(resumed.path) == digests(whole.path)
    few, many = ([row.text for row in resumed.sample(n, seed=3)] for n in (5, 200))
    assert many[:5] == few


def test_a_layer_without_memory_alone_is_a_model_of_pairs(words, in_tmp):
    """Its state is empty, and what it says depends on the symbol before only."""
    run = seqgen.train(words, cell="mlp", **QUICK)
    assert run.model.initial_state(4) == ((),)
    ids_BT = torch.randint(2, run.settings.n_symbols, (1, 6))
    ids_BT[:, -1] = ids_BT[:, 2]
    logits_BTV, _ = run.model(ids_BT, run.model.initial_state(1))
    assert torch.allclose(logits_BTV[:, 2], logits_BTV[:, 5], atol=1e-6)
    assert len(run.sample(300)) == 300
