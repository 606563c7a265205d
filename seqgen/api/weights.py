"""The weights of one run given to the model of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqgen.api.warm_start import Start
from seqgen.errors import BadOption

if TYPE_CHECKING:
    from torch import Tensor, nn

    from seqgen.tokenizers import Vocabulary


def take_over(model: nn.Module, start: Start, vocabulary: Vocabulary) -> None:
    """Give a fresh model the weights of another run; what belongs to symbols that are new stays fresh.

    Raises:
        BadOption: the model or the vocabulary is another than theirs.
    """
    import torch

    from seqgen.api.rebuild import difference
    from seqgen.tokenizers import map_ids

    try:
        places = torch.tensor(map_ids(vocabulary, start.vocabulary))
    except KeyError as error:
        raise BadOption(f"--from {start.folder.name}: the symbol {error.args[0]!r:.40} of its is gone") from None
    sizes = start.vocabulary.size, vocabulary.size
    fresh, known = model.state_dict(), start.snapshot.model
    moved = {
        name: _moved(tensor, fresh[name], places, sizes) if name in fresh else tensor for name, tensor in known.items()
    }
    if problem := difference(moved, fresh):
        raise BadOption(f"--from {start.folder.name}: its weights do not fit the model that is asked for: {problem}")
    model.load_state_dict(moved)


def _moved(known: Tensor, fresh: Tensor, places: Tensor, sizes: tuple[int, int]) -> Tensor:
    """A tensor whose entries for known symbols are the known ones, along each dimension that has grown with them."""
    if known.ndim != fresh.ndim:
        return known
    pairs = list(enumerate(zip(known.shape, fresh.shape, strict=True)))
    grown = [dim for dim, pair in pairs if pair == sizes and pair[0] != pair[1]]
    moved = known
    for at, dim in enumerate(grown):
        base = fresh
        for later in grown[at + 1 :]:
            base = base.index_select(later, places)
        if any(base.shape[other] != moved.shape[other] for other in range(base.ndim) if other != dim):
            return known
        moved = base.index_copy(dim, places, moved.to(base.dtype))
    return moved
