"""Tests of the command."""


def test_every_sample_is_counted(seqgen_cli, seqgen_run):
    """Check that the counts sum to the number of samples."""
    shown = seqgen_cli("plugin-name", seqgen_run.path, "-n", 20)
    assert shown.code == 0, shown.err
    assert sum(int(line.split()[1]) for line in shown.out.splitlines()) == 20
