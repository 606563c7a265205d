"""Command-line options derived from a configuration, so that a setting is declared once."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Container
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen.cli.common import complete_names, complete_runs, session

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from seqgen.config import Flag

Command = Callable[..., Any]
_AS_THEY_ARE = (bool, int, float, Path)
_PANELS = ("The data", "The model", "When it ends", "More")  # in this order in the help of train


def configured(config: str, *, without: Container[str] = ()) -> Callable[[Command], Command]:
    """Give a command the flags of a configuration; it receives the values as the keyword ``settings``.

    Configurations are pydantic models, which take a while to import, so flags are derived only for the command that
    is being parsed.

    Args:
        config: name of a class of ``seqgen.config``.
        without: names of settings that the command has no flag for, or declares itself.
    """

    def decorate(function: Command) -> Command:
        own = [
            parameter
            for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
            if name != "settings"
        ]
        added = _parameters(config, without) if session.parses(function.__name__) else []

        @functools.wraps(function)
        def run(**values: Any) -> Any:
            settings = {keyword: values.pop(parameter.name) for keyword, parameter in added}
            return function(settings=settings, **values)

        parameters = [*own, *(parameter for _, parameter in added)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _parameters(config: str, without: Container[str]) -> list[tuple[str, inspect.Parameter]]:
    """Return the keyword and the parameter of each flag of a configuration."""
    from seqgen.config import flags_of, keywords_of

    model = getattr(import_module("seqgen.config"), config)
    flags, keywords = flags_of(model), {name: keyword for keyword, name in keywords_of(model).items()}
    return [
        (keywords[name], _parameter(name, flag, model.model_fields[name]))
        for name, flag in sorted(flags.items(), key=_panel_order)
        if name not in without
    ]


def _panel_order(item: tuple[str, Flag]) -> int:
    panel = item[1].panel
    return _PANELS.index(panel) if panel in _PANELS else -1


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
    text = field.description or ""
    text = text if text.partition(" ")[0].endswith(":") else text[:1].upper() + text[1:]
    default = flag.default or ("" if field.default in (None, "", False, ()) or flag.repeated else str(field.default))
    return f"{text}.  [default: {default}]" if default else f"{text}."
