"""Corpora: reading records, splitting them, and collecting statistics."""

from seqgen.corpus.corpus import (
    PARTS,
    Corpus,
    PresplitSource,
    Record,
    Splitter,
    compare_digests,
    get_source_files,
    get_stamp,
    hashed_chunks,
    owner_of,
    verify_digest,
    without_training_part,
)
from seqgen.corpus.distinct import Distinct
from seqgen.corpus.file import (
    ConcatenatedRecords,
    FileKinds,
    TrailingNames,
    guess_form,
    load_file,
)
from seqgen.corpus.packages import PackageFiles
from seqgen.corpus.parts import Part, PartOfCorpus, divide, files_of
from seqgen.corpus.places import (
    absolute,
    exists,
    find_places,
    find_repeated,
    is_address,
    is_pattern,
    name_of,
    real_paths,
    stamps_of,
    suffix_of,
    title_of,
    whole_path,
)
from seqgen.corpus.profile import profile
from seqgen.corpus.readers import TextFile, read_lines
from seqgen.corpus.reading import NO_READERS, InstalledReader, Reader, ReaderRecords, Readers, ReaderTable
from seqgen.corpus.several import JoinedFiles, count_skipped, file_notes
from seqgen.corpus.survey import Survey, Tally, count_of, survey
from seqgen.corpus.tables import Table

__all__ = [
    "NO_READERS", "PARTS", "ConcatenatedRecords", "Corpus", "Distinct", "FileKinds", "InstalledReader", "JoinedFiles",
    "PackageFiles", "Part", "PartOfCorpus", "PresplitSource", "Reader", "ReaderRecords", "ReaderTable", "Readers",
    "Record", "Splitter", "Survey", "Table", "Tally", "TextFile", "TrailingNames", "absolute", "compare_digests",
    "count_of", "count_skipped", "divide", "exists", "file_notes", "files_of", "find_places",
    "find_repeated", "get_source_files", "get_stamp", "guess_form", "hashed_chunks", "is_address", "is_pattern",
    "load_file", "name_of", "owner_of", "profile", "read_lines", "real_paths", "stamps_of", "suffix_of", "survey",
    "title_of", "verify_digest", "whole_path", "without_training_part",
]  # fmt: skip
