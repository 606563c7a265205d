"""Corpora at an address: fetched once, kept by content, and refused in one line."""

from __future__ import annotations

import functools
import gzip
import http.server
import shutil
import sys
import threading
from pathlib import Path

import pytest

import seqgen
from seqgen.addresses import fetch
from seqgen.corpus import is_address
from seqgen.errors import CorpusError, MissingExtra, NoSuchFile, UsageError

fsspec = pytest.importorskip("fsspec")
TINY = ("--cell", "vanilla", "--hidden", 4, "--steps", 2, "--split", "none", "-o", "samples=1")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "seqgen" / "addresses"


@pytest.fixture
def memory():
    """Files in fsspec's file system in memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield lambda path, content: system.pipe_file(path, content)
    system.store.clear()


@pytest.fixture
def server(tmp_path):
    """A web server of a folder, and its address."""
    pytest.importorskip("aiohttp")
    folder = tmp_path / "web"
    folder.mkdir()
    handler = functools.partial(
        type("Q", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *said: None}), directory=folder
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.full
def test_a_run_learns_from_an_address_and_resumes_from_the_copy(memory, cache, cli, in_tmp):
    memory("/data/names.csv", b"name,kind\nanna,f\nben,m\n")
    address = "memory://data/names.csv"
    trained = cli("train", "--corpus", address, "--label-field", "kind", *TINY, "--out", "run")
    assert trained.code == 0 and trained.err.count("fetching it into") == 1, trained.err
    assert f"corpus {address!r}: fetching it into {str(cache)!r}" in trained.err and "names: 2 " in trained.err
    memory("/data/names.csv", b"name,kind\nzoe,f\n")
    run = seqgen.load("run")
    assert run.settings.corpus.options["path"] == address
    assert [(record.text, record.label) for record in run.corpus] == [("anna", "f"), ("ben", "m")]
    assert cli("resume", "run").code == 0 and cli("evaluate", "run", "-n", 2).code == 0
    again = cli("show", "corpus", address)
    assert again.code == 0 and f"corpus {address!r}: read from the copy of 20" in again.err
    copy = again.err.partition("remove '")[2].partition("'")[0]
    assert Path(copy).name == "names.csv" and Path(copy).parent.parent == cache
    shutil.rmtree(Path(copy).parent)
    changed = cli("sample", "run", "--novel", "-n", 1)
    assert changed.code == 3 and "has changed since the run began" in changed.err
    fresh = cli("train", "--from", "run", "--steps", 1, "--split", "none", "--out", "next")
    assert fresh.code == 0, fresh.err


@pytest.mark.full
def test_several_addresses_and_files_are_one_corpus(memory, cli, in_tmp):
    memory("/a.txt.gz", gzip.compress(b"anna\n"))
    Path("b.txt").write_text("ben\n")
    trained = cli("train", "--corpus", "memory://a.txt.gz", "--corpus", "b.txt", *TINY, "--out", "run")
    assert trained.code == 0 and "a.txt+1: 2 training records" in trained.err, trained.err
    assert sorted(record.text for record in seqgen.load("run").corpus) == ["anna", "ben"]
    (in_tmp / "run.toml").write_text('[corpus]\nname = "memory://a.txt.gz"\n')
    assert "read from the copy" in cli("train", "--config", "run.toml", *TINY).err


@pytest.mark.full
def test_a_page_of_the_web_is_fetched(server, cache, cli, in_tmp):
    folder, address = server
    (folder / "names.txt").write_bytes(b"anna\nben\n" * 120_000)
    assert fetch(f"{address}/names.txt").read_bytes() == b"anna\nben\n" * 120_000
    (folder / "names.txt").unlink()
    shown = cli("show", "corpus", f"{address}/names.txt", "--json")
    assert shown.code == 0 and '"records": 240000' in shown.out
    with pytest.raises(NoSuchFile, match=r"no such file: 'http://.*/none.txt'"):
        fetch(f"{address}/none.txt")
    assert sorted(path.name for path in cache.iterdir() if path.name != "index")[1:] == [], "nothing is left behind"


def test_equal_content_is_kept_once(memory, cache):
    memory("/a/x.txt", b"anna\n")
    memory("/b/x.txt", b"anna\n")
    assert fetch("memory://a/x.txt") == fetch("memory://b/x.txt")
    (index,) = [path for path in (cache / "index").iterdir() if "a/x.txt" in path.read_text()]
    index.write_text("{")
    lines = []
    fetch("memory://a/x.txt", lines.append)
    assert len(lines) == 1 and "fetching it" in lines[0]


@pytest.mark.parametrize("port", [99999, "abc"])
def test_a_port_that_is_none_is_refused_before_anything_is_fetched(port):
    warned = []
    with pytest.raises(UsageError, match=r"it is no address, Port .*write it like https://"):
        fetch(f"http://localhost:{port}/x.txt", warned.append)
    assert warned == []


@pytest.mark.full
def test_what_cannot_be_fetched_is_one_line(memory, cli, in_tmp, monkeypatch):
    memory("/a/x.txt", b"anna\n")
    for address, error, said in (
        ("memory://none.txt", NoSuchFile, "no such file: 'memory://none.txt'"),
        ("nope://x", UsageError, "cannot fetch 'nope://x': Protocol not known: nope"),
        ("memory://a", UsageError, "an address names one file; pass --corpus for each"),
        ("memory://a/*.txt", UsageError, "an address names one file; pass --corpus for each"),
        ("https://me:secret@host/x", UsageError, "cannot use the address of 'host' with a password in it"),
        (
            "http://127.0.0.1:9/x.txt",
            CorpusError,
            "cannot fetch 'http://127.0.0.1:9/x.txt': the host '127.0.0.1' is not",
        ),
    ):
        with pytest.raises(error) as caught:
            fetch(address)
        assert said in str(caught.value) and "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtra, match=r"the address 's3://b/x' needs a package that is not installed: .*s3fs"):
        fetch("s3://b/x")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    refused = cli("train", "--corpus", "s3://b/x.csv", *TINY)
    assert (refused.code, refused.err.splitlines()[-1]) == (
        2, "seqgen: the address 's3://b/x.csv' needs the extra 'fsspec': pip install 'seqgen-lm[fsspec]'",
    )  # fmt: skip
    assert not is_address("C:/x") and not is_address("a/b") and is_address("hf://datasets/x/y.csv")
