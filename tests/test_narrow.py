"""What is shown fits narrow terminals, and a pipe gets plain columns."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest
from rich.cells import cell_len
from rich.console import Console

from conftest import in_terminal, in_tiers, one_in
from seqgen.render import Listing
from seqgen.render.progress import progress_line
from seqgen.training import Progress

EVENT = Progress(
    step=12345, share=0.4, loss_nats=1.234, bits_per_char=2.345, tokens_per_s=123456.0, n_targets=1, elapsed_s=10.0,
    left_s=200.0,
)  # fmt: skip


def lines_of(shown: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "").split("\n")


@pytest.fixture
def runs(tiny_run, in_tmp):
    """A folder with runs whose names are as long as people's are."""
    for name in ("names-vanilla-001", "my-list-of-people-layernorm-lstm-002"):
        (in_tmp / "runs").mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", tiny_run.path, in_tmp / "runs" / name], check=True)


@pytest.mark.full
@pytest.mark.parametrize("columns", in_tiers([80, 60], lambda columns: columns == 60))
@pytest.mark.parametrize(
    "command",
    one_in(
        3, [("runs",), ("list", "cells"), ("list",), ("show", "train"), ("show", "model", "recurrent"), ("plugins",)]
    ),
)
def test_tables_fit_a_narrow_terminal(command, columns, runs):
    lines = lines_of(in_terminal(*command, columns=columns))
    assert len(lines) > 3 and max(map(cell_len, lines)) <= columns, max(lines, key=cell_len)


def test_spare_columns_go_before_rows_become_blocks():
    rows = [{"name": "a" * 20, "size": 123456, "note": "x" * 20}]
    table = Listing(rows, ("name", "size", "note"), spare=("size",))

    def shown(width):
        console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
        console.print(table)
        return console.file.getvalue()

    assert "123,456" in shown(60) and "─" in shown(60)
    assert "123,456" not in shown(48) and "x" * 20 in shown(48) and "─" in shown(48)
    block = shown(35)
    assert "─" not in block and all(text in block for text in ("a" * 20, "123,456", "x" * 20))
    assert max(map(cell_len, block.split("\n"))) <= 35


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_title_is_as_wide_as_the_terminal(is_terminal):
    """Not as the table below it, where a count or the path of a folder would be cut in two."""
    console = Console(width=60, file=io.StringIO(), force_terminal=is_terminal, color_system=None)
    title = "shares of 1,000 samples: /home/anna/studies/names-vanilla"
    console.print(Listing([{"a": 1, "b": 2}], ("a", "b"), title))
    assert console.file.getvalue().split("\n")[0].rstrip() == title


@pytest.mark.full
def test_a_pipe_gets_plain_columns(runs):
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    for command, n_lines in ((["list", "cells"], 20), (["runs"], 3)):
        shown = subprocess.run(
            [sys.executable, "-m", "seqgen", *command], capture_output=True, text=True, check=True, env=env
        )
        lines = shown.stdout.splitlines()
        assert len(lines) >= n_lines and all(line.strip() for line in lines) and "─" not in shown.stdout
    heading, *rows = lines
    assert heading.split()[:2] == ["run", "corpus"] and len(rows) == 2  # a line a run, the heading above
    assert all(len(re.split(r"  +", row.strip())) == len(re.split(r"  +", heading.strip())) for row in rows)


@pytest.mark.parametrize("width", [200, 70, 40, 25, 12])
def test_the_time_left_is_kept_longest(width):
    line = progress_line(EVENT, width)
    assert line.endswith("3m 20s left") and len(line) <= max(width, len("3m 20s left"))
    assert ("tokens/s" in line) == (width > 70) and ("loss" in line) == (width >= 25)
