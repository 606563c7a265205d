"""Tasks on the executor."""

import seqgen

import plugin_package


def test_every_task_returns():
    """In any order."""
    tasks = [seqgen.Task("statistics:fmean", {"data": [0, number]}) for number in (2, 4, 6)]
    results = seqgen.run_tasks(tasks, on="plugin-name", workers=2, plugins=plugin_package)
    assert sorted(result.value for result in results) == [1, 2, 3]
