"""Records encoded once into flat arrays, and batches taken from them by indexing."""

from seqgen.batches.cache import cached
from seqgen.batches.encoded import FULL, Batch, Encoded, Parts, Stream, encode, encode_stream, join_encoded
from seqgen.batches.feed import (
    EVALUATION_BATCH,
    Feed,
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
    "EVALUATION_BATCH", "FULL", "Batch", "Encoded", "Feed", "Parts", "RecordFeed", "Rewriter", "Stream", "StreamFeed",
    "cached", "count_batches", "derive_seed", "encode", "encode_stream", "epoch_batches", "evaluation_batches",
    "evaluation_windows", "join_encoded", "make_feed",
]  # fmt: skip
