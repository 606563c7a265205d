"""A whole command against a plain torch script that does the same work."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import seqgen_corpora

from report import COMPARED, Compare, Section, table
from timing import Setting, Work, interleave

BARE = Path(__file__).parent / "full_command_torch.py"
SIZES = ["--hidden=128", "--embedding=32", "--dropout=0.2", "--batch-size=128", "--lr=0.003", "--blend=none"]
CAPTION = """Seconds of a whole process, including start and imports, with default threads: `seqgen train --corpus
names --cell vanilla --steps 1000`, without counts, against a script (`full_command_torch.py`) that reads the same files
and trains the same sizes for as many steps of as many names (128 units, embedding 32, dropout 0.2, batches of 128,
padded) with torch.optim.AdamW and clipping, and evaluates the held-out names and saves once, at the end. seqgen also
evaluates, samples and saves 20 times during training. `eager loop` runs step by step, `torch.nn.RNN` with torch's
layer. "x" compares seconds: less is better."""


def measure(setting: Setting) -> Section:
    """Return the section."""
    n_steps = str(setting.pick(1000, 5))
    names = Path(next(iter(seqgen_corpora.__path__))) / "names"
    files = [str(names / file) for file in ("female.txt", "male.txt")]
    seqgen = [
        sys.executable,
        "-m",
        "seqgen",
        "train",
        "--corpus",
        "names",
        "--cell",
        "vanilla",
        "--steps",
        n_steps,
        *SIZES,
    ]
    with tempfile.TemporaryDirectory() as folder:

        def process(*command: str) -> Work:
            def work() -> dict[str, float]:
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                return {"runs": 1}

            return work

        variants = {
            "bare script, eager loop": process(sys.executable, str(BARE), folder, n_steps, "loop", *files),
            "bare script, torch.nn.RNN": process(sys.executable, str(BARE), folder, n_steps, "layer", *files),
            "seqgen train": process(*seqgen),
        }
        rounds = interleave(variants, setting.pick(setting.rounds, 1), warm_up=not setting.quick)
    bare = [name for name in variants if name.startswith("bare")]
    rows = [Compare(name, "runs", in_time=True) for name in bare]
    rows += [Compare("seqgen train", "runs", name, 0.9, in_time=True) for name in bare]
    return Section("full_command", "a whole command", CAPTION, [table(COMPARED, [row.row(rounds) for row in rows])])
