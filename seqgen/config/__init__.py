"""Settings: options of parts, the settings of a training, TOML files and ``-o PART.NAME=VALUE``."""

from seqgen.config.layers import Layer, assign, merge, parse_assignments, read_toml, split_names
from seqgen.config.options import Options, build_options, describe_options, options_model, refusal
from seqgen.config.train import MAX_LENGTH, TrainSettings, parse_count, parse_duration_s, parse_split, usable_device

__all__ = [
    "MAX_LENGTH",
    "Layer",
    "Options",
    "TrainSettings",
    "assign",
    "build_options",
    "describe_options",
    "merge",
    "options_model",
    "parse_assignments",
    "parse_count",
    "parse_duration_s",
    "parse_split",
    "read_toml",
    "refusal",
    "split_names",
    "usable_device",
]
