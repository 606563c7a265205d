"""A penalty on repeating the last symbol.

B batch, T steps, V vocabulary.
"""

from typing import Annotated

from pydantic import Field


def load(*, penalty: Annotated[float, Field(ge=0, description="subtracted from the logit of the last symbol")] = 1.0):
    """Return the processor; keyword-only parameters are its options."""

    def process(logits_BV, ids_BT):
        """Return new logits (B, V); do not modify the arguments, and keep minus infinity."""
        if not ids_BT.shape[1]:
            return logits_BV
        last_B1 = ids_BT[:, -1:]
        return logits_BV.scatter(1, last_B1, logits_BV.gather(1, last_B1) - penalty)

    return process
