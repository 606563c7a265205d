"""The bundled corpora match their datasheets."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

FOLDERS = sorted(path for path in Path(str(files("seqgen_corpora"))).iterdir() if (path / "DATASHEET.md").exists())


def records(folder: Path) -> list[str]:
    """The lines of every data file of a corpus, the files in the order of SHA256."""
    names = [line.split()[1] for line in (folder / "SHA256").read_text().splitlines()]
    return [line for name in names for line in (folder / name).read_text(encoding="utf-8").split("\n")[:-1]]


def test_there_are_corpora():
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_digests(folder):
    lines = (folder / "SHA256").read_text().splitlines()
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    covered = {line.split()[1] for line in lines}
    assert {path.name for path in folder.iterdir()} - {"DATASHEET.md", "SHA256"} == covered


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_counts_of_the_datasheet(folder):
    text = (folder / "DATASHEET.md").read_text(encoding="utf-8")
    said = {name: int(value) for name, value in re.findall(r"^\| (\w+) \| (\d+) \|$", text, re.M)}
    texts = records(folder)
    counted = {
        "records": len(texts),
        "characters": sum(map(len, texts)),
        "symbols": len(set("".join(texts))),
        "longest": max(map(len, texts)),
        "duplicates": len(texts) - len(set(texts)),
    }
    assert said == counted
    for word in ("Origin", "Licence", "Limits"):
        assert f"## {word}" in text


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_lines_are_clean(folder):
    assert all(line and line == line.strip() for line in records(folder))
