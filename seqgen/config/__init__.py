"""Configurations of the use cases, options of parts, TOML files and ``-o PART.NAME=VALUE``."""

from seqgen.config.evaluate import EvaluateConfig
from seqgen.config.flags import Flag, UserConfig, flags_of, keywords_of, sentence
from seqgen.config.layers import Layer, assign, merge, parse_assignments, read_toml, split_names
from seqgen.config.options import Options, build_options, describe_options, options_model, refusal
from seqgen.config.sample import DecodeConfig, SampleConfig
from seqgen.config.train import TrainConfig, TrainSettings
from seqgen.config.values import MAX_LENGTH, device_name, parse_count, parse_duration_s, parse_split

__all__ = [
    "MAX_LENGTH",
    "DecodeConfig",
    "EvaluateConfig",
    "Flag",
    "Layer",
    "Options",
    "SampleConfig",
    "TrainConfig",
    "TrainSettings",
    "UserConfig",
    "assign",
    "build_options",
    "describe_options",
    "device_name",
    "flags_of",
    "keywords_of",
    "merge",
    "options_model",
    "parse_assignments",
    "parse_count",
    "parse_duration_s",
    "parse_split",
    "read_toml",
    "refusal",
    "sentence",
    "split_names",
]
