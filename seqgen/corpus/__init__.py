"""Corpora: records in a fixed order, where they come from, and how they are split."""

from seqgen.corpus.corpus import Corpus, Record, WithHeldOut, files_of, stamp_of
from seqgen.corpus.digest import unchanged
from seqgen.corpus.file import Joined, LongText, ending_of, form_of, load_file, refuse_other_kinds
from seqgen.corpus.packages import PackageFiles
from seqgen.corpus.readers import MAX_LINE_CHARS, TextFile, read_lines
from seqgen.corpus.split import PARTS, Splitter
from seqgen.corpus.survey import Survey, profile, survey
from seqgen.corpus.tables import Table
from seqgen.corpus.trailing import TrailingNames

__all__ = [
    "MAX_LINE_CHARS",
    "PARTS",
    "Corpus",
    "Joined",
    "LongText",
    "PackageFiles",
    "Record",
    "Splitter",
    "Survey",
    "Table",
    "TextFile",
    "TrailingNames",
    "WithHeldOut",
    "ending_of",
    "files_of",
    "form_of",
    "load_file",
    "profile",
    "read_lines",
    "refuse_other_kinds",
    "stamp_of",
    "survey",
    "unchanged",
]
