"""The way a setting is written on the command line and in Python, declared beside the setting itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel

from seqgen.config.options import Options, build_options
from seqgen.errors import BadOption, did_you_mean


@dataclass(frozen=True)
class Flag:
    """The command-line flag of a setting; without one a setting is reached by ``-o``, TOML and Python only.

    Attributes:
        panel: heading of ``--help`` under which it stands; "" for the general one.
        names: the flags, like ("-t", "--temperature"); (): the name of the setting, with dashes.
        metavar: placeholder of the value in ``--help``.
        default: default that ``--help`` shows where the setting's own is None.
        completes: kind of registered names, or "run", that a shell completes.
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
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return a configuration of the settings that are given, their values not validated yet.

        Args:
            settings: values by keyword; None means that a setting is not given.

        Raises:
            BadOption: there is no such setting.
        """
        names = keywords_of(cls)
        for keyword in settings:
            if keyword not in names:
                raise BadOption(f"{cls.title} has no option {keyword!r}{did_you_mean(keyword, names)}")
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
