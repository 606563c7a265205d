"""The options of all commands that draw from a model: how, and what rows must be."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from seqgen.cli.common import complete_names, pair, session

_HOW, _MUST = "Decoding", "What every row satisfies"

_OPTIONS: dict[str, tuple[Any, Any, Any]] = {
    "prefix": (str, "", typer.Option(help="Text that every row starts with.", rich_help_panel=_MUST)),
    "contains": (
        list[str] | None,
        None,
        typer.Option(metavar="TEXT", help="Text that every row holds; may be repeated.", rich_help_panel=_MUST),
    ),
    "contains_file": (
        list[Path] | None,
        None,
        typer.Option(
            metavar="FILE", help="Texts, one a line; every row holds at least one of them.", rich_help_panel=_MUST
        ),
    ),
    "avoid": (
        list[str] | None,
        None,
        typer.Option(metavar="TEXT", help="Text that no row holds; may be repeated.", rich_help_panel=_MUST),
    ),
    "avoid_file": (
        list[Path] | None,
        None,
        typer.Option(metavar="FILE", help="Texts, one a line; no row holds any of them.", rich_help_panel=_MUST),
    ),
    "ends": (str, "", typer.Option(metavar="TEXT", help="Text that every row ends with.", rich_help_panel=_MUST)),
    "length": (
        str,
        "",
        typer.Option(metavar="5-8", help="Characters of a row: 5-8, 5, 5- or -8.", rich_help_panel=_MUST),
    ),
    "regex": (
        str,
        "",
        typer.Option(help="Regular expression that matches every whole row.", rich_help_panel=_MUST),
    ),
    "ignore_case": (
        bool,
        False,
        typer.Option("--ignore-case", help="Match these texts and --regex in either case.", rich_help_panel=_MUST),
    ),
    "label": (
        str | None,
        None,
        typer.Option(help="Rows of this label, of a run trained with --condition label.", rich_help_panel=_MUST),
    ),
    "given": (
        list[str] | None,
        None,
        typer.Option(
            metavar="FIELD=VALUE",
            help="A condition, or a field that rows begin with; may be repeated.",
            rich_help_panel=_MUST,
        ),
    ),
    "max_length": (
        int | None,
        None,
        typer.Option(
            help="Symbols at which a row is cut.  [default: twice the longest training record]", rich_help_panel=_MUST
        ),
    ),
    "temperature": (
        float,
        1.0,
        typer.Option(
            "-t", "--temperature", help="Below 1 is safer, above is bolder; 0 is greedy.", rich_help_panel=_HOW
        ),
    ),
    "top_k": (int | None, None, typer.Option(help="Draw among the k likeliest symbols.", rich_help_panel=_HOW)),
    "top_p": (
        float | None,
        None,
        typer.Option(help="Draw among the likeliest that reach this share.", rich_help_panel=_HOW),
    ),
    "min_p": (
        float | None,
        None,
        typer.Option(help="Least share of the likeliest symbol's probability.", rich_help_panel=_HOW),
    ),
    "repetition_penalty": (
        float,
        1.0,
        typer.Option(help="Above 1, symbols that a row has already are less likely.", rich_help_panel=_HOW),
    ),
    "ban": (
        str,
        "",
        typer.Option(metavar="CHARACTERS", help="Characters that are never drawn.", rich_help_panel=_HOW),
    ),
    "guidance": (
        float,
        1.0,
        typer.Option(help="Above 1, --label and --given count for more than in training.", rich_help_panel=_HOW),
    ),
    "processor": (
        list[str] | None,
        None,
        typer.Option(
            metavar="NAME",
            help="A decoding step of a plugin; may be repeated.",
            autocompletion=complete_names("processor"),
            rich_help_panel=_HOW,
        ),
    ),
    "option": (
        list[str] | None,
        None,
        typer.Option(
            "-o", "--option", metavar="PROCESSOR.NAME=VALUE", help="An option of a processor.", rich_help_panel=_HOW
        ),
    ),
}


def with_decoding(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options above; it gets them as the one keyword ``decoding``, as ``Run.sample`` takes them."""
    signature = inspect.signature(function, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "decoding"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
        for name, (kind, default, option) in _OPTIONS.items()
    ]

    @functools.wraps(function)
    def run(**values: Any) -> Any:
        options = {name: values.pop(name) for name in _OPTIONS}
        named, assignments = options.pop("processor") or [], options.pop("option") or []
        options["given"] = dict(map(pair, options["given"] or ()))
        options["contains"] = tuple(options["contains"] or ())
        options["contains_any"] = _texts_of(options.pop("contains_file"))
        options["avoid"] = (*(options["avoid"] or ()), *_texts_of(options.pop("avoid_file")))
        options["processors"] = _processors(named, assignments)
        return function(decoding=options, **values)

    run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *added]}
    return run


def _texts_of(files: Iterable[Path] | None) -> tuple[str, ...]:
    """The lines of files, blank ones left out.

    Raises:
        NoSuchFile, UsageError, CorpusError: a file cannot be read, or holds no text.
    """
    from seqgen.corpus import read_lines
    from seqgen.errors import UsageError

    found: list[str] = []
    for path in files or ():
        texts = [record.text for record in read_lines(path)]
        if not texts:
            raise UsageError(f"cannot use the texts of {str(path)!r}: it holds none; write one a line")
        found += texts
    return tuple(dict.fromkeys(found))


def _processors(names: Iterable[str], assignments: Iterable[str]) -> dict[str, dict[str, Any]]:
    from seqgen.config import assign, parse_assignments

    registry = session.plugins.registry
    fields = {name: list(registry.get("processor", name).options_model().model_fields) for name in names}
    return {name: {} for name in fields} | assign(parse_assignments(assignments), fields)
