"""Promises of seqgen, tested and counted.

    python benchmarks/promises.py [--only R3,R5] [--memory] [pytest arguments]

Runs all tests marked ``promise``, including slow ones, and writes docs/promises.md. A test counts as many cases as it
records with ``record_property("cases", n)``, one if it records none; if it fails, none of them counts as held.
``--memory`` also measures refusing a line of 1 GB and training on a file of 1 GB.
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

from large import TRAIN, peak_mb, refuse_long_line, write_words
from report import machine, table
from timing import Setting

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "promises.md"
HEAD = ("promise", "what", "how it was tested", "cases", "held")
PROMISES = {
    "R1": "A run that is stopped and resumed has, byte for byte, the weights and logs of one that never stopped",
    "R2": "After kill -9 at any moment a run resumes to the same bytes, and no half-written file stays",
    "R3": "After a power loss the old or the new checkpoint is intact",
    "R4": "A full or failing disk ends a run with one line; checkpoints stay, and it resumes once there is disk space",
    "R5": "A flipped bit or a truncated file is detected, the file named, and an older checkpoint used",
    "R6": "Any folder name, links, read-only folders: a run, or a one-line error",
    "R7": "SIGINT, SIGTERM and SIGHUP save and end the run within seconds",
    "R8": "Of many processes that want one run folder one gets it; the others report who holds it",
    "R9": "Runs of older versions keep loading",
    "R10": "A loss that is not finite is refused before the step, and never saved",
    "R11": "The same seed gives the same bytes on one machine",
    "R12": "A split puts no text into both the training part and a held-out part",
    "R13": "Nothing in a run folder is executed",
    "R14": "Files name registered parts, never modules",
    "R15": "A run folder cannot exhaust memory or time",
    "R16": "Any corpus file trains, or is refused with file and line",
    "R17": "An unknown symbol is reported with its position and similar symbols",
    "R18": "Samples are printed unchanged and cannot control the terminal",
    "R19": "A broken plugin costs one line, never a command",
    "R20": "Light commands are quick and need no torch",
    "R21": "What a plugin registers is checked on registration",
    "R22": "A name that two plugins register is never resolved silently",
    "R23": "A plugin for another version of the interface is reported",
    "R24": "A run whose plugin is missing names its distribution, but no command that installs it",
    "R29": "No link below a run, bench or cache folder is followed, whatever the command",
    "R30": "A message that cannot be written never loses work",
    "R31": "Every file of a run and of a cache is covered by a checksum, logs included",
    "R32": "Every phase ends within 2 s of a signal, once the current step or plugin call has ended",
    "R33": "Constraints and bans hold under any processor",
}
HOW = {
    "R1": "Runs of nine models, with dropout, are stopped at random steps and resumed; states carried from window "
    "to window, key-value caches and counts too.",
    "R2": "Training is killed at random moments, and before and within each file operation; it is resumed, or "
    "started again where there was no run yet.",
    "R3": "A model of power loss rebuilds, at every file operation, each state that the disk may have; without "
    "one of the syncs it finds a broken state.",
    "R4": "Each file operation of a save and of a training run fails (ENOSPC, EDQUOT, EIO), once or from then "
    "on; file size limits and warnings about disk space.",
    "R5": "Random bit flips and truncations over all files of a run; missing, swapped and replaced files; all "
    "checkpoints damaged.",
    "R6": "Names with spaces, quotes, other scripts and line ends, up to 255 bytes; links in every place; read-only "
    "disks.",
    "R7": "Signals before there is a run, in every phase of training, while resuming and during other commands; "
    "two at a time.",
    "R8": "Twenty processes train into one new folder or resume one run at once; locks that are removed, and "
    "locks on network disks.",
    "R9": "A stored run of each kind gives its recorded samples, scores and end; a newer format is refused with "
    "what to do.",
    "R10": "Losses are made infinite or NaN after some steps, of records, of a long text and of compiled steps; "
    "nothing of it is in any file.",
    "R11": "Runs of all cells are trained twice; the number of threads that torch would take has no influence.",
    "R12": "Corpora half of whose records are there twice are divided; equal texts are looked for in the encoded "
    "parts.",
    "R13": "Pickles, archives, polyglots, links, YAML and import paths in each file of a run; the source is "
    "searched for functions that execute data.",
    "R14": "Import paths and other names stand in place of a cell, model, tokenizer or corpus; what a hostile "
    "run.json says is never given as advice.",
    "R15": "Oversized headers, shapes, nesting and symbols; mutated run.json, tokenizer.json, state.json, manifests "
    "and tensor files with matching checksums.",
    "R16": "Random bytes, texts and tables in every format; damaged archives, files that change or grow, a gigabyte "
    "of one line, deep nesting, too many characters.",
    "R17": "Prefixes, scored texts, constraints and bans with symbols that the corpus did not have, in Python "
    "and on the command line.",
    "R18": "Samples with control characters, bidirectional overrides and line ends, on a terminal, in a pipe "
    "and as JSON; folders with such names.",
    "R19": "Plugins that fail in every hook and at import, print, or are disabled by a switch; with and without "
    "strict mode.",
    "R20": "All light commands run with torch forbidden, with a plugin of each kind installed; a plugin that "
    "imports torch is reported.",
    "R21": "Parts of the wrong kind, wrong hooks, odd renderers and failing events; a run continues, or saves "
    "first in strict mode.",
    "R22": "Two plugins register the same name, and two distributions the same entry point, in any order.",
    "R23": "Plugins with older, newer and equal versions of the interface, and every kind of part from them.",
    "R24": "Runs whose plugin, file or name is missing, from wheels that are installed and uninstalled.",
    "R29": "Each part of a run and of a cache is a link (dangling, to a file, to a folder) for each command; "
    "nothing outside changes.",
    "R30": "Full devices, closed streams, broken pipes and closed terminals, for every command; weights and "
    "exit codes are compared.",
    "R31": "Random bit flips, cuts and removals over all files of runs, of compiled steps and of encoded corpora; "
    "each is found.",
    "R32": "Regular expressions, long lists, long texts and long rows are interrupted at random moments.",
    "R33": "Decoding steps that smooth, shuffle, force forbidden ids or write into their arguments, while sampling "
    "and searching.",
}
"""What the tests of each promise do."""
HOOK = """
import json, os, pytest
_seen = {}
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    names = [str(name) for mark in item.iter_markers("promise") for name in mark.args]
    item.user_properties.append(("seqgen", {"promises": names}))
