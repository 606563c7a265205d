"""What seqgen promises of itself, tested and counted.

    python benchmarks/promises.py [--only R3,R5] [--memory] [pytest arguments]

Runs the tests that are marked ``promise``, the slow ones too, and writes docs/promises.md. A test counts as many cases
as it records by ``record_property("cases", n)``, one if it records none; if it fails, none of them is held.
``--memory`` also measures what refusing a line of 1 GB and training on a file of 1 GB take.
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from large import TRAIN, peak_mb, refusing, write_words
from report import machine, table
from timing import Setting

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "promises.md"
HEAD = ("promise", "what", "how it was tested", "cases", "held")
PROMISES = {
    "R1": "A run that is stopped and resumed has, byte for byte, the weights and logs of one that never stopped",
    "R2": "kill -9 at any moment: the run goes on to the same bytes, nothing half-written stays",
    "R3": "After a power loss the old or the new checkpoint is there",
    "R4": "A full or failing disk ends a run with one line; checkpoints stay; it goes on when there is room",
    "R5": "A flipped bit or a missing end is found, the file named, an older checkpoint used",
    "R6": "Any folder name, links, read-only folders: a run, or one line",
    "R7": "SIGINT, SIGTERM and SIGHUP save and end the run within seconds",
    "R8": "Of many that want one run folder one gets it; the others say who has it",
    "R9": "Runs that an older version has made keep loading",
    "R10": "A loss that is no number is refused before the step, and never saved",
    "R11": "The same seed gives the same bytes on one machine",
    "R12": "No text stands both in the training part and in a held-out part",
    "R13": "Nothing that lies in a run folder is run",
    "R14": "Files name registered parts, never modules",
    "R15": "A run folder cannot take the machine's memory or time",
    "R16": "Any corpus file trains, or is refused with file and line",
    "R17": "An unknown symbol is named, with its place and what resembles it",
    "R18": "Samples come out as they are, and steer no terminal",
    "R19": "A broken plugin costs one line, never a command",
    "R20": "Looking around is quick and needs no torch",
    "R21": "What a plugin hands in is checked where it comes in",
    "R22": "A name that two plugins offer is never taken in silence",
    "R23": "A plugin for another version of the interface is told so",
    "R24": "A run whose plugin is missing names its distribution, and no command that installs it",
    "R29": "No link below a run, bench or cache folder is followed, whatever the command",
    "R30": "A message that cannot be written never loses work",
    "R31": "Every file of a run and of a cache is covered by a checksum, logs included",
    "R32": "Every phase ends within 2 s of a signal, once the current step or plugin call has ended",
    "R33": "Constraints and bans hold under any processor",
}
HOOK = """
import json, os, pytest
_seen = {}
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    summary = (item.function.__doc__ or item.function.__name__.replace("_", " ")).strip().splitlines()[0]
    names = [str(name) for mark in item.iter_markers("promise") for name in mark.args]
    item.user_properties.append(("seqgen", {"promises": names, "test": item.nodeid.partition("[")[0], "how": summary}))
def pytest_runtest_logreport(report):
    told = dict(report.user_properties)
    if "seqgen" not in told:
        return
    test = _seen.setdefault(report.nodeid, told["seqgen"])
    order = {"passed": 0, "skipped": 1, "failed": 2}
    if report.when == "call" or report.outcome != "passed":
        worst = max(test.get("outcome", "passed"), report.outcome, key=order.get)
        test.update(outcome=worst, cases=int(told.get("cases", test.get("cases", 1))))
def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        with open(os.environ["SEQGEN_PROMISES"], "w") as file:
            json.dump(list(_seen.values()), file)
