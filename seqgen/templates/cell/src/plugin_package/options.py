"""The options, in a module of their own, so that they can be listed without torch."""

import seqgen
from pydantic import Field


class LeakyOptions(seqgen.Options):
    """What can be chosen with ``-o cell.NAME=VALUE``."""

    leak: float = Field(0.5, gt=0, le=1, description="share of the state that is new at each step")