def pytest_runtest_logreport(report):
    found = dict(report.user_properties)
    if "seqgen" not in found:
        return
    test = _seen.setdefault(report.nodeid, found["seqgen"])
    order = {"passed": 0, "skipped": 1, "failed": 2}
    if report.when == "call" or report.outcome != "passed":
        worst = max(test.get("outcome", "passed"), report.outcome, key=order.get)
        test.update(outcome=worst, cases=int(found.get("cases", test.get("cases", 1))))
def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        with open(os.environ["SEQGEN_PROMISES"], "w") as file:
            json.dump(list(_seen.values()), file)
"""


@dataclass
class Count:
    """The result of one promise.

    Attributes:
        cases: number of cases tried.
        held: number of cases that held.
    """

    cases: int = 0
    held: int = 0


def run_tests(more: Sequence[str]) -> list[dict[str, object]]:
    """Run the marked tests in a new process and return their results."""
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
            sys.exit("cannot count promises: pytest stopped before the tests")
        tests: list[dict[str, object]] = json.loads(found.read_text())
        return tests


def add_up(tests: Sequence[Mapping[str, object]]) -> dict[str, Count]:
    """Return cases and how many held, by promise; skipped tests are not counted."""
    counts: dict[str, Count] = collections.defaultdict(Count)
    for test in tests:
        outcome = test.get("outcome")
        for promise in test["promises"] if outcome in ("passed", "failed") else ():  # type: ignore[attr-defined]
            count, cases = counts[promise], int(str(test["cases"]))
            count.cases += cases
            count.held += cases if outcome == "passed" else 0
    return counts


def rows(counts: Mapping[str, Count]) -> list[list[str]]:
    """Return one row per promise."""
    lines = []
    for name, what in PROMISES.items():
        if (count := counts.get(name)) is None:
            lines.append([name, what, "not tested", "", ""])
            continue
        lines.append([name, what, HOW[name], f"{count.cases:,}", f"{count.held:,}"])
    return lines


def measure_memory() -> list[list[str]]:
    """Return peak memory, MB, and seconds of refusing a line of 1 GB and of training on a file of 1 GB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [
            [f"{what} a line of 1 GB, more than for a short file", f"{mb:,.0f}", f"{took_s:,.1f}"]
            for what, (took_s, mb) in refuse_long_line(folder).items()
        ]
        (folder / "few.txt").write_text("anna\nben\ncarla\ndora\nemil\nfred\ngina\nhans\n" * 5)
        write_words(folder / "words.txt", 1000)
        for what, path in (("forty words", "./few.txt"), ("a file of 1 GB", "./words.txt")):
            training_mb, training_s = peak_mb([*TRAIN, path], folder)
            lines.append([f"training 20 steps on {what}", f"{training_mb:,.0f}", f"{training_s:,.0f}"])
    return lines


def main() -> None:
    """Run the tests, print and store the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="promises, comma-separated; the page is printed, not stored")
    parser.add_argument("--memory", action="store_true", help="also measure memory, about three minutes")
    args, more = parser.parse_known_args()
    counts = add_up(run_tests(more))
    only = [name for name in args.only.split(",") if name]
    lines = [line for line in rows(counts) if not only or line[0] in only]
    memory = table(("peak memory", "MB", "s"), measure_memory()) if args.memory else _stored_memory_table()
    setting = re.sub(r"; 1 round\.$", ".", machine(Setting(rounds=1)))
    text = "\n\n".join(
        [
            "# Promises, and how they are tested",
            "Made by `python benchmarks/promises.py --memory`; each row adds up the tests that are marked with its "
            "promise (`pytest -m promise`). *Cases* are what these try (stops, kills, flipped bits, files, ...), "
            "*held* those in which the promise was kept.",
            setting,
            table(HEAD, lines).replace("| --- | ---: | ---: |", "| --- | --- | --- |", 1),  # words to the left
            memory,
        ]
    )
    if not only and not more:
        PAGE.write_text(text + "\n", encoding="utf-8")
    print(text)


def _stored_memory_table() -> str:
    """Return the table of memory on the stored page."""
    known = re.search(r"^\| peak memory .*?(?=\n\n|\Z)", PAGE.read_text() if PAGE.exists() else "", re.M | re.S)
    return known[0].strip() if known else "Peak memory: not measured."


if __name__ == "__main__":
    main()
