"""Pages of names, molecules, tunes and cards: rows a second, sizes, and what rounded weights cost.

    python benchmarks/page.py [--rounds 5] [--runs FOLDER] [--time 100s]

Runs with the recommended settings of their corpus are trained for ``--time`` where FOLDER has none. The script of each
page is run by node, which has the engine of Chromium, on one thread; of each row its bits per character are computed
too, as on the page. The first round is not timed. Rows a second of the CPU's time depend less on what else the machine
does. Sizes count base 64; the goal of a size is 1.4 times the bytes of weights and counts plus 200 kB.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from seqgen_page.comparison import find_node, page_results

import seqgen
from report import number, table, verdict, write_page
from seqgen import exporting
from seqgen.sampling.categorical import Uniforms
from seqgen.tokenizers import EOS

_CORPORA = {"names": (4000, 2000), "smiles": (1000, 200), "tunes": (60, None), "cards": (250, None)}
"""By corpus the rows of a round, and the goal of rows a second."""
_WEIGHTS = ("float32", "float16", "int8")
_N_COMPARED = 1000
"""Rows that are compared with those of ``Run.sample``."""
_RATES = ["corpus", "model", "parameters", "characters a row", "rows/s", "rows/s of CPU", "goal", "met",
          "equal rows", "others within", "boundary moved"]  # fmt: skip
_SIZES = ["corpus", "weights as", "weights", "counts", "viewer", "the rest", "page", "goal, without viewer", "met",
          "bits a symbol lost"]  # fmt: skip
_CAPTION = """Written by `python benchmarks/page.py`.
Rows a second of one page on one thread, its size in kB, and what rounding the weights costs in bits a
symbol: the divergence of the predictions on 100 sampled rows. Equal rows are those that are the same as by Python. In
the others, the random number of the first symbol that differs lies within the given distance of the boundary between
the two symbols, in probability; rounding moves such boundaries by as much as the last column says, since logits in
float32 are exact to some 1e-7 only, those of torch too. Molecules, tunes and cards are networks alone; names are
blended with counts. Rates are by node, which has the engine of Chromium, and include the cost of each row; the goal is
compared with the rate of the CPU's time."""


class Page(NamedTuple):
    """A page and what its export reported."""

    path: Path
    parts: dict[str, int]
    lost: str


def run_of(corpus: str, folder: Path, time: str) -> seqgen.Run:
    """Return the run of a corpus, trained if the folder has none."""
    path, blend = folder / corpus, "auto" if corpus == "names" else "none"
    return (
        seqgen.load(path) if path.exists() else seqgen.train(corpus, time=time, blend=blend, repeats="none", out=path)
    )


def exported(run: seqgen.Run, folder: Path, weights: str) -> Page:
    """Export a run and return the sizes of the page's parts in kB, and the bits that its weights lose."""
    path = folder / f"{run.settings.corpus.title}-{weights}.html"
    notes = run.export("page", path, weights=weights).notes
    (sizes,) = [note for note in notes if " kB: " in note]
    parts = {
        name: int(size.replace(",", "")) for name, size in re.findall(r"[:,] ([a-z]+)[^,]*? (\d+(?:,\d{3})*)", sizes)
    }
    lost = [match[1] for note in notes if (match := re.search(r"cost (\S+) bits a symbol", note))]
    return Page(path, parts, lost[0] if lost else "")


def rates(page: Path, n: int, rounds: int) -> tuple[float, float]:
    """Return the median rows a second, and a second of the CPU's time."""
    node, script = find_node(), Path(__file__).with_name("page_rates.js")
    if node is None:
        raise SystemExit("node 18 or newer is not installed")
    done = subprocess.run([node, str(script), str(page), str(n), str(rounds)], capture_output=True, check=True)
    seconds, cpu_s = zip(*json.loads(done.stdout), strict=True)
    return n / statistics.median(seconds), n / statistics.median(cpu_s)


class Compared(NamedTuple):
    """Rows of a page beside those of its run.

    Attributes:
        n_equal: how many are the same.
        characters: a row, on average.
        farthest: the largest distance in probability between the random number of a first symbol that differs and the
            boundary between the two symbols; None where all rows are the same.
        moved: the largest distance between the two programs' boundaries there.
    """

    n_equal: int
    characters: float
    farthest: float | None
    moved: float | None


