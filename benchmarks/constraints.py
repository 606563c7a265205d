"""Rows under constraints: how like the model's own rows they are, and how many there are a second.

    python benchmarks/constraints.py [--corpora a,b] [--work DIR] [--seconds S]

Each corpus is trained by its default run, titles also with the tokenizer bpe. For each constraint, rows are sampled in
four ways: plain, without the constraint; --fast, by a mask; by default; and --exact, freely until rows satisfy it. Each
way samples 4,000 rows (of smiles, tunes and titles 500) or as many as S seconds after the first row give (20); "first"
is the time to the first row of the default, trials included, and its rate that of the rows after it. Compared with the
exact rows, where there are 100, are the mean length, the place of the wanted text (0: at the beginning, 1: at the end),
and the mean log-likelihood under the model, in nats per row. Differences are in units of their standard error: a sample
of the same distribution stays within 2 mostly, within 3 almost always. With --work, finished runs and measured
constraints are kept there. The tables are stored in benchmarks/results/constraints.md, and the picture of
docs/guides/constraints.md is drawn, for which matplotlib is needed.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import seqgen
from report import number, table, write_page

CASES: dict[str, list[dict[str, Any]]] = {
    "names": [
        {"contains": "a", "length": "5-8"},
        {"contains": "an", "length": "5-8"},
        {"ends": "a", "length": "4-6"},
        {"regex": "K[a-z]+a"},
        {"contains": "nn", "avoid": "a"},
        {"ends": "ton"},
        {"length": "12-14"},
        {"prefix": "Mar", "ends": "son"},
        {"contains": "xw"},
        {"contains": ("z", "q", "x")},
    ],
    "titles": [
        {"length": "-50"},
        {"contains": "earning"},
        {"prefix": "Deep ", "contains": "Network"},
        {"ends": "?"},
        {"length": "20-30"},
        {"contains": "network"},
        {"regex": "[A-Z][A-Za-z]+: .* for .*"},
        {"contains": "graph", "length": "-40"},
        {"prefix": "Deep ", "ends": "graphs"},
        {"contains": ("Diffusion", "Speech")},
    ],
    "smiles": [
        {"contains": "N", "avoid": "Cl", "length": "-60"},
        {"contains": "C1=CC=CC=C1"},
        {"contains": "Br"},
        {"contains": "Cl", "length": "20-25"},
        {"ends": "F"},
        {"contains": "S(=O)(=O)N"},
        {"prefix": "CC(C)", "ends": "=O"},
        {"contains": ("F", "S"), "length": "-30"},
        {"contains": "N#N"},
        {"contains": ("Br", "P")},
    ],
    "tunes": [
        {"length": "-300"},
        {"contains": "c'"},
        {"contains": "^f"},
        {"length": "100-150"},
        {"contains": "z2"},
        {"contains": "B/c/"},
        {"ends": "G2||"},
        {"contains": ("_B", "^c")},
        {"contains": "efgfe"},
        {"contains": "aaaa"},
    ],
}
CASES["titles-bpe"] = CASES["titles"]  # with another tokenizer
EXAMPLE: dict[str, Any] = {"contains": "an", "length": "5-8"}
N_EXAMPLE = 4_000
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "constraints.svg"
FEW = 100  # exact rows that are enough to compare with
N_NAMES, N_OTHERS = 4_000, 500
HEAD = ["constraint", "satisfied by", "first, s", "rows/s: plain", "--fast", "default", "--exact", "default / fast",
        "kept", "way"]  # fmt: skip
GUIDED = "(rows are guided step by step)"
SATISFIED, KEPT = r": (about 1 in [\d,]+|[\d.]+%) of the model", r"by keeping ([\d.]+%) of the samples"
_PLAIN = HEAD.index("rows/s: plain")
LIKE = ["constraint", "rows", "length: exact", "default", "--fast", "place: exact", "default", "--fast",
        "nats: exact", "default", "--fast"]  # fmt: skip


class Rows:
    """Rows of one way of sampling."""

    def __init__(self, run: seqgen.Run, n: int, most_s: float, settings: dict[str, Any]) -> None:
        self.warned: list[str] = []
        self.texts: list[str] = []
        start = first = time.perf_counter()
        for row in run.iter_samples(n, warn=self.warned.append, effort=10**9, **settings):
            if not self.texts:
                first = time.perf_counter()
            self.texts.append(row.text)
            if time.perf_counter() - first > most_s:
                break
        self.first_s = first - start
        total_s = time.perf_counter() - start
        self.rate = len(self.texts) / total_s
        # Rows that may be rejected come in growing batches, so the first one comes soon after the trials.
        self.rate_after_first = max(len(self.texts) - 1, 0) / max(total_s - self.first_s, 1e-9)

    def told(self, pattern: str) -> str:
        """Return what a pattern finds in the lines on how rows are sampled, or ""."""
        found = re.search(pattern, "\n".join(self.warned))
        return found[1] if found else ""

    def compared(self, run: seqgen.Run, wanted: str) -> dict[str, list[float]]:
        """Return length, place of the wanted text and log-likelihood of each row."""
        places = [text.find(wanted) / max(len(text) - len(wanted), 1) for text in self.texts] if wanted else []
        nats = [score.nats for score in run.score(self.texts)]
        return {"length": [float(len(text)) for text in self.texts], "place": places, "nats": nats}


def named(case: dict[str, Any]) -> str:
    """Return a constraint as its flags."""
    flags = [
        f"--{name} {text}" for name, texts in case.items() for text in (texts if isinstance(texts, tuple) else (texts,))
    ]
    return f"`{' '.join(flags)}`".replace("|", "\\|")


def shown(values: list[float], exact: list[float]) -> str:
    """Return a mean, and its difference from that of the exact rows in standard errors."""
    if len(values) < 2 or not exact:
        return ""
    mean = statistics.mean(values)
    if values is exact:
        return number(mean)
    error = (statistics.variance(values) / len(values) + statistics.variance(exact) / len(exact)) ** 0.5
    return f"{number(mean)} ({(mean - statistics.mean(exact)) / error:+.1f})" if error else number(mean)


def measure(run: seqgen.Run, case: dict[str, Any], n: int, most_s: float) -> tuple[list[str], list[str]]:
    """Return the rows of the two tables; of the first without the rate of plain rows."""
    fast = Rows(run, n, most_s, {**case, "fast": True})
    default = Rows(run, n, most_s, case)
    exact = Rows(run, n, most_s, {**case, "exact": True})
    kept = default.told(KEPT)
    way = "look-ahead" if kept else "guided" if default.told(GUIDED) else "free"
    default_rate = default.rate if way == "guided" else default.rate_after_first
    rates = [
        named(case),
        default.told(SATISFIED),
        number(default.first_s),
        number(fast.rate),
        number(default_rate),
        number(exact.rate_after_first),
        number(default_rate / fast.rate),
        kept,
        way,
    ]
    wanted = case.get("contains", "")
    wanted = wanted if isinstance(wanted, str) else wanted[0]
    of_exact = exact.compared(run, wanted) if len(exact.texts) >= FEW else {}
    ways = [of_exact, default.compared(run, wanted), fast.compared(run, wanted)] if of_exact else []
    cells = [
        cell
        for name in ("length", "place", "nats")
        for cell in ([shown(of[name], of_exact[name]) for of in ways] or [""] * 3)
    ]
    return rates, [named(case), f"{len(exact.texts):,}", *cells]


def draw_example(run: seqgen.Run) -> str:
    """Draw lengths and endings of the rows of an example; return them as a table."""
    from matplotlib import pyplot

    least, most = map(int, EXAMPLE["length"].split("-"))
    wanted = EXAMPLE["contains"]
    training = [record.text for record in run.records("train")]
    ways = {
        "training records": [text for text in training if wanted in text and least <= len(text) <= most],
        "--exact": [row.text for row in run.sample(N_EXAMPLE, **EXAMPLE, exact=True, effort=10**9)],
        "default": [row.text for row in run.sample(N_EXAMPLE, **EXAMPLE)],
        "--fast": [row.text for row in run.sample(N_EXAMPLE, **EXAMPLE, fast=True)],
    }
    names = [*(f"{length} letters" for length in range(least, most + 1)), f"end in {wanted}"]
    shares = {
        way: [sum(len(text) == length for text in texts) / len(texts) for length in range(least, most + 1)]
        + [sum(text.endswith(wanted) for text in texts) / len(texts)]
        for way, texts in ways.items()
    }
    places = [*range(len(names) - 1), len(names) - 0.5]  # endings stand apart from lengths
    figure, axes = pyplot.subplots(figsize=(7.2, 3.4), layout="constrained")
    for at, (way, values) in enumerate(shares.items()):
        axes.bar([place + 0.2 * (at - 1.5) for place in places], values, 0.19, label=way)
    axes.set_xticks(places, names)
    axes.set_ylabel("share of rows")
    axes.set_title("names, " + named(EXAMPLE).strip("`"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})
    rows = [[way, f"{len(ways[way]):,}", *(f"{value:.1%}" for value in values)] for way, values in shares.items()]
    return table([named(EXAMPLE), "rows", *names], rows)


def main() -> None:
    """Measure, print and store the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", default=",".join(CASES))
    parser.add_argument("--work", type=Path, help="folder of finished runs")
    parser.add_argument("--seconds", type=float, default=20, help="limit for each way of sampling")
    given = parser.parse_args()
    blocks = []
    with tempfile.TemporaryDirectory() as temporary:
        for corpus in given.corpora.split(","):
            out = (given.work or Path(temporary)) / f"{corpus}-gru-0-default"
            name, _, tokenizer = corpus.partition("-")
            settings = {"tokenizer": tokenizer} if tokenizer else {}
            run = (
                seqgen.load(out)
                if out.exists()
                else seqgen.train(name, cell="gru", out=out, progress=False, **settings)
            )
            n = N_NAMES if corpus == "names" else N_OTHERS
            done = out.with_name(out.name + "-constraints.json")
            found = json.loads(done.read_text()) if done.exists() else {}
            if "plain" not in found:
                run.sample(1)  # the model is loaded
                found["plain"] = Rows(run, n, given.seconds, {}).rate
            for case in CASES[corpus]:
                if named(case) not in found:
                    found[named(case)] = measure(run, case, n, given.seconds)
                    done.write_text(json.dumps(found))
                print(*found[named(case)], flush=True)
            rates, like = zip(*(found[named(case)] for case in CASES[corpus]), strict=True)
            rates = [[*row[:_PLAIN], number(found["plain"]), *row[_PLAIN:]] for row in rates]
            blocks += [f"## {corpus}", table(HEAD, rates), table(LIKE, like)]
            if corpus == "names":
                blocks.append(draw_example(run))
    write_page(
        "constraints",
        "Rows under constraints",
        f"Written by `python benchmarks/constraints.py --corpora {given.corpora}`: default runs of `gru`, 500 rows for "
        "each constraint (names: 4,000) or as many as some seconds give.\n\n"
        "- *Satisfied by*: the share of the model's rows, as look-ahead estimates it.\n"
        "- *First*: seconds to the first row of the default, trial rows included. The rates of default and `--exact` "
        "are those of the rows after it.\n"
        "- *Kept*: the share of rows with look-ahead that are kept. *Way*: that of the default; free rows are those of "
        "`--exact`.\n"
        "- *Length*, *place* of the wanted text (0: beginning, 1: end) and *nats* (minus the log-likelihood of a row): "
        "means. In brackets: the difference from exact rows, in standard errors.",
        1,
        *blocks,
    )


if __name__ == "__main__":
    main()