"""


@dataclass
class Count:
    """What was found of one promise.

    Attributes:
        how: the first line of each test's docstring, once.
        cases: how many were tried.
        held: how many of them held.
    """

    how: dict[str, str]
    cases: int = 0
    held: int = 0


def run_tests(more: Sequence[str]) -> list[dict[str, object]]:
    """Run the marked tests in a process of their own; what each has to say."""
    with tempfile.TemporaryDirectory() as name:
        found = Path(name) / "found.json"
        (Path(name) / "counting_promises.py").write_text(HOOK)
        program = (
            f"import os, sys, pytest; sys.path.insert(0, {name!r}); os.environ['SEQGEN_PROMISES'] = {str(found)!r}; "
            "sys.exit(pytest.main(sys.argv[1:]))"
        )
        marked = ["-q", "-m", "promise", "-p", "counting_promises"]
        subprocess.run([sys.executable, "-c", program, *marked, *more], cwd=ROOT, check=False)
        if not found.exists():
            sys.exit("pytest did not get as far as the tests")
        tests: list[dict[str, object]] = json.loads(found.read_text())
        return tests


def add_up(tests: Sequence[Mapping[str, object]]) -> dict[str, Count]:
    """Cases and how many held, by promise; a test that was skipped is no case."""
    counts: dict[str, Count] = collections.defaultdict(lambda: Count({}))
    for test in tests:
        outcome = test.get("outcome")
        for promise in test["promises"] if outcome in ("passed", "failed") else ():  # type: ignore[attr-defined]
            count, cases = counts[promise], int(str(test["cases"]))
            count.how[str(test["test"])] = str(test["how"])
            count.cases += cases
            count.held += cases if outcome == "passed" else 0
    return counts


def rows(counts: Mapping[str, Count]) -> list[list[str]]:
    """A row a promise."""
    lines = []
    for name, what in PROMISES.items():
        if (count := counts.get(name)) is None:
            lines.append([name, what, "not tested", "", ""])
            continue
        how = " ".join(line if line.endswith(".") else f"{line}." for line in count.how.values())
        lines.append([name, what, how.replace("|", "\\|"), f"{count.cases:,}", f"{count.held:,}"])
    return lines


def measure_memory() -> list[list[str]]:
    """The most memory, MB, and seconds of refusing a line of 1 GB and of training on a file of 1 GB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [
            [f"{what} a line of 1 GB, more than for a short file", f"{mb:,.0f}", f"{took_s:,.1f}"]
            for what, (took_s, mb) in refusing(folder).items()
        ]
        (folder / "few.txt").write_text("anna\nben\ncarla\ndora\nemil\nfred\ngina\nhans\n" * 5)
        write_words(folder / "words.txt", 1000)
        for what, path in (("forty words", "./few.txt"), ("a file of 1 GB", "./words.txt")):
            training_mb, training_s = peak_mb([*TRAIN, path], folder)
            lines.append([f"training 20 steps on {what}", f"{training_mb:,.0f}", f"{training_s:,.0f}"])
    return lines


def main() -> None:
    """Run, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="promises, separated by commas; the page is printed, not stored")
    parser.add_argument("--memory", action="store_true", help="measure memory too, about three minutes")
    given, more = parser.parse_known_args()
    counts = add_up(run_tests(more))
    only = [name for name in given.only.split(",") if name]
    lines = [line for line in rows(counts) if not only or line[0] in only]
    memory = table(("peak memory", "MB", "s"), measure_memory()) if given.memory else _memory_before()
    setting = re.sub(r"; 1 round\.$", ".", machine(Setting(rounds=1)))
    text = "\n\n".join(
        [
            "# Promises, and how they are tested",
            "Made by `python benchmarks/promises.py --memory`; each row adds up the tests that are marked with its "
            "promise (`pytest -m promise`). *Cases* are what these tried (stops, kills, flipped bits, files, ...), "
            "*held* those in which the promise was kept.",
            setting,
            table(HEAD, lines).replace("| --- | ---: | ---: |", "| --- | --- | --- |", 1),  # words to the left
            memory,
        ]
    )
    if not only and not more:
        PAGE.write_text(text + "\n", encoding="utf-8")
    print(text)


def _memory_before() -> str:
    """The figures of memory that the page has."""
    known = re.search(r"^\| peak memory .*?(?=\n\n|\Z)", PAGE.read_text() if PAGE.exists() else "", re.M | re.S)
    return known[0].strip() if known else "Peak memory: not measured."


if __name__ == "__main__":
    main()
