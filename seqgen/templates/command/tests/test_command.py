"""What the command shows."""


def test_every_sample_is_counted(seqgen_cli, seqgen_run):
    """Each in one line of the table."""
    shown = seqgen_cli("plugin-name", seqgen_run.path, "-n", 20)
    assert shown.code == 0, shown.err
    assert sum(int(line.split()[1]) for line in shown.out.splitlines()) == 20
