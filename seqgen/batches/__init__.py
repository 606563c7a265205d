"""Records encoded once into flat arrays, and batches taken from them by indexing."""

from seqgen.batches.cache import cached
from seqgen.batches.encoded import Batch, Encoded, Parts, Stream, encode, encode_stream
from seqgen.batches.feed import (
    RecordFeed,
    Rewriter,
    StreamFeed,
    count_batches,
    derive_seed,
    epoch_batches,
    evaluation_batches,
    evaluation_windows,
    make_feed,
)

__all__ = [
    "Batch", "Encoded", "Parts", "RecordFeed", "Rewriter", "Stream", "StreamFeed", "cached", "count_batches",
    "derive_seed", "encode", "encode_stream", "epoch_batches", "evaluation_batches", "evaluation_windows",
    "make_feed",
]  # fmt: skip
