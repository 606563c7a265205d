"""Data files in other distributions: installed, in a wheel or unpacked, and never imported."""

from __future__ import annotations

import sys
import zipfile

import pytest

from conftest import install_fake
from seqgen.corpus import PackageFiles
from seqgen.errors import CorpusError, MissingExtra, UsageError

FILES = {"songs/data/b.txt": "two\n", "songs/data/a.txt": "öne\n", "songs/code.py": "raise SystemExit\n"}


@pytest.fixture(params=["wheel", "unpacked", "installed"])
def songs(request, tmp_path, monkeypatch):
    path = None
    if request.param == "wheel":
        path = str(tmp_path / "songs-1.0-py3-none-any.whl")
        with zipfile.ZipFile(path, "w") as wheel:
            for name, text in FILES.items():
                wheel.writestr(name, text)
    else:
        for name, text in FILES.items():
            (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "site" / name).write_text(text, encoding="utf-8")
        path = str(tmp_path / "site")
        if request.param == "installed":
            install_fake(tmp_path / "site", "songs_info", "", distribution="songs")
            monkeypatch.syspath_prepend(path)
            path = None
    return PackageFiles("songs", "the corpus songs", "music", path)


def test_files_are_listed_and_read(songs):
    assert songs.names("songs/data/", ".txt") == ["songs/data/a.txt", "songs/data/b.txt"]
    assert songs.read("songs/data/a.txt") == "öne\n"
    with songs.open("songs/data/b.txt") as file:
        assert file.read() == b"two\n"
    assert "songs" not in sys.modules
    for missing in (lambda: songs.read("songs/none.txt"), lambda: songs.names("nowhere/")):
        with pytest.raises(CorpusError, match="so it is not songs"):
            missing()


def test_what_is_missing_costs_one_line(tmp_path):
    with pytest.raises(MissingExtra, match=r"^the corpus x needs the extra 'music': pip install 'seqgen-lm\[music\]'$"):
        PackageFiles("no-such-songs", "the corpus x", "music").names()
    with pytest.raises(MissingExtra, match="pip download --no-deps no-such-songs, then pass the wheel"):
        PackageFiles("no-such-songs", "the corpus x").read("a")
    with pytest.raises(MissingExtra, match=r"unpacked to: -o lists\.place=PATH$"):
        PackageFiles("no-such-songs", "the metric lists", option="lists.place").read("a")
    with pytest.raises(UsageError, match=r"no such file.*-o corpus\.path=PATH$"):
        PackageFiles("songs", "x", "", str(tmp_path / "none.whl")).names()
    (tmp_path / "bad.whl").write_text("not a zip file")
    with pytest.raises(CorpusError, match="neither a wheel nor a folder"):
        PackageFiles("songs", "x", "", str(tmp_path / "bad.whl")).names()
