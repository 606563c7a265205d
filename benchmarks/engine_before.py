"""The engine of two checkouts, side by side: no row of ``engine.py`` may be worse than its noise.

    python benchmarks/engine_before.py OTHER [--python EXE] [--tables A,B] [--passes N] [--rounds N]

OTHER is a checkout of an earlier version, such as the one before the engine had its package, and EXE the Python of an
environment in which it is installed. Each table is measured by
its own script, ``benchmarks/engine.py``, of each checkout in turn, pass by pass, so that both meet the same machine.
Rows are compared by their ratio to the row that they are compared with there (torch's, mostly), which the load of the
machine changes less than a rate. "x" is the median over the passes; the brackets hold the smallest and the largest
ratio of all rounds. A row is worse where its median now is below all ratios before, and that before above all now; in
tables of seconds the other way round. The table is stored in benchmarks/results/engine_before.md, where --tables
replaces the rows of some tables.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from report import RESULTS, table, write_page

ROOT = Path(__file__).resolve().parent.parent
TABLES = {
    "notebook_training": "small", "classic_cells": "recurrent", "molecule_training": "smiles",
    "custom_cell": "stranger", "plugin_file": "one_file", "name_sampling": "sampling",
    "molecule_sampling": "molecules", "constrained_sampling": "obeying", "full_command": "whole", "scaling": "growth",
}  # fmt: skip
"""The tables that are compared, with the names that they had in the first version of engine.py."""
_SECONDS = ("s", "ms")
_CAPTION = """Written by `python benchmarks/engine_before.py OTHER --passes {passes}`, which says how; OTHER is the
commit {other}. Ratios to the row under "against", with the smallest and the largest of {rounds} rounds a pass.

{verdict}"""

Key = tuple[str, str, str]


class Ratio(NamedTuple):
    """A row of a table of ``engine.py``: median, smallest and largest ratio, and whether they are of seconds."""

    x: float
    least: float
    most: float
    in_time: bool


def measured(root: Path, python: str, name: str, rounds: int) -> dict[Key, Ratio]:
    """Return the rows of a table that a checkout measures, by the settings above them, their name and "against"."""
    paths = [str(root), str(root / "plugins"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [python, "-W", "ignore", "benchmarks/engine.py", "--only", name, "--rounds", str(rounds)],
        cwd=root, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{root}: the table {name} failed:\n{done.stderr[-2000:]}")
    found, above = dict[Key, Ratio](), ""
    for line in done.stdout.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("**"):
            above = line.strip("* ")
        elif len(cells) == 9 and cells[4].replace(".", "").replace(",", "").isdigit() and cells[0] != cells[3]:
            ratios = (float(cell.replace(",", "")) for cell in cells[4:7])
            found[above, cells[0], cells[3]] = Ratio(*ratios, cells[2] in _SECONDS)
    return found


def pooled(passes: list[Ratio]) -> Ratio:
    """Return the median of the medians, and the ends of all passes."""
    x = statistics.median(one.x for one in passes)
    return Ratio(x, min(one.least for one in passes), max(one.most for one in passes), passes[0].in_time)


def is_worse(before: Ratio, now: Ratio) -> bool:
    """Return whether a row is worse by more than its noise."""
    if before.in_time:
        return now.x > before.most and before.x < now.least
    return now.x < before.least and before.x > now.most


def compare(
    name: str, roots: dict[str, tuple[Path, str, str]], passes: int, rounds: int
) -> tuple[list[list[str]], int]:
    """Return the rows of a table, and how many now have no counterpart.

    Args:
        name: of the table.
        roots: the checkouts "before" and "now", each with its Python and the name of the table there.
        passes: times that it is measured.
        rounds: rounds of timing in each.
    """
    found: dict[str, dict[Key, list[Ratio]]] = {when: {} for when in roots}
    for _ in range(passes):
        for when, (root, python, named) in roots.items():
            for key, ratio in measured(root, python, named, rounds).items():
                found[when].setdefault(key, []).append(ratio)
    rows, unmatched = list[list[str]](), 0
    same = len(found["before"]) == len(found["now"])  # rows have been renamed, not moved
    counterparts = dict(zip(found["now"], found["before"], strict=True)) if same else {}
    for (above, what, against), each in found["now"].items():
        key = above, what, against
        if (then := found["before"].get(counterparts.get(key, key))) is None:
            unmatched += 1
            continue
        before, now = pooled(then), pooled(each)
        shown = [f"{one.x:.2f} ({one.least:.2f} to {one.most:.2f})" for one in (before, now)]
        label = f"{what}; {above}" if above else what
        rows.append([name, label, against, *shown, f"{now.x / before.x:.2f}", "worse" if is_worse(before, now) else ""])
    return rows, unmatched


def main() -> None:
    """Measure both checkouts, print the rows, and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the earlier checkout")
    parser.add_argument("--python", default=sys.executable, help="the Python that measures it")
    parser.add_argument("--tables", default=",".join(TABLES), help=f"comma-separated, of {','.join(TABLES)}")
    parser.add_argument("--passes", type=int, default=2, help="times that each table is measured")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of timing in each pass")
    args = parser.parse_args()
    git = [shutil.which("git") or "git", "log", "-1", "--format=%h of %as"]
    commit = subprocess.run(git, cwd=args.other, capture_output=True, text=True, check=True).stdout.strip()
    names, unmatched = args.tables.split(","), 0
    rows = [row for row in stored_rows(commit) if row[0] not in names]
    for name in names:
        roots = {"before": (args.other.resolve(), args.python, TABLES[name]), "now": (ROOT, sys.executable, name)}
        more, n_more = compare(name, roots, args.passes, args.rounds)
        rows, unmatched = rows + more, unmatched + n_more
        print("\n".join(" | ".join(row) for row in more), flush=True)
        print(store(rows, unmatched, args, commit), flush=True)


def stored_rows(commit: str) -> list[list[str]]:
    """Return the rows of the page, if it compares with the same commit."""
    page = RESULTS / "engine_before.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    if f"commit {commit}." not in text:
        return []
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
    return [row for row in cells if row[0] in TABLES]


def store(rows: list[list[str]], unmatched: int, args: argparse.Namespace, commit: str) -> str:
    """Write the page of the tables that are done, and return the line that says whether a row is worse."""
    worse = [f"{row[0]}: {row[1]}" for row in rows if row[-1]]
    names = ", ".join(dict.fromkeys(row[0] for row in rows))
    verdict = f"Worse by more than the noise: {'; '.join(worse) or 'none'} of the {len(rows)} rows of {names}"
    verdict += f"; {unmatched} more have no counterpart." if unmatched else "."
    caption = _CAPTION.format(passes=args.passes, other=commit, rounds=args.rounds, verdict=verdict)
    head = ["table", "row", "against", "before", "now", "now / before", ""]
    write_page("engine_before", "The engine beside that of an earlier version", caption, args.rounds, table(head, rows))
    return verdict


if __name__ == "__main__":
    main()
