"""Training a wide model beside other programs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from report import COMPARED, Compare, Section, table
from timing import Setting, Work, interleave

CAPTION = """Runs a second of `seqgen train --corpus smiles --cell gru --hidden 256 --steps 120` as a whole process,
with as many threads as there are cores, alone and beside as many busy programs. `as libgomp waits`
has the environment variable GOMP_SPINCOUNT at GCC's own 300,000: so a script of one's own runs, by torch from PyPI on
Linux. `seqgen` sets 10,000, unless the user has set it."""
OWN = "300000"


def measure(setting: Setting) -> Section:
    """The table."""
    arguments = ["train", "--corpus", "smiles", "--cell", "gru", "-q", "--hidden", str(setting.pick(256, 8))]
    arguments += ["--steps", str(setting.pick(120, 2))]
    arguments += ["-o", "patience=0", "-o", f"threads={os.cpu_count() or 1}"]
    with tempfile.TemporaryDirectory() as folder:

        def process(beside: int, **changed: str) -> Work:
            environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | changed

            def work() -> dict[str, float]:
                others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(beside)]
                try:
                    command = [sys.executable, "-m", "seqgen", *arguments]
                    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)
                finally:
                    for other in others:
                        other.kill()
                        other.wait()
                return {"runs": 1}

            return work

        n_busy = os.cpu_count() or 1
        variants = {
            "alone, as libgomp waits": process(0, GOMP_SPINCOUNT=OWN),
            "alone, seqgen": process(0),
            f"beside {n_busy} busy, as libgomp waits": process(n_busy, GOMP_SPINCOUNT=OWN),
            f"beside {n_busy} busy, seqgen": process(n_busy),
        }
        rounds = interleave(variants, setting.pick(setting.rounds, 1), warm_up=not setting.quick)
    names = list(variants)
    rows = [Compare(names[0], "runs"), Compare(names[1], "runs", names[0])]
    rows += [Compare(names[2], "runs", names[0]), Compare(names[3], "runs", names[2])]
    return Section("busy", "beside other programs", CAPTION, [table(COMPARED, [row.row(rounds) for row in rows])])
