"""The table of promises counts correctly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
TESTS = """
import pytest
@pytest.mark.promise("R3")
def test_one(record_property):
    record_property("cases", 40)
@pytest.mark.promise("R3")
@pytest.mark.parametrize("x", [1, 2])
def test_two(x):
    assert x == 1
@pytest.mark.slow
@pytest.mark.promise("R4")
def test_three(record_property):
    record_property("cases", 5)
    raise ValueError
@pytest.mark.promise("R5")
def test_four():
    pytest.skip("not here")
def test_five():
    raise ValueError
"""


@pytest.mark.full
def test_cases_and_what_held_are_summed(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS)
    program = (
        "import sys; from promises import HOW, PROMISES, add_up, rows, run_tests\n"
        "lines = {row[0]: row[2:] for row in rows(add_up(run_tests(sys.argv[1:])))}\n"
        "assert lines['R3'] == [HOW['R3'], '42', '41'], lines['R3']\n"
        "assert lines['R4'] == [HOW['R4'], '5', '0'], lines['R4']\n"
        "assert lines['R5'] == lines['R24'] == ['not tested', '', ''], lines['R5']\n"
        "assert list(HOW) == list(PROMISES)\n"
        "assert list(lines) == [f'R{number}' for number in (*range(1, 25), *range(29, 34))]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=BENCHMARKS, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
