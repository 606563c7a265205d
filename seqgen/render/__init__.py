"""Rich renderables for what seqgen shows; nothing here prints."""

from seqgen.render.tables import corpus_view, options_table, plain_table, samples_table, spec_view
from seqgen.render.text import duration, sparkline, visible

__all__ = [
    "corpus_view",
    "duration",
    "options_table",
    "plain_table",
    "samples_table",
    "sparkline",
    "spec_view",
    "visible",
]
