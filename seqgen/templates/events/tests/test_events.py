"""What is noted of a run."""

import seqgen


def test_a_run_is_noted_from_start_to_end(seqgen_corpus, tmp_path):
    """With an evaluation between; every plugin that is installed takes part."""
    folder = tmp_path / "run"
    seqgen.train(seqgen_corpus, steps=2, hidden=4, split="80/10/10", out=folder)
    first, *steps, last = (folder / "plugin-name.txt").read_text(encoding="utf-8").splitlines()
    assert first.startswith("start: ") and "step 2" in steps and last == "end: steps"
