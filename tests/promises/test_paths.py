"""R6: folders that cannot be written to, links, and names of all kinds give a run, or one line."""

from __future__ import annotations

import errno
import os
import shutil
import stat

import pytest

import seqgen
from conftest import one_in
from seqgen.checkpoint import RunFolder
from watched import Disk

TRAIN = ("--cell", "vanilla", "--hidden", 4, "--steps", 2, "-o", "samples=0")
NAMES = ["with space", "tüü-名前", "a'b\"c$d;e", "-dash", "x" * 255, "[/x] {b}", "new\nline"]


@pytest.mark.full
@pytest.mark.promise("R6")
@pytest.mark.parametrize("name", one_in(3, NAMES), ids=range(len(NAMES)))
def test_a_run_folder_of_any_name_works(name, words, in_tmp, cli):
    """Spaces, quotes, other scripts, line ends, a name of 255 bytes: trained, sampled from, verified."""
    result = cli("train", "--corpus", words, *TRAIN, f"--out={in_tmp}/{name}")
    assert result.code == 0, result.err
    assert cli("sample", in_tmp / name, "-n", 2).code == 0
    assert cli("checkpoint", "verify", in_tmp / name).code == 0
    assert cli("resume", in_tmp / name).code == 0


@pytest.mark.promise("R6")
def test_a_name_beyond_what_the_system_allows_is_refused(words, in_tmp, cli):
    result = cli("train", "--corpus", words, *TRAIN, "--out", in_tmp / ("x" * 256))
    assert result.code == 7 and "name too long" in result.err.lower() and "Traceback" not in result.err


@pytest.mark.promise("R6")
def test_a_path_that_is_a_file_or_leads_through_one(words, in_tmp, cli):
    """A file where the run folder or its parent should be is said in one line."""
    (in_tmp / "file").touch()
    taken = cli("train", "--corpus", words, *TRAIN, "--out", in_tmp / "file")
    assert taken.code == 2 and "it exists" in taken.err
    through = cli("train", "--corpus", words, *TRAIN, "--out", in_tmp / "file" / "run")
    assert through.code == 7 and "cannot write" in through.err and "Traceback" not in through.err
    assert cli("sample", in_tmp / "file").code == 2


@pytest.mark.full
@pytest.mark.promise("R6")
def test_a_linked_run_folder_is_the_run(words, in_tmp, cli):
    """A link to a run folder, and a link among its parents, lead to the run, which is trained there."""
    (in_tmp / "real").mkdir()
    (in_tmp / "link").symlink_to(in_tmp / "real")
    assert cli("train", "--corpus", words, *TRAIN, "--out", in_tmp / "link" / "run").code == 0
    (in_tmp / "run").symlink_to(in_tmp / "real" / "run")
    assert cli("sample", in_tmp / "run", "-n", 1).code == 0
    assert cli("resume", in_tmp / "run").code == 0
    assert (in_tmp / "run").is_symlink()


@pytest.mark.full
@pytest.mark.promise("R6")
@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM], ids=errno.errorcode.get)
def test_a_folder_that_cannot_be_written_to_is_read(number, tiny_run, words, in_memory, cli, monkeypatch):
    """Read-only disk, no permission: reading commands work, training and resuming end with 7 and one line."""
    path = shutil.copytree(tiny_run.path, in_memory / "run")
    shutil.rmtree(RunFolder(path).checkpoint(RunFolder(path).steps()[-1]))  # so that there is something to resume

    def refuse(n, operation):
        raise OSError(number, os.strerror(number))

    with Disk(in_memory, refuse):
        assert cli("sample", path, "-n", 2).code == 0
        assert cli("score", "anna", "--run", path).code == 0
        assert cli("checkpoint", "verify", path).code == 0
        for command in (("resume", path), ("train", "--corpus", words, *TRAIN, "--out", in_memory / "new")):
            result = cli(*command)
            assert result.code == 7 and "Traceback" not in result.err, result.err
            assert str(in_memory) in result.err.splitlines()[-1] and os.strerror(number) in result.err
    assert not list(in_memory.rglob(".tmp-*"))


@pytest.mark.promise("R6")
@pytest.mark.skipif(os.getuid() == 0, reason="the administrator may write everywhere")
def test_real_permissions(words, in_tmp, cli):
    """A parent folder without the right to write."""
    (in_tmp / "closed").mkdir()
    (in_tmp / "closed").chmod(stat.S_IRUSR | stat.S_IXUSR)
    result = cli("train", "--corpus", words, *TRAIN, "--out", in_tmp / "closed" / "run")
    assert result.code == 7 and "Permission denied" in result.err


@pytest.mark.promise("R6")
@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl", ".lock"])
def test_a_link_in_a_run_is_not_written_through(name, tiny_run, in_memory):
    """A log or lock that is a link out of the folder is refused, and what it leads to is as it was."""
    path = shutil.copytree(tiny_run.path, in_memory / "run")
    shutil.rmtree(RunFolder(path).checkpoint(RunFolder(path).steps()[-1]))
    precious = in_memory / "precious"
    precious.write_text("mine\n" * 1000)
    (path / name).unlink(missing_ok=True)
    (path / name).symlink_to(precious)
    with pytest.raises(seqgen.CheckpointError, match="is a link"):
        seqgen.resume(path)
    assert precious.read_text() == "mine\n" * 1000
