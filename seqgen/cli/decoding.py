"""The flags of all commands that sample from a model, and their values as ``Run.sample`` takes them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from seqgen.cli.common import pair, session
from seqgen.cli.configured import configured

_FILES: dict[str, Any] = {
    "avoid_file": Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Texts, one a line, none of which any row contains.",
            rich_help_panel="Constraints on every row",
        ),
    ],
    "option": Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--option",
            metavar="PROCESSOR.NAME=VALUE",
            help="Option of a processor; may be repeated.",
            rich_help_panel="Decoding",
        ),
    ],
}


def with_decoding(config: str, *, without: Container[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of a decoding configuration; it receives them as the keyword ``settings``.

    Args:
        config: "SampleConfig" or "DecodeConfig".
        without: names of settings that the command declares itself.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        parses = session.parses(function.__name__)
        own = inspect.signature(function, eval_str=True).parameters
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in _FILES.items()
            if parses
        ]

        @functools.wraps(function)
        def run(*, settings: dict[str, Any], **values: Any) -> Any:
            avoid_file, option = values.pop("avoid_file", None), values.pop("option", None)
            return function(settings=_converted(settings, avoid_file or (), option or ()), **values)

        run.__signature__ = inspect.Signature([*own.values(), *added])  # type: ignore[attr-defined]
        return configured(config, without=without)(run)

    return decorate


def _converted(settings: dict[str, Any], avoid_files: Iterable[Path], assignments: Iterable[str]) -> dict[str, Any]:
    """Return the values of flags as ``Run.sample`` takes them: files read, pairs split, processors with options."""
    texts = (*(settings["avoid"] or ()), *_texts_of(avoid_files))
    return settings | {
        "given": dict(map(pair, settings["given"] or ())),
        "contains": tuple(settings["contains"] or ()),
        "contains_any": _texts_of(map(Path, settings["contains_any"] or ())),
        "avoid": texts,
        "processors": _processors(settings["processors"] or (), assignments),
    }


def _texts_of(files: Iterable[Path]) -> tuple[str, ...]:
    """Return the lines of files, without blank ones.

    Raises:
        NoSuchFile, UsageError, CorpusError: a file cannot be read, or has no text.
    """
    from seqgen.corpus import read_lines
    from seqgen.errors import UsageError

    found: list[str] = []
    for path in files:
        texts = [record.text for record in read_lines(path)]
        if not texts:
            raise UsageError(f"cannot use the texts of {str(path)!r}: it has none; write one a line")
        found += texts
    return tuple(dict.fromkeys(found))


def _processors(names: Iterable[str], assignments: Iterable[str]) -> dict[str, dict[str, Any]]:
    from seqgen.config import assign, parse_assignments

    registry = session.plugins.registry
    fields = {name: registry.get("processor", name).option_names() for name in names}
    return {name: {} for name in fields} | assign(parse_assignments(assignments), fields)
