"""Results of the same code in two other processes, in which sets iterate in other orders.

Python hashes texts by a random number that differs from process to process, unless PYTHONHASHSEED sets it. So what is
read from a set has another order in each process, though always the same one in this.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seqgen.errors import shortened
from seqgen.specs import load_reference
from seqgen.testing.check import Subject

_HASH_SEEDS = ("1", "2")  # not random ones, so that a check always finds the same
_N_RECORDS, _MARK = 1000, "seqgen's answer: "
_PROGRAM = "from seqgen.testing.other_processes import answer; answer()"
NOT_TRIED = "not tried in other processes: they find no part of a function, a script or a notebook, or with odd options"
"""The note of a check that could not be made."""


def results(task: str, subject: Subject, *arguments: Any) -> list[Any]:
    """Return the JSON values of ``task`` in two processes; none where they cannot find the subject.

    Args:
        task: "fitted" gives the JSON value of a tokenizer fitted to texts, "digest" a digest of the first records of a
            corpus.
        subject: the part under test.
        arguments: of the task, JSON values.

    Raises:
        AssertionError: a process ends with an error.
    """
    load = subject.spec.load
    reference = load if isinstance(load, str) else f"{load.__module__}:{load.__qualname__}"
    module = reference.partition(":")[0].partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None)
    try:
        if module == "__main__" or load_reference(reference) is not subject.spec.resolve():
            return []
        if file is None and importlib.util.find_spec(module) is None:
            return []
        options = dict(subject.entry.options(subject.options))
        question = json.dumps({
            "task": task,
            "reference": reference,
            "file": file,
            "arguments": arguments,
            "options": options,
            "tuples": [name for name, value in options.items() if isinstance(value, tuple)],
        })  # fmt: skip
    except (AttributeError, ImportError, TypeError, ValueError):  # the last two: an odd option, an odd module
        return []
    processes = [
        subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-W", "ignore", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**environment(), "PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
        )
        for seed in _HASH_SEEDS
    ]
    written = [process.communicate(question) for process in processes]
    for process, (_, complaint) in zip(processes, written, strict=True):
        last = shortened(complaint.strip().rpartition("\n")[2], 400)
        assert process.returncode == 0, f"in a new process it fails: {last or process.returncode}"
    return [json.loads(output.rpartition(_MARK)[2].splitlines()[0]) for output, _ in written]


def environment() -> dict[str, str]:
    """Return the environment of a process that finds the same modules as this one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _fitted(load: Any, texts: Sequence[str], **options: Any) -> Any:
    """Return the JSON value of a tokenizer that is fitted to texts."""
    return load.fit(texts, **options).to_json()


def _digest(load: Any, **options: Any) -> str:
    """Return a digest of the first records of a corpus."""
    digest = hashlib.sha256()
    for record in itertools.islice(load(**options), _N_RECORDS):
        digest.update(repr((record.text, record.label, sorted(record.fields.items()))).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


_TASKS: dict[str, Callable[..., Any]] = {"fitted": _fitted, "digest": _digest}


def answer() -> None:
    """Write the result of the task that standard input names, after a mark: a part may print something, too."""
    question = json.loads(sys.stdin.read())
    _find(question["reference"].partition(":")[0].partition(".")[0], question["file"])
    task, load = _TASKS[question["task"]], load_reference(question["reference"])
    options = question["options"] | {name: tuple(question["options"][name]) for name in question["tuples"]}
    result = task(load, *question["arguments"], **options)
    sys.stdout.write(f"\n{_MARK}{json.dumps(result)}\n")


def _find(module: str, file: str | None) -> None:
    """Import a plugin in one file, which need not be on the path."""
    if file is not None and importlib.util.find_spec(module) is None:
        from seqgen.plugins import file_candidate

        file_candidate(Path(file)).load()
