"""Markdown tables of ratios and goals, and files of sections that can be replaced one by one."""

from __future__ import annotations

import datetime
import os
import platform
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import seqgen
from seqgen.measure import mean_interval
from timing import Rounds, Setting

RESULTS = Path(__file__).parent / "results"
COMPARED = ["what", "median", "unit", "against", "x", "min", "max", "goal", "met"]
"""Header of a comparison table: the median rate, and the median of the per-round ratios to another row."""


@dataclass(frozen=True)
class Section:
    """The result of one benchmark.

    Attributes:
        name: key of the section, on the command line and in the file.
        title: title of the section.
        caption: the measured quantity, the method, and the exact baseline.
        blocks: tables and paragraphs in Markdown.
    """

    name: str
    title: str
    caption: str
    blocks: Sequence[str]

    def text(self, setting: Setting) -> str:
        """Return the section as Markdown."""
        caption = " ".join(self.caption.split())
        return "\n\n".join([f"## {self.name}: {self.title}", caption, machine(setting), *self.blocks]) + "\n"


def machine(setting: Setting) -> str:
    """Return one line with date, machine, versions and rounds."""
    there = f"{platform.machine()} ({torch.backends.cpu.get_cpu_capability()}), {os.cpu_count()} cores"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    quick = " **A quick run: the figures mean nothing.**" if setting.quick else ""
    today = datetime.datetime.now(datetime.UTC).date()
    rounds = f"{setting.rounds} round{'s' if setting.rounds > 1 else ''}"
    return f"Measured {today}: {there}, {gpu}; {versions}, seqgen {seqgen.__version__}; {rounds}.{quick}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is left-aligned, the others right-aligned."""
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Compare:
    """A row of a comparison table.

    Attributes:
        what: name of the variant in the rounds.
        unit: unit of the rate per second; with ``in_time`` only shown.
        against: name of the variant it is compared with; None: none.
        goal: smallest acceptable ratio, with ``in_time`` the largest; None: none.
        in_time: compare seconds instead of rates.
    """

    what: str
    unit: str
    against: str | None = None
    goal: float | None = None
    in_time: bool = False

    def row(self, rounds: Rounds) -> list[str]:
        """Return the cells of the row in the order of ``COMPARED``."""
        shown = rounds.median_s(self.what) if self.in_time else statistics.median(rounds.rates(self.what, self.unit))
        unit = "s" if self.in_time else f"{self.unit}/s"
        if self.against is None:
            return [self.what, number(shown), unit, "", "", "", "", "", ""]
        ratios = (
            rounds.time_ratios(self.what, self.against)
            if self.in_time
            else rounds.ratios(self.what, self.against, self.unit)
        )
        ratio = statistics.median(ratios)
        goal, met = verdict(ratio, self.goal, most=self.in_time)
        spread = [number(value) for value in (ratio, min(ratios), max(ratios))]
        return [self.what, number(shown), unit, self.against, *spread, goal, met]


def write_page(name: str, title: str, caption: str, rounds: int, *blocks: str) -> None:
    """Write a page of results: a title, what it shows, the machine, tables and paragraphs."""
    text = "\n\n".join([f"# {title}", caption, machine(Setting(rounds)), *blocks]) + "\n"
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")


def mean_text(values: Sequence[float], form: str = ".3f") -> str:
    """Return a mean with the half width of its 95% interval, which one value does not give."""
    mean, half = mean_interval(values)
    return f"{mean:{form}}" if half is None else f"{mean:{form}} ± {half:.3f}"


def verdict(value: float, goal: float | None, *, most: bool = False) -> tuple[str, str]:
    """Return the columns "goal" and "met"; with ``most`` the value must be at most the goal, else at least."""
    if goal is None:
        return "", ""
    return f"{'<=' if most else '>='} {goal:g}", "yes" if (value <= goal if most else value >= goal) else "no"


def missing(what: str, why: str, head: Sequence[str] = COMPARED) -> list[str]:
    """Return a row of a variant that cannot be measured here."""
    return [what, f"not measured: {why}", *([""] * (len(head) - 2))]


def number(value: float) -> str:
    """Format a number with about three significant digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def store(path: Path, heading: str, texts: dict[str, str], order: Sequence[str]) -> None:
    """Write sections to a file and keep its other sections.

    Args:
        path: the file.
        heading: text above all sections.
        texts: the sections by name.
        order: all section names in the order of the file.
    """
    there = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.M)[1:] if path.exists() else []
    known = {text.removeprefix("## ").partition(":")[0]: text.strip() + "\n" for text in there}
    known |= texts
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([heading, *(known[name] for name in order if name in known)]), encoding="utf-8")
