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
    file_suffix,
    guess_form,
    load_file,
    refuse_known_formats,
)
from seqgen.corpus.packages import PackageFiles
from seqgen.corpus.readers import TextFile, read_lines
from seqgen.corpus.survey import Survey, profile, survey
from seqgen.corpus.tables import Table

__all__ = [
    "PARTS", "ConcatenatedRecords", "Corpus", "PackageFiles", "PresplitSource", "Record", "Splitter", "Survey",
    "Table", "TextFile", "TrailingNames", "file_suffix", "get_source_files", "get_stamp", "guess_form", "load_file",
    "profile", "read_lines", "refuse_known_formats", "survey", "verify_digest",
]  # fmt: skip
