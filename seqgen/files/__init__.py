"""The only package of core that writes to disk."""

from seqgen.files.atomic_write import (
    build_folder,
    cache_folder,
    disk_errors,
    dump_json,
    existing,
    free_bytes,
    publish_file,
    publish_folder,
    remove_folders,
    remove_temporaries,
    write_synced,
)
from seqgen.files.lock import FolderLock, last_holder, lock_file
from seqgen.files.logs import JsonLines
from seqgen.files.safe_path import SafePath
from seqgen.files.sealed import load_json, seal, unseal

__all__ = [
    "FolderLock",
    "JsonLines",
    "SafePath",
    "build_folder",
    "cache_folder",
    "disk_errors",
    "dump_json",
    "existing",
    "free_bytes",
    "last_holder",
    "load_json",
    "lock_file",
    "publish_file",
    "publish_folder",
    "remove_folders",
    "remove_temporaries",
    "seal",
    "unseal",
    "write_synced",
]
