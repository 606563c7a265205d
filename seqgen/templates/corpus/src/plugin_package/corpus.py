"""Reading the data file of this package."""

from collections.abc import Iterable
from importlib.resources import files

import seqgen


def load() -> Iterable[seqgen.Record]:
    """Return a restartable iterable of records, one per line."""
    return seqgen.read_lines(str(files("plugin_package") / "data.txt"))
