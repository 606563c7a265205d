from __future__ import annotations

import contextlib
import errno
import os
import random
import stat
import subprocess
import sys

import pytest

from power import ROOT, Power
from seqgen import files
from seqgen.errors import DiskError, RunLocked
from seqgen.files import safe_path
from watched import Disk


@pytest.fixture
def failing(monkeypatch):
    """Makes the n-th fsync fail as a full disk does."""

    def set_up(at: int):
        calls = 0
        plain = os.fsync

        def fsync(descriptor):
            nonlocal calls
            calls += 1
            if calls == at:
                raise OSError(errno.ENOSPC, "No space left on device")
            plain(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        return lambda: calls

    return set_up


def test_publishing_a_file_keeps_the_old_one_when_the_disk_is_full(tmp_path, failing):
    path = tmp_path / "f"
    files.write_atomic(path, b"old")
    failing(1)
    with pytest.raises(DiskError, match=r"No space left.*bytes free") as caught:
        files.write_atomic(path, b"new")
    assert caught.value.exit_code == 7
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]


def test_publishing_a_folder_is_all_or_nothing_at_every_point(tmp_path, failing):
    content = {"a": b"1", "b": b"2", "c": b"3"}
    count = failing(0)
    files.write_folder_atomic(tmp_path / "whole", content)
    assert {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()} == content
    for at in range(1, count()):  # the last fsync is that of the parent, after the rename
        failing(at)
        target = tmp_path / f"t{at}"
        with pytest.raises(DiskError):
            files.write_folder_atomic(target, content)
        assert not target.exists() and not list(tmp_path.glob(".tmp-*"))


