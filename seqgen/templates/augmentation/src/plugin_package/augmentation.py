"""An augmentation: records rewritten in each epoch."""

from typing import Annotated

from pydantic import Field


def load(*, share: Annotated[float, Field(ge=0, le=1, description="share of the records to change")] = 0.5):
    """Return the augmentation; keyword-only parameters are its options."""

    def augment(text, random):
        """Return an equivalent text; take all randomness from ``random``, a random.Random."""
        return text.lower() if random.random() < share else text

    return augment
