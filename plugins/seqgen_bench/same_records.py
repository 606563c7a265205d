"""Records that runs share, in whatever order they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import seqgen
from seqgen import commands

PARTS_AND_ALL = ("all", "train", "valid", "test")
_FILE_FLAGS: Mapping[str, str] = {"valid": "--valid-file", "test": "--test-file"}
_BITS = 128


def digest_records(run: seqgen.Run, part: str) -> tuple[dict[str, Hashable], Any]:
    """Return what runs with the same texts have in common; labels, fields and the order of records do not count.

    Args:
        run: the run, whose corpus is read.
        part: the part whose records are paired.

    Returns:
        A digest for each part, and one for "all" of them; that of a part without records is that of all. And a key for
        each record of ``part``, (N,), which texts that are equal share.
    """
    import numpy as np

    sums, keys = dict.fromkeys(PARTS_AND_ALL, 0), list[int]()
    for record in run.corpus:
        found = hashlib.blake2b(record.text.encode("utf-8", "surrogatepass"), digest_size=_BITS // 8).digest()
        own = run.settings.splitter.part(record)
        for name in ("all", own):
            sums[name] = (sums[name] + int.from_bytes(found, "big")) % (1 << _BITS)
        if own == part:
            keys.append(int.from_bytes(found[:8], "big"))
    digests: dict[str, Hashable] = {name: total or sums["all"] for name, total in sums.items()}
    return digests, np.array(keys, dtype=np.uint64)


def describe_difference(runs: Sequence[tuple[str, seqgen.Run, Hashable]], part: str) -> str:
    """Return the line on runs whose records are not the same, with the number and the held-out files of each corpus.

    Args:
        runs: the name of each, the run, and a value that runs with the same records share.
        part: "valid" or "test", by which they are compared.
    """
    names, titles = dict[tuple[Hashable, str], list[str]](), dict[str, None]()
    for name, run, digest in runs:
        corpus = run.settings.corpus
        files = zip(_FILE_FLAGS.values(), (corpus.valid, corpus.test), strict=True)
        given = " and ".join(f"{flag} {Path(path).name}" for flag, path in files if path is not None)
        of_lines = corpus.layout == "lines"
        size = commands.counted(*((corpus.n_records, "record") if of_lines else (corpus.n_chars, "character")))
        names.setdefault((digest, f"{size} with {given}" if given else size), []).append(name)
        titles[corpus.title] = None
    whose = "; ".join(f"{', '.join(group)}: {shown}" for (_, shown), group in names.items())
    found = f"the corpus {next(iter(titles))!r} was not the same for all runs ({whose})"
    if len(titles) > 1:
        found = f"the runs were trained on different corpora ({', '.join(titles)})"
    return f"{found}: their losses cannot be compared; those of runs trained with the same {_FILE_FLAGS[part]} can"
