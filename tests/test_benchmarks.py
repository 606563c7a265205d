"""The benchmarks can be imported, and the smallest one runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import registered

FOLDER = Path(__file__).parent.parent / "benchmarks"


def test_every_benchmark_finds_what_it_imports():
    names = [path.stem for path in sorted(FOLDER.glob("*.py"))]
    program = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", program], cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(names) > 10 and done.stdout == ""


@pytest.mark.full
def test_the_cell_in_a_plugin_file_is_short_and_trains():
    """At most fifteen lines of equations, through the path that ``--plugin`` takes."""
    program = (
        "import plugin_file\nfrom timing import Setting\n"
        "print(plugin_file.measure(Setting(1, True)).text(Setting(1, True)))\n"
        "cell = plugin_file.load().registry.get('cell', 'custom-ugrnn-file')\n"
        "assert plugin_file.equations(cell.load()) <= 15"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "ugrnn in a plugin file" in done.stdout and "built-in ugrnn" in done.stdout


def test_the_page_of_rates_has_those_that_cells_recommend():
    page = FOLDER / "results" / "rates.md"
    rows = [line.strip("| ").split(" | ") for line in page.read_text(encoding="utf-8").splitlines() if "| " in line]
    shown = {row[0]: float(row[-1]) for row in rows[2:]}
    cells = {entry.spec.name: entry.spec.recommended.get("train", {}).get("lr", 0.003) for entry in registered("cell")}
    cells.pop("mlp")  # passes nothing on over time, and is no model alone
    assert shown == cells
