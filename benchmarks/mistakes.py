"""Make mistakes of every kind and write down the answers: one line, and an exit code.

    python benchmarks/mistakes.py [--only GROUP]

Makes each of them in a folder of its own, in a process of its own, and writes docs/mistakes.md.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import seqgen
from mistaken import MISTAKES, Mistake
from report import machine, table
from seqgen.pytest_plugin import WORDS
from timing import Setting

PAGE = Path(__file__).parent.parent / "docs" / "mistakes.md"
HEAD = ("mistake", "command", "exit code", "answer")
LONG = 60  # characters of a word of a command that are shown
TIMEOUT_S = 120


def prepare(folder: Path) -> None:
    """Make the corpus and the run that mistakes are made with."""
    folder.mkdir()
    (folder / "words.txt").write_text("\n".join(WORDS) + "\n")
    seqgen.train(
        folder / "words.txt", hidden=8, embedding=4, steps=12, split="80/10/10", out=folder / "run",
        options={"train.eval_every": 4, "train.save_every_s": 1e-9},
    )  # fmt: skip


def within_shell(mistake: Mistake, command: str) -> str:
    """The command with what a shell adds to it, before or after."""
    before = mistake.shell.endswith(";")
    return " ".join(filter(None, [mistake.shell, command] if before else [command, mistake.shell]))


def typed(mistake: Mistake) -> str:
    """The command as it is shown: its long words cut."""
    words = [word if len(word) <= LONG else f"{word[:12]}…({len(word):,} characters)" for word in mistake.words]
    return within_shell(mistake, " ".join(["seqgen", *map(shlex.quote, words)])).replace("'", "")


def answered(mistake: Mistake, folder: Path) -> tuple[int, str, float]:
    """Make a mistake in a folder that is ready for it; gives the exit code, the last line, and seconds."""
    command = shlex.join([sys.executable, "-m", "seqgen", *mistake.words])
    began = time.monotonic()
    done = subprocess.run(
        ["/bin/sh", "-c", within_shell(mistake, command)], cwd=folder, capture_output=True, timeout=TIMEOUT_S,
        text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, told(done.stderr), time.monotonic() - began


def told(err: str) -> str:
    """The last warning or error on stderr; "" without any."""
    return next((line.strip() for line in reversed(err.splitlines()) if line.startswith("seqgen: ")), "")


def tried(mistakes: list[Mistake]) -> list[tuple[Mistake, int, str, float]]:
    """Make mistakes, each in a folder of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        ready = Path(name) / "ready"
        prepare(ready)
        for mistake in mistakes:
            folder = Path(name) / "folder"
            shutil.copytree(ready, folder)
            mistake.make(folder)
            code, line, seconds = answered(mistake, folder)
            line = line.replace(str(folder), "FOLDER")
            rows.append((mistake, code, line, seconds))
            wrong = "" if code == mistake.code and "unexpected" not in line else f"  <- not {mistake.code}"
            print(f"{mistake.group}: {mistake.what}: {code} in {seconds:.1f} s: {line}{wrong}", flush=True)
            shutil.rmtree(folder)
    return rows


def page(rows: list[tuple[Mistake, int, str, float]]) -> str:
    """The page, Markdown."""
    parts = [
        "# Mistakes and their messages",
        "Written by `python benchmarks/mistakes.py`, which makes each mistake in a process and a folder of its own "
        "that holds `words.txt` and the run folder `run`. What the codes mean: [Exit codes](reference/exit-codes.md).",
        machine(Setting(1, False)),
    ]
    for group in dict.fromkeys(mistake.group for mistake, *_ in rows):
        parts.append(f"## {group}")
        cells = [
            (mistake.what, f"`{typed(mistake)}`", str(code), line.replace("|", "\\|").replace("<", "&lt;"))
            for mistake, code, line, _ in rows
            if mistake.group == group
        ]
        left = "| --- | --- | ---: | --- |"  # texts to the left, codes to the right
        parts.append(table(HEAD, cells).replace("| --- | ---: | ---: | ---: |", left, 1))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Make them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="a group")
    wanted = parser.parse_args().only
    rows = tried([mistake for mistake in MISTAKES if wanted in ("", mistake.group)])
    wrong = [mistake for mistake, code, line, _ in rows if code != mistake.code or "unexpected" in line]
    if not wanted:
        PAGE.write_text(page(rows), encoding="utf-8")
    print(f"{len(rows) - len(wrong)} of {len(rows)} as documented")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
