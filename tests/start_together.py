"""A script that starts several trainings in one folder at the same moment and prints the results as JSON.

    python tests/start_together.py train|resume FOLDER WORDS N

A process of its own, since it forks: torch is imported once. The one that wins goes on until all others have ended.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import torch

import seqgen
from seqgen.errors import SeqgenError


def start(mode: str, out: Path, words: Path, others_ended: int) -> tuple[int, str]:
    """Train or resume; the exit code that the command line would give, and its line."""

    def wait(folder: object, event: object) -> None:
        os.read(others_ended, 1)  # the winner holds the folder for as long as anybody may ask for it

    common = {"cell": "gru", "hidden": 8, "steps": 4, "options": {"threads": 1}}
    try:
        if mode == "train":
            seqgen.train(words, out=out, listener=wait, **common)
        else:
            seqgen.resume(out, listener=wait)
    except SeqgenError as error:
        return error.exit_code, str(error)
    return 0, ""


def main(mode: str, out: Path, words: Path, n: int) -> None:
    """Start them, and gather how they ended."""
    torch.set_num_threads(1)
    if mode == "resume":
        run = seqgen.train(words, cell="gru", hidden=8, steps=4, options={"eval_every": 2, "threads": 1}, out=out)
        last = run.folder.checkpoint(run.folder.steps()[-1])
        (last / "MANIFEST.json").unlink()  # so that there is something left to do
    go, told, others_ended = os.pipe(), os.pipe(), os.pipe()
    for _ in range(n):
        if not os.fork():
            os.close(go[1])
            os.close(others_ended[1])
            os.read(go[0], 1)  # ends when the parent closes it, for all at once
            code, line = start(mode, out, words, others_ended[0])
            ended = {"process": os.getpid(), "code": code, "line": line, "processor_s": time.process_time()}
            os.write(told[1], (json.dumps(ended) + "\n").encode())
            os._exit(0)
    os.close(go[1])
    os.close(told[1])
    text = b""
    while piece := os.read(told[0], 1 << 16):
        text += piece
        if text.count(b"\n") >= n - 1 and others_ended:
            os.close(others_ended[1])
            others_ended = ()  # type: ignore[assignment]
    print(json.dumps([json.loads(line) for line in text.decode().splitlines()]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
