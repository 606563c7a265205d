"""Options of a part and settings of a use case: pydantic models, their flags, and the check of given values."""

from __future__ import annotations

import csv
import io
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from seqgen.errors import BadOption, did_you_mean

PLAIN = (bool, int, float, str)
"""Types of options that a default, or a range, shows."""
OTHER_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("start", "starts", "begin", "begins", "starts_with", "startswith"), "prefix"),
    **dict.fromkeys(("end", "ends_with", "endswith", "suffix"), "ends"),
    **dict.fromkeys(("count", "number", "num", "samples"), "n"),
    **dict.fromkeys(("output", "save"), "out"),
    **dict.fromkeys(("data", "dataset", "input", "file"), "corpus"),
    **dict.fromkeys(("temp", "creativity"), "temperature"),
}
"""Keywords of settings by the words that people try in their place, as keywords or as flags."""
_SEVERAL = {"list_type", "tuple_type", "set_type", "frozen_set_type", "sequence_str"}
"""Types of pydantic errors for a text where several values are expected."""
_MAX_VALUE_CHARS = 131_072  # of a value among several


class Options(BaseModel):
    """Base of option models: frozen, and a misspelt name is an error. Describe each field, with unit and range.

    Attributes:
        no_options: parameters of the callable that might be taken for options, and why they are none.
    """

    no_options: ClassVar[Mapping[str, str]] = {}
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


def build_options(model: type[BaseModel], values: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Check values against an options model and fill in the defaults.

    Args:
        model: the options.
        values: what was given; strings (from a command line) are converted, to several values as ``split_values`` does
            where the option holds several and is no text itself.
        part: how the user calls this part, for the message: "cell lstm".

    Returns:
        Every option by name, ready to be passed as keywords.

    Raises:
        BadOption: an unknown name or an impossible value, in one line.
    """
    given = dict(values)
    for name, value in given.items():
        if (wrong := _no_number(model, name, value)) is not None:
            raise BadOption(f"option {name!r} of {part}: expected a number, not {str(wrong).lower()}")
    try:
        try:
            built = model.model_validate(given)
        except ValidationError as error:
            several = _several(error, given)
            if not several:
                raise
            built = model.model_validate(given | several)
    except ValidationError as error:
        raise BadOption(_complaint(error, model, part)) from None
    return {name: getattr(built, name) for name in model.model_fields}


def _no_number(model: type[BaseModel], name: str, value: Any) -> bool | None:
    """Return True or False where an option takes numbers and is given that, alone or among others; else None.

    Pydantic takes them for 1 and 0.
    """
    field = model.model_fields.get(name)
    kinds = set(_kinds_of(None if field is None else field.annotation))
    if not kinds & {int, float} or kinds & {bool, Any, object}:
        return None
    items = value if isinstance(value, list | tuple) else [value]
    return next((one for one in items if isinstance(one, bool)), None)


def _kinds_of(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation is made of: of a union or a sequence, those of its parts."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, list, tuple, Sequence, typing.Annotated):
        for part in typing.get_args(annotation):
            yield from _kinds_of(part)
    else:
        yield annotation


def accepts(model: type[BaseModel], name: str, value: Any) -> bool:
    """Return whether an option takes a value, as ``build_options`` would convert it."""
    if _no_number(model, name, value) is not None:
        return False
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        about = [one["type"] for one in error.errors() if one["loc"][:1] == (name,)]
        return not about or (isinstance(value, str) and any(kind in _SEVERAL for kind in about))
    return True


def _several(error: ValidationError, given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values of options that were given as a text where several values are expected."""
    wanting = [str(one["loc"][0]) for one in error.errors() if one["type"] in _SEVERAL]
    return {name: split_values(given[name]) for name in wanting if isinstance(given.get(name), str)}


def split_values(text: str) -> list[str]:
    """Split "DE,FR" at commas; a value that contains a comma stands in double quotes, as in a CSV file.

    A double quote within quotes is written twice; blanks behind a comma are dropped; an empty text is no value.

    Raises:
        BadOption: a value is longer than 131,072 characters.
    """
    try:
        found = [value for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) for value in row]
    except csv.Error as error:
        raise BadOption(f"cannot split {text[:40]!r}... into values: {error}; give a list") from None
    if any(len(value) > _MAX_VALUE_CHARS for value in found):  # csv's own limit is higher once a long table was read
        problem = f"one is longer than {_MAX_VALUE_CHARS:,} characters"
        raise BadOption(f"cannot split {text[:40]!r}... into values: {problem}; give a list")
    return found


