"""Tasks on Ray give what one process gives."""

from __future__ import annotations

import importlib.util
import sys

import pytest

import seqgen
from conftest import finish, run_seqgen
from seqgen.pytest_plugin import load_plugins

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray")


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(seqgen.MissingExtra, match=r"executor ray needs the extra 'ray': pip install"):
        list(seqgen.run_tasks([seqgen.Task("worker_tasks:square", {"x": 1})], on="ray"))


def test_without_the_plugin_its_name_is_known():
    plugins = load_plugins([], installed=False)
    with pytest.raises(seqgen.UnknownName, match="seqgen_ray"):
        list(seqgen.run_tasks([], on="ray", plugins=plugins))


@pytest.mark.slow
@needs_ray
def test_rows_and_runs_are_those_of_one_process(tiny_run, words, tmp_path):
    rows = ("sample", tiny_run.path, "-n", 2000, "--out")
    assert finish(run_seqgen(*rows, "a.jsonl", cwd=tmp_path)).code == 0
    assert finish(run_seqgen(*rows, "b.jsonl", "--workers", 2, "--on", "ray", cwd=tmp_path)).code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    nowhere = run_seqgen(*rows, "c.txt", "--on", "ray", "-o", "executor.address=auto", cwd=tmp_path)
    result = finish(nowhere)
    assert result.code == 2 and "cannot use Ray at executor.address='auto'" in result.err
    assert not (tmp_path / "c.txt.shards").exists()


LOST = """
import sys
import seqgen

tasks = [seqgen.Task("worker_tasks:die", {"path": sys.argv[1], "times": int(sys.argv[2])}, "deadly")]
tasks += [seqgen.Task("worker_tasks:square", {"x": x}) for x in range(4)]
found = {result.number: result.error or result.value for result in seqgen.run_tasks(tasks, workers=2, on="ray")}
print([found[number] for number in sorted(found)][1:], found[0])
"""


@pytest.mark.slow
@needs_ray
def test_a_killed_worker_costs_its_task_only(tmp_path):
    import os
    import subprocess
    from pathlib import Path

    (tmp_path / "script.py").write_text(LOST)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for times, says in ((1, "[0, 1, 4, 9] 1"), (9, "[0, 1, 4, 9] the task 'deadly' lost its worker 3 times: ")):
        command = [sys.executable, tmp_path / "script.py", tmp_path / str(times), str(times)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        assert f"\n{says}" in f"\n{result.stdout}", result.stdout  # Ray writes there too
