"""Particles under hard constraints: single rows that are kept or rejected, beside attempts of several particles.

    python benchmarks/particles.py [--corpora a,b] [--work DIR] [--seconds S]

Each corpus is trained by its default run of ``gru``. For each constraint rows are sampled in both ways, one after the
other in the same process, without the cache of trials: with single rows only, and as by default, where attempts of 8 or
32 particles are tried if too much weight lies above the bound of single rows. "Off" is by how much the distribution may
differ from the model's as the trial says, "first" the time to the first row, trials included, and the rate that of the
next 2,000 rows, or as many as S seconds give (10). With --work, finished runs are kept there. The table is stored in
benchmarks/results/particles.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import seqgen
import seqgen.api.sample
from constraints import KEPT, SATISFIED, Rows, named
from report import number, table, write_page
from seqgen.sampling import forget
from seqgen.sampling import trial as trials

CASES: dict[str, list[dict[str, Any]]] = {
    "names": [
        {"length": "12-14"},
        {"contains": ("z", "q", "x")},
    ],
    "smiles": [
        {"ends": "F"},
        {"contains": "S(=O)(=O)N"},
        {"contains": ("F", "S"), "length": "-30"},
        {"contains": ("Br", "P")},
    ],
    "titles": [
        {"ends": "?"},
        {"contains": "graph", "length": "-40"},
        {"prefix": "Deep ", "ends": "graphs"},
        {"contains": ("Diffusion", "Speech")},
    ],
}  # fmt: skip
_ROWS = 2000
HEAD = ["corpus", "constraint", "satisfied by", "rows/s: single", "particles", "particles / single",
        "first, s: single", "particles", "kept: single", "particles", "off: single", "particles", "each"]  # fmt: skip


def sampled(run: seqgen.Run, case: dict[str, Any], most_s: float) -> Rows:
    """Return rows for which trials remember nothing."""
    with mock.patch.object(seqgen.api.sample, "_remembering", lambda *_: forget):
        return Rows(run, _ROWS, most_s, case)


def measure(run: seqgen.Run, corpus: str, case: dict[str, Any], most_s: float) -> list[str]:
    """Return the row of a constraint."""
    with mock.patch.object(trials, "PARTICLES", ()):
        single = sampled(run, case, most_s)
    default = sampled(run, case, most_s)
    rates = single.rate_after_first, default.rate_after_first
    return [
        corpus,
        named(case),
        default.told(SATISFIED),
        *map(number, (*rates, rates[1] / rates[0], single.first_s, default.first_s)),
        *(rows.told(KEPT) for rows in (single, default)),
        *(rows.told(r"differ from the model's by ([\d.]+%)") for rows in (single, default)),
        default.told(r"chosen among (\d+) particles") or "1",
    ]


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default=",".join(CASES), help="with commas between")
    parser.add_argument("--work", type=Path, help="folder in which finished runs are kept")
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for corpus in given.corpora.split(","):
            path = (given.work or Path(folder)) / corpus
            if not path.exists():
                seqgen.train(corpus, cell="gru", out=path, warn=lambda line: None)
            run = seqgen.load(path)
            for case in CASES[corpus]:
                rows.append(measure(run, corpus, case, given.seconds))
                print(*rows[-1], sep=" | ", flush=True)
    caption = (
        f"Written by `python benchmarks/particles.py --corpora {given.corpora}`: rows under constraints whose weights "
        "are very unequal,\nwith single rows that are kept or rejected and, side by side, as by default, where several "
        "particles may be sampled for each.\n\n"
        "- *Rows/s*: after the first row. *First*: seconds to it, trials included.\n"
        "- *Kept*: the share of rows, or of rows chosen among particles, that are kept. *Off*: by how much the\n"
        "  distribution may differ from the model's, as the trial says.\n"
        "- *Each*: the particles that are sampled for each row that is chosen; 1: single rows were enough, or better."
    )
    write_page("particles", "Particles under hard constraints", caption, 1, table(HEAD, rows))


if __name__ == "__main__":
    main()
