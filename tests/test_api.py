from __future__ import annotations

import dataclasses
import json
import shutil
import warnings

import pytest

import seqgen
from conftest import plugins_with
from seqgen.api.config import resolve
from seqgen.config import TrainConfig
from seqgen.errors import BadOption, CorpusError, MissingPlugin, PluginError, UnknownName, UsageError
from seqgen.plugins import Candidate, Plugins, default_plugins, entry_point_candidates


def test_train_load_sample_score(tiny_run):
    run = seqgen.load(tiny_run.path)
    rows = run.sample(12, prefix="an", seed=4)
    assert len(rows) == 12 and all(row.text.startswith("an") for row in rows)
    assert [row.text for row in run.sample(5, prefix="an", seed=4)] == [row.text for row in rows[:5]]
    assert run.score(["anna"])[0].nats < run.score(["ttmm"])[0].nats
    assert run.metrics[-1]["step"] == 60 and repr(run) == f"seqgen.load({str(run.path)!r})"
    assert run.where(["anna", "zzz"])["zzz"] == "new"


def test_run_json_holds_everything_that_was_resolved(tiny_run):
    data = json.loads((tiny_run.path / "run.json").read_text())
    assert data["corpus"]["n_records"] == 40 and len(data["corpus"]["digest"]) == 64
    assert data["cell"] == {"name": "seqgen_classic:vanilla", "options": {"activation": "relu"}}
    assert data["model"]["options"] == {
        "hidden": 12, "layers": 1, "embedding": 6, "dropout": 0.0,
        "norm": "none", "skip": "none", "zoneout": 0.0, "recurrent_dropout": 0.0,
        "attention": 0, "tie": False,
    }  # fmt: skip
    assert data["train"]["steps"] == 60 and data["engine"]["name"] == "fused" and data["engine"]["threads"] >= 1
    assert {plugin["package"] for plugin in data["plugins"]} == {"seqgen", "seqgen_classic"}
    assert data["environment"]["torch"] and data["max_length"] == 12


def test_sample_options_are_checked(tiny_run):
    with pytest.raises(BadOption, match="no option 'temprature'; did you mean 'temperature'"):
        tiny_run.sample(1, temprature=1)
    with pytest.raises(BadOption, match="at least 0"):
        tiny_run.sample(-1)
    with pytest.raises(UnknownName, match="no processor named 'x'"):
        tiny_run.sample(1, processors={"x": {}})
    assert tiny_run.sample(0) == []


def test_unique_rows(tiny_run):
    texts = [row.text for row in tiny_run.sample(60, unique=True, temperature=0.6)]
    assert len(set(texts)) == 60
    plain = [row.text for row in tiny_run.sample(400, temperature=0.6)]
    assert texts == list(dict.fromkeys(plain))[:60]


def test_checkpoints_by_name_and_step(tiny_run):
    assert seqgen.load(tiny_run.path, checkpoint="latest").state["step"] == 60
    assert seqgen.load(tiny_run.path, checkpoint=60).state["step"] == 60
    with pytest.raises(seqgen.CheckpointError, match="no checkpoint of step 7; it has: "):
        seqgen.load(tiny_run.path, checkpoint=7).sample(1)
    with pytest.raises(BadOption):
        seqgen.load(tiny_run.path, checkpoint="first").sample(1)


def test_python_callers_get_the_public_errors(in_tmp):
    with pytest.raises(seqgen.UnknownName, match="did you mean 'names'"):
        seqgen.train("nmaes")
    with pytest.raises(seqgen.NoSuchRun):
        seqgen.load("nothing")


def test_default_plugins_load_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert default_plugins().registry.has("cell", "vanilla")


# -- what wins over what


def resolved(plugins, **settings):
    return resolve(TrainConfig.of({"corpus": "names", **settings}), plugins)


def test_defaults_and_recommendations(plugins):
    plain = resolved(plugins)
    assert (
        [cell.spec.name for cell in plain.cells] == ["gru"]
        and plain.tokenizer.spec.name == "char"
        and plain.parts["domain"].spec.name == "name"
    )
    assert plain.train.steps == plugins.registry.get("corpus", "names").spec.recommended["train"]["steps"]


