"""The options of the cell, in a separate module so that they can be listed without importing torch."""

import seqgen
from pydantic import Field


class LeakyOptions(seqgen.Options):
    """The options for ``-o cell.NAME=VALUE``."""

    leak: float = Field(0.5, gt=0, le=1, description="share of the new value in the next state")
