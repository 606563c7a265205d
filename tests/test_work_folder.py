"""``seqgen.WorkFolder``: a folder of runs and results of a plugin's own; and what a plugin finds out of the others."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

import seqgen
from seqgen.errors import FAULT_NOTE, BadOption, CheckpointError, DiskError, Interrupted, RunLocked, UnknownName
from seqgen.signals import Signalled


def test_a_new_folder_has_the_next_number(in_tmp):
    first, second = (seqgen.WorkFolder.create("study of a/b", {"results.json": {"runs": []}}) for _ in range(2))
    assert [str(folder.path) for folder in (first, second)] == ["runs/study-of-a-b-001", "runs/study-of-a-b-002"]
    assert first.read("results.json") == b'{\n  "runs": []\n}\n'


def test_a_folder_is_made_or_opened_as_it_is(in_tmp):
    folder = seqgen.WorkFolder.open("study/one", {"results.json": [1]})
    folder.write("table.csv", b"a,b\n")
    again = seqgen.WorkFolder.open(in_tmp / "study" / "one", {"results.json": [2]})
    assert again.read("results.json") == b"[\n  1\n]\n" and again.read("table.csv") == b"a,b\n"
    (in_tmp / "file").write_text("")
    for taken in ("file", "run"):
        if taken == "run":
            (in_tmp / "run").mkdir()
            (in_tmp / "run" / "run.json").write_text("{}")
        with pytest.raises(BadOption, match=taken):
            seqgen.WorkFolder.open(taken, {"results.json": 0})


def test_one_process_at_a_time(in_tmp):
    folder = seqgen.WorkFolder.open("study", {"results.json": 0})
    with folder.locked(), pytest.raises(RunLocked), seqgen.WorkFolder(folder.path).locked():
        pass
    with folder.locked():
        pass


@pytest.mark.parametrize("name", ["../a.json", "/a.json", "a/../../b.json", "", "a\0b.json"])
def test_no_name_leads_out_of_a_folder(name, in_tmp):
    for make in (seqgen.WorkFolder.create, seqgen.WorkFolder.open):
        with pytest.raises(seqgen.BadOption, match="is no name within"):
            make("study", {name: 1})
    folder = seqgen.WorkFolder.open("study", {"results.json": 0})
    for act in (folder.read, folder.remove, lambda name: folder.write(name, b"")):
        with pytest.raises(seqgen.BadOption, match="is no name within"):
            act(name)
    assert [path.name for path in in_tmp.iterdir()] == ["study"]


def test_no_link_is_followed(in_tmp):
    folder = seqgen.WorkFolder.open("study", {"results.json": 0})
    (in_tmp / "outside").write_text("mine")
    (folder.path / "link.json").symlink_to(in_tmp / "outside")
    for act in (lambda: folder.read("link.json"), lambda: folder.write("link.json", b"")):
        with pytest.raises(CheckpointError):
            act()
    assert (in_tmp / "outside").read_text() == "mine"


def test_runs_of_a_folder(words, in_tmp):
    folder = seqgen.WorkFolder.open("study", {"results.json": 0})
    assert folder.run("gru-seed0") is None
    plan = seqgen.plan(words, cell="gru", hidden=4, steps=1)
    plan.train(folder.path / "gru-seed0", root=folder.path)
    run = folder.run("gru-seed0")
    assert run is not None and run.settings.cell.name == "seqgen_classic:gru" and len(run.sample(2)) == 2
    folder.remove("gru-seed0")
    assert folder.run("gru-seed0") is None and not (folder.path / "gru-seed0").exists()


# -- plugins and failures


def test_the_plugins_of_a_call(plugins):
    assert seqgen.choose_plugins(plugins) is plugins and "gru" in seqgen.choose_plugins().registry.names("cell")


def test_options_of_parts_by_name():
    assert "activation" in seqgen.option_names("cell", "vanilla") and "hidden" in seqgen.option_names(
        "model", "recurrent"
    )
    assert {"steps", "lr", "split"} <= set(seqgen.option_names("train"))
    with pytest.raises(UnknownName):
        seqgen.option_names("cell", "nothing")


def test_declared_values_of_options():
    ranges = seqgen.option_ranges("model", "recurrent")
    assert list(ranges) == seqgen.option_names("model", "recurrent")
    assert ranges["layers"] == seqgen.OptionRange(int, 1, 256) and ranges["tie"] == seqgen.OptionRange(bool)
    assert ranges["skip"] == seqgen.OptionRange(None, choices=("none", "residual", "highway"))
    assert ranges["dropout"].low == 0 and 0.999 < ranges["dropout"].high < 1, "less than 1"
    assert seqgen.option_ranges("cell", "mamba")["rank"] == seqgen.OptionRange(int, 1, 65_536), "or None"
    train = seqgen.option_ranges("train")
    assert 0 < train["lr"].low < 1e-300 and train["lr"].high == 10 and train["split"] == seqgen.OptionRange(None)
    assert train["steps"].high == 2**63 - 1 and train["blend"].choices == ("auto", "ngram", "none")


def test_the_reason_of_a_failure_is_one_line():
    blamed = ValueError("two\nlines")
    blamed.add_note(f"{FAULT_NOTE}cell x fails on its first batch")
    assert seqgen.failure_reason(blamed) == "cell x fails on its first batch: ValueError: two lines"
    assert seqgen.failure_reason(ValueError("odd")) == "ValueError: odd"
    assert seqgen.failure_reason(BadOption("no such option")) == "no such option"


@pytest.mark.parametrize("error", [Interrupted(2), DiskError("full"), Signalled(15), KeyboardInterrupt()], ids=repr)
def test_what_is_no_failure_of_a_part_is_raised(error):
    with pytest.raises(type(error)):
        seqgen.failure_reason(error)


def test_the_holder_is_found_without_its_lock(in_tmp):
    folder = seqgen.WorkFolder.open("study", {"results.json": 0})
    assert folder.holder() is None
    with folder.locked():
        found = seqgen.WorkFolder(folder.path).holder()
        assert found is not None and found.alive and found.pid == os.getpid() and abs(found.since - time.time()) < 60
        line = (folder.path / ".lock").read_text()
    assert folder.holder() is None  # it has released the lock
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for changed, alive in (
        (line.replace(f"process {os.getpid()} ", f"process {ended.pid} "), False),
        (line.replace(" on ", " on another"), None),
        (line[: line.rindex("since")] + "since 2001-01-01 00:00:00\n", sys.platform != "linux"),
    ):
        (folder.path / ".lock").write_text(changed)
        found = folder.holder()
        assert found is not None and found.alive is alive
    for damaged in ("process", "process 1 on x since yesterday", "process 1 on x since 9999-99-99 00:00:00", "\0" * 50):
        (folder.path / ".lock").write_text(damaged)
        assert folder.holder() is None
    (folder.path / ".lock").unlink()
    (folder.path / ".lock").symlink_to(in_tmp / "elsewhere")
    with pytest.raises(CheckpointError, match="link"):
        folder.holder()
