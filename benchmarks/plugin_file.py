"""The update gate RNN in a user's plugin file, loaded by ``--plugin``, against the built-in cell.

    python benchmarks/plugin_file.py [--rounds N] [--quick]

A plugin file must not be slower: both cells are found, built and trained as in a run, in interleaved rounds, and the
ratio of their steps per second is printed.
"""

from __future__ import annotations

import argparse
import inspect
from functools import partial
from pathlib import Path

from fixtures import cycle_steps, make_id_learner, make_model, random_batches
from report import COMPARED, Compare, Section, table
from seqgen.cells import Cell, describe_engine
from seqgen.plugins import Plugins, entry_point_candidates, file_candidate
from timing import Setting, Size, WithRunMemory, Work, interleave, repeat

FILE = Path(__file__).parent / "plugin_file_cell.py"
IN_FILE, BUILT_IN = "ugrnn in a plugin file", "built-in ugrnn"
CAPTION = """Whole training steps per second (embedding, cell, head, cross entropy, fused Adam), float32, random ids
without padding, V = 60. The cell in a file is `plugin_file_cell.py`, {n_lines} lines of equations and no options,
loaded as by `--plugin plugin_file_cell.py`; the built-in one is `--cell ugrnn`. Engine: {engine}."""
GOAL = 0.95
SIZES = (Size(64, 32, 16, 16, 1), Size(256, 64, 40, 64, 2))
QUICK = (Size(8, 4, 8, 4, 1),)
N_SYMBOLS = 60


def load() -> Plugins:
    """Load the installed plugins and the file; exit on any problem."""

    def refuse(line: str) -> None:
        raise SystemExit(line)

    plugins = Plugins(refuse)
    plugins.load([*entry_point_candidates(), file_candidate(FILE)])
    return plugins


def equations(cell: type[Cell]) -> int:
    """Return the lines of a cell's class, without its name, docstrings and comments."""
    lines = [line.strip() for line in inspect.getsource(cell).splitlines()]
    return sum(bool(line) and not line.startswith(("class ", '"""', "#")) for line in lines)


def measure(setting: Setting) -> Section:
    """Return the section, with one table per size."""
    plugins, blocks, engines = load(), [], set()
    entries = {
        IN_FILE: plugins.registry.get("cell", "custom-ugrnn-file"),
        BUILT_IN: plugins.registry.get("cell", "ugrnn"),
    }
    for size in setting.pick(SIZES, QUICK):
        batches = random_batches(N_SYMBOLS, size.batch, size.n_steps, 8)
        n_steps = setting.pick(50 if size.hidden < 100 else 12, 1)
        works: dict[str, Work] = {}
        with setting.threads(size.threads):
            for name, entry in entries.items():
                model = make_model(N_SYMBOLS, partial(entry.build, {}), size.hidden, size.embedding)
                learner = make_id_learner(model, N_SYMBOLS)
                learner.take(batches[0])
                engines.add(describe_engine(model))
                step = cycle_steps(learner, batches)
                works[name] = WithRunMemory(repeat(step, n_steps, {"steps": n_steps}), step)
            rounds = interleave(works, setting.rounds)
        rows = [Compare(BUILT_IN, "steps").row(rounds), Compare(IN_FILE, "steps", BUILT_IN, GOAL).row(rounds)]
        blocks += [f"**{size}**", table(COMPARED, rows)]
    caption = CAPTION.format(n_lines=equations(entries[IN_FILE].load()), engine=", ".join(sorted(engines)))
    return Section("plugin_file", "a cell in a plugin file", caption, blocks)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of timing")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, as a smoke test")
    args = parser.parse_args()
    setting = Setting(2 if args.quick else args.rounds, args.quick)
    print(measure(setting).text(setting))


if __name__ == "__main__":
    main()
