"""The digest of a corpus, and its verification on later passes."""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seqgen.corpus.corpus import Record
from seqgen.errors import CorpusError

CHUNK_RECORDS = 128  # records hashed together; small, since pieces of a long text are long


def verify_digest(records: Iterable[Record], name: str, digest: str) -> Iterator[Record]:
    """Yield records while recomputing their digest, and fail at the end if it differs.

    Args:
        records: the corpus, being read again.
        name: the corpus name to show in messages.
        digest: the digest of the earlier pass, SHA-256 as hex.

    Raises (at the end of the iteration):
        CorpusError: the records have changed.
    """
    found, iterator = hashlib.sha256(), iter(records)
    while chunk := list(itertools.islice(iterator, CHUNK_RECORDS)):
        columns = [list(map(operator.itemgetter(at), chunk)) for at in range(4)]
        found.update(serialize_records(*columns).encode("utf-8", "surrogatepass"))
        yield from chunk
    if found.hexdigest() != digest:
        raise CorpusError(f"corpus {name!r} changed while it was read; try again once nothing writes to it")


def serialize_records(
    texts: Sequence[str], labels: Sequence[Any], fields: Sequence[Mapping[str, Any]], splits: Sequence[Any]
) -> str:
    """Return records in the form that is hashed."""
    label, split = labels[0], splits[0]
    if labels.count(label) == splits.count(split) == len(texts) and not any(fields):
        end = f"\x1f{label or ''}\x1f{split or ''}\x1e"
        return end.join(texts) + end
    return "".join(map(_one, texts, labels, fields, splits))


def _one(text: str, label: Any, fields: Mapping[str, Any], split: Any) -> str:
    serialized = json.dumps(dict(fields), sort_keys=True, default=str) if fields else ""
    return f"{text}\x1f{label or ''}\x1f{split or ''}\x1e{serialized}"
