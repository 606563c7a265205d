"""The ``seqgen train`` command that gives a run its settings."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.errors import BadOption

if TYPE_CHECKING:
    from seqgen.api.run import Run

_VALUES = (str, int, float, Path)


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
    return shlex.join(words) + ("" if run is None else plugin_options(run.settings))


def _text(name: str, value: Any, separator: str = ",") -> str:
    """Return a value as the command line takes it, several with a separator between.

    Raises:
        BadOption: it cannot be written.
    """
    several = [value] if isinstance(value, _VALUES) else value
    if not (isinstance(several, list | tuple) and all(isinstance(one, _VALUES) for one in several)):
        raise BadOption(f"cannot write {name} {value!r:.60} as a command: give a registered name, a number or a text")
    if several is not value:
        return str(value)
    written = io.StringIO()
    csv.writer(written, delimiter=separator, lineterminator="").writerow(several)
    return written.getvalue()
