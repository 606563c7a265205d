"""A script that samples from some runs, each in its own process, and prints cost and result as JSON.

python tests/refusing.py RUN...
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

import torch

import seqgen
from seqgen.errors import SeqgenError
from seqgen.plugins.selection import default_plugins


def peak_mb() -> float:
    """The most memory that this process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def sample(run: str) -> dict[str, object]:
    """Load and sample."""
    code, line, before_mb = 0, "", peak_mb()
    try:
        seqgen.load(run).sample(1)
    except SeqgenError as error:
        code, line = error.exit_code, str(error)
    except BaseException as error:
        code, line = 1, f"{type(error).__name__}: {error}"
    return {"code": code, "line": line, "processor_s": time.process_time(), "more_mb": peak_mb() - before_mb}


def main(runs: list[str]) -> None:
    """Fork for each: torch is imported once, and its memory, twice as much in a build for GPUs, is left out."""
    torch.set_num_threads(1)
    default_plugins()
    results = []
    for run in runs:
        ends = os.pipe()
        if not os.fork():
            os.write(ends[1], json.dumps(sample(run)).encode())
            os._exit(0)
        os.close(ends[1])
        text = b""
        while piece := os.read(ends[0], 1 << 16):
            text += piece
        os.wait()
        results.append(json.loads(text or '{"code": -1, "line": "it was killed"}'))
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
