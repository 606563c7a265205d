"""R31: all files of a run have checksums, logs and corpus.json too; a damaged log is a warning."""

from __future__ import annotations

import json
import random

import pytest

import seqgen
from conftest import WORDS, one_in
from resuming import Stopper
from seqgen.checkpoint import RunFolder, damaged_logs
from seqgen.errors import CheckpointError, Interrupted
from seqgen.files import dump_json, load_checksummed

LOGS = ("metrics.jsonl", "samples.jsonl")
WISHES = {"cell": "vanilla", "hidden": 6, "batch_size": 8, "steps": 30, "split": "80/10/10"}


@pytest.fixture
def stopped(in_tmp):
    """A run that was stopped at step 20 and resumed on another corpus until step 25, so that it has a corpus.json."""
    (in_tmp / "words.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    with pytest.raises(Interrupted):
        seqgen.train("words.txt", **WISHES, options={"eval_every": 5}, out="run", listener=Stopper(20))
    (in_tmp / "words.txt").write_text("\n".join(WORDS[1:]) + "\n", encoding="utf-8")
    with pytest.raises(Interrupted):
        seqgen.resume("run", allow_corpus_change=True, listener=Stopper(25))
    return RunFolder(in_tmp / "run")


def flipped(content: bytes, rng: random.Random) -> bytes:
    bad = bytearray(content)
    bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
    return bytes(bad)


@pytest.mark.full
@pytest.mark.promise("R31")
def test_a_thousand_flips_over_all_files_of_a_run_are_found(stopped, record_property):
    """1,000 random single-bit flips over all files of a run, its logs among them: each is found, the file named."""
    run, rng = stopped, random.Random(0)
    newest = run.steps()[-1]
    own = [path for path in sorted(run.path.iterdir()) if path.is_file() and path.name != ".lock"]
    paths = [*own, *sorted(run.checkpoint(newest).iterdir())]
    assert {path.name for path in own} == {"run.json", "tokenizer.json", "corpus.json", *LOGS} and len(paths) == 9
    covered = json.loads((run.checkpoint(newest) / "MANIFEST.json").read_bytes())["logs"]
    assert {name: found["bytes"] for name, found in covered.items()} == {
        name: (run.path / name).stat().st_size for name in LOGS
    }
    for number in range(1000):
        path = paths[number % len(paths)]
        good = path.read_bytes()
        path.write_bytes(flipped(good, rng))
        try:
            if path.name in LOGS:
                (line,) = damaged_logs(run)
                assert path.name in line and "\n" not in line
                assert run.load_latest(pytest.fail).state["step"] == newest
                continue
            with pytest.raises(CheckpointError) as caught:
                run.settings()
                run.load(newest)
            assert path.name in str(caught.value) or path.name == "MANIFEST.json"
        finally:
            path.write_bytes(good)
    assert damaged_logs(run) == [] and run.load_latest(pytest.fail).state["step"] == newest
    record_property("cases", 1000)


@pytest.mark.full
@pytest.mark.promise("R31")
@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("how", one_in(3, ["flipped", "cut", "gone"]))
def test_a_damaged_log_warns_and_the_run_goes_on(name, how, stopped, cli, record_property):
    """Logs flipped, cut and removed: verify ends with 4, sampling works, resuming says it; so does every checkpoint."""
    path = stopped.path / name
    good = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(good[: len(good) // 2] if how == "cut" else flipped(good, random.Random(3)))
    verified = cli("checkpoint", "verify", "run", "--json")
    assert verified.code == 4 and "a log is damaged; the checkpoints can be used" in verified.err
    rows = json.loads(verified.out)
    assert rows[-1]["state"] == "ok" and rows[-1]["logs"] == "damaged" and name in rows[-1]["problem"]
    assert cli("sample", "run", "-n", 2).code == 0
    shown = cli("show", "run", "run")
    assert shown.code == 0 and shown.err.count("is damaged") == 1 and name in shown.err
    said: list[str] = []
    assert seqgen.load("run", warn=said.append).metrics is not None and name in said[0]
    resumed = cli("resume", "run")
    assert resumed.code == 0
    (line,) = [line for line in resumed.err.splitlines() if "is damaged" in line and "the run continues" in line]
    assert name in line
    (line,) = damaged_logs(stopped)  # what was damaged stays known
    assert name in line and "when the run was resumed" in line
    assert seqgen.load("run").metrics[-1]["step"] == 30
    record_property("cases", 1)


def test_what_is_written_behind_the_last_checkpoint_is_no_damage(stopped):
    for name in LOGS:
        with (stopped.path / name).open("ab") as file:
            file.write(b'{"step": 26')
    assert damaged_logs(stopped) == []
    resumed = seqgen.resume("run", warn=pytest.fail)
    assert resumed.metrics[-1]["step"] == 30 and damaged_logs(resumed.folder) == []


def test_logs_that_no_manifest_speaks_of_are_read_as_before(stopped, cli):
    for step in stopped.steps():
        path = stopped.checkpoint(step) / "MANIFEST.json"
        manifest, sealed = load_checksummed(path.read_bytes())
        assert sealed
        path.write_bytes(dump_json({name: manifest[name] for name in ("format_version", "files", "run")}))
    corpus = stopped.path / "corpus.json"
    corpus.write_bytes(dump_json(load_checksummed(corpus.read_bytes())[0]))
    (stopped.path / "metrics.jsonl").write_bytes(
        flipped((stopped.path / "metrics.jsonl").read_bytes(), random.Random(1))
    )
    assert {row["logs"] for row in json.loads(cli("checkpoint", "verify", "run", "--json").out)} == {"no checksums"}
    assert damaged_logs(seqgen.resume("run", warn=pytest.fail).folder) == []


def test_the_log_of_an_older_checkpoint_counts_when_the_newest_is_damaged(stopped):
    """The run goes on from the older one, whose log is shorter than the newest says."""
    newest = stopped.checkpoint(stopped.steps()[-1])
    model = newest / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-1])
    said: list[str] = []
    snapshot = stopped.load_latest(said.append)
    for name in LOGS:
        log = stopped.metrics if name == LOGS[0] else stopped.samples
        assert log.truncate(snapshot.state["log_bytes"][name], snapshot.logs[name]) == ""
    assert len(said) == 1 and damaged_logs(stopped) == []


def test_saving_does_not_read_the_log_again(stopped, monkeypatch):
    log, read = stopped.metrics, []
    log.truncate(log.path.stat().st_size)
    monkeypatch.setattr(type(log), "_read_hash", lambda *given: read.append(given))
    for number in range(3):
        log.append({"step": number})
        assert log.sync() == log.checksum()["bytes"] == log.path.stat().st_size
    monkeypatch.undo()
    assert read == [] and log.check(log.checksum()) == "" and stopped.metrics.checksum() == log.checksum()
