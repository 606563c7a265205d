"""A folder for a model hub: a run that samples alike, and says nothing of the machine."""

from __future__ import annotations

import json
import shutil

import pytest

import seqgen
from seqgen_hub.exporter import HubExporter, _cell, _use


@pytest.fixture(scope="module")
def folder(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("hub") / "words-hub"
    found = tiny_run.export("hub", path, licence="apache-2.0")
    assert found.difference == 0.0
    return path


def test_the_folder_is_a_run(folder, tiny_run, cli, tmp_path):
    elsewhere = tmp_path / "cloned"
    shutil.copytree(folder, elsewhere)
    again = seqgen.load(elsewhere)
    assert again.sample(50) == tiny_run.sample(50)
    assert again.score("ada") == tiny_run.score("ada")
    result = cli("sample", elsewhere, "-n", 3)
    assert result.code == 0 and len(result.out.splitlines()) == 3


def test_the_folder_says_nothing_of_the_machine(folder, tiny_run):
    text = "".join(path.read_text() for path in folder.rglob("*") if path.suffix in (".json", ".md"))
    assert str(tiny_run.path.parent) not in text
    settings = json.loads((folder / "run.json").read_text())
    assert settings["environment"].keys() <= {"python", "torch", "numpy"}
    assert settings["corpus"]["options"]["path"] == "words.txt"
    (checkpoint,) = (folder / "checkpoints").iterdir()
    assert sorted(path.name for path in checkpoint.iterdir()) == ["MANIFEST.json", "model.safetensors", "state.json"]


def test_the_folder_names_trackers_without_their_places(words, tmp_path):
    pytest.importorskip("tensorboard")
    run = seqgen.train(
        words, cell="vanilla", hidden=4, steps=2, out=tmp_path / "run", track=[f"tensorboard={tmp_path / 'logs'}"]
    )
    run.export("hub", tmp_path / "hub")
    text = (tmp_path / "hub" / "run.json").read_text()
    assert json.loads(text)["train"]["track"] == ["tensorboard"] and str(tmp_path) not in text


def test_the_card_has_metrics_licence_digest_and_samples(folder, tiny_run):
    card = (folder / "README.md").read_text()
    _, head, body = card.split("---\n", 2)
    assert head.splitlines() == [
        "library_name: seqgen", "pipeline_tag: text-generation", "tags:", "- seqgen", "license: apache-2.0",
    ]  # fmt: skip
    assert tiny_run.settings.corpus.digest in body and "seqgen sample words-hub" in body
    assert "held-out records, bits per character" in body and body.count("<code>") == 10
    assert "words, 40 records |" in body and "10 sampled rows, seed 0." in body
    assert f"python -m pip install .  # in a clone of seqgen {seqgen.__version__} or newer" in body


@pytest.mark.parametrize("licence", ["x: [y", "a b", "-", "mit\n", "é"])
def test_a_licence_that_is_no_identifier_is_refused_before_anything_is_written(licence, tiny_run, tmp_path):
    with pytest.raises(seqgen.BadOption, match=r"it is no identifier; write one, such as --licence apache-2\.0"):
        tiny_run.export("hub", tmp_path / "folder", licence=licence)
    assert not list(tmp_path.iterdir())
    for known in ("", "mit", "cc-by-4.0", "gpl-2.0+"):
        HubExporter(licence=known)


def test_one_record_is_one(tmp_path):
    (tmp_path / "one.txt").write_text("anna\n")
    run = seqgen.train(tmp_path / "one.txt", cell="vanilla", hidden=4, steps=1, split="none", out=tmp_path / "run")
    card = HubExporter(n=1).card(run, "one")
    assert "one, 1 record |" in card and "1 sampled row, seed 0." in card


def test_how_to_install_names_the_extra_and_the_plugins(tiny_run):
    tokenizer = tiny_run.settings.tokenizer.model_copy(update={"name": "bpe"})
    plugins = [*tiny_run.settings.plugins, {"package": "mine", "distribution": "my-cells", "version": "1.0"}]
    settings = tiny_run.settings.model_copy(update={"tokenizer": tokenizer, "plugins": plugins})
    assert _use(settings, "my words", "you/words") == [
        "```sh",
        f"python -m pip install '.[bpe]'  # in a clone of seqgen {seqgen.__version__} or newer",
        "python -m pip install my-cells",
        "hf download you/words --local-dir 'my words'",
        "seqgen sample 'my words' -n 10",
        "```",
    ]


def test_how_to_install_names_the_extra_of_the_domain(tiny_run):
    corpus = tiny_run.settings.corpus.model_copy(update={"domain": "seqgen_smiles:smiles"})
    for tokenizer, extras in (("seqgen:char", "chem"), ("seqgen_text:bpe", "bpe,chem")):
        one = tiny_run.settings.tokenizer.model_copy(update={"name": tokenizer})
        settings = tiny_run.settings.model_copy(update={"corpus": corpus, "tokenizer": one})
        assert f"python -m pip install '.[{extras}]'  #" in "\n".join(_use(settings, "m", ""))


def test_records_and_invalid_rows_are_marked_among_the_samples(tmp_path):
    pytest.importorskip("rdkit")
    path = tmp_path / "two.txt"
    path.write_text("a\nb\n")
    sizes = {"cell": "vanilla", "hidden": 4, "steps": 1, "split": "none"}
    run = seqgen.train(path, domain="smiles", tokenizer="char", out=tmp_path / "run", **sizes)
    card = HubExporter(n=20).card(run, "one")
    assert "- <code>a</code> (invalid, a training record)" in card and "not compared" not in card
    assert "- <code>aa</code> (invalid)\n" in card or "- <code>ab</code> (invalid)\n" in card
    path.unlink()
    card = HubExporter(n=20).card(seqgen.load(run.path), "one")
    assert "20 sampled rows, seed 0. They are not compared with the training records." in card
    assert "- <code>a</code> (invalid)" in card


def test_a_plugin_in_a_file_is_named_with_the_command(tiny_run):
    of_file = {"package": "sgru", "distribution": "sgru.py", "version": "77de", "sha256": "77de0"}
    settings = tiny_run.settings.model_copy(update={"plugins": [*tiny_run.settings.plugins, of_file]})
    lines = _use(settings, "words", "")
    assert lines[0] == "It needs `sgru.py`, which is not in this folder (SHA-256 77de0)."
    assert "seqgen sample words -n 10 --plugin sgru.py" in lines and not any("install sgru" in line for line in lines)


def test_a_run_with_tied_weights_is_exported(words, tmp_path):
    sizes = {"hidden": 8, "embedding": 8, "steps": 2}
    run = seqgen.train(words, out=tmp_path / "run", blend="none", options={"tie": True}, **sizes)
    run.export("hub", tmp_path / "folder")
    assert seqgen.load(tmp_path / "folder").sample(5) == run.sample(5)


def test_a_separator_of_records_is_no_path(tmp_path):
    (tmp_path / "list.txt").write_text("".join(f"/a{n}\nb\n" for n in range(60)))
    run = seqgen.train(
        tmp_path / "list.txt", cell="vanilla", hidden=8, steps=2, blend="none", options={"corpus.separator": "/"},
        out=tmp_path / "run",
    )  # fmt: skip
    assert run.export("hub", tmp_path / "hub").files
    options = json.loads((tmp_path / "hub" / "run.json").read_text())["corpus"]["options"]
    assert options["separator"] == "/" and options["path"] == "list.txt"


def test_a_folder_has_no_name_of_a_file(cli, tiny_run, tmp_path):
    result = cli("export", "hub", tiny_run.path, tmp_path / "x.csv")
    assert result.code == 2 and not list(tmp_path.iterdir())
    assert "cannot make a folder called 'x.csv'" in result.err and "--out FILE" in result.err


def test_the_folder_is_not_resumed_and_others_start_from_it(folder, words, cli, tmp_path):
    elsewhere = tmp_path / "cloned"
    shutil.copytree(folder, elsewhere)
    result = cli("resume", elsewhere)
    assert result.code == 2 and result.err.count("\n") == 1
    assert f"cannot resume {str(elsewhere)!r}: it is an export" in result.err and "--from" in result.err
    assert cli("checkpoint", "verify", elsewhere).code == 0
    run = seqgen.train(words, start=elsewhere, steps=1, out=tmp_path / "run")
    assert run.state["step"] == 1
    line = f"| first weights | the run cloned at step {run.settings.start.step:,}, and all it learned from |"
    assert line in HubExporter().card(run, "run")


def test_the_files_of_a_folder_are_one_line(cli, tiny_run, tmp_path):
    out = tmp_path / "words-hub"
    n_files = len([path for path in tiny_run.export("hub", tmp_path / "before").files[0].rglob("*") if path.is_file()])
    assert cli("export", "hub", tiny_run.path, out).err == (
        f"compared with the run: the logits differ by at most 0\nwrote {out} ({n_files} files)\n"
    )


def test_texts_are_no_markup_in_the_card():
    shown = _cell("<script>|[a](b) `x` *y* \n# z")
    assert not set("<>|[]()`*\n#") & set(shown.replace("&#", "")) and "script" in shown


@pytest.mark.full
def test_a_blend_is_exported_with_its_counts(tmp_path, words):
    run = seqgen.train(words, cell="vanilla", hidden=8, steps=30, blend="ngram", out=tmp_path / "run")
    run.export("hub", tmp_path / "hub")
    assert "| training records, network alone, bits per character |" in (tmp_path / "hub/README.md").read_text()
    assert seqgen.load(tmp_path / "hub").sample(100) == run.sample(100)


@pytest.mark.full
def test_the_card_names_some_values_of_each_condition(tmp_path):
    rows = [f"{name},{kind},{year}" for year in range(1900, 1912) for name, kind in (("ada", "<a>"), ("bob", "b"))]
    (tmp_path / "rows.csv").write_text("\n".join(["text,kind,year", *rows]) + "\n")
    settings = {"cell": "vanilla", "hidden": 4, "steps": 2, "split": "none"}
    corpus = str(tmp_path / "rows.csv")
    run = seqgen.train(corpus, condition=["kind", "year"], out=tmp_path / "run", **settings)
    run.export("hub", tmp_path / "hub")
    line = "| conditions | kind: &#60;a&#62;, b; year: " + ", ".join(map(str, range(1900, 1910))) + " and 2 more |"
    assert line in (tmp_path / "hub" / "README.md").read_text()
