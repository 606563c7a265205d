"""Records that runs share, in whatever order they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from typing import Any

import seqgen

PARTS_AND_ALL = ("all", "train", "valid", "test")
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
