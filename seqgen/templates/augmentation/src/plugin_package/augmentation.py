"""Records written anew each epoch."""

from typing import Annotated

from pydantic import Field


def load(*, share: Annotated[float, Field(ge=0, le=1, description="of the records that are changed")] = 0.5):
    """Return the augmentation; a keyword-only parameter is an option of it."""

    def augment(text, random):
        """Return a text that means the same; all chance comes from ``random``, a random.Random."""
        return text.lower() if random.random() < share else text

    return augment
