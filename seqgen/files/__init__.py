"""File access: atomic writes, locks, logs and safe paths; the only package of core that writes to disk."""

from seqgen.files.atomic_write import (
    build_folder,
    check_file,
    check_folder_of,
    check_suffix,
    free_bytes,
    is_special,
    remove_folders,
    remove_temporaries,
    staged,
    write_atomic,
    write_folder_atomic,
    write_synced,
)
from seqgen.files.caches import ReadingCache, cache_folder, cache_key, code_digest, read_cached, spool
from seqgen.files.lock import FolderLock, Holder, find_holder, last_holder, lock_file
from seqgen.files.logs import JsonLines
from seqgen.files.safe_path import SafePath
from seqgen.files.stored_json import dump_checksummed, dump_json, finite, json_text, load_checksummed, load_json

__all__ = [
    "FolderLock", "Holder", "JsonLines", "ReadingCache", "SafePath", "build_folder", "cache_folder", "cache_key",
    "check_file", "check_folder_of", "check_suffix",
    "code_digest", "dump_checksummed", "dump_json", "find_holder", "finite", "free_bytes", "is_special",
    "json_text", "last_holder", "load_checksummed", "load_json", "lock_file", "read_cached",
    "remove_folders", "remove_temporaries", "spool", "staged", "write_atomic", "write_folder_atomic", "write_synced",
]  # fmt: skip
