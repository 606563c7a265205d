"""The benchmarks can be started: what they are made of is where they look for it."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


def test_every_benchmark_finds_what_it_imports():
    names = [path.stem for path in sorted(FOLDER.glob("*.py"))]
    program = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", program], cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(names) > 10 and done.stdout == ""


@pytest.mark.full
def test_the_stranger_in_one_file_is_short_and_trains():
    """At most fifteen lines of equations, through the path that ``--plugin`` takes."""
    program = (
        "import one_file\nfrom timing import Setting\n"
        "print(one_file.measure(Setting(1, True)).text(Setting(1, True)))\n"
        "cell = one_file.load().registry.get('cell', 'stranger-ugrnn-file')\n"
        "assert one_file.equations(cell.load()) <= 15"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "stranger in one file" in done.stdout and "our own ugrnn" in done.stdout
