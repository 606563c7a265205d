"""The content of the archive."""

import numpy as np

from plugin_package.exporter import NumPyExporter


def test_every_weight_is_in_the_archive(seqgen_run, tmp_path):
    """With its values."""
    found = NumPyExporter().export(seqgen_run, tmp_path / "weights.npz")
    weights = seqgen_run.model.state_dict()
    with np.load(tmp_path / "weights.npz") as again:
        assert again.files == list(weights)
    assert found.difference == 0.0
