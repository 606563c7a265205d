"""Paths below a folder: no link is followed, and leftovers of dead processes are told from files being written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seqgen import files
from seqgen.errors import CheckpointError, DiskError, LinkRefused, RunLocked
from seqgen.files import SafePath, safe_path

HOLD = """
import pathlib, sys
from seqgen import files
def fill(new):
    files.write_synced(new / "data", b"half")
    print("writing", flush=True)
    sys.stdin.read()
files.build_folder(files.SafePath(pathlib.Path(sys.argv[1])) / "target", fill)
"""


def hold(folder: Path, *before: str) -> subprocess.Popen[bytes]:
    """A process that has written half of a folder."""
    command = [*before, sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    return process


@pytest.fixture(params=["by descriptor", "by path"])
def way(request, monkeypatch):
    """Access names as on POSIX or as on Windows."""
    monkeypatch.setattr(safe_path, "BY_DESCRIPTOR", request.param == "by descriptor")


LINKS = {
    "dangling": lambda outside: "/nowhere/at/all",
    "to a file": lambda outside: outside / "file",
    "to a folder": lambda outside: outside / "folder",
    "to itself": lambda outside: "name",
}
USES = {
    "read": lambda path: path.read(),
    "append": lambda path: path.open("ab"),
    "make": lambda path: path.open("xb"),
    "lock": lambda path: path.open("r+b"),
    "look": lambda path: path.exists(),
    "list": lambda path: path.listing(),
    "publish": lambda path: files.write_atomic(path, b"new"),
    "remove": lambda path: files.remove_folders(SafePath(path.root, path.names[:-1]), [path.name]),
    "read below": lambda path: (path / "inside").read(),
    "publish below": lambda path: files.write_atomic(path / "new", b"new", make_parents=True),
    "publish a folder below": lambda path: files.write_folder_atomic(path / "new", {"a": b"1"}),
    "remove below": lambda path: files.remove_folders(path, ["inside"]),
    "clean below": lambda path: files.remove_temporaries(path),
    "log": lambda path: files.JsonLines(path).append({"a": 1}),
    "log rows": lambda path: files.JsonLines(path).rows(),
    "lock below": lambda path: files.FolderLock(path),
    "holder below": lambda path: files.last_holder(path),
}


def content(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("link", LINKS)
def test_no_use_follows_a_link(link, use, way, tmp_path):
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    for name in ("file", "folder/inside", "folder/.lock", "folder/.tmp-seqgen-" + 32 * "0"):
        (outside / name).write_bytes(b'{"mine": 1}\n')
    (tmp_path / "root" / "under").mkdir(parents=True)
    (tmp_path / "root" / "under" / "name").symlink_to(LINKS[link](outside))
    before = content(tmp_path)
    with pytest.raises(LinkRefused, match="is a link") as caught:
        USES[use](SafePath(tmp_path / "root") / "under/name")
    assert caught.value.exit_code == 4 and "\n" not in str(caught.value)
    assert content(tmp_path) == before


def test_the_root_and_its_parents_may_be_links(way, tmp_path):
    (tmp_path / "real" / "root").mkdir(parents=True)
    (tmp_path / "parents").symlink_to(tmp_path / "real")
    (tmp_path / "root").symlink_to(tmp_path / "parents" / "root")
    for number, root in enumerate((tmp_path / "root", tmp_path / "parents" / "root")):
        files.write_atomic(SafePath(root) / f"below/{number}", b"x", make_parents=True)
    assert sorted(os.listdir(tmp_path / "real" / "root" / "below")) == ["0", "1"]


def test_a_folder_that_becomes_a_link_while_it_is_used_is_not_left(tmp_path):
    """The open folder is used even if its name now leads elsewhere."""
    (tmp_path / "root" / "under").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    under = SafePath(tmp_path / "root") / "under"

    def fill(new: SafePath) -> None:
        files.write_synced(new / "data", b"1")
        under.path.rename(tmp_path / "root" / "moved")
        under.path.symlink_to(tmp_path / "outside")

    with pytest.raises((DiskError, LinkRefused)):
        files.build_folder(under / "target", fill)
    assert content(tmp_path / "outside") == {}


def test_what_is_no_regular_file_is_refused_at_once(way, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    path = SafePath(tmp_path) / "pipe"
    for mode in ("rb", "ab", "r+b"):
        with pytest.raises(OSError, match=r"not a regular file|No such device"):
            path.open(mode)
    with pytest.raises(CheckpointError, match="not a regular file"):
        files.JsonLines(path).rows()
    with pytest.raises(DiskError):
        files.JsonLines(path).truncate(0)


def test_a_log_beyond_reason_is_not_read(tmp_path):
    log = files.JsonLines(tmp_path / "log")
    log.append({"a": 1})
    os.truncate(log.path, 4 << 30)
    with pytest.raises(CheckpointError, match=r"more than 67,108,864 bytes"):
        log.rows()
    log.truncate(9)
    assert log.rows() == [{"a": 1}]


@pytest.mark.parametrize(
    "start",
    [
        files.remove_temporaries,
        lambda folder: files.write_atomic(folder / "file", b"1"),
        lambda folder: files.write_folder_atomic(SafePath(folder) / os.urandom(4).hex(), {"a": b"1"}),
    ],
)
def test_what_a_live_process_writes_is_left_alone_and_what_a_dead_one_wrote_goes(start, tmp_path):
    writer = hold(tmp_path)
    start(tmp_path)
    (temporary,) = tmp_path.glob(".tmp-*")
    assert (temporary / "data").read_bytes() == b"half"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    start(tmp_path)
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_live_process_with_the_same_number_is_told_apart(tmp_path):
    """Two containers: each process is number 1 of its own."""
    unshare = ("unshare", "--pid", "--fork", "--kill-child")
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process namespaces here")
    first, second = hold(tmp_path, *unshare), hold(tmp_path, *unshare)
    assert len(list(tmp_path.glob(".tmp-*"))) == 2
    first.communicate()
    assert (tmp_path / "target" / "data").read_bytes() == b"half"
    second.communicate()
    assert first.returncode == 0 and second.returncode != 0, "the name was taken"
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_leftover_whose_lock_cannot_be_asked_for_goes_after_a_day(tmp_path, monkeypatch):
    def refuse(descriptor, *, wait=False):
        raise OSError("no locks")

    monkeypatch.setattr("seqgen.files.temporary.try_lock", refuse)
    for name in ("0", "1"):
        (tmp_path / f".tmp-seqgen-{32 * name}").mkdir()
    os.utime(tmp_path / f".tmp-seqgen-{32 * '0'}", (1e9, 1e9))
    files.write_atomic(tmp_path / "file", b"1")
    assert sorted(os.listdir(tmp_path)) == [f".tmp-seqgen-{32 * '1'}", "file"]


def test_other_programs_temporary_names_are_left_alone(tmp_path):
    for name in (".tmp-other-123", ".tmp-seqgen-notes", ".tmp-x"):
        (tmp_path / name).touch()
    files.write_atomic(tmp_path / "file", b"1")
    assert len(os.listdir(tmp_path)) == 4


def test_a_folder_is_gone_at_once_however_its_removal_ends(tmp_path, monkeypatch):
    def die(directory, name):
        raise KeyboardInterrupt

    files.write_folder_atomic(tmp_path / "old", {"a": b"1", "b": b"2"})
    monkeypatch.setattr(safe_path.Directory, "remove", die)
    with pytest.raises(KeyboardInterrupt):
        files.remove_folders(SafePath(tmp_path), ["old"])
    monkeypatch.undo()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".tmp-seqgen-")
    files.remove_temporaries(tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_that_remove_one_folder_at_once_both_succeed(tmp_path):
    """As two workers do that find the folder of a third, which was killed."""
    for number in range(200):
        files.write_folder_atomic(tmp_path / f"worker-{number}", {"a": b"1"})
    together = threading.Barrier(2)

    def remove_all() -> None:
        for number in range(200):
            together.wait(timeout=10)
            files.remove_folders(SafePath(tmp_path), [f"worker-{number}"])

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(remove_all) for _ in range(2)]:
            done.result()
    assert not list(tmp_path.iterdir())


@pytest.mark.full
@pytest.mark.promise("R8")
def test_removing_the_lock_file_lets_nobody_in(tmp_path):
    """The lock on the folder itself stays; the file is put back."""
    lock = files.FolderLock(tmp_path)
    (tmp_path / ".lock").unlink()
    with pytest.raises(RunLocked, match="another process"):
        files.FolderLock(tmp_path)
    lock.ensure_held()
    with pytest.raises(RunLocked, match=f"process {os.getpid()}"):
        files.FolderLock(tmp_path)
    lock.release()
    files.FolderLock(tmp_path).release()


@pytest.mark.promise("R8")
def test_where_folders_cannot_be_locked_the_first_notices_the_second(tmp_path, monkeypatch):
    """On network disks the second process gets in by a new lock file, and the first notices before it saves."""
    monkeypatch.setattr("seqgen.files.lock._try_folder", lambda descriptor: True)
    first = files.FolderLock(tmp_path)
    (tmp_path / ".lock").unlink()
    second = files.FolderLock(tmp_path)
    with pytest.raises(RunLocked, match=f"process {os.getpid()}"):
        first.ensure_held()
    second.ensure_held()
    first.release()
    second.release()
