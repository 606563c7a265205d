"""A script that kills a training process at its n-th file operation, for each n, resumes, and prints results as JSON.

    python tests/fault_points.py FOLDER WORDS [EVERY]

A process of its own, since it forks: torch is imported once, before there are threads.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import torch

import seqgen
from resuming import digests
from watched import Disk, Hook, Operation, let_pass

KILLED = 137


def in_child(function: Callable[[], object]) -> int:
    """The exit code of a forked process that calls a function: 0 if it came back, 1 if it raised."""
    child = os.fork()
    if not child:
        try:
            function()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ending_at(at: int, *, torn: bool) -> Hook:
    """A hook that ends the process at an operation, without any clean-up; ``torn``: after half of what is written."""

    def hook(number: int, operation: Operation) -> None:
        if number == at:
            if torn:
                operation.tear()
            os._exit(KILLED)

    return hook


def main(base: Path, words: Path, every: int) -> None:
    """Look at each point."""
    torch.set_num_threads(1)
    out = base / "disk" / "runs" / "run"

    def train(hook: Hook = let_pass) -> Disk:
        with Disk(base / "disk", hook) as disk:
            seqgen.train(
                words, cell="gru", hidden=8, embedding=4, dropout=0.3, batch_size=8, steps=4, split="80/10/10",
                options={"eval_every": 2, "threads": 1}, out=out,
            )  # fmt: skip
        return disk

    def go_on() -> None:
        run = seqgen.resume(out) if (out / "run.json").exists() else train() and seqgen.load(out)
        assert digests(run.path) == expected, "other bytes"
        assert not list((base / "disk").rglob(".tmp-*")), "half-written files"

    (base / "disk").mkdir()
    operations = train().done
    expected = digests(out)
    points = [(at, False) for at in range(len(operations))]
    points += [(at, True) for at, operation in enumerate(operations) if operation.kind == "write"]
    points = sorted(points)[::every]
    n_killed, wrong = 0, []
    for at, torn in points:
        shutil.rmtree(base / "disk")
        (base / "disk").mkdir()
        n_killed += in_child(functools.partial(train, ending_at(at, torn=torn))) == KILLED
        if in_child(go_on):
            wrong.append(f"operation {at}, {operations[at].kind} {operations[at].path}, torn {torn}")
    print(json.dumps({"operations": len(operations), "points": len(points), "killed": n_killed, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