def compared_rows(run: seqgen.Run, page: Path, n: int) -> Compared:
    """Compare n rows of a page with those of its run."""
    asked: dict[str, Any] = {"seed": 0, "temperature": 1, "topK": None, "topP": None, "forced": [], "n": n,
                             "maxLength": run.settings.max_length}  # fmt: skip
    found = page_results(page, {"rows": [], "texts": [], "sample": asked})["samples"]
    rows = run.sample(n)
    other = [
        (one["row"], one["ids"], row.text) for one, row in zip(found, rows, strict=True) if one["text"] != row.text
    ]
    ends = [_boundary(run, page, *one) for one in other]
    farthest, moved = (max(values) for values in zip(*ends, strict=True)) if ends else (None, None)
    return Compared(n - len(other), statistics.fmean(len(row.text) for row in rows), farthest, moved)


def _boundary(run: seqgen.Run, page: Path, row: int, ids: Sequence[int], text: str) -> tuple[float, float]:
    """Return how far the random number of the first other symbol is from the boundary, and how far that moved."""
    theirs = run.vocabulary.encode(text).tolist()
    at = next(place for place in range(len(ids) + 1) if [*ids, EOS][place] != [*theirs, EOS][place])
    allowed, number = list(exporting.symbols_of(run).allowed), Uniforms(0, row, 1)
    uniform = [float(number.next()[0]) for _ in range(at + 1)][-1]
    (logits_TV,) = exporting.replayed(run.model, [ids[:at]])
    asked = page_results(page, {"rows": [ids[:at]], "texts": [], "sample": None})["logits"][0]
    both = torch.stack([logits_TV[at, allowed].double(), torch.tensor(asked[at], dtype=torch.float64)[allowed]])
    cdf_2V = torch.softmax(both, -1).cumsum(-1)
    first, last = sorted(allowed.index(one[at]) for one in ([*ids, EOS], [*theirs, EOS]))
    between_2K = cdf_2V[:, first:last]
    return float((between_2K - uniform).abs().min()), float((between_2K[0] - between_2K[1]).abs().max())


def rate_row(corpus: str, run: seqgen.Run, page: Path, rounds: int) -> list[str]:
    """Return the cells of the table of rates."""
    n, goal = _CORPORA[corpus]
    compared, (per_s, per_cpu_s) = compared_rows(run, page, _N_COMPARED), rates(page, n, rounds)
    settings = run.settings
    distances = ["" if one is None else f"{one:.1e}" for one in (compared.farthest, compared.moved)]
    return [
        corpus, settings.architecture, f"{settings.n_parameters:,}", number(compared.characters), number(per_s),
        number(per_cpu_s), *verdict(per_cpu_s, goal), f"{compared.n_equal} of {_N_COMPARED}", *distances,
    ]  # fmt: skip


def size_row(corpus: str, weights: str, page: Page) -> list[str]:
    """Return the cells of the table of sizes."""
    parts = {name: page.parts.get(name, 0) for name in ("weights", "counts", "viewer", "the")}
    model, total = parts["weights"] + parts["counts"], page.path.stat().st_size / 1000
    goal = 1.4 * 0.75 * model + 200
    met = "yes" if total - parts["viewer"] <= goal else "no"
    cells = [f"{size:,}" if size else "" for size in parts.values()]
    return [corpus, weights, *cells, f"{total:,.0f}", f"<= {goal:,.0f}", met, page.lost]


def main() -> None:
    """Measure and write results/page.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=Path, help="folder of runs named by their corpus")
    parser.add_argument("--time", default="100s", help="training time of a missing run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        speeds, sizes = list[list[str]](), list[list[str]]()
        for corpus in _CORPORA:
            run = run_of(corpus, given.runs or Path(scratch), given.time)
            pages = {weights: exported(run, Path(scratch), weights) for weights in _WEIGHTS}
            speeds.append(rate_row(corpus, run, pages["float32"].path, given.rounds))
            sizes += [size_row(corpus, weights, page) for weights, page in pages.items()]
            print(speeds[-1], flush=True)
    caption = " ".join(_CAPTION.split())
    write_page("page", "Pages in a browser", caption, given.rounds, table(_RATES, speeds), table(_SIZES, sizes))


if __name__ == "__main__":
    main()
