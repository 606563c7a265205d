"""R29: no link below a run, bench or cache folder is followed."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from conftest import one_in
from seqgen.checkpoint import RunFolder

NAMES = (
    "run.json", "tokenizer.json", "corpus.json", "metrics.jsonl", ".lock", "checkpoints", "checkpoints/{0}",
    "checkpoints/{0}/MANIFEST.json", "checkpoints/{0}/model.safetensors", "checkpoints/{0}/train.safetensors",
    "checkpoints/{0}/state.json",
)  # fmt: skip
NOT_READ = {
    "sample": ("metrics.jsonl", ".lock"),
    "score": ("metrics.jsonl", ".lock"),
    "evaluate": ("metrics.jsonl", ".lock"),
    "train": ("metrics.jsonl", ".lock"),
    "show": (".lock", "tokenizer.json", "checkpoints/{0}/model.safetensors", "checkpoints/{0}/train.safetensors"),
    "checkpoint": ("metrics.jsonl", ".lock", "corpus.json"),
}
"""What a command does not look at, so that it need not refuse it."""
TARGETS = {"dangling": "nowhere", "file": "file", "folder": "folder"}
BENCH = ("--time", "0.1s", "--seeds", 1, "--hidden", 4)


@pytest.fixture
def outside(in_memory) -> Path:
    """Return a folder outside the run that must not change; it looks like checkpoints with leftovers."""
    folder = in_memory / "outside" / "folder"
    for name in (".tmp-step-1", ".tmp-seqgen-" + 32 * "0", "step-00000001"):
        (folder / name).mkdir(parents=True)
        (folder / name / "kept").write_text("PRECIOUS")
    (in_memory / "outside" / "file").write_text("PRECIOUS")
    return in_memory / "outside"


def content(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def put_link(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.full
@pytest.mark.promise("R29")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", one_in(8, NAMES))
def test_no_command_follows_a_link_in_a_run(name, target, tiny_run, words, outside, in_memory, cli, record_property):
    """Each part of a run as a link (dangling, to a file, to a folder), each command: nothing outside is used."""
    run = RunFolder(shutil.copytree(tiny_run.path, in_memory / "run"))
    shutil.rmtree(run.checkpoint(run.steps()[-1]))  # so that there is something to resume
    put_link(run.path / name.format(run.checkpoint(run.steps()[-1]).name), outside / TARGETS[target])
    before = content(outside)
    commands = [
        ("resume", run.path), ("resume", run.path, "--allow-corpus-change"), ("sample", run.path, "-n", 1),
        ("score", "anna", "--run", run.path), ("evaluate", run.path), ("show", "run", run.path),
        ("checkpoint", "verify", run.path), ("train", "--from", run.path, "--corpus", words, "--steps", 1,
        "--out", in_memory / "new"),
    ]  # fmt: skip
    for command in commands:
        result = cli(*command)
        assert "Traceback" not in result.err and "unexpected" not in result.err, (command, result.err)
        assert "PRECIOUS" not in result.out + result.err
        if name not in NOT_READ.get(command[0], ()):
            assert result.code in (2, 4) and result.err.count("seqgen: ") == 1, (command, result)
        assert content(outside) == before, command
    record_property("cases", len(commands))


@pytest.mark.promise("R29")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", one_in(4, ["results.json", "results.csv", ".lock", "gru-seed0"]))
def test_a_bench_follows_no_link_in_its_folder(name, target, words, outside, in_memory, cli):
    """Its results, its lock and the folder of a run as a link: exit 4, one line, and nothing outside changes."""
    (in_memory / "bench").mkdir()
    put_link(in_memory / "bench" / name, outside / TARGETS[target])
    before = content(outside)
    result = cli("bench", "--corpus", words, "--cells", "gru", *BENCH, "--out", in_memory / "bench")
    assert result.code == 4 and "is a link" in result.err, result.err
    assert "Traceback" not in result.err and content(outside) == before


@pytest.mark.full
@pytest.mark.promise("R29")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", one_in(4, ["journal.log", "study.json", ".lock", "trial-0001"]))
def test_a_study_follows_no_link_in_its_folder(name, target, words, outside, in_memory, cli):
    """Its settings, its journal, its lock and the folder of a run as a link: exit 4, one line, nothing changes."""
    pytest.importorskip("optuna", reason="no optuna (extra: tune)")
    study = ("tune", "--corpus", words, "lr=1e-3..1e-2", "--steps", 1, "--hidden", 4, "--out", in_memory / "study")
    assert cli(*study, "--trials", 1).code == 0
    put_link(in_memory / "study" / name, outside / TARGETS[target])
    before = content(outside)
    result = cli(*study, "--trials", 2)
    assert result.code == 4 and "is a link" in result.err, result.err
    assert "Traceback" not in result.err and content(outside) == before


@pytest.mark.full
@pytest.mark.promise("R29")
@pytest.mark.parametrize("target", TARGETS)
def test_no_command_follows_a_link_in_a_cache(target, words, outside, in_memory, cli, monkeypatch, record_property):
    """Each part of an encoded corpus and of what is kept of reading it as a link: exit 4, nothing outside is used."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_memory / "cache"))
    monkeypatch.setattr(importlib.import_module("seqgen.api.encoded_corpus"), "_IN_MEMORY", 100)  # characters
    train = ("train", "--corpus", words, "--cell", "vanilla", "--hidden", 4, "--steps", 1)
    assert cli(*train, "--out", in_memory / "run").code == 0
    home = in_memory / "cache" / "seqgen"
    kept = sorted(path for part in ("encoded", "read") for path in (home / part).rglob("*"))
    assert any(path.name == "meta.json" for path in kept) and any(path.parent.name == "read" for path in kept)
    shutil.copytree(home, in_memory / "whole")
    before = content(outside)
    for number, path in enumerate(kept):
        put_link(path, outside / TARGETS[target])
        for command in ((*train, "--out", in_memory / f"run{number}"), ("evaluate", in_memory / "run", "-n", 20)):
            result = cli(*command)
            assert "Traceback" not in result.err and "unexpected" not in result.err, (path, result.err)
            if command[0] == "train" or path.parent.name != "read":  # evaluate needs no memo of the tokenizer
                assert result.code == 4 and "is a link" in result.err, (path, command, result)
            assert content(outside) == before, path
        shutil.rmtree(home)
        shutil.copytree(in_memory / "whole", home)
    record_property("cases", 2 * len(kept))
