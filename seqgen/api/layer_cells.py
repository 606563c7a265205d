"""The cells of a model's layers: one for all of them, or one for each.

The cell setting names a stack by commas, "rglru,mlp,transformer", one cell a layer from the input to the output. The
parts of such a run are called "cell.1", "cell.2" and so on, in ``-o``, in TOML tables and in messages. An option of
"cell" goes to every layer that has it, or, if its value is a list of values that it takes, one to each of them; an
option of one layer wins. A run of one name whose layers have the same options has a single part "cell".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from seqgen.checkpoint import PartSettings
from seqgen.config import Layer, accepts, merge, split_values
from seqgen.errors import BadOption, UsageError, did_you_mean
from seqgen.registry import Entry, Registry
from seqgen.render import counted

_OF_LAYER = re.compile(r"cell\.[1-9][0-9]{0,2}")
_CELL = "cell"


def kind_of(part: str) -> str:
    """Return the kind of a part: "cell" for "cell.2", else the part itself."""
    return _CELL if _OF_LAYER.fullmatch(part) else part


def split_cells(given: str) -> list[str]:
    """Return the names of a cell setting, one for all layers or one for each.

    Raises:
        UsageError: a name between commas is empty.
    """
    names = [name.strip() for name in given.split(",")] if "," in given else [given]
    if len(names) > 1 and not all(names):
        raise UsageError(f"cannot stack the cells {given!r}: a name is empty; write one a layer, like gru,mlp,gru")
    return names


def find_cells(given: str, registry: Registry, hint: Callable[[], str], near: Entry | None) -> dict[str, Entry]:
    """Return the entries of a cell setting by part.

    Args:
        given: the setting.
        registry: of the cells.
        hint: as ``Registry.get`` takes it, and so ``near``.
        near: see ``hint``.

    Raises:
        UsageError: a name is empty, unknown or ambiguous.
    """
    entries = [registry.get("cell", name, hint, near) for name in split_cells(given)]
    return by_part(entries)


def by_part(cells: Sequence[Any]) -> dict[str, Any]:
    """Return the cells of layers by part: "cell" if there is one for all layers, else "cell.1" and so on."""
    if len(cells) == 1:
        return {_CELL: cells[0]}
    return {f"{_CELL}.{n}": cell for n, cell in enumerate(cells, 1)}


def cells_of(parts: Mapping[str, Any]) -> list[Any]:
    """Return the cells among parts, from the input to the output."""
    return [cell for part, cell in parts.items() if kind_of(part) == _CELL]


def with_layer_tables(toml: Layer) -> Layer:
    """Return TOML tables with each table [cell.2] as a part of its own."""
    given = toml.get(_CELL, {})
    own = {f"{_CELL}.{name}": values for name, values in given.items() if isinstance(values, dict)}
    own = {part: values for part, values in own.items() if kind_of(part) == _CELL}
    if not own:
        return toml
    rest = {name: value for name, value in given.items() if f"{_CELL}.{name}" not in own}
    return toml | {_CELL: rest} | own


def without_overruled(toml: Layer, given: Layer) -> Layer:
    """Return TOML tables without the options of single layers that flags or ``-o`` give to all layers."""
    overruled = given.get(_CELL, {}).keys()
    return {
        part: {name: value for name, value in values.items() if name not in overruled}
        if _OF_LAYER.fullmatch(part)
        else values
        for part, values in toml.items()
    }


def cell_fields(parts: Mapping[str, Entry], named: Iterable[str]) -> dict[str, list[str]]:
    """Return the option names of the cells by part, "cell" included, and of the layers that are named.

    Args:
        parts: of the run.
        named: parts to which options are given.
    """
    names = {part: entry.option_names() for part, entry in parts.items() if kind_of(part) == _CELL}
    if not names:
        return {}
    every = {_CELL: list(dict.fromkeys(name for known in names.values() for name in known))}
    if _CELL in names:
        every |= {part: names[_CELL] for part in named if _OF_LAYER.fullmatch(part)}
    return every | names


def by_layer(parts: Mapping[str, Entry], known: Layer, given: Layer) -> tuple[dict[str, Entry], Layer, Layer]:
    """Give the options of "cell" to the layers, if they have different cells or options.

    Args:
        parts: of the run.
        known: recommended options.
        given: options that the user gives.

    Returns:
        The parts, and both layers of options, without "cell" if it is one for each layer.

    Raises:
        BadOption: the number of layers is another than that of the cells or values, or no cell has an option.
    """
    cells = cells_of(parts)
    if not cells or (_CELL in parts and not _differ(cells[0], given)):
        return dict(parts), known, given
    model = parts["model"]
    if "layers" not in model.option_names():
        raise BadOption(f"{model.label} has no option layers, so its layers cannot have cells or options of their own")
    if len(cells) > 1:
        given = _with_layers(given, model, cells)
    else:
        cells *= model.options(merge(known, given).get("model", {}))["layers"]
    found = by_part(cells) if len(cells) > 1 else {f"{_CELL}.1": cells[0]}
    for part in given:
        if kind_of(part) == _CELL and part != _CELL and part not in found:
            raise BadOption(f"no part {part!r} in this run: it has {counted(len(cells), 'layer')}")
    known, given = _spread(known, cells), _spread(given, cells)
    rest = {part: entry for part, entry in parts.items() if kind_of(part) != _CELL}
    if len(cells) == 1:
        return dict(parts), _renamed(known), _renamed(given)
    return rest | found, known, given


def recommended_by_all(cells: Sequence[Entry]) -> Layer:
    """Return what cells recommend: of different ones only what all of them do, such as the same learning rate."""
    first, *others = [cell.recommended for cell in cells] or [{}]
    return {
        part: {
            name: value
            for name, value in values.items()
            if all(name in other.get(part, {}) and other[part][name] == value for other in others)
        }
        for part, values in first.items()
    }


def cell_settings(parts: Mapping[str, Entry], options: Layer) -> PartSettings | tuple[PartSettings, ...] | None:
    """Return what run.json holds of the cells: None, one for all layers, or one for each."""
    found = [
        PartSettings(name=entry.qualified, options=options[part])
        for part, entry in parts.items()
        if kind_of(part) == _CELL
    ]
    return tuple(found) if len(found) > 1 else (found[0] if found else None)


def _differ(cell: Entry, given: Layer) -> bool:
    """Return whether layers of one cell are given options of their own."""
    if any(_OF_LAYER.fullmatch(part) for part in given):
        return True
    return any(_several(cell, name, value) for name, value in given.get(_CELL, {}).items())


def _with_layers(given: Layer, model: Entry, cells: Sequence[Entry]) -> Layer:
    """Return the given options with as many layers as there are cells."""
    asked = given.get("model", {})
    if "layers" in asked and (n := model.options(asked)["layers"]) != len(cells):
        names = ",".join(cell.spec.name for cell in cells)
        raise BadOption(
            f"cannot stack {len(cells)} cells ({names}) in {n} layers: leave --layers out, or name {n} cells"
        )
    return merge(given, {"model": {"layers": len(cells)}})


def _spread(layer: Layer, cells: Sequence[Entry]) -> Layer:
    """Return options with those of "cell" given to every layer that has them, below those of the layer."""
    spread = {part: dict(values) for part, values in layer.items() if part != _CELL}
    for name, value in layer.get(_CELL, {}).items():
        owners = [n for n, cell in enumerate(cells, 1) if name in cell.option_names()]
        if not owners:
            every = {option for cell in cells for option in cell.option_names()}
            raise BadOption(f"no cell of this run has the option {name!r}{did_you_mean(name, every)}")
        values = _several(cells[owners[0] - 1], name, value) or [value] * len(owners)
        if len(values) != len(owners):
            raise BadOption(
                f"option {name!r} of {cells[owners[0] - 1].label} has {len(values)} values for "
                f"{len(owners)} layer{'s' * (len(owners) != 1)}: give one, or one a layer"
            )
        for n, one in zip(owners, values, strict=True):
            spread.setdefault(f"{_CELL}.{n}", {}).setdefault(name, one)
    return spread


def _several(cell: Entry, name: str, value: Any) -> list[Any] | None:
    """Return the values of an option that is given one a layer; None if it is one value."""
    if isinstance(value, str):
        values: list[Any] = split_values(value) if "," in value else []
    else:
        values = list(value) if isinstance(value, list | tuple) else []
    if len(values) < 2:
        return None
    model = cell.options_model
    if name not in model.model_fields or accepts(model, name, value):
        return None
    return values if any(accepts(model, name, one) for one in values) else None  # a wrong one is refused by itself


def _renamed(layer: Layer) -> Layer:
    """Return the options of a run of one layer, with those of "cell.1" as those of "cell"."""
    return {(_CELL if kind_of(part) == _CELL else part): values for part, values in layer.items()}
