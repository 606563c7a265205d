"""Run folders and checkpoints: safetensors and JSON, verified before use, without pickle."""

from seqgen.checkpoint.learned_parts import describe_leakage, leakage_notes, learned_files, learned_parts
from seqgen.checkpoint.run_folder import (
    RUNS,
    RunFolder,
    check_logs,
    damaged_logs,
    find_run,
    list_runs,
    name_for_commands,
    refit_path,
)
from seqgen.checkpoint.settings import (
    FORMAT_VERSION,
    CorpusSettings,
    EngineSettings,
    PartSettings,
    RefitSettings,
    RunSettings,
    WarmStartSettings,
    check_same,
    find_differences,
    flatten_used,
    lengths_with_refit,
)
from seqgen.checkpoint.snapshot import NGRAM, Snapshot, pack, read_verified, unpack

__all__ = [
    "FORMAT_VERSION", "NGRAM", "RUNS", "CorpusSettings", "EngineSettings", "PartSettings", "RefitSettings",
    "RunFolder", "RunSettings", "Snapshot", "WarmStartSettings", "check_logs", "check_same", "damaged_logs",
    "describe_leakage", "find_differences", "find_run", "flatten_used", "leakage_notes", "learned_files",
    "learned_parts",
    "lengths_with_refit", "list_runs", "name_for_commands", "pack", "read_verified", "refit_path", "unpack",
]  # fmt: skip
