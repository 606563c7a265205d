"""The options of the model, in a separate module so that they can be listed without importing torch."""

import seqgen
from pydantic import Field


class WindowOptions(seqgen.Options):
    """The options for ``-o model.NAME=VALUE``."""

    window: int = Field(3, ge=1, le=64, description="number of symbols in the window")
    embedding: int = Field(16, ge=1, le=4096, description="size of the embedding")
    hidden: int = Field(64, ge=1, le=16384, description="size of the hidden layer")
