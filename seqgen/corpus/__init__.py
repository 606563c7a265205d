"""Corpora: records in a fixed order, where they come from, and how they are split."""

from seqgen.corpus.corpus import Corpus, Record, WithHeldOut
from seqgen.corpus.packages import PackageFiles
from seqgen.corpus.readers import MAX_LINE_CHARS, TextFile, load_file, read_lines
from seqgen.corpus.split import PARTS, Splitter
from seqgen.corpus.survey import Survey, profile, survey

__all__ = [
    "MAX_LINE_CHARS",
    "PARTS",
    "Corpus",
    "PackageFiles",
    "Record",
    "Splitter",
    "Survey",
    "TextFile",
    "WithHeldOut",
    "load_file",
    "profile",
    "read_lines",
    "survey",
]
