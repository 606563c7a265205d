"""The search space of a study: every setting with the values that it may have, checked against its declaration."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import seqgen
from seqgen_tune.dimension import PARTS, Dimension, as_number
from seqgen_tune.ranges import Given

_OF_MODEL = ("hidden", "layers", "embedding", "dropout")  # options with keywords of their own
_FIXED = {
    "corpus": "losses on different corpora cannot be compared",
    "split": "trials are compared by the same held-out records",
    "split_seed": "trials are compared by the same held-out records",
    "eval_records": "trials are compared by the same held-out records",
    "layout": "losses of records and of one long text cannot be compared",
    "seed": "its best value says nothing of other seeds",
    "refit": "its run has no held-out records; refit the best run",
}
_MOST = 1000  # bounds above only guard against slips: nobody means a width of 65,536
_SCALES = 10  # between the ends of a declared range that is searched on a logarithmic scale


class SpaceBuilder:
    """Builds the search space of a study.

    Args:
        given: the settings as the user gives them.
        fixed: the fixed settings, keywords of ``seqgen.train``.
        parts: names of the parts of a run with these settings, by keyword: cells are separated by commas.
        plugins: the result of ``seqgen.choose_plugins``.
    """

    def __init__(
        self, given: Sequence[Given], fixed: Mapping[str, Any], parts: Mapping[str, str], plugins: Any
    ) -> None:
        self._given, self._plugins = given, plugins
        chosen = {one.name: one.choices for one in given if one.name in PARTS}
        self._parts = {keyword: (name,) for keyword, name in parts.items()} | chosen
        self._searched = chosen
        names = [name for name in fixed if name != "options"] + list(fixed.get("options") or {})
        self._fixed = {self._full_name(name) for name in names}

    def build(self) -> list[Dimension]:
        """Return the dimensions, those of parts first.

        Raises:
            BadOption: no part has a setting, a value is not allowed, or a setting is fixed or searched twice.
            UnknownName: no plugin offers a part.
        """
        found: dict[str, list[Dimension]] = {}
        for one in sorted(self._given, key=lambda one: (one.name not in PARTS, bool(one.all_of))):
            if one.all_of:
                for name, several in self._all_of(one.all_of).items():
                    found.setdefault(name, several)
                continue
            name = self._full_name(one.name)
            if name in found or name in self._fixed:
                problem = "it is searched twice" if name in found else "it is given as a fixed setting too"
                raise seqgen.BadOption(f"cannot search {one.name}: {problem}; keep one of them")
            found[name] = [self._dimension(one, name)]
        if not found:
            raise seqgen.BadOption("no setting to search: give one, like lr=1e-4..1e-2:log, or a file by --space")
        return [dimension for several in found.values() for dimension in several]

    def _full_name(self, name: str) -> str:
        """Return a setting with the part whose option it is; one that chooses a part, or is of none, stays."""
        if name in PARTS or name == "params" or "." in name:
            return name
        if name in _OF_MODEL:
            return f"model.{name}"
        if name in seqgen.option_names("train"):
            return f"train.{name}"
        owners = [keyword for keyword in self._parts if name in self._declared(keyword)]
        if len(owners) > 1:
            several = " or ".join(f"{owner}.{name}" for owner in owners)
            raise seqgen.BadOption(f"cannot search {name}: several parts have this option; write {several}")
        return f"{PARTS[owners[0]]}.{name}" if owners else name

    def _declared(self, keyword: str, layer: str = "") -> dict[str, dict[str, seqgen.OptionRange]]:
        """Return the declared values of the options of a part: by option, then by the choice that has it."""
        found: dict[str, dict[str, seqgen.OptionRange]] = {}
        if keyword == "domain":
            return found
        for choice in self._parts.get(keyword, ()):
            names = choice.split(",") if keyword == "cell" else [choice]
            if layer and len(names) > 1:
                names = names[int(layer) - 1 :][:1]
            for name in names:
                ranges = seqgen.option_ranges(PARTS[keyword], name, plugins=self._plugins)
                for option, values in ranges.items():
                    found.setdefault(option, {})[choice] = values
        return found

    def _dimension(self, given: Given, name: str) -> Dimension:
        """Return a dimension, checked against the declaration of its option."""
        part, _, option = name.rpartition(".")
        plain = dataclasses.asdict(given) | {"name": name, "key": name}
        if option in _FIXED and part in ("", "train"):
            raise seqgen.BadOption(f"cannot search {given.name}: {_FIXED[option]}")
        if name in PARTS:
            for one in {one for choice in given.choices for one in choice.split(",")}:
                self._plugins.registry.get(PARTS[name], one, self._plugins.failed_hint)
        if name in PARTS or name == "params":
            if not given.choices:
                raise seqgen.BadOption(f"cannot search {given.name} in a range: give a list, like {given.name}=A|B")
            return Dimension(**plain)
        if part == "train" and option in seqgen.option_names("train"):
            return Dimension(**_checked(given, plain, [seqgen.option_ranges("train")[option]]))
        kind, _, layer = part.partition(".")
        keyword = next((keyword for keyword, own in PARTS.items() if own == kind), "")
        declared = self._declared(keyword, layer if layer.isdecimal() else "")
        if option not in declared:
            problem = f"the {kind} of this study has no such option" if keyword else "no part has such an option"
            others = declared if keyword else {name for one in PARTS for name in self._declared(one)}
            near = difflib.get_close_matches(option, [*others, *([] if keyword else seqgen.option_names("train"))], 1)
            hint = f"did you mean {near[0]!r}?" if near else "seqgen show KIND NAME lists what a part has"
            raise seqgen.BadOption(f"cannot search {given.name}: {problem}; {hint}")
        plain |= self._condition(keyword, declared[option])
        return Dimension(**_checked(given, plain, declared[option].values()))

    def _condition(self, keyword: str, having: Mapping[str, Any]) -> dict[str, Any]:
        """Return the condition that a part has the option, where some of its choices have not."""
        searched = self._searched.get(keyword, ())
        return {"of": keyword, "only": tuple(having)} if set(searched) - set(having) else {}

    def _all_of(self, kind: str) -> dict[str, list[Dimension]]:
        """Return the dimensions of all options of a part that are declared with ends or choices, unless it is fixed."""
        keyword = next((keyword for keyword, own in PARTS.items() if own == kind), None)
        if keyword in (None, "domain"):
            known = ", ".join(f"{own}.*" for own in PARTS.values() if own != "domain")
            raise seqgen.BadOption(f"cannot search {kind}.*: take the declared ranges of {known}")
        assert keyword is not None
        found: dict[str, list[Dimension]] = {}
        for option, by_choice in self._declared(keyword).items():
            name = f"{kind}.{option}"
            for values in dict.fromkeys(by_choice.values()):
                if name in self._fixed or not (plain := _declared_range(values)):
                    continue
                having = {choice: 1 for choice, own in by_choice.items() if own == values}
                key = name if len(set(by_choice.values())) == 1 else f"{name} of {'|'.join(having)}"
                condition = self._condition(keyword, having)
                found.setdefault(name, []).append(Dimension(key, name, **plain, **condition))
        return found


def first_values(space: Sequence[Dimension], settings: Any) -> dict[str, Any]:
    """Return the values of a run without a search by key, where they are in the space.

    Args:
        space: the space.
        settings: of the plan of a run with the first choice of each part, the content of its run.json.
    """
    cells = {f"cell.{n}": cell.options for n, cell in enumerate(settings.cells, 1)}
    options = {"train": settings.train.model_dump(), "model": settings.model.options, "cell": {}, **cells}
    options |= {"cell": settings.cells[0].options} if settings.cells else {}
    options["tokenizer"] = settings.tokenizer.options
    first = {one.name: one.choices[0] for one in space if one.name in PARTS}
    found: dict[str, Any] = {}
    for one in space:
        part, _, option = one.name.rpartition(".")
        value = first.get(one.name, options.get(part, {}).get(option))
        if one.of and first[one.of] not in one.only:
            continue
        if one.choices:
            found.update((one.key, choice) for choice in one.choices if _is_written(choice, value))
        elif isinstance(value, int | float) and one.low <= value <= one.high:
            found[one.key] = value
    return found


def _is_written(choice: str, value: Any) -> bool:
    """Return whether a choice is a way to write a value: "5e-3" is 0.005."""
    return choice.lower() == str(value).lower() or (not isinstance(value, bool) and as_number(choice) == value)


def _checked(given: Given, plain: dict[str, Any], declared: Iterable[seqgen.OptionRange]) -> dict[str, Any]:
    """Return the fields of a dimension, whole numbers where the option has no others.

    Raises:
        BadOption: a value is not allowed.
    """
    for values in declared:
        low = -float("inf") if values.low is None else values.low
        high = float("inf") if values.high is None else values.high
        allowed = tuple(map(str, values.choices))
        for choice in given.choices:
            if allowed and choice not in (*allowed, "None"):
                raise seqgen.BadOption(f"cannot search {given.name}={choice}: its values are {', '.join(allowed)}")
        if given.choices:
            continue
        if values.type not in (int, float, None) or allowed:
            raise seqgen.BadOption(f"cannot search {given.name} in a range: it is no number; give a list, A|B")
        beyond = [(given.low, low)] * (given.low < low) + [(given.high, high)] * (given.high > high)
        if not all(math.isclose(end, bound, abs_tol=1e-12) for end, bound in beyond):
            raise seqgen.BadOption(
                f"cannot search {given.name}={given.low:g}..{given.high:g}: it is from {low:g} to {high:g}"
            )
        if values.type is int and not given.whole:
            raise seqgen.BadOption(f"cannot search {given.name}: it is a whole number, like 1..3")
        plain |= {"low": max(plain["low"], low), "high": min(plain["high"], high)}  # 0 where more than 0 is allowed
        plain["whole"] = given.whole and values.type is not float
    return plain


def _declared_range(values: seqgen.OptionRange) -> dict[str, Any]:
    """Return the fields of a dimension over all that an option is declared to have; {} where that is no end of it."""
    if values.type is bool:
        return {"choices": ("true", "false")}
    if values.choices:
        return {"choices": tuple(map(str, values.choices))} if len(values.choices) > 1 else {}
    if values.low is None or values.high is None or not values.low < values.high <= _MOST:
        return {}
    log = values.low >= 1 and values.high >= _SCALES * values.low
    return {"low": values.low, "high": values.high, "log": log, "whole": values.type is int}
