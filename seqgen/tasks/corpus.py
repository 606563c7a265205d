"""Parts of a large corpus as tasks: their statistics, and their records encoded.

Results that are large go to a file, which the process that asked for them removes.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.api.corpora import open_again
from seqgen.corpus import Corpus, Part, PartOfCorpus, Splitter, Survey, Tally, files_of, hashed_chunks, owner_of
from seqgen.encoding import RecordArrays, make_memory_sink
from seqgen.files.arrays import store_arrays
from seqgen.plugins import choose_plugins
from seqgen.registry import Entry, attribute_errors
from seqgen.tokenizers import Vocabulary

if TYPE_CHECKING:
    from seqgen.corpus import Record


@functools.lru_cache(maxsize=1)
def _opened(opening: str) -> tuple[Corpus, Sequence[Any]]:
    corpus = open_again(json.loads(opening), choose_plugins())
    return corpus, files_of(corpus.source)


@functools.lru_cache(maxsize=1)
def _vocabulary(entry: Entry, described: str) -> Vocabulary:
    said = json.loads(described)
    return Vocabulary(entry.load().from_json(said["data"]), tuple(said["conditions"]), label=entry.full_label)


def _tokenizer(name: str) -> Entry:
    return choose_plugins().registry.get("tokenizer", name)


def count(
    *,
    opening: str,
    title: str,
    part: Part,
    conditions: list[str],
    mask: int,
    tokenizer: str | None,
    options: Mapping[str, Any],
    path: str,
) -> dict[str, Any]:
    """Return the statistics of a part of a corpus, and its tokenizer; the file gets what is hashed, and hashes.

    Args:
        opening: how the corpus is opened, as JSON.
        title: how messages call it.
        part: the part.
        conditions: "label", or fields, whose values are collected.
        mask: of the estimate of distinct texts.
        tokenizer: the registered name of what is fitted; None for nothing.
        options: of it.
        path: the file.
    """
    corpus, files = _opened(opening)
    tally, hashed = Tally(Survey(), conditions, mask), list[bytes]()

    def texts() -> Iterator[list[str]]:
        for _, some, data in tally.read(PartOfCorpus(files, part), owner_of(corpus, title)):
            hashed.append(data)
            yield some

    found, fitted = itertools.chain.from_iterable(texts()), None
    if tokenizer is not None:
        entry = _tokenizer(tokenizer)
        with attribute_errors(entry, "cannot encode the corpus"):
            fitted = entry.load().fit(found, **options).to_json()
    for _ in found:
        pass
    kept = np.fromiter(tally.distinct.kept, np.uint64, len(tally.distinct.kept))
    store_arrays(Path(path), {"hashed": _bytes(hashed), "kept": kept})
    return {**tally.to_json(), "mask": tally.distinct.mask, "tokenizer": fitted}


def encode(*, opening: str, part: Part, tokenizer: str, vocabulary: str, split: list[Any], path: str) -> int:
    """Encode a part of a corpus into a file, with what is hashed of it; return the number of its records.

    Args:
        opening: how the corpus is opened, as JSON.
        part: the part.
        tokenizer: the registered name of the tokenizer.
        vocabulary: the fitted tokenizer and the conditions, as JSON.
        split: the fields of the splitter.
        path: the file.
    """
    files = _opened(opening)[1]
    entry, hashed, n_done = _tokenizer(tokenizer), list[bytes](), [0]

    def chunks() -> Iterator[list[Record]]:
        for chunk, data in hashed_chunks(PartOfCorpus(files, part)):
            hashed.append(data)
            yield chunk

    with attribute_errors(entry, "cannot encode the corpus"):
        arrays = RecordArrays(_vocabulary(entry, vocabulary), make_memory_sink)
        records = itertools.chain.from_iterable(chunks())
        arrays.encode(records, Splitter(tuple(split[0]), *split[1:]), lambda n_records: n_done.append(n_records))
    store_arrays(Path(path), {"hashed": _bytes(hashed), **arrays.finish()})
    return n_done[-1]


def _bytes(pieces: Iterable[bytes]) -> Any:
    return np.frombuffer(b"".join(pieces), np.uint8)
