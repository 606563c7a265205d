"""Options derived from the signature of a function or class, for plugins that name no model of them."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Collection
from typing import Any

from pydantic import BaseModel, create_model

from seqgen.config.options import PLAIN, Options
from seqgen.errors import one_line, short_repr


def options_model(signature_source: Callable[..., Any]) -> type[BaseModel]:
    """Derive the options of a callable from its keyword-only parameters that are annotated or have a plain default.

    Args:
        signature_source: a function or a class; ``Annotated[int, Field(ge=1, description="...")]`` is understood.

    Raises:
        TypeError: a parameter's annotation cannot be turned into a field.
    """
    parameters = inspect.signature(signature_source).parameters
    hints = _type_hints(signature_source, {name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY})
    fields: dict[str, Any] = {}
    no_options: dict[str, str] = {}
    for name, parameter in parameters.items():
        default = parameter.default
        is_told = name in hints or (type(default) in PLAIN and not name.startswith("_"))
        by_keyword = parameter.kind is parameter.KEYWORD_ONLY
        if by_keyword and is_told:
            fields[name] = (hints.get(name, type(default)), ... if default is parameter.empty else default)
        elif (by_keyword or default is not parameter.empty) and not name.startswith("_"):
            untold = "it has no annotation and no default that say of which type it is: annotate it"
            if default is not parameter.empty:
                untold = f"its default {short_repr(default, 40)} does not say of which type it is: annotate it"
            no_options[name] = untold if by_keyword else "it is not keyword-only: put it behind a *"
    model = _model(f"{getattr(signature_source, '__name__', 'derived')}Options", fields)
    model.no_options = no_options
    return model


def _type_hints(source: Any, names: Collection[str]) -> dict[str, Any]:
    """Return the annotations of some parameters of a function or class, evaluated.

    Raises:
        TypeError: one cannot be evaluated; the message names its parameter.
    """
    source = inspect.unwrap(source.func if isinstance(source, functools.partial) else source)
    function = source.__init__ if inspect.isclass(source) else source if inspect.isroutine(source) else source.__call__
    within, hints = getattr(inspect.unwrap(function), "__globals__", {}), dict[str, Any]()
    for name, annotation in getattr(function, "__annotations__", {}).items():
        if name in names:
            alone = types.SimpleNamespace(__annotations__={name: annotation})
            try:
                hints |= typing.get_type_hints(alone, within, include_extras=True)
            except Exception as error:
                reason = f"{type(error).__name__}: {one_line(error)}"
                raise TypeError(f"cannot read the annotation {short_repr(annotation)} of {name!r}: {reason}") from error
    return hints


def _model(title: str, fields: dict[str, Any]) -> type[Options]:
    """Return a model of some fields.

    Raises:
        TypeError: one is of no type for options; the message names it.
    """
    try:
        return create_model(title, __base__=Options, **fields)
    except Exception:
        for name, field in fields.items():
            try:
                create_model(title, __base__=Options, **{name: field})
            except Exception as error:
                reason = f"{type(error).__name__}: {one_line(error)}"
                raise TypeError(
                    f"cannot make an option of {name!r} of type {short_repr(field[0])}: {reason}"
                ) from error
        raise
