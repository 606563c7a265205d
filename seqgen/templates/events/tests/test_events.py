"""Tests of the event hooks."""

import seqgen


def test_a_run_is_followed_from_start_to_end(seqgen_corpus, tmp_path, capsys):
    """Check the line after a run with one evaluation."""
    seqgen.train(seqgen_corpus, steps=2, hidden=4, split="80/10/10", out=tmp_path / "run")
    assert "plugin-name: evaluated at steps [2], ended by steps" in capsys.readouterr().err
