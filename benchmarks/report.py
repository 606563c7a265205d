"""Tables as Markdown: rows of ratios with their goals, and a file of sections of which some are written anew."""

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
from timing import Rounds, Setting

RESULTS = Path(__file__).parent / "results"
COMPARED = ["what", "median", "unit", "against", "x", "min", "max", "goal", "met"]
"""Head of a table of comparisons: the median rate, and the median of the ratios to another row, round by round."""


@dataclass(frozen=True)
class Section:
    """What one benchmark found.

    Attributes:
        name: by which it is asked for, and found again in the file.
        title: what it is about.
        caption: what was measured, how, and what exactly the baseline is.
        blocks: tables and lines, Markdown.
    """

    name: str
    title: str
    caption: str
    blocks: Sequence[str]

    def text(self, setting: Setting) -> str:
        """The section as Markdown."""
        caption = " ".join(self.caption.split())
        return "\n\n".join([f"## {self.name}: {self.title}", caption, machine(setting), *self.blocks]) + "\n"


def machine(setting: Setting) -> str:
    """Where, with what and how thoroughly, in a line."""
    there = f"{platform.machine()} ({torch.backends.cpu.get_cpu_capability()}), {os.cpu_count()} cores"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    quick = " **A quick run: the figures mean nothing.**" if setting.quick else ""
    today = datetime.datetime.now(datetime.UTC).date()
    rounds = f"{setting.rounds} round{'s' if setting.rounds > 1 else ''}"
    return f"Measured {today}: {there}, {gpu}; {versions}, seqgen {seqgen.__version__}; {rounds}.{quick}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is to the left, the others to the right."""
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Compare:
    """A row: something that was measured, and how it stands to something else.

    Attributes:
        what: its name in the rounds.
        unit: what is counted a second; with ``in_time`` only shown.
        against: the name of what it is compared with; None: nothing.
        goal: the least ratio that is wanted, with ``in_time`` the largest; None: none.
        in_time: whether seconds are compared instead of rates.
    """

    what: str
    unit: str
    against: str | None = None
    goal: float | None = None
    in_time: bool = False

    def row(self, rounds: Rounds) -> list[str]:
        """The cells of the row, as ``COMPARED`` names them."""
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


def verdict(value: float, goal: float | None, *, most: bool = False) -> tuple[str, str]:
    """The columns "goal" and "met"; ``most``: the value must be at most the goal, not at least."""
    if goal is None:
        return "", ""
    return f"{'<=' if most else '>='} {goal:g}", "yes" if (value <= goal if most else value >= goal) else "no"


def missing(what: str, why: str, head: Sequence[str] = COMPARED) -> list[str]:
    """A row of something that cannot be measured here."""
    return [what, f"not measured: {why}", *([""] * (len(head) - 2))]


def number(value: float) -> str:
    """A figure with three digits that count, or whole."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def store(path: Path, heading: str, texts: dict[str, str], order: Sequence[str]) -> None:
    """Write sections to a file; those that it has and that are not among them stay.

    Args:
        path: the file.
        heading: what stands above all sections.
        texts: the sections by name.
        order: all names, in the order of the file.
    """
    there = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.M)[1:] if path.exists() else []
    known = {text.removeprefix("## ").partition(":")[0]: text.strip() + "\n" for text in there}
    known |= texts
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([heading, *(known[name] for name in order if name in known)]), encoding="utf-8")