def test_a_taken_folder_is_not_overwritten(tmp_path):
    files.write_folder_atomic(tmp_path / "x", {"a": b"1"})
    with pytest.raises(DiskError):
        files.write_folder_atomic(tmp_path / "x", {"a": b"2"})
    assert (tmp_path / "x" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("swaps", [True, False])
def test_a_folder_is_replaced_at_every_point_or_not_at_all(tmp_path, failing, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr(safe_path.Directory, "exchange", lambda self, one, other: False)
    old, new = {"a": b"1", "b": b"2"}, {"a": b"3", "c": b"4"}
    count = failing(0)
    files.write_folder_atomic(tmp_path / "whole", old)
    n_old = count()
    files.write_folder_atomic(tmp_path / "whole", new, replaces=True)
    for at in range(n_old + 1, count() + 1):
        (folder := tmp_path / f"t{at}").mkdir()
        failing(at)
        files.write_folder_atomic(folder / "x", old)
        with contextlib.suppress(DiskError):
            files.write_folder_atomic(folder / "x", new, replaces=True)
        assert {path.name: path.read_bytes() for path in (folder / "x").iterdir()} in (old, new)
        assert os.listdir(folder) == ["x"]


def write_staged(path, data):
    with files.staged(path) as new:
        new.write_bytes(data)


@pytest.mark.parametrize("write", [files.write_atomic, write_staged])
def test_after_a_power_loss_a_file_has_its_old_or_its_new_content(in_memory, write):
    path = in_memory / "file"
    path.write_bytes(b"old")
    before = Power.look(in_memory)
    with Disk(in_memory) as disk:
        write(path, b"new and longer")
    power = Power(before, in_memory, disk.done)
    for at in range(len(disk.done) + 1):
        allowed = {b"new and longer"} if at == len(disk.done) else {b"old", b"new and longer"}
        for which, nodes in power.states(at, 40, random.Random(0)):
            assert nodes.files[nodes.folders[ROOT]["file"]] in allowed, which


def test_after_a_power_loss_a_folder_is_whole_or_missing(in_memory):
    before = Power.look(in_memory)
    with Disk(in_memory) as disk, files.staged(in_memory / "out") as new:
        new.mkdir()
        (new / "sub").mkdir()
        (new / "a").write_bytes(b"1" * 10)
        (new / "sub" / "b").write_bytes(b"2" * 10)
    power = Power(before, in_memory, disk.done)
    for at in range(len(disk.done) + 1):
        for which, nodes in power.states(at, 40, random.Random(0)):
            if (out := nodes.folders[ROOT].get("out")) is None:
                assert at < len(disk.done), which
                continue
            names = nodes.folders[out]
            assert nodes.files[names["a"]] == b"1" * 10, which
            assert nodes.files[nodes.folders[names["sub"]]["b"]] == b"2" * 10, which


def test_files_have_the_usual_mode(tmp_path):
    files.write_atomic(tmp_path / "f", b"")
    (tmp_path / "g").touch()
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == stat.S_IMODE((tmp_path / "g").stat().st_mode)


def test_temporaries_of_a_killed_process_go(tmp_path):
    (tmp_path / f".tmp-seqgen-{32 * '0'}").mkdir()
    (tmp_path / f".tmp-seqgen-{32 * '1'}").touch()
    (tmp_path / "keep").touch()
    files.remove_temporaries(tmp_path)
    assert os.listdir(tmp_path) == ["keep"]


def test_json_lines(tmp_path):
    log = files.JsonLines(tmp_path / "log.jsonl")
    assert log.rows() == []
    log.append({"a": 1})
    size = log.sync()
    log.append({"text": "ä\u2028"}, {"b": 2})
    assert log.rows() == [{"a": 1}, {"text": "ä\u2028"}, {"b": 2}]
    with log.path.open("ab") as file:
        file.write(b'{"cut sho')
    assert len(log.rows()) == 3
    log.truncate(size)
    assert log.rows() == [{"a": 1}]


def test_a_line_that_a_full_disk_cut_short_is_removed_when_the_log_is_synced(tmp_path):
    def fill_up(number, operation):
        if operation.kind == "write":
            operation.tear()
            raise OSError(errno.ENOSPC, "No space left on device")

    log = files.JsonLines(tmp_path / "log.jsonl")
    log.append({"a": 1})
    log.truncate(log.sync())
    with Disk(tmp_path, fill_up), pytest.raises(DiskError, match="No space left"):
        log.append({"b": 2})
    assert len(log.path.read_bytes()) > len(b'{"a": 1}\n')
    log.sync()
    log.append({"c": 3})
    assert log.rows() == [{"a": 1}, {"c": 3}]
    assert log.check(log.checksum(), whole=True) == ""


@pytest.mark.promise("R8")
def test_the_lock_names_its_holder_and_vanishes_with_it(tmp_path):
    program = (
        "import sys, pathlib; from seqgen.files import FolderLock\n"
        f"lock = FolderLock(pathlib.Path({str(tmp_path)!r})); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(RunLocked, match=rf"process {holder.pid} on .* since \d{{4}}-"):
        files.FolderLock(tmp_path)
    holder.kill()
    holder.communicate()
    files.FolderLock(tmp_path).release()


def test_who_holds_a_lock_can_be_read_while_it_is_taken(tmp_path, monkeypatch):
    """A folder is made with its holder's name; there is no moment when that is gone."""
    (tmp_path / ".lock").write_bytes(files.lock_file()[".lock"] + b"and more")
    seen = []

    def named():
        seen.append(files.last_holder(tmp_path))
        return "process 1\n"

    monkeypatch.setattr("seqgen.files.lock.this_process", named)
    lock = files.FolderLock(tmp_path)
    assert seen and all(seen)
    assert files.last_holder(tmp_path) == "process 1"
    lock.release()
    assert files.last_holder(tmp_path) == ""


def test_the_lock_stays_with_a_renamed_folder(tmp_path):
    (tmp_path / "a").mkdir()
    lock = files.FolderLock(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(RunLocked):
        files.FolderLock(tmp_path / "b")
    lock.release()


def test_only_this_module_opens_files_for_writing():
    """The rule of the design, by the words that write; ``read_text`` and ``open()`` for reading are free."""
    import re
    from pathlib import Path

    writing = re.compile(r"write_text|write_bytes|\.open\(\"[wax]|mkdir\(|\.unlink\(|rmtree|os\.replace|touch\(")
    core = Path(files.__file__).parent.parent
    guilty = [
        str(path.relative_to(core))
        for path in core.rglob("*.py")
        if path.parent.name != "files" and writing.search(path.read_text())
    ]
    assert guilty == []
