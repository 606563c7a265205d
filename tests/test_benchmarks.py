"""The benchmarks can be imported, and the smallest one runs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import registered

FOLDER = Path(__file__).parent.parent / "benchmarks"
BENCH = FOLDER / "results" / "bench_cells.md"


@pytest.mark.full
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


@pytest.mark.full
def test_the_benchmark_of_a_gpu_runs_on_a_cpu():
    """Each column that needs neither a GPU nor torch's compiler has a number for each cell."""
    command = [sys.executable, "-W", "ignore", "gpu.py", "--device", "cpu", "--quick"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    head, _, *rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    columns = [name.strip() for name in head]
    found = [dict(zip(columns, map(str.strip, row), strict=True)) for row in rows]
    assert [row["cell"] for row in found] == ["lstm", "gru", "ugrnn", "mogrifier", "mingru", "mamba", "transformer"]
    for row in found:
        measured = {name for name, value in row.items() if name != "cell" and re.fullmatch(r"[\d,.]+", value)}
        assert measured - {"torch's layer"} == {"eager", "fused", "scan", "8 seeds"}
        assert ("torch's layer" in measured) == (row["cell"] in ("lstm", "gru"))


def test_the_page_of_a_gpu_has_every_cell():
    text = (FOLDER / "results" / "gpu.md").read_text(encoding="utf-8")
    assert [
        text.count(f"| {cell} | ") for cell in ("lstm", "gru", "ugrnn", "mogrifier", "mingru", "mamba", "transformer")
    ] == [3] * 7


def test_the_page_of_rates_has_those_that_cells_recommend():
    """Beside the sweep, and as chosen by default runs, of two seeds where they change a rate."""
    sweep, default, confirmed = tables_of_rates()
    cells = {entry.spec.name: entry.spec.recommended.get("train", {}).get("lr", 0.003) for entry in registered("cell")}
    cells.pop("mlp")  # passes nothing on over time, and is no model alone
    assert {row["cell"]: float(row["recommended"]) for row in sweep} == cells
    assert [(row["cell"], row["former"], row["picked"]) for row in confirmed] == [
        (row["cell"], row["former"], row["picked"]) for row in default if row["picked"] != row["former"]
    ]
    chosen = {row["cell"]: row["picked"] for row in default} | {row["cell"]: row["chosen"] for row in confirmed}
    assert chosen and all(float(rate) == cells[cell] for cell, rate in chosen.items())


def tables_of_rates():
    """Return the rows of the three tables of the page of rates, by column."""
    lines = (FOLDER / "results" / "rates.md").read_text(encoding="utf-8").splitlines()
    rows = [[field.strip() for field in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    first, second, third = (at for at, row in enumerate(rows) if row[0] == "cell")
    parts = (rows[first:second], rows[second:third], rows[third:])
    return [[dict(zip(head, row, strict=True)) for row in body] for head, _, *body in parts]


def test_every_cell_far_from_the_best_of_the_sweep_had_default_runs():
    sweep, default, _ = tables_of_rates()
    for row in sweep:
        losses = {rate: float(bits) for rate, bits in row.items() if rate[0].isdigit()}
        if round(losses.get(row["recommended"], 9) - min(losses.values()), 3) >= 0.03:
            assert row["cell"] in {one["cell"] for one in default}


@pytest.mark.full
def test_the_rates_chosen_follow_from_the_figures_of_the_page():
    _, default, confirmed = tables_of_rates()
    shown = [{rate: both for rate, both in row.items() if "/" in both} for row in default]
    shown += [{row["former"]: row["bits at it"], row["picked"]: row["bits at that"]} for row in confirmed]
    figures = [{rate: [float(bits) for bits in both.split("/")] for rate, both in row.items()} for row in shown]
    program = (
        "import json, rates, sys\n"
        "for row in json.load(sys.stdin):\n"
        "    print(f'{rates.chosen(*({float(rate): both[at] for rate, both in row.items()} for at in (0, 1))):g}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=FOLDER, input=json.dumps(figures), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [row["picked"] for row in default] + [row["chosen"] for row in confirmed]


def test_the_pages_of_cells_agree():
    """Both have all cells, at the rates that these recommend, and the same bits."""
    columns = [line.split("|")[1:-1] for line in BENCH.read_text(encoding="utf-8").splitlines() if "| " in line]
    rows = [[field.strip() for field in row] for row in columns[2:]]
    counts = {row[0]: float(row[6]) for row in rows if not row[5]}
    rows = [row for row in rows if row[5]]
    alone = {entry.spec.name: entry.spec for entry in registered("cell") if entry.spec.remembers}
    rates = {name: spec.recommended.get("train", {}).get("lr", 0.003) for name, spec in alone.items()}
    assert {row[0]: float(row[5]) for row in rows} == rates
    for name, _, _, common, under_common, rate, own, under in rows:
        assert rate != "0.003" or (common, under_common) == (own, under), name
        for bits, less in ((common, under_common), (own, under)):
            assert float(bits.split()[0]) + float(less) == pytest.approx(min(counts.values()), abs=0.0011)
    page = (FOLDER.parent / "docs" / "cells.md").read_text(encoding="utf-8")
    assert all(re.search(rf"^\| {row[0]} \| {row[1]} \| {row[2]} \| {row[6].split()[0]} ", page, re.M) for row in rows)
