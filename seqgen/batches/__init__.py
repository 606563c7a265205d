"""Records encoded once into flat arrays, and batches taken from them by indexing."""

from seqgen.batches.cache import cached
from seqgen.batches.encoded import Batch, Encoded, Parts, Stream, encode, encode_stream, join_encoded
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
    mixed_bits,
)
from seqgen.batches.pieces import piece_bounds, take_piece

__all__ = [
    "EVALUATION_BATCH", "Batch", "Encoded", "Feed", "Parts", "RecordFeed", "Rewriter", "Stream", "StreamFeed", "cached",
    "count_batches", "derive_seed", "encode", "encode_stream", "epoch_batches", "evaluation_batches",
    "evaluation_windows", "join_encoded", "make_feed", "mixed_bits", "piece_bounds", "take_piece",
]  # fmt: skip
