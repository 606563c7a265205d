"""The weights of a run as an archive of NumPy."""

import io
from pathlib import Path

import numpy as np
import seqgen


class NumPyExporter:
    """An archive with an array a weight.

    Args:
        half: whether to round the weights to 16 bits.
    """

    def __init__(self, *, half: bool = False) -> None:
        self.half = half

    def export(self, run: seqgen.Run, path: Path) -> seqgen.Exported:
        """Write the archive and compare it with the run."""
        weights = {name: tensor.numpy(force=True) for name, tensor in run.model.state_dict().items()}
        data = io.BytesIO()
        np.savez(
            data, **{name: array.astype(np.float16 if self.half else array.dtype) for name, array in weights.items()}
        )
        seqgen.write_atomic(path, data.getvalue())
        with np.load(path, allow_pickle=False) as again:
            difference = max(float(np.abs(again[name] - array).max()) for name, array in weights.items())
        return seqgen.Exported([path], "weights", difference, tolerance=0.01 if self.half else 0.0)
