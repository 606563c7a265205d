"""Configurations of the use cases, options of parts, TOML files and ``-o PART.NAME=VALUE``."""

from seqgen.config.evaluate import EvaluateConfig
from seqgen.config.options import (
    Flag,
    Options,
    UserConfig,
    accepts,
    build_options,
    describe_options,
    flags_of,
    keywords_of,
    options_model,
    refusal,
    sentence,
    split_values,
)
from seqgen.config.sample import DecodeConfig, SampleConfig
from seqgen.config.train import TrainConfig, TrainSettings
from seqgen.config.values import (
    MAX_LENGTH,
    Layer,
    assign,
    device_name,
    merge,
    parse_assignments,
    parse_count,
    parse_duration_s,
    parse_split,
    read_toml,
    split_names,
)

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
    "accepts",
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
    "split_values",
]
