"""Reading the data, which lies in the package beside this module."""

from collections.abc import Iterable
from importlib.resources import files

import seqgen


def load() -> Iterable[seqgen.Record]:
    """The records, a line each; they can be iterated again and again."""
    return seqgen.read_lines(str(files("plugin_package") / "data.txt"))
