"""A Bloom filter of training records (doi:10.1145/362686.362692), as the page reads it.

The bits of a text are h_1 + i h_2 modulo the number of bits, i = 0, 1, ...; h_1 and h_2 are the first two words of 32
bits of the SHA-256 of the text in NFC (Kirsch and Mitzenmacher, doi:10.1002/rsa.20208).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import subprocess
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import seqgen
from seqgen_page.comparison import find_node
from seqgen_page.viewers import Viewer

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

ONE_IN = 1000
"""A text that is no record is taken for one with a probability of 1 / ONE_IN."""
_AT_ONCE = 20_000  # texts that node reads in one call


def training_records(run: seqgen.Run) -> Iterator[seqgen.Record]:
    """Return the records by which rows are marked as new or in training.

    Raises:
        BadOption: the run was trained on one long text.
        CorpusError: the corpus is not the one the run was trained on.
    """
    if not run.vocabulary.ends:
        raise seqgen.BadOption(
            "cannot mark rows as new or in training (--novelty): one long text has no records; export without --novelty"
        )
    return run.records("train")


def record_filter(run: seqgen.Run, viewer: Viewer) -> tuple[Array, dict[str, Any]]:
    """Return a filter of the training records of a run, and what the page needs to read it.

    Records are compared by the key of the viewer if it has one and node is installed, else as they stand and in their
    canonical form.

    Raises:
        BadOption: the run was trained on one long text.
        CorpusError: the corpus is not the one the run was trained on.
        ExportRefused: the script of the viewer fails.
    """
    records = training_records(run)
    if viewer.name and find_node() is not None and _in_node(viewer, "viewer.key !== undefined", []):
        bits, facts = bloom_filter(_keys(viewer, (record.text for record in records)))
        return bits, facts | {"keyed": True, "note": viewer.note}
    bits, facts = bloom_filter(form for record in records for form in (record.text, run.recorded_form(record.text)))
    has_forms = run.validator_here is not None
    note = " But a record that is written in another way counts as new." if has_forms else ""
    return bits, facts | {"keyed": False, "note": note}


def _keys(viewer: Viewer, texts: Iterator[str]) -> Iterator[str]:
    """Yield the keys of texts, by the script of their viewer."""
    while part := list(itertools.islice(texts, _AT_ONCE)):
        yield from _in_node(viewer, "texts.map((text) => keyOf(viewer, text))", part)


def _in_node(viewer: Viewer, expression: str, texts: list[str]) -> Any:
    """Return the value of an expression of a viewer and of texts."""
    script = (files("seqgen_page") / "novelty.js").read_text(encoding="utf-8")
    read = 'const texts = JSON.parse(require("fs").readFileSync(0, "utf-8"));'
    program = f"{script}\nconst viewer = {viewer.script};\n{read}\nconsole.log(JSON.stringify({expression}));"
    node = find_node()
    assert node is not None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.js"  # too long for an argument, perhaps
        file.write_text(program, encoding="utf-8")
        done = subprocess.run(  # noqa: S603
            [node, str(file)], input=json.dumps(texts), capture_output=True, check=False, text=True, encoding="utf-8"
        )
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "Error: " in line), done.stderr[-200:])
        raise seqgen.ExportRefused(
            f"cannot compare records by the viewer {viewer.name!r}: its script fails in node: {reason}; outside of "
            "draw and sound it may use nothing of a browser"
        )
    return json.loads(done.stdout)


def bloom_filter(texts: Iterable[str]) -> tuple[Array, dict[str, Any]]:
    """Return the bits of a filter, eight a byte (uint8), the lowest first, and what reading it needs.

    Args:
        texts: the records; equal ones count once.
    """
    words = {hashlib.sha256(unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")).digest()[:8]
             for text in texts}  # fmt: skip
    n_hashes = max(1, round(math.log2(ONE_IN)))
    # Beyond 2**32 bits, more than 200 million records, the words would not reach all of them.
    size = min(2**32, max(64, math.ceil(len(words) * math.log(ONE_IN) / math.log(2) ** 2)))
    first, second = np.frombuffer(b"".join(sorted(words)), ">u4").reshape(-1, 2).astype(np.uint64).T
    bits = np.zeros(math.ceil(size / 8), np.uint8)
    for turn in range(n_hashes):
        places = (first + np.uint64(turn) * second) % np.uint64(size)
        np.bitwise_or.at(bits, places >> np.uint64(3), np.left_shift(1, places & np.uint64(7)).astype(np.uint8))
    return bits, {"size": size, "hashes": n_hashes, "oneIn": ONE_IN, "records": len(words)}
