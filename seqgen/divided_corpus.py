"""A large corpus counted and encoded by several processes, with the same results as by one.

It is divided into parts of consecutive records, which are tasks; their results are joined in order.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.compute import give_back_memory, threads_here
from seqgen.corpus import Corpus, Distinct, Part, Splitter, Survey, Tally, compare_digests, divide, files_of
from seqgen.errors import UsageError
from seqgen.executors import Task, run_tasks, ship_plugins
from seqgen.plugins import Plugins

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.tokenizers import Vocabulary

    Arrays = dict[str, npt.NDArray[Any]]

_MOST = 8  # processes, unless more are requested


@dataclass(frozen=True)
class DividedCorpus:
    """A corpus in parts, and the processes that read them.

    Attributes:
        opening: how they open it, as JSON.
        title: how messages call it.
        tokenizer: the registered name of the tokenizer of its texts.
        parts: its parts, in order.
        workers: the number of processes.
        plugins: the plugins that they load.
    """

    opening: str
    title: str
    tokenizer: str
    parts: Sequence[Part]
    workers: int
    plugins: Plugins

    @classmethod
    def of(
        cls, corpus: Corpus, title: str, tokenizer: str, workers: int | None, plugins: Plugins
    ) -> DividedCorpus | None:
        """Return a corpus in parts; None if one process reads it.

        That is so if it is small, cannot be divided, is one long text, or comes from a plugin that other processes
        cannot import.

        Args:
            corpus: the corpus.
            title: how messages call it.
            tokenizer: the registered name of the tokenizer of its texts.
            workers: the number of processes; None: the CPU threads of this one, at most 8.
            plugins: the plugins in use.
        """
        workers = min(threads_here(), _MOST) if workers is None else workers
        if workers < 2 or corpus.opening is None or corpus.layout != "lines":
            return None
        if not (parts := divide(files_of(corpus.source))):
            return None
        try:
            opening = json.dumps(dict(corpus.opening))
            ship_plugins(plugins)
        except (TypeError, ValueError, UsageError):
            return None
        return cls(opening, title, tokenizer, parts, workers, plugins)

    def count(
        self,
        result: Survey,
        options: Mapping[str, Any] | None = None,
        conditions: Sequence[str] = (),
        progress: Callable[[int], None] = lambda n_records: None,
    ) -> list[Any]:
        """Collect the statistics of the corpus.

        Args:
            result: gets them.
            options: of the tokenizer that is fitted to each part; None: none is.
            conditions: "label", or fields, whose values are collected.
            progress: called with the number of records read.

        Returns:
            The fitted tokenizers, as JSON values.

        Raises:
            CorpusError, UsageError: as ``survey``.
        """
        digest, tally, fitted = hashlib.sha256(), Tally(result, conditions), list[Any]()
        named = {
            "title": self.title,
            "conditions": list(conditions),
            "tokenizer": None if options is None else self.tokenizer,
            "options": dict(options or {}),
        }
        progress(0)
        for found, arrays in self._run("count", lambda: {**named, "mask": tally.distinct.mask}):
            digest.update(arrays["hashed"].data)
            tally.join(found, Distinct(found["mask"], arrays["kept"].tolist()))
            fitted.append(found["tokenizer"])
            progress(result.n_records)
        tally.finish(self.title, digest.hexdigest())
        return fitted

    def encode(
        self,
        vocabulary: Vocabulary,
        splitter: Splitter,
        digest: str,
        progress: Callable[[int], None] = lambda n_records: None,
    ) -> Iterator[Arrays]:
        """Yield the arrays of each part, in order, for ``seqgen.batches.join_encoded``.

        Args:
            vocabulary: encodes the records.
            splitter: assigns each record to a part of the split.
            digest: of the corpus when it was counted.
            progress: called with the number of records done.

        Raises (while iterating):
            CorpusError: the corpus has changed.
            UsageError: a record contains a symbol that the tokenizer does not know.
        """
        found, n_done = hashlib.sha256(), 0
        described = {"data": vocabulary.tokenizer.to_json(), "conditions": list(vocabulary.conditions)}
        named = {
            "tokenizer": self.tokenizer,
            "vocabulary": json.dumps(described),
            "split": list(dataclasses.astuple(splitter)),
        }
        for n_records, arrays in self._run("encode", lambda: named):
            found.update(arrays.pop("hashed").data)
            n_done += n_records
            progress(n_done)
            yield arrays
        compare_digests(found.hexdigest(), digest, self.title)

    def _run(self, function: str, arguments: Callable[[], dict[str, Any]]) -> Generator[tuple[Any, Arrays], None, None]:
        """Yield the value and the arrays of the task of each part, in order."""
        from seqgen.files.arrays import take_arrays

        with tempfile.TemporaryDirectory(prefix="seqgen-") as folder:

            def tasks() -> Iterator[Task]:
                for number, part in enumerate(self.parts):
                    file = {"opening": self.opening, "part": part, "path": str(Path(folder) / f"{number}.npz")}
                    label = f"part {number + 1} of {len(self.parts)} of {self.title}"
                    yield Task(f"seqgen.tasks.corpus:{function}", {**arguments(), **file}, label)

            waiting, following = {}, 0
            for result in run_tasks(tasks(), workers=self.workers, plugins=self.plugins):
                waiting[result.number] = result
                while following in waiting:
                    done = waiting.pop(following)
                    following += 1
                    yield done.value, take_arrays(Path(done.task.arguments["path"]))
                    give_back_memory()  # else free blocks between those in use stay with the process
