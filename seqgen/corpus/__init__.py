"""Corpora: reading records, splitting them, and collecting statistics."""

from seqgen.corpus.corpus import (
    PARTS,
    Corpus,
    PresplitSource,
    Record,
    Splitter,
    get_source_files,
    get_stamp,
    verify_digest,
)
from seqgen.corpus.file import (
    ConcatenatedRecords,
    TrailingNames,
    guess_form,
    has_table,
    load_file,
    refuse_known_formats,
)
from seqgen.corpus.packages import PackageFiles
from seqgen.corpus.places import find_places, is_pattern, name_of, suffix_of, title_of
from seqgen.corpus.readers import TextFile, read_lines
from seqgen.corpus.several import JoinedFiles
from seqgen.corpus.survey import Survey, profile, survey
from seqgen.corpus.tables import Table

__all__ = [
    "PARTS", "ConcatenatedRecords", "Corpus", "JoinedFiles", "PackageFiles", "PresplitSource", "Record", "Splitter",
    "Survey", "Table", "TextFile", "TrailingNames", "find_places", "get_source_files", "get_stamp", "guess_form",
    "has_table", "is_pattern", "load_file", "name_of", "profile", "read_lines", "refuse_known_formats", "suffix_of",
    "survey", "title_of", "verify_digest",
]  # fmt: skip
