"""The output of the command."""

import json


def test_every_sample_is_counted(seqgen_cli, seqgen_run):
    """Each in one row."""
    shown = seqgen_cli("plugin-name", seqgen_run.path, "-n", 20, "--json")
    assert shown.code == 0, shown.err
    assert sum(row["samples"] for row in json.loads(shown.out)) == 20
    assert seqgen_cli("plugin-name", seqgen_run.path, "-n", 20).out.split()[:2] == ["length", "samples"]
