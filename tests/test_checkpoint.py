from __future__ import annotations

import contextlib
import json
import random
import shutil
from pathlib import Path

import pytest
import torch

import seqgen
from seqgen.checkpoint import FORMAT_VERSION, RunFolder, RunSettings, Snapshot, find_run, list_runs, read_verified
from seqgen.errors import CheckpointError, NoSuchRun, RunLocked, UsageError
from seqgen.files import dump_checksummed, load_checksummed


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the tiny run that a test may damage."""
    return RunFolder(shutil.copytree(tiny_run.path, tmp_path / "copy"))


def snapshot(step: int, best: int | None = None) -> Snapshot:
    return Snapshot({"w": torch.full((2,), float(step))}, {}, {"step": step, "best_step": best})


def test_what_is_saved_is_loaded(run):
    run.save(snapshot(1000, 1000))
    loaded = run.load(1000)
    assert torch.equal(loaded.model["w"], torch.full((2,), 1000.0)) and loaded.state["step"] == 1000
    names = {path.name for path in run.checkpoint(1000).iterdir()}
    assert names == {"model.safetensors", "train.safetensors", "state.json", "MANIFEST.json"}


def test_the_last_two_and_the_best_are_kept(run):
    for step in (100, 200, 300, 400):
        run.save(snapshot(step, 100))
    assert run.steps() == [100, 300, 400]
    run.save(snapshot(500, 500))
    assert run.steps() == [400, 500]


def test_a_checkpoint_is_kept_when_newer_ones_are_there(run):
    for step in (1010, 1030, 1040):
        run.save(snapshot(step, 1010))
    run.save(snapshot(1015, 1010))  # as by a run that went on from an older checkpoint
    assert run.steps() == [1010, 1015, 1030, 1040] and run.load(1015).state["step"] == 1015


def test_a_run_that_another_process_has_locked_meanwhile_is_not_saved(run, monkeypatch):
    monkeypatch.setattr("seqgen.files.lock._try_folder", lambda descriptor: True)  # as on network disks
    before = run.steps()
    with run.locked() as first:
        (run.path / ".lock").unlink()
        with run.locked() as second:
            with pytest.raises(RunLocked, match="trained by process"):
                first.save(snapshot(1000))
            assert run.steps() == before
            second.save(snapshot(1000))


def test_resuming_removes_what_killed_processes_have_left(run):
    left = [folder / f".tmp-seqgen-{32 * '0'}" for folder in (run.path, run.path / "checkpoints")]
    for path in left:
        path.mkdir()
    seqgen.resume(run.path)
    assert not any(path.exists() for path in left)


FILES = ("model.safetensors", "train.safetensors", "state.json", "MANIFEST.json")


@pytest.mark.promise("R5")
@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_detected(run, name, record_property):
    """60 flipped bits of each file of a checkpoint."""
    record_property("cases", 60)
    step = run.steps()[-1]
    path = run.checkpoint(step) / name
    good = path.read_bytes()
    random.seed(0)
    for _ in range(60):
        bad = bytearray(good)
        bad[random.randrange(len(bad))] ^= 1 << random.randrange(8)
        path.write_bytes(bytes(bad))
        with pytest.raises(CheckpointError) as caught:
            read_verified(run.checkpoint(step))
        assert "\n" not in str(caught.value)
    path.write_bytes(good)
    read_verified(run.checkpoint(step))


@pytest.mark.parametrize("name", FILES)
def test_every_truncation_is_detected(run, name):
    step = run.steps()[-1]
    path = run.checkpoint(step) / name
    good = path.read_bytes()
    for length in (0, 1, len(good) // 2, len(good) - 2):
        path.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match=name):
            read_verified(run.checkpoint(step))
    path.unlink()
    with pytest.raises(CheckpointError, match=name):
        read_verified(run.checkpoint(step))


def test_a_damaged_checkpoint_falls_back_and_says_so(run):
    *_, older, newest = run.steps()
    path = run.checkpoint(newest) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    said: list[str] = []
    loaded = run.load_latest(said.append)
    assert loaded is not None and loaded.state["step"] == older
    assert len(said) == 1 and "model.safetensors" in said[0] and f"using step {older} instead" in said[0]


@pytest.mark.parametrize("name", ["run.json", "tokenizer.json"])
def test_the_runs_own_files_are_vouched_for(run, name):
    path = run.path / name
    path.write_bytes(path.read_bytes().replace(b'"', b"'", 1))
    with pytest.raises(CheckpointError, match=name):
        run.load_latest(pytest.fail)


def test_a_missing_file_of_the_run_is_named_with_what_to_do(run):
    (run.path / "tokenizer.json").unlink()
    with pytest.raises(
        CheckpointError, match=r"tokenizer.json': it is missing; restore it from a copy, or train again"
    ):
        run.load_latest(pytest.fail)


def test_all_damaged_is_an_error(run):
    for step in run.steps():
        (run.checkpoint(step) / "MANIFEST.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        run.load_latest(pytest.fail)


def test_never_saved_is_no_error(run):
    shutil.rmtree(run.path / "checkpoints")
    assert run.load_latest(pytest.fail) is None
    with pytest.raises(CheckpointError, match="no checkpoint yet; run: seqgen resume"):
        run.load_best(pytest.fail)
    with run.locked(), pytest.raises(CheckpointError, match="trains it; wait for its first evaluation"):
        run.load_best(pytest.fail)


HOSTILE = [b"", b"[]", b"null", b"[" * 100_000, b'{"format_version": "1"}', b"\x80\x04cposix\nsystem\n.", b"{"]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["run.json", "tokenizer.json"])
def test_hostile_json_is_refused_in_one_line(run, name, content):
    (run.path / name).write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        seqgen.load(run.path).sample(1)
    assert "\n" not in str(caught.value)


@pytest.mark.promise("R9")
def test_a_newer_format_says_what_to_do(run):
    data = run.read_json("run.json") | {"format_version": FORMAT_VERSION + 1, "seqgen": "9.0"}
    with pytest.raises(CheckpointError, match=r"needs seqgen >= 9\.0$"):
        RunSettings.read(data, "run.json")


def test_folders_are_numbered_and_never_overwritten(tmp_path):
    files = {"run.json": b"{}"}
    names = [RunFolder.create_numbered(tmp_path, "a-b", files).name for _ in range(3)]
    assert names == ["a-b-001", "a-b-002", "a-b-003"]
    with pytest.raises(UsageError, match="seqgen resume"):
        RunFolder.create(tmp_path / "a-b-001", files)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="it exists"):
        RunFolder.create(tmp_path / "file", files)


def test_runs_are_found_by_folder_name_and_age(tiny_run, tmp_path):
    base = tmp_path / "runs"
    for name, created in (("old", "2001-01-01"), ("new", "2002-02-02")):
        shutil.copytree(tiny_run.path, base / name)
        data = json.loads((base / name / "run.json").read_text()) | {"created": created}
        (base / name / "run.json").write_text(json.dumps(data))
    (base / "broken").mkdir()
    (base / "broken" / "run.json").write_text("nonsense")
    assert [run.name for run in list_runs(base)] == ["new", "old", "broken"]
    assert find_run("old", base).path == base / "old" == find_run(base / "old", tmp_path).path
    with pytest.raises(NoSuchRun, match="are new, old, broken; did you mean 'old'"):
        find_run("olt", base)
    with pytest.raises(NoSuchRun, match="not a run folder"):
        find_run(tmp_path, base)
    with pytest.raises(NoSuchRun, match="seqgen train"):
        find_run(None, tmp_path / "nowhere")
    with pytest.raises(NoSuchRun, match=r"there are no runs in .*seqgen train"):
        find_run("old", tmp_path / "nowhere")
    shutil.copytree(tiny_run.path, tmp_path / "newest")  # as by --out newest
    (tmp_path / "link").symlink_to(base / "old", target_is_directory=True)  # of which nothing is known
    shutil.copytree(tiny_run.path, tmp_path / "exported")
    (tmp_path / "exported" / "metrics.jsonl").unlink()
    assert [run.name for run in list_runs(base)] == ["new", "old", "broken"]
    assert [run.name for run in list_runs(base, beside=True)] == ["newest", "new", "old", "broken"]
    with contextlib.chdir(tmp_path):
        assert find_run(None, Path("runs")).path == Path("newest")
        with pytest.raises(NoSuchRun, match="are newest, new, old, broken"):
            find_run("other", Path("runs"))


def test_a_few_runs_are_named_to_who_asks_for_none_of_them(tmp_path):
    for number in range(1, 8):
        RunFolder.create(tmp_path / f"a-{number}", {"run.json": json.dumps({"created": f"200{number}"}).encode()})
    with pytest.raises(NoSuchRun) as caught:
        find_run("nosuchrun", tmp_path)
    assert "are a-7, a-6, a-5, a-4, a-3 and 2 more (seqgen runs)" in str(caught.value)
    assert "mean" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[]", b"{}", b"[" * 100_000, b'{"step": "1"}', b"nonsense"], ids=range(5))
def test_a_consistent_but_hostile_state_is_refused(run, content):
    """A writer of a run folder can fix the checksums; the content they cover is still validated."""
    import hashlib

    step = run.steps()[-1]
    folder = run.checkpoint(step)
    (folder / "state.json").write_bytes(content)
    manifest, _ = load_checksummed((folder / "MANIFEST.json").read_bytes())
    manifest["files"]["state.json"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "MANIFEST.json").write_bytes(dump_checksummed(manifest))
    with pytest.raises(CheckpointError, match="has invalid values"):
        run.load(step)
    assert run.latest_state()["step"] < step


def test_a_log_that_has_lost_lines_is_not_filled_up(run):
    state = run.latest_state()
    content, size = run.metrics.path.read_bytes(), state["log_bytes"]["metrics.jsonl"]
    for left in (content[: size // 2], b""):
        run.metrics.path.write_bytes(left)
        log = run.metrics
        assert f"metrics.jsonl' is damaged: it has {len(left):,} bytes" in log.truncate(size)
        assert log.path.read_bytes() == left + b"\n" and log.checksum()["damaged_bytes"] == len(left) + 1