def test_flag_over_option_over_toml_over_recommended(plugins, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(
        '[train]\nsteps = 11\nlr = 0.5\n[cell]\nname = "vanilla"\nactivation = "tanh"\n[model]\nhidden = 9\n'
    )
    made = resolved(plugins, config=config, lr=0.25, options={"hidden": "7"})
    assert (made.train.steps, made.train.lr, made.options["model"]["hidden"]) == (11, 0.25, 7)
    made = resolved(plugins, config=config, lr=0.25, hidden=5, options={"hidden": "7", "lr": 0.125, "steps": 12})
    assert (made.train.steps, made.train.lr, made.options["model"]["hidden"]) == (12, 0.25, 5)
    assert [cell.spec.name for cell in made.cells] == ["vanilla"] and made.options["cell"] == {"activation": "tanh"}
    with pytest.raises(BadOption, match="cell gru has no option 'activation'"):
        resolved(plugins, config=config, cell="gru")


@pytest.mark.parametrize("end", [{"epochs": 2}, {"time": 9}])
def test_an_end_that_is_asked_for_replaces_the_recommended_one(plugins, end):
    assert resolved(plugins, **end).train.steps is None


class Fakes:
    """A corpus and a cell that recommend, and parts for the hooks that first-party plugins leave to later."""

    @staticmethod
    @seqgen.hookimpl
    def register_corpora(register):
        def load(*, times: int = 2):
            return [seqgen.Record(text) for text in ("abc", "cab", "ABC")] * times

        register(
            seqgen.CorpusSpec(
                name="letters", summary="s", source="t", licence="CC0-1.0", load=load, domain="letters",
                recommended={"train": {"lr": 0.1, "steps": 5}, "model": {"hidden": 3}, "cell": {"activation": "tanh"}},
            )
        )  # fmt: skip
        register(
            seqgen.CorpusSpec(
                name="once", summary="s", source="t", licence="l", load=lambda: iter([seqgen.Record("a")])
            )
        )
        register(seqgen.CorpusSpec(name="book", summary="s", source="t", licence="l", load=lambda: [], layout="stream"))

    @staticmethod
    @seqgen.hookimpl
    def register_tokenizers(register):
        from seqgen.tokenizers import CharTokenizer

        register(seqgen.TokenizerSpec(name="letter", summary="s", source="t", load=CharTokenizer))

    @staticmethod
    @seqgen.hookimpl
    def register_domains(register):
        register(
            seqgen.DomainSpec(
                name="letters", summary="s", tokenizer="letter", validator="lower", renderer="loud", metrics=("mean",)
            )
        )

    @staticmethod
    @seqgen.hookimpl
    def register_validators(register):
        class Lower:
            def validate(self, text):
                return seqgen.Verdict(bool(text), "" if text else "empty", text.lower() or None)

        register(seqgen.ValidatorSpec(name="lower", summary="s", source="t", load=Lower))

    @staticmethod
    @seqgen.hookimpl
    def register_renderers(register):
        from rich.text import Text

        register(seqgen.RendererSpec(name="loud", summary="s", source="t", load=lambda: lambda text: Text(text + "!")))

    @staticmethod
    @seqgen.hookimpl
    def register_metrics(register):
        def load():
            return lambda samples, reference: {"length": sum(map(len, samples)) / max(len(samples), 1)}

        register(seqgen.MetricSpec(name="mean", summary="s", source="t", load=load))

    @staticmethod
    @seqgen.hookimpl
    def register_processors(register):
        def load(*, symbol: int = 3):
            def process(logits_BV, ids_BT):
                logits_BV = logits_BV.clone()
                logits_BV[:, symbol] = -float("inf")
                return logits_BV

            return process

        register(seqgen.ProcessorSpec(name="without", summary="s", source="t", load=load))

    @staticmethod
    @seqgen.hookimpl
    def register_cells(register):
        from seqgen.cells import StepCell

        class Odd(StepCell):
            pass

        register(seqgen.CellSpec(name="odd", summary="s", source="t", load=Odd, recommended={"train": {"lr": 0.01}}))
        register(seqgen.CellSpec(name="notacell", summary="s", source="t", load=lambda i, h: object()))

    @staticmethod
    @seqgen.hookimpl
    def register_models(register):
        import torch

        class Bigram(torch.nn.Module):
            def __init__(self, n_symbols, *, scale: float = 1.0):
                super().__init__()
                self.table = torch.nn.Embedding(n_symbols, n_symbols)

            def initial_state(self, batch_size):
                return torch.zeros(batch_size, 0)

            def forward(self, ids_BT, state):
                return self.table(ids_BT), state

        register(seqgen.ModelSpec(name="bigram", summary="s", source="t", load=Bigram))


@pytest.fixture
def fakes():
    plugins = Plugins(pytest.fail)
    plugins.load([*entry_point_candidates(), Candidate("fakes", "fakes", "1", Fakes)])
    return plugins


@pytest.mark.parametrize("asked", [{"lr": "high"}, {"nothing": 1}])
def test_a_recommendation_that_training_does_not_take_is_the_plugins_fault(fakes, asked):
    entry = fakes.registry.get("cell", "odd")
    changed = dataclasses.replace(entry, spec=dataclasses.replace(entry.spec, recommended={"train": asked}))
    assert entry.recommended == {"train": {"lr": 0.01}}
    ((name, value),) = asked.items()
    with pytest.raises(
        PluginError, match=rf"cell odd of fakes \(.*\) recommends train.{name}={value!r}, which training"
    ):
        assert changed.recommended


def test_recommendations_apply_where_such_options_exist(fakes):
    made = resolved(fakes, corpus="letters", cell="vanilla")
    assert (made.train.lr, made.train.steps, made.options["model"]["hidden"]) == (0.1, 5, 3)
    assert made.options["cell"] == {"activation": "tanh"}
    assert resolved(fakes, corpus="letters", cell="odd").train.lr == 0.01  # the cell knows better
    assert resolved(fakes, corpus="letters", model="bigram").options["model"] == {"scale": 1.0}


def test_a_domain_brings_its_parts(fakes, tmp_path):
    run = seqgen.train("letters", model="bigram", steps=30, split="none", plugins=fakes, out=tmp_path / "r")
    assert run.settings.tokenizer.name == "fakes:letter" and run.settings.cell is None
    assert run.canonical("ABC") == "abc" and str(run.renderer("x")) == "x!"
    assert run.where(["AbC"]) == {"AbC": "train"}
    figures = run.evaluate(20)
    assert figures["samples"] == 20 and figures["mean.length"] > 0 and 0 <= figures["novel"] <= 1
    without = run.sample(50, processors={"without": {"symbol": str(run.vocabulary.encode("a")[0])}})
    assert not any("a" in row.text for row in without)


def test_parts_that_do_not_fit_are_refused(fakes, tmp_path):
    for settings, kind, message in [
        ({"corpus": "letters", "model": "bigram", "cell": "gru"}, UsageError, "not made of cells"),
        ({"corpus": "letters", "model": "bigram", "hidden": 3}, BadOption, "no option 'hidden'"),
        ({"corpus": "letters", "model": "bigram", "options": {"cell.x": 3}}, BadOption, "no part 'cell' in this run"),
        ({"corpus": "letters", "domain": "nope"}, UnknownName, "no domain"),
        ({"corpus": None}, UsageError, "--corpus NAME"),
    ]:
        with pytest.raises(kind, match=message):
            resolved(fakes, **settings)
    for corpus, kind, message in [("once", PluginError, "restartable"), ("book", CorpusError, "no records")]:
        with pytest.raises(kind, match=message):
            seqgen.train(corpus, steps=1, plugins=fakes, out=tmp_path / corpus)
    with pytest.raises(PluginError, match=r"not a seqgen\.Cell"):
        seqgen.train("letters", cell="notacell", steps=1, plugins=fakes, out=tmp_path / "x")
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.full
def test_a_tokenizer_that_stands_in_no_file_will_do(tmp_path, words):
    space = {"__name__": "nowhere"}
    exec("from seqgen.tokenizers import CharTokenizer\nclass Own(CharTokenizer): pass", space)

    class Plugin:
        @staticmethod
        @seqgen.hookimpl
        def register_tokenizers(register):
            register(seqgen.TokenizerSpec(name="own", summary="s", source="t", load=space["Own"]))

    plugins = Plugins(pytest.fail)
    plugins.load([*entry_point_candidates(), Candidate("own", "own", "1", Plugin)])
    assert seqgen.train(words, tokenizer="own", steps=1, plugins=plugins, out=tmp_path / "r").sample(1)


def test_a_run_names_the_plugin_it_misses(fakes, tmp_path):
    run = seqgen.train("letters", model="bigram", steps=2, split="none", plugins=fakes, out=tmp_path / "r")
    bare = Plugins(pytest.fail)
    bare.load(entry_point_candidates())
    with pytest.raises(MissingPlugin, match=r"model 'fakes:bigram' of fakes 1, which is not installed; run.json names"):
        seqgen.load(run.path, plugins=bare).sample(1)
    with pytest.raises(MissingPlugin) as caught:
        data = json.loads((run.path / "run.json").read_text())
        data["plugins"] = [{"package": "fakes", "distribution": "fakes.py", "version": "abc", "sha256": "abc"}]
        other = shutil.copytree(run.path, tmp_path / "other")
        (other / "run.json").write_text(json.dumps(data))
        shutil.rmtree(other / "checkpoints")
        seqgen.resume(other, plugins=bare)
    assert "--plugin fakes.py" in str(caught.value) and caught.value.exit_code == 4


def test_own_held_out_files(words, tmp_path):
    held_out = tmp_path / "held.txt"
    held_out.write_text("anna\nxaver\n")
    run = seqgen.train(words, cell="vanilla", hidden=4, steps=2, valid=held_out, out=tmp_path / "r")
    assert run.settings.corpus.parts == {"train": 40, "valid": 2, "test": 0}
    assert "x" in run.vocabulary.tokenizer.symbols, "the alphabet is that of the whole corpus"
    assert seqgen.resume(run.path).where(["xaver"]) == {"xaver": "valid"}


def test_a_changed_plugin_file_is_told(words, in_tmp):
    source = (
        "import torch, seqgen\n"
        "class Sum(seqgen.StepCell):\n"
        "    def __init__(self, i, h):\n"
        "        super().__init__(i, h)\n"
        "        self.w = torch.nn.Linear(i, h)\n"
        "    def initial_state(self, b): return self.zeros(b)\n"
        "    def project(self, x): return self.w(x)\n"
        "    def step(self, p, h): return p + h, p + h\n"
        "@seqgen.hookimpl\n"
        "def register_cells(register): register(seqgen.CellSpec(name='sum', summary='s', load=Sum))\n"
    )
    path = in_tmp / "summing.py"
    path.write_text(source)
    run = seqgen.train(words, cell="sum", hidden=4, steps=2, plugins=["summing.py"], out="r")
    said: list[str] = []
    assert len(seqgen.load("r", plugins=["summing.py"], warn=said.append).sample(2)) == 2 and said == []
    path.write_text(source.replace("p + h, p + h", "p - h, p - h"))
    seqgen.load("r", plugins=["summing.py"], warn=said.append).sample(2)
    assert len(said) == 1 and "summing (summing.py) is another file" in said[0]
    with pytest.raises(MissingPlugin, match=r"--plugin summing\.py"):
        seqgen.load("r").sample(1)
    assert run.settings.plugins[-1]["sha256"]


def test_held_out_files_that_are_trained_on_are_told(words, tmp_path):
    said: list[str] = []
    options = {"cell": "vanilla", "hidden": 4, "steps": 1, "warn": said.append}
    (tmp_path / "held.txt").write_text("anna\nxaver\nanna\n")
    seqgen.train(words, valid=tmp_path / "held.txt", out=tmp_path / "r", **options)
    assert len(said) == 1 and "2 of 3 validation records stand in the training part too" in said[0]
    said.clear()
    (tmp_path / "valid.txt").write_text("xaver\nyola\n")
    (tmp_path / "test.txt").write_text("xaver\nanna\nxaver\nzoe\n")  # one is trained on
    files = {"valid": tmp_path / "valid.txt", "test": tmp_path / "test.txt"}
    run = seqgen.train(words, **files, out=tmp_path / "both", **options)
    line = "2 of 4 test records stand in the validation part too, which training looks at; losses on them say less"
    assert said[1:] == [line] and line in run.evaluate(2)["notes"]
    with pytest.raises(BadOption, match="not both"):
        seqgen.train(words, valid=words, split="80/10/10", **options)
    with pytest.raises(BadOption, match="not both"):
        seqgen.train(words, valid=words, options={"train.split": "80/10/10"}, **options)


def test_held_out_files_win_over_a_split_of_toml(words, tmp_path):
    (tmp_path / "c.toml").write_text('[train]\nsplit = "50/25/25"\n')
    (tmp_path / "held.txt").write_text("xaver\nxenia\n")
    options = {"cell": "vanilla", "hidden": 4, "steps": 1, "config": tmp_path / "c.toml", "warn": lambda line: None}
    apart = seqgen.train(words, valid=tmp_path / "held.txt", out=tmp_path / "r", **options)
    assert apart.settings.corpus.parts["valid"] == 2 and not apart.settings.corpus.parts["test"]
    assert seqgen.train(words, out=tmp_path / "s", **options).settings.corpus.parts["test"]


def test_flags_win_over_options_and_toml(words, tmp_path):
    (tmp_path / "other.txt").write_text("anna\n")
    (tmp_path / "run.toml").write_text(f"[corpus]\npath = '{tmp_path / 'other.txt'}'\nlayout = 'stream'\n")
    said = {"corpus.path": str(tmp_path / "other.txt"), "corpus.layout": "stream"}
    for more in ({"options": said}, {"config": tmp_path / "run.toml"}):
        settings = seqgen.plan(words, layout="lines", **more).settings
        assert settings.corpus.options["path"] == str(words)
        assert settings.corpus.layout == settings.corpus.options["layout"] == "lines"
        assert seqgen.plan(words, **more).settings.corpus.layout == "stream"


def test_conditions_of_one_text_may_have_spaces_between(tmp_path):
    (tmp_path / "t.csv").write_text(
        "text,kind,year\n" + "".join(f"w{n % 7},{'ab'[n % 2]},{n % 3}\n" for n in range(60))
    )
    assert seqgen.plan(tmp_path / "t.csv", condition="kind, year").settings.conditions == ("kind", "year")


def test_a_tokenizer_that_is_too_large_is_refused(words, in_tmp, monkeypatch):
    monkeypatch.setattr("seqgen.checkpoint.run_folder.MAX_JSON_BYTES", 100)
    with pytest.raises(UsageError, match="cannot write tokenizer"):
        seqgen.train(words, cell="vanilla", hidden=4, steps=1)
    assert not (in_tmp / "runs").exists()


def test_a_cell_that_cannot_work_leaves_no_run_folder(words, tmp_path):
    class Shrinking(seqgen.Cell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            import torch

            self.w = torch.nn.Linear(input_size, hidden_size)

        def initial_state(self, batch_size):
            return self.zeros(batch_size)

        def forward(self, x_BTI, state):
            return self.w(x_BTI)[:, :-1], state

    plugins = plugins_with(seqgen.CellSpec(name="shrinking", summary="s", load=Shrinking))
    with pytest.raises(PluginError, match="gives logits"):
        seqgen.train(words, cell="shrinking", hidden=4, steps=1, plugins=plugins, out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("corpus", [["Anna", "Bob"], "", 3])
def test_what_is_no_corpus_is_refused(corpus):
    with pytest.raises(UsageError, match="name or the path of a file"):
        seqgen.train(corpus)


def test_the_records_of_a_part(tiny_run, words, tmp_path):
    parts = {part: [record.text for record in tiny_run.records(part)] for part in ("train", "valid", "test")}
    assert {part: len(texts) for part, texts in parts.items()} == tiny_run.settings.corpus.parts
    assert sorted(text for texts in parts.values() for text in texts) == sorted(r.text for r in tiny_run.corpus)
    for part, texts in parts.items():
        assert set(tiny_run.where(texts).values()) <= {part}
    with pytest.raises(seqgen.BadOption, match="train, valid or test, not 'tset'"):
        tiny_run.records("tset")
    long_run = seqgen.train(words, layout="stream", hidden=4, steps=1, options={"window": 8}, out=tmp_path / "long")
    with pytest.raises(seqgen.BadOption, match="one long text has no records"):
        long_run.records("test")


@pytest.mark.parametrize("kind", ["model", "tokenizer", "domain", "augment"])
def test_an_empty_name_is_not_taken_for_the_default(kind):
    with pytest.raises(BadOption, match=f"--{kind} is empty: write the name of one, or leave it out"):
        seqgen.plan("names", **{kind: ""})
