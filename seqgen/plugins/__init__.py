"""Plugins: finding them, loading them in isolation, and calling their hooks."""

from seqgen.plugins.code import code_of_parts
from seqgen.plugins.discovery import (
    DIGITS,
    Candidate,
    entry_point_candidates,
    file_candidate,
    installed,
    missing_plugin,
    origin_of,
)
from seqgen.plugins.manager import CORE, Plugin, Plugins, failure_reason
from seqgen.plugins.selection import (
    PluginsArgument,
    activate_plugins,
    choose_parts,
    choose_plugins,
    default_plugins,
    get_referenced,
    hint_on_keyword,
    load_objects,
    option_names,
    option_ranges,
)
from seqgen.plugins.sources import hint_on_source
from seqgen.plugins.trackers import check_trackers, offered_trackers

__all__ = [
    "CORE", "DIGITS", "Candidate", "Plugin", "Plugins", "PluginsArgument", "activate_plugins", "check_trackers",
    "choose_parts", "choose_plugins", "code_of_parts", "default_plugins", "entry_point_candidates", "failure_reason",
    "file_candidate", "get_referenced", "hint_on_keyword", "hint_on_source", "installed", "load_objects",
    "missing_plugin", "offered_trackers", "option_names", "option_ranges", "origin_of",
]  # fmt: skip
