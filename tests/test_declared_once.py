"""A setting is declared in one place: flag, keyword, ``-o``, TOML, ``seqgen show`` and run.json follow."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import pytest

import seqgen
from conftest import ROOT
from seqgen.config import DecodeConfig, EvaluateConfig, SampleConfig, TrainConfig, flags_of, keywords_of

DECLARATION = """    tempo: Annotated[int, Flag(_MORE)] = Field(3, ge=1, description="a setting that a test adds")
"""


def writer():
    """Return the script that writes the typed keywords, as a module."""
    spec = importlib.util.spec_from_file_location("write_keywords", ROOT / "tools" / "write_keywords.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_typed_keywords_are_those_of_the_configurations():
    assert (ROOT / "seqgen" / "keywords.py").read_text(encoding="utf-8") == writer().source(), (
        "run: python tools/write_keywords.py"
    )


@pytest.mark.parametrize("config", [TrainConfig, DecodeConfig, SampleConfig, EvaluateConfig])
def test_every_setting_is_described_and_its_keyword_is_unambiguous(config):
    assert all(field.description for field in config.model_fields.values())
    assert len(keywords_of(config)) == len(config.model_fields)
    names = [name for flag in flags_of(config).values() for name in flag.names]
    assert len(names) == len(set(names))


def test_keywords_that_do_not_exist_are_refused_with_the_nearest(in_tmp, tiny_run):
    with pytest.raises(seqgen.BadOption, match="train has no option 'hiden'; did you mean 'hidden'"):
        seqgen.train("names", hiden=3)
    for settings, says in (
        ({"cell": "gru,vanilla", "activation": "relu"}, 'cell vanilla: write options={"cell.activation": ...}'),
        ({"tie": True}, 'model recurrent: write options={"model.tie": ...}'),
        ({"min_count": 2, "tokenizer": "word"}, 'tokenizer word: write options={"tokenizer.min_count": ...}'),
    ):
        (name,) = set(settings) - {"cell", "tokenizer"}
        with pytest.raises(seqgen.BadOption) as caught:
            seqgen.train("names", **settings)
        assert str(caught.value) == f"train has no option {name!r}; it is an option of the {says}"
    with pytest.raises(seqgen.BadOption, match=r'has no option .xyzzy.; an option of a part is given by options=\{"'):
        seqgen.train("names", xyzzy=1)
    with pytest.raises(seqgen.BadOption, match=r"train has no option 'test_file'; did you mean 'test'\?"):
        seqgen.train("names", test_file="test.txt")
    with pytest.raises(seqgen.BadOption, match="evaluate has no option 'sed'; did you mean 'seed'"):
        tiny_run.evaluate(5, sed=3)
    with pytest.raises(seqgen.BadOption, match="sample has no option 'novel'"):
        tiny_run.top(5, novel=True)


@pytest.mark.full
def test_a_new_setting_is_written_in_one_place(tmp_path, words):
    package = shutil.copytree(ROOT / "seqgen", tmp_path / "copy" / "seqgen")
    shutil.copytree(ROOT / "tools", tmp_path / "copy" / "tools")
    declared = package / "config" / "train.py"
    above = "    weight_decay: float"
    declared.write_text(declared.read_text().replace(above, DECLARATION + above, 1))
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "copy")}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tempo(folder: str) -> int:
        return json.loads((tmp_path / folder / "run.json").read_text())["train"]["tempo"]

    run("copy/tools/write_keywords.py")
    keywords = (package / "keywords.py").read_text()
    assert '    tempo: int | None\n    """A setting that a test adds."""' in keywords
    assert "--tempo" in run("-m", "seqgen", "train", "--help")
    shown = json.loads(run("-m", "seqgen", "show", "train", "--json"))
    assert next(row for row in shown if row["name"] == "tempo")["default"] == 3
    train = ("-m", "seqgen", "train", "--corpus", str(words), "--steps", "1", "--hidden", "4", "-q")
    (tmp_path / "c.toml").write_text("[train]\ntempo = 7\n")
    run(*train, "--out", "default")
    run(*train, "--out", "flag", "--tempo", "5", "-o", "tempo=6", "--config", "c.toml")
    run(*train, "--out", "option", "-o", "tempo=6", "--config", "c.toml")
    run(*train, "--out", "toml", "--config", "c.toml")
    python = f"import seqgen; seqgen.train({str(words)!r}, tempo=8, steps=1, hidden=4, out='python')"
    run("-c", python)
    found = [tempo(folder) for folder in ("default", "flag", "option", "toml", "python")]
    assert found == [3, 5, 6, 7, 8]
