"""The update gate RNN as a stranger's file, loaded by ``--plugin``, beside the same equations as seqgen's own cell.

    python benchmarks/one_file.py [--rounds N] [--quick]

A plugin in a file must cost nothing: both cells are found, built and trained as a run does it, in interleaved rounds,
and the ratio of their steps a second is printed.
"""

from __future__ import annotations

import argparse
import inspect
from functools import partial
from pathlib import Path

from ours import learner_of_ids, make_model, random_batches, step_over
from report import COMPARED, Compare, Section, table
from seqgen.cells import Cell, describe_engine
from seqgen.plugins import Plugins, entry_point_candidates, file_candidate
from timing import OfARun, Setting, Size, Work, interleave, repeat

FILE = Path(__file__).parent / "one_file_cell.py"
THEIRS, OURS = "stranger in one file", "our own ugrnn"
CAPTION = """Training steps a second of whole training steps (embedding, cell, head, cross entropy, fused Adam),
float32, random ids that fill every place, V = 60. The stranger's cell is `one_file_cell.py`, {n_lines} lines of
equations and no options, loaded as `--plugin one_file_cell.py` loads it; ours is `--cell ugrnn`. Engine: {engine}."""
GOAL = 0.95
SIZES = (Size(64, 32, 16, 16, 1), Size(256, 64, 40, 64, 2))
QUICK = (Size(8, 4, 8, 4, 1),)
N_SYMBOLS = 60


def load() -> Plugins:
    """All that is installed, and the stranger's file; a problem ends the benchmark."""

    def refuse(line: str) -> None:
        raise SystemExit(line)

    plugins = Plugins(refuse)
    plugins.load([*entry_point_candidates(), file_candidate(FILE)])
    return plugins


def equations(cell: type[Cell]) -> int:
    """Lines of a cell's class, its name and what it says of itself left out."""
    lines = [line.strip() for line in inspect.getsource(cell).splitlines()]
    return sum(bool(line) and not line.startswith(("class ", '"""', "#")) for line in lines)


def measure(setting: Setting) -> Section:
    """Speed, a table a size."""
    plugins, blocks, engines = load(), [], set()
    entries = {THEIRS: plugins.registry.get("cell", "stranger-ugrnn-file"), OURS: plugins.registry.get("cell", "ugrnn")}
    for size in setting.pick(SIZES, QUICK):
        batches = random_batches(N_SYMBOLS, size.batch, size.n_steps, 8)
        n_steps = setting.pick(50 if size.hidden < 100 else 12, 1)
        works: dict[str, Work] = {}
        with setting.threads(size.threads):
            for name, entry in entries.items():
                model = make_model(N_SYMBOLS, partial(entry.build, {}), size.hidden, size.embedding)
                learner = learner_of_ids(model, N_SYMBOLS)
                learner.take(batches[0])
                engines.add(describe_engine(model))
                step = step_over(learner, batches)
                works[name] = OfARun(repeat(step, n_steps, {"steps": n_steps}), step)
            rounds = interleave(works, setting.rounds)
        rows = [Compare(OURS, "steps").row(rounds), Compare(THEIRS, "steps", OURS, GOAL).row(rounds)]
        blocks += [f"**{size}**", table(COMPARED, rows)]
    told = CAPTION.format(n_lines=equations(entries[THEIRS].load()), engine=", ".join(sorted(engines)))
    return Section("one_file", "a stranger's cell in one file", told, blocks)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="how often both are timed")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    given = parser.parse_args()
    setting = Setting(2 if given.quick else given.rounds, given.quick)
    print(measure(setting).text(setting))


if __name__ == "__main__":
    main()