def _complaint(error: ValidationError, model: type[BaseModel], part: str) -> str:
    first = error.errors()[0]
    name = ".".join(str(item) for item in first["loc"])
    if first["type"] == "extra_forbidden":
        if reason := getattr(model, "no_options", {}).get(name):
            return f"{part} has no option {name!r}: {reason}"
        listed = f"; known: {', '.join(model.model_fields)}" if model.model_fields else f"; {part} has no options"
        known = did_you_mean(name, model.model_fields) or listed
        return f"{part} has no option {name!r}{known}"
    if first["type"] == "missing":
        return f"{part} needs the option {name!r}"
    return f"{_named_setting(model, name, part) if name else part}: {refusal(error)}"


def _named_setting(model: type[BaseModel], name: str, part: str) -> str:
    """Return a setting by its keyword, with its name or its flag in parentheses where that is another."""
    flag = flags_of(model).get(name, Flag())
    long = [one for one in flag.names if one.startswith("--")]
    if flag.keyword:
        return f"option {flag.keyword!r} of {part} ({', '.join([*long, f'-o {name}'])})"
    other = f" ({long[0]})" if long and long[0] != f"--{name.replace('_', '-')}" else ""
    return f"option {name!r} of {part}{other}"


def refusal(error: ValidationError) -> str:
    """Return what was expected of the first refused value, and the value."""
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ").removesuffix(".")
    for detail in (", unable to parse", ", got a number"):
        reason = reason.partition(detail)[0]
    seen = "" if repr(first["input"]) in reason else f", not {first['input']!r}"
    return f"{reason[:1].lower()}{reason[1:]}{seen}"


