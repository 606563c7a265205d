"""Whole runs with automatic choice of the engine against runs with engine="eager"."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path

import seqgen
from compile_time import compile_s, has_compiler
from report import COMPARED, Compare, Section, missing, number, table, verdict
from seqgen.plugins.selection import choose_plugins
from seqgen.training.engine_choice import _MIN_COMPILE_S as MIN_COMPILE_S
from timing import Done, Setting, Work, interleave

CUSTOM_CELL = Path(__file__).parent / "custom_cells.py"
CAPTION = """Whole runs per second, `seqgen.train("names", cell=..., steps=N)` with default settings (128
units, batch 128, with evaluation, samples and checkpoints), chosen automatically against engine="eager", in one
process, at most 5 rounds; the cell is `custom-ugrnn` of `custom_cells.py`. The goal, at least 0.9, is that choosing
never makes a run more than 10 % slower."""


def measure(setting: Setting) -> Section:
    """Return the table, and the worst-case cost of compiling."""
    lengths = setting.pick((20, 200, 2000), (2,))
    numbers = count()
    with tempfile.TemporaryDirectory() as folder:

        def run(n_steps: int, engine: str) -> Work:
            def work() -> Done:
                out = Path(folder) / str(next(numbers))
                seqgen.train(
                    "names",
                    cell="custom-ugrnn",
                    steps=n_steps,
                    engine=engine,
                    blend="none",
                    out=out,
                    plugins=plugins,
                    **small,
                )
                return {"runs": 1}

            return work

        plugins = choose_plugins([CUSTOM_CELL])
        small = setting.pick({}, {"hidden": 8})
        variants = {f"{n} steps, {engine}": run(n, engine) for n in lengths for engine in ("eager", "auto")}
        run(1, "auto")()  # imports happen once
        rounds = interleave(variants, min(setting.rounds, 5), warm_up=False)
    rows = []
    for n in lengths:
        rows.append(Compare(f"{n} steps, eager", "runs").row(rounds))
        rows.append(Compare(f"{n} steps, auto", "runs", f"{n} steps, eager", 0.9).row(rounds))
    gain = rounds.median_s(f"{lengths[-1]} steps, eager") / rounds.median_s(f"{lengths[-1]} steps, auto")
    return Section(
        "engine_choice",
        "choosing the engine automatically",
        CAPTION,
        [table(COMPARED, rows), worst_case(setting, gain)],
    )


def worst_case(setting: Setting, gain: float) -> str:
    """Return the row of the shortest run that compiles, if compiling gains nothing; computed, as it takes ten minutes.

    Args:
        setting: rounds and sizes.
        gain: speed of an uncompiled run relative to an eager one.
    """
    head = ["computed, not measured", "x", "goal", "met"]
    what = f"the shortest run that compiles ({MIN_COMPILE_S:g} s uncompiled), without any gain from compiling"
    if setting.quick or not has_compiler():
        return table(head, [missing(what, "quick" if setting.quick else "no compiler", head)])
    with tempfile.TemporaryDirectory() as cache:
        cold_s = compile_s("UGRNN", (128, 128, 16, 32, 1), Path(cache))
    ratio = gain * MIN_COMPILE_S / (MIN_COMPILE_S + cold_s)
    what += f": {cold_s:.0f} s to compile, uncompiled {gain:.2f} times as fast as eager"
    return table(head, [[what, number(ratio), *verdict(ratio, 0.9)]])
