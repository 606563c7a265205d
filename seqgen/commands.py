"""The kit for commands of plugins: what the commands of seqgen share.

Results go to stdout by ``show``, ``show_json`` and ``write``, messages to stderr by ``log`` and ``warn``; errors of
:class:`seqgen.SeqgenError` become one line and an exit code. Nothing here loads torch.
"""

from __future__ import annotations

import contextlib
import csv
import inspect
import io
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from seqgen.cli.common import STDOUT_FOR_RESULTS, TRAIN_SETTINGS, Json, RunName, complete_names, complete_runs
from seqgen.cli.common import parse_options as parse_options
from seqgen.cli.common import say as log
from seqgen.cli.common import session as _session
from seqgen.cli.common import show as show
from seqgen.cli.common import show_json as show_json
from seqgen.cli.common import split_executor as split_executor
from seqgen.cli.common import warn as warn
from seqgen.cli.common import write as write
from seqgen.cli.decoding import parse_fields as parse_fields
from seqgen.errors import BadOption, did_you_mean, short_repr
from seqgen.files import check_file as check_file
from seqgen.keywords import TrainKeywords
from seqgen.render import EMPTY_ROW, Listing, counted, duration

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.plugins import Plugins

__all__ = [
    "EMPTY_ROW", "Json", "RunName", "check_file", "complete_names", "complete_runs", "counted", "duration",
    "input_lines", "log", "parse_count", "parse_duration", "parse_fields", "parse_options", "plugin_flags",
    "results_on_stdout", "show", "show_json", "split_executor", "table", "train_command", "warn", "with_train_settings",
    "write",
]  # fmt: skip

table = Listing
"""A table that fits the terminal, and plain columns in a pipe."""

Function = TypeVar("Function", bound=Callable[..., Any])
_VALUES = (str, int, float, Path)


def results_on_stdout(command: Function) -> Function:
    """Mark a command that writes to stdout by ``show``, ``show_json`` and ``write`` alone.

    Whatever else is printed while it runs, by a library or another plugin, goes to stderr.
    """
    setattr(command, STDOUT_FOR_RESULTS, True)
    return command


def with_train_settings(*without: str) -> Callable[[Function], Function]:
    """Give a command the flags of ``seqgen train``, whose values it receives as its keyword ``settings``.

    These are keywords of ``seqgen.train``: None for a setting that is not given, and ``options`` as a list for
    ``parse_options``.

    Args:
        without: the names of settings that have no flag. Those of keywords that the command declares have none either.

    Raises:
        TypeError: there is no such setting, or the command has no parameter ``settings``.
    """
    names = {"corpus", *TrainKeywords.__annotations__, "time_s"}  # which is given by its keyword ``time``
    if unknown := [name for name in without if name not in names]:
        raise TypeError(f"seqgen train has no setting {unknown[0]!r}{did_you_mean(unknown[0], names)}")

    def mark(command: Function) -> Function:
        if "settings" not in inspect.signature(command).parameters:
            raise TypeError(f"{command.__name__} needs a parameter named settings, for the settings of seqgen train")
        setattr(command, TRAIN_SETTINGS, without)
        return command

    return mark


def input_lines(prompt: str = "") -> Iterator[str]:
    """Yield the lines of stdin without their ends; on a terminal with a prompt, line editing and history.

    Results are flushed before the next line is read. Bytes that are not UTF-8 become U+FFFD.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if not (sys.stdin.isatty() and _session.stdout.isatty()):
        for line in sys.stdin:
            yield line.rstrip("\r\n")
            _session.stdout.flush()
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # gives input() its line editing
    while True:
        try:
            with contextlib.redirect_stdout(_session.stdout):
                line = input(prompt)
        except EOFError:
            _session.stdout.write("\n")
            return
        yield line
        _session.stdout.flush()


def plugin_flags(plugins: Plugins) -> str:
    """Return the flags that load the plugin files that are loaded, " --plugin mycell.py", or ""."""
    from seqgen.api.missing_plugin import plugin_options

    return plugin_options(vars(plugin.provenance) for plugin in plugins.plugins.values() if not plugin.problem)


def parse_count(value: int | str) -> int:
    """Return a number like 50000, "50k" or "1.5m".

    Raises:
        BadOption: it is none.
    """
    from seqgen.config import parse_count as parse

    return parse(value)


def parse_duration(value: float | str) -> float:
    """Return the seconds of a duration like 60, "60s", "5m" or "1h".

    Raises:
        BadOption: it is none.
    """
    from seqgen.config import parse_duration_s

    return parse_duration_s(value)


def train_command(settings: Mapping[str, Any], run: Run | None = None) -> str:
    """Return the command, quoted for a shell, that trains with the settings of a call of ``seqgen.train``.

    Args:
        settings: values by keyword, ``options`` among them; None: not given.
        run: a run with these parts, whose plugin files the command loads.

    Raises:
        BadOption: there is no such setting, or a value cannot be written, such as a class.
    """
    from seqgen.api.missing_plugin import plugin_options
    from seqgen.config import TrainConfig, TrainSettings, flags_of

    flags = flags_of(TrainConfig)
    config = TrainConfig.of({keyword: value for keyword, value in settings.items() if keyword != "options"})
    names = sorted(TrainConfig.model_fields, key=lambda name: name in TrainSettings.model_fields)  # the parts first
    given = {name: getattr(config, name) for name in names if name in config.model_fields_set}
    options = {f"train.{name}": given.pop(name) for name in list(given) if name not in flags}
    for option, value in (settings.get("options") or {}).items():
        part, _, name = option.rpartition(".")
        flagged = name in flags and part == (flags[name].part or "train") and name not in given
        (given if flagged else options)[name if flagged else option] = value
    words = ["seqgen", "train"]
    for name, value in given.items():
        flag = next(iter(flags[name].names), f"--{name.replace('_', '-')}")
        if isinstance(value, bool):
            words += [flag] if value else []
        elif flags[name].repeated:
            words += [word for one in ([value] if isinstance(value, _VALUES) else value) for word in (flag, str(one))]
        else:
            words += [flag, _text(name, value, "/" if name == "split" else ",")]
    for option, value in options.items():
        words += [] if value is None else ["-o", f"{option}={_text(option, value)}"]
    return shlex.join(words) + ("" if run is None else plugin_options(run.settings.plugins))


def _text(name: str, value: Any, separator: str = ",") -> str:
    """Return a value as the command line takes it, several with a separator between.

    Raises:
        BadOption: it cannot be written.
    """
    several = [value] if isinstance(value, _VALUES) else value
    if not (isinstance(several, list | tuple) and all(isinstance(one, _VALUES) for one in several)):
        raise BadOption(
            f"cannot write {name} {short_repr(value)} as a command: give a registered name, a number or a text"
        )
    if several is not value:
        return str(value)
    written = io.StringIO()
    csv.writer(written, delimiter=separator, lineterminator="").writerow(several)
    return written.getvalue()