def describe_options(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Return a row for each option: name, type, default, range and description.

    Where its flag is written otherwise than the value that it stands for, so are type and default: ``90/5/5``.
    """
    flags = flags_of(model)
    found = []
    for name, field in model.model_fields.items():
        flag = flags.get(name, Flag())
        written = flag.metavar if flag.default and field.default is not None else None
        found.append({
            "name": name,
            "type": written or _type_name(field.annotation),
            "default": "required" if field.is_required() else flag.default if written else field.default,
            "range": _range(field),
            "description": field.description or "",
        })  # fmt: skip
    return found


@dataclass(frozen=True)
class OptionRange:
    """The values that an option is declared to have.

    Attributes:
        type: int, float, bool or str; None: of another type, or of several.
        low: the smallest number; None: no bound. A float that must be larger than its bound has the next one.
        high: the largest number; None: no bound.
        choices: the values where they can be listed, those of a Literal; else ().
    """

    type: type | None
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()


def option_range(field: FieldInfo) -> OptionRange:
    """Return the values that an option is declared to have; None, where it is allowed, is not counted."""
    annotation, found = without_none(field.annotation), list[Any]()
    if typing.get_origin(annotation) is typing.Literal:
        return OptionRange(None, choices=tuple(one for one in typing.get_args(annotation) if one is not None))
    kind = next((kind for kind in PLAIN if kind is annotation), None)
    if kind not in (int, float):
        return OptionRange(kind)
    for closed, opened, towards in (("ge", "gt", math.inf), ("le", "lt", -math.inf)):
        bound = next((getattr(item, closed) for item in field.metadata if hasattr(item, closed)), None)
        beyond = next((getattr(item, opened) for item in field.metadata if hasattr(item, opened)), None)
        if beyond is not None:
            bound = math.nextafter(beyond, towards) if kind is float else beyond + int(math.copysign(1, towards))
        found.append(bound)
    return OptionRange(kind, *found)


def without_none(annotation: Any) -> Any:
    """Return the one type of an annotation that is not None; None if it has several."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
    return kinds[0] if len(kinds) == 1 else None


def _type_name(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(str(choice) for choice in typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(_type_name(part) for part in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        *parts, last = typing.get_args(annotation)
        return f"list of {_type_name(parts[0])}" if last is ... else ", ".join(map(_type_name, (*parts, last)))
    if annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _range(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = ((sign, getattr(item, name, None)) for item in field.metadata for name, sign in signs.items())
    return ", ".join(f"{sign} {_power(bound)}" for sign, bound in bounds if bound is not None)


def _power(bound: Any) -> str:
    """Return a bound in its most readable form: 2**63 rather than nineteen digits."""
    large = isinstance(bound, int) and bound > 1 << 31 and bound.bit_count() == 1
    return f"2**{bound.bit_length() - 1}" if large else str(bound)


# -- flags


@dataclass(frozen=True)
class Flag:
    """The command-line flag of a setting; without one a setting is reached by ``-o``, TOML and Python only.

    Attributes:
        panel: heading of ``--help`` under which it stands; "" for the general one.
        names: the flags, like ("-t", "--temperature"); (): the name of the setting, with dashes.
        metavar: placeholder of the value in ``--help``.
        default: default that ``--help`` shows where the setting's own is None.
        completes: kind of registered names, "run" or "option", that a shell completes.
        part: the part of a run whose option the setting is: "model" for ``hidden``.
        keyword: its name in Python, where that differs from the setting's.
        repeated: whether the flag may be given several times, with one value each.
        accepts: its type in Python, where more is accepted than the setting holds: ``str | float`` for a duration.
    """

    panel: str = ""
    names: tuple[str, ...] = ()
    metavar: str | None = None
    default: str = ""
    completes: str = ""
    part: str = ""
    keyword: str = ""
    repeated: bool = False
    accepts: str = ""


def flags_of(config: type[BaseModel]) -> Mapping[str, Flag]:
    """Return the flags of a model's settings that have one, by the name of the setting."""
    found = {}
    for name, field in config.model_fields.items():
        for item in field.metadata:
            if isinstance(item, Flag):
                found[name] = item
    return found


def sentence(description: str) -> str:
    """Return a description with a capital, unless it begins with a value: "lines: one record per line"."""
    names_value = description.partition(" ")[0].endswith(":")
    return description if names_value else description[:1].upper() + description[1:]


def keywords_of(config: type[BaseModel]) -> dict[str, str]:
    """Return the name of each setting by its keyword in Python."""
    flags = flags_of(config)
    return {(flags[name].keyword if name in flags else "") or name: name for name in config.model_fields}


class UserConfig(Options):
    """Base of the configurations of a use case, whose settings are those that a user gives.

    Attributes:
        title: the use case, for messages.
        panels: headings of ``--help``, in their order.
    """

    title: ClassVar[str] = ""
    panels: ClassVar[tuple[str, ...]] = ("",)

    @classmethod
    def of(cls, settings: Mapping[str, Any], hint: Callable[[str], str] = lambda _: "") -> Self:
        """Return a configuration of the settings that are given, their values not validated yet.

        Args:
            settings: values by keyword; None means that a setting is not given.
            hint: returns the clause for a keyword that is none; "" suggests the nearest keyword.

        Raises:
            BadOption: there is no such setting.
        """
        names = keywords_of(cls)
        for keyword in settings:
            if keyword not in names:
                meant = next((one for one, name in names.items() if name == keyword), OTHER_WORDS.get(keyword))
                flag, flags = f"--{keyword.replace('_', '-')}", flags_of(cls)
                with_flag = (one for one, name in names.items() if name in flags and flag in flags[name].names)
                meant = meant or next(with_flag, None)
                near = f"; did you mean {meant!r}?" if meant in names else did_you_mean(keyword, names)
                if not near and "options" in names:
                    near = '; an option of a part is given by options={"part.name": ...}'
                raise BadOption(f"{cls.title} has no option {keyword!r}{hint(keyword) or near}")
        values = {names[keyword]: value for keyword, value in settings.items() if value is not None}
        return cast("Self", cls.model_construct(set(values), **values))

    @classmethod
    def validated(cls, settings: Mapping[str, Any]) -> Self:
        """Return a configuration of the settings that are given, with the defaults of all others.

        Args:
            settings: values by keyword; None means that a setting is not given.

        Raises:
            BadOption: an unknown setting or an impossible value.
        """
        given = cls.of(settings)
        named = {name: getattr(given, name) for name in given.model_fields_set}
        return cast("Self", cls.model_construct(set(named), **build_options(cls, named, cls.title)))
