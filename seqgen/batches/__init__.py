"""Records encoded once into flat arrays, and batches taken from them by indexing."""

from seqgen.batches.cache import cached
from seqgen.batches.encoded import Batch, Encoded, Parts, Stream
from seqgen.batches.encoding import encode, encode_stream
from seqgen.batches.feed import RecordFeed, StreamFeed, evaluation_windows, make_feed
from seqgen.batches.order import count_batches, derive_seed, epoch_batches, evaluation_batches
from seqgen.batches.rewrite import Rewriter

__all__ = [
    "Batch", "Encoded", "Parts", "RecordFeed", "Rewriter", "Stream", "StreamFeed", "cached", "count_batches",
    "derive_seed", "encode", "encode_stream", "epoch_batches", "evaluation_batches", "evaluation_windows",
    "make_feed",
]  # fmt: skip
