"""Configurations of the use cases, options of parts, TOML files and ``-o PART.NAME=VALUE``."""

from seqgen.config.evaluate import EvaluateConfig
from seqgen.config.options import (
    OTHER_WORDS,
    Flag,
    OptionRange,
    Options,
    UserConfig,
    accepts,
    build_options,
    describe_options,
    flags_of,
    keywords_of,
    option_range,
    refusal,
    sentence,
    split_values,
    without_none,
)
from seqgen.config.sample import DecodeConfig, SampleConfig
from seqgen.config.signatures import options_model
from seqgen.config.train import ENDS, LEAST_HELD_OUT, TrainConfig, TrainSettings, says_end, split_hint, without_ends
from seqgen.config.values import (
    MAX_LENGTH,
    Layer,
    as_whole,
    assign,
    assigned_to,
    device_name,
    keep_known,
    merge,
    parse_assignments,
    parse_count,
    parse_duration_s,
    parse_range,
    parse_split,
    read_toml,
    split_executor_options,
    split_names,
    split_warning,
    values_by_name,
)

__all__ = [
    "ENDS", "LEAST_HELD_OUT", "MAX_LENGTH", "OTHER_WORDS", "DecodeConfig", "EvaluateConfig", "Flag", "Layer",
    "OptionRange", "Options", "SampleConfig", "TrainConfig", "TrainSettings", "UserConfig", "accepts", "as_whole",
    "assign", "assigned_to", "build_options", "describe_options", "device_name", "flags_of", "keep_known",
    "keywords_of", "merge", "option_range", "options_model", "parse_assignments", "parse_count", "parse_duration_s",
    "parse_range", "parse_split", "read_toml", "refusal", "says_end", "sentence", "split_executor_options",
    "split_hint", "split_names", "split_values", "split_warning", "values_by_name", "without_ends", "without_none",
]  # fmt: skip
