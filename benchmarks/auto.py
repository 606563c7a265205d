"""Whole runs that choose their engine themselves, beside runs told to be eager."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path

import seqgen
from compiling import compile_s, has_compiler
from report import COMPARED, Compare, Section, missing, number, table, verdict
from seqgen.plugins.selection import choose_plugins
from seqgen.training.engine_choice import _MIN_COMPILE_S as WORTH_COMPILING_S
from timing import Done, Setting, Work, interleave

STRANGER = Path(__file__).parent / "stranger_cells.py"
CAPTION = """Whole runs a second, `seqgen.train("names", cell=..., steps=N)` with the settings of a newcomer (128
units, batch 128, held-out losses, samples and checkpoints on the way), as chosen automatically against
engine="eager", in one process, at most 5 rounds; the cell is `stranger-ugrnn` of `stranger_cells.py`. The goal, at
least 0.9, is that choosing never makes a run more than 10 % slower."""


def measure(setting: Setting) -> Section:
    """The table, and what compiling would cost at worst."""
    lengths = setting.pick((20, 200, 2000), (2,))
    numbers = count()
    with tempfile.TemporaryDirectory() as folder:

        def run(n_steps: int, engine: str) -> Work:
            def work() -> Done:
                out = Path(folder) / str(next(numbers))
                seqgen.train(
                    "names", cell="stranger-ugrnn", steps=n_steps, engine=engine, out=out, plugins=plugins, **small
                )
                return {"runs": 1}

            return work

        plugins = choose_plugins([STRANGER])
        small = setting.pick({}, {"hidden": 8})
        variants = {f"{n} steps, {engine}": run(n, engine) for n in lengths for engine in ("eager", "auto")}
        run(1, "auto")()  # what is imported, is imported once
        rounds = interleave(variants, min(setting.rounds, 5), warm_up=False)
    rows = []
    for n in lengths:
        rows.append(Compare(f"{n} steps, eager", "runs").row(rounds))
        rows.append(Compare(f"{n} steps, auto", "runs", f"{n} steps, eager", 0.9).row(rounds))
    gain = rounds.median_s(f"{lengths[-1]} steps, eager") / rounds.median_s(f"{lengths[-1]} steps, auto")
    return Section("auto", "choosing the engine automatically", CAPTION, [table(COMPARED, rows), worst(setting, gain)])


def worst(setting: Setting, gain: float) -> str:
    """The shortest run that compiles, if compiling brings nothing at all: computed, since it takes ten minutes.

    Args:
        setting: how thoroughly to measure.
        gain: how many times faster an uncompiled run is than an eager one.
    """
    head = ["computed, not measured", "x", "goal", "met"]
    what = f"the shortest run that compiles ({WORTH_COMPILING_S:g} s uncompiled), compiling in vain"
    if setting.quick or not has_compiler():
        return table(head, [missing(what, "quick" if setting.quick else "no compiler", head)])
    with tempfile.TemporaryDirectory() as cache:
        cold_s = compile_s("UGRNN", (128, 128, 16, 32, 1), Path(cache))
    ratio = gain * WORTH_COMPILING_S / (WORTH_COMPILING_S + cold_s)
    what += f": {cold_s:.0f} s to compile, uncompiled {gain:.2f} times as fast as eager"
    return table(head, [[what, number(ratio), *verdict(ratio, 0.9)]])
