"""Training a wide model while other programs use the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from report import COMPARED, Compare, Section, table
from timing import Setting, Work, interleave

CAPTION = """Runs per second of `seqgen train --corpus smiles --cell gru --hidden 256 --steps 120` as a whole process,
with as many threads as there are cores, alone and next to as many busy processes. `default spin` sets the environment
variable GOMP_SPINCOUNT to GCC's default of 300,000, with which any script runs with torch from PyPI on Linux. `seqgen`
sets 10,000, unless the user has set it."""
GCC_SPINCOUNT = "300000"


def measure(setting: Setting) -> Section:
    """Return the section."""
    arguments = ["train", "--corpus", "smiles", "--cell", "gru", "-q", "--hidden", str(setting.pick(256, 8))]
    arguments += ["--steps", str(setting.pick(120, 2))]
    arguments += ["-o", "patience=0", "-o", f"threads={os.cpu_count() or 1}"]
    with tempfile.TemporaryDirectory() as folder:

        def process(n_others: int, **changed: str) -> Work:
            environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | changed

            def work() -> dict[str, float]:
                others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n_others)]
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
            "alone, default spin": process(0, GOMP_SPINCOUNT=GCC_SPINCOUNT),
            "alone, seqgen": process(0),
            f"next to {n_busy} busy, default spin": process(n_busy, GOMP_SPINCOUNT=GCC_SPINCOUNT),
            f"next to {n_busy} busy, seqgen": process(n_busy),
        }
        rounds = interleave(variants, setting.pick(setting.rounds, 1), warm_up=not setting.quick)
    names = list(variants)
    rows = [Compare(names[0], "runs"), Compare(names[1], "runs", names[0])]
    rows += [Compare(names[2], "runs", names[0]), Compare(names[3], "runs", names[2])]
    return Section(
        "cpu_contention",
        "training while other programs run",
        CAPTION,
        [table(COMPARED, [row.row(rounds) for row in rows])],
    )
