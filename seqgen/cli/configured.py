"""Command-line options derived from a configuration, so that a setting is declared once."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Container
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen.cli.common import Flags, complete_names, complete_runs, session

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from seqgen.config import Flag

_AS_THEY_ARE = (bool, int, float, Path)


def configured(command: str, config: str, *, without: Container[str] = ()) -> Flags:
    """Return the flags of a configuration for a command; none unless the command is the one that is parsed.

    Configurations are pydantic models, which take a while to import.

    Args:
        command: name of the command.
        config: name of a class of ``seqgen.config``.
        without: names of settings that the command has no flag for, or declares itself.
    """
    added = _parameters(config, without) if session.parses(command) else []

    def take(values: dict[str, Any]) -> dict[str, Any]:
        return {keyword: values.pop(parameter.name) for keyword, parameter in added}

    return Flags([parameter for _, parameter in added], take)


def _parameters(config: str, without: Container[str]) -> list[tuple[str, inspect.Parameter]]:
    """Return the keyword and the parameter of each flag of a configuration."""
    from seqgen.config import flags_of, keywords_of

    model = getattr(import_module("seqgen.config"), config)
    flags, keywords = flags_of(model), {name: keyword for keyword, name in keywords_of(model).items()}
    inherited = model.__base__.model_fields
    names = sorted(flags, key=lambda name: (model.panels.index(flags[name].panel), name in inherited))
    return [
        (keywords[name], _parameter(name, flags[name], model.model_fields[name]))
        for name in names
        if name not in without
    ]


def _parameter(name: str, flag: Flag, field: FieldInfo) -> inspect.Parameter:
    annotation = _without_none(field.annotation)
    kind = annotation if annotation in _AS_THEY_ARE and not ("str" in flag.accepts and annotation is not Path) else str
    names = flag.names or (f"--{name.replace('_', '-')}",)
    metavar = flag.metavar
    if metavar is None and typing.get_origin(annotation) is typing.Literal:
        metavar = "|".join(typing.get_args(annotation))
    complete = complete_runs if flag.completes == "run" else complete_names(flag.completes) if flag.completes else None
    option = typer.Option(
        *names,
        metavar=metavar,
        help=_help(flag, field),
        autocompletion=complete,
        rich_help_panel=flag.panel or None,
        show_default=False,
    )
    wanted: Any = list[str] | None if flag.repeated else kind if kind is bool else kind | None
    default = False if kind is bool else None
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[wanted, option]
    )


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
        return kinds[0] if len(kinds) == 1 else str
    return annotation


def _help(flag: Flag, field: FieldInfo) -> str:
    """Return the help text of a flag, with the default that it stands for."""
    from seqgen.config import sentence

    text = sentence(field.description or "")
    default = flag.default or ("" if field.default in (None, "", False, ()) or flag.repeated else str(field.default))
    return f"{text}.  [default: {default}]" if default else f"{text}."
