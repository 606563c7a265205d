"""The executors of the guide on other engines, where these are installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "other_executors.py"
LIBRARIES = {"dask": "distributed", "parsl": "parsl", "submitit": "submitit"}
SCRIPT = """
import sys
import seqgen

if __name__ == "__main__":
    name, plugin, counter = sys.argv[1:]
    tasks = [seqgen.Task("worker_tasks:die", {"path": counter, "times": 1})]
    tasks += [seqgen.Task("worker_tasks:square", {"x": x}) for x in range(3)] + [seqgen.Task("worker_tasks:fail")]
    found = {}
    for result in seqgen.run_tasks(tasks, workers=2, on=name, plugins=[plugin]):
        found[result.number] = result.error or result.value
    print(*(found[number] for number in sorted(found)), sep=", ")
    results = seqgen.run_tasks(
        [seqgen.Task("worker_tasks:wait", {"path": counter + "-pid", "seconds": 600}), tasks[1]],
        workers=2, on=name, plugins=[plugin],
    )
    next(results)
    results.close()
    print("closed")
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARIES)
def test_tasks_run_there_and_a_lost_one_again(name, tmp_path):
    """Closing the results ends a task of ten minutes."""
    if importlib.util.find_spec(LIBRARIES[name]) is None:
        pytest.skip(f"needs {LIBRARIES[name]}")
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(EXAMPLE.parents[2] / "tests"), *sys.path])}
    command = [sys.executable, "script.py", name, str(EXAMPLE), str(tmp_path / "count")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    failed = "the task 'worker_tasks:fail' failed: ZeroDivisionError: division by zero"
    assert done.stdout == f"1, 0, 1, 4, {failed}\nclosed\n"
