"""The options, in a module of their own, so that they can be listed without torch."""

import seqgen
from pydantic import Field


class WindowOptions(seqgen.Options):
    """What can be chosen with ``-o model.NAME=VALUE``."""

    window: int = Field(3, ge=1, le=64, description="how many symbols are seen")
    embedding: int = Field(16, ge=1, le=4096, description="features of a symbol")
    hidden: int = Field(64, ge=1, le=16384, description="units of the hidden layer")
