"""The digest of records, and records that are compared with it when they are read again."""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seqgen.corpus.corpus import Record
from seqgen.errors import CorpusError

CHUNK_RECORDS = 128  # records whose digest is taken in one go; pieces of a long text are long


def verify_digest(records: Iterable[Record], name: str, digest: str) -> Iterator[Record]:
    """Pass records on that were surveyed before, taking their digest once more.

    Args:
        records: the corpus, read again.
        name: how messages call it.
        digest: what the survey found.

    Raises (at the end of the iteration):
        CorpusError: they are others than before.
    """
    found, iterator = hashlib.sha256(), iter(records)
    while chunk := list(itertools.islice(iterator, CHUNK_RECORDS)):
        columns = [list(map(operator.itemgetter(at), chunk)) for at in range(4)]
        found.update(serialize_records(*columns).encode("utf-8", "surrogatepass"))
        yield from chunk
    if found.hexdigest() != digest:
        raise CorpusError(f"the corpus {name!r} changed while it was read: try again when it is at rest")


def serialize_records(
    texts: Sequence[str], labels: Sequence[Any], fields: Sequence[Mapping[str, Any]], splits: Sequence[Any]
) -> str:
    """Records as they are serialize_records."""
    label, split = labels[0], splits[0]
    if labels.count(label) == splits.count(split) == len(texts) and not any(fields):
        end = f"\x1f{label or ''}\x1f{split or ''}\x1e"
        return end.join(texts) + end
    return "".join(map(_one, texts, labels, fields, splits))


def _one(text: str, label: Any, fields: Mapping[str, Any], split: Any) -> str:
    told = json.dumps(dict(fields), sort_keys=True, default=str) if fields else ""
    return f"{text}\x1f{label or ''}\x1f{split or ''}\x1e{told}"
