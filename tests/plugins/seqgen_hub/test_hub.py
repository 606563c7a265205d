"""A folder for a model hub: a run that samples alike, and says nothing of the machine."""

from __future__ import annotations

import json
import shutil

import pytest

import seqgen
from seqgen_hub.exporter import _cell


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
    assert (checkpoint / "train.safetensors").stat().st_size < 100


def test_the_card_has_metrics_licence_digest_and_samples(folder, tiny_run):
    card = (folder / "README.md").read_text()
    _, head, body = card.split("---\n", 2)
    assert head.splitlines() == [
        "library_name: seqgen", "pipeline_tag: text-generation", "tags:", "- seqgen", "license: apache-2.0",
    ]  # fmt: skip
    assert tiny_run.settings.corpus.digest in body and "seqgen sample words-hub" in body
    assert "held-out records, bits per character" in body and body.count("<code>") == 10


def test_the_folder_is_an_ended_run_that_others_start_from(folder, words, tmp_path):
    elsewhere = tmp_path / "cloned"
    shutil.copytree(folder, elsewhere)
    assert seqgen.resume(elsewhere).state["ended"]
    assert seqgen.train(words, start=elsewhere, steps=1, out=tmp_path / "run").state["step"] == 1


def test_texts_are_no_markup_in_the_card():
    shown = _cell("<script>|[a](b) `x` *y* \n# z")
    assert not set("<>|[]()`*\n#") & set(shown.replace("&#", "")) and "script" in shown


@pytest.mark.full
def test_a_blend_is_exported_with_its_counts(tmp_path, words):
    run = seqgen.train(words, cell="vanilla", hidden=8, steps=30, blend="ngram", out=tmp_path / "run")
    run.export("hub", tmp_path / "hub")
    assert seqgen.load(tmp_path / "hub").sample(100) == run.sample(100)
