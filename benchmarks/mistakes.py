"""Run every user mistake and record the answer: one line, and an exit code.

    python benchmarks/mistakes.py [--only GROUP]

runs each mistake in its own folder and process and writes docs/mistakes.md.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import seqgen
from mistake_cases import MISTAKES, Mistake
from report import machine, table
from seqgen.pytest_plugin import WORDS
from timing import Setting

PAGE = Path(__file__).parent.parent / "docs" / "mistakes.md"
HEAD = ("mistake", "command", "exit code", "answer")
LONG = 60  # longer words of a command are shortened
TIMEOUT_S = 120


def prepare(folder: Path) -> None:
    """Create the corpus and the run that the mistakes use."""
    folder.mkdir()
    (folder / "words.txt").write_text("\n".join(WORDS) + "\n")
    seqgen.train(
        folder / "words.txt", hidden=8, embedding=4, steps=12, split="80/10/10", out=folder / "run",
        options={"train.eval_every": 4, "train.save_every_s": 1e-9},
    )  # fmt: skip


def shell_command(mistake: Mistake, command: str) -> str:
    """Return the command with the mistake's shell syntax before or after it."""
    before = mistake.shell.endswith(";")
    return " ".join(filter(None, [mistake.shell, command] if before else [command, mistake.shell]))


def typed(mistake: Mistake) -> str:
    """Return the command as shown on the page, with long words shortened."""
    words = [word if len(word) <= LONG else f"{word[:12]}…({len(word):,} characters)" for word in mistake.words]
    return shell_command(mistake, " ".join(["seqgen", *map(shlex.quote, words)])).replace("'", "")


def run_mistake(mistake: Mistake, folder: Path) -> tuple[int, str, float]:
    """Run a mistake in a prepared folder; return the exit code, the last message, and seconds."""
    command = shlex.join([sys.executable, "-m", "seqgen", *mistake.words])
    began = time.monotonic()
    done = subprocess.run(
        ["/bin/sh", "-c", shell_command(mistake, command)], cwd=folder, capture_output=True, timeout=TIMEOUT_S,
        text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, told(done.stderr), time.monotonic() - began


def told(err: str) -> str:
    """Return the last warning or error on stderr; "" if there is none."""
    return next((line.strip() for line in reversed(err.splitlines()) if line.startswith("seqgen: ")), "")


def run_all(mistakes: list[Mistake]) -> list[tuple[Mistake, int, str, float]]:
    """Run mistakes, each in its own folder."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        ready = Path(name) / "ready"
        prepare(ready)
        for mistake in mistakes:
            folder = Path(name) / "folder"
            shutil.copytree(ready, folder)
            mistake.make(folder)
            code, line, seconds = run_mistake(mistake, folder)
            line = line.replace(str(folder), "FOLDER")
            rows.append((mistake, code, line, seconds))
            wrong = "" if code == mistake.code and "unexpected" not in line else f"  <- not {mistake.code}"
            print(f"{mistake.group}: {mistake.what}: {code} in {seconds:.1f} s: {line}{wrong}", flush=True)
            shutil.rmtree(folder)
    return rows


def plain(line: str) -> str:
    """Return a line as Markdown that shows it as it is, in a cell of a table."""
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", line).replace("<", "&lt;")


def page(rows: list[tuple[Mistake, int, str, float]]) -> str:
    """Return the page as Markdown."""
    parts = [
        "# Mistakes and their messages",
        "Written by `python benchmarks/mistakes.py`, which makes each mistake in a process and a folder of its own "
        "that holds `words.txt` and the run folder `run`. What the codes mean: [Exit codes](reference/exit-codes.md).",
        machine(Setting(1, False)),
    ]
    for group in dict.fromkeys(mistake.group for mistake, *_ in rows):
        parts.append(f"## {group}")
        cells = [
            (plain(mistake.what), f"`{typed(mistake)}`", str(code), plain(line) or "(nothing)")
            for mistake, code, line, _ in rows
            if mistake.group == group
        ]
        left = "| --- | --- | ---: | --- |"  # texts to the left, codes to the right
        parts.append(table(HEAD, cells).replace("| --- | ---: | ---: | ---: |", left, 1))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Run the mistakes and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="run one group only")
    wanted = parser.parse_args().only
    rows = run_all([mistake for mistake in MISTAKES if wanted in ("", mistake.group)])
    wrong = [mistake for mistake, code, line, _ in rows if code != mistake.code or "unexpected" in line]
    if not wanted:
        PAGE.write_text(page(rows), encoding="utf-8")
    print(f"{len(rows) - len(wrong)} of {len(rows)} as documented")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
