"""What was learned by reading a large corpus through, kept until its file changes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from seqgen.corpus import Corpus, Survey, stamp_of
from seqgen.errors import DiskError
from seqgen.files import cache_folder, dump_json, publish_file

_FORMAT = 2


class Memo:
    """One thing that is known of a corpus whose source can tell whether it has changed.

    A source tells by a method ``stamp()``, which gives JSON values: of files their path, size and time of change.

    Args:
        corpus: the corpus; without a stamp nothing is kept.
        facts: what else the thing depends on, as JSON values.
    """

    def __init__(self, corpus: Corpus, facts: Mapping[str, Any]) -> None:
        found = stamp_of(corpus.source)
        self._path = None
        if found is not None:
            told = json.dumps({"stamp": found, "format": _FORMAT, **facts}, sort_keys=True)
            self._path = cache_folder("read") / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"

    def read(self) -> Any:
        """What was kept, or None."""
        try:
            return None if self._path is None else json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return None

    def keep(self, value: Any) -> None:
        """Keep JSON values; a disk that refuses costs nothing but the time of reading again."""
        if self._path is not None:
            try:
                publish_file(self._path, dump_json(value), in_new_folder=True)
            except DiskError:
                return


def survey_memo(corpus: Corpus) -> Memo:
    """Where the counts of a corpus are kept."""
    return Memo(corpus, {"what": "survey", "layout": corpus.layout})


def read_survey(memo: Memo) -> Survey | None:
    """The counts that were kept, or None."""
    try:
        found = memo.read()
        return None if found is None else Survey(**found)
    except TypeError:
        return None


def keep_survey(memo: Memo, counted: Survey) -> None:
    """Keep counts."""
    memo.keep(dataclasses.asdict(counted) | {"values": {}})
