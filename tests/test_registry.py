from __future__ import annotations

import pytest

from seqgen import CellSpec, Options
from seqgen.errors import BadOption, PluginError, UnknownName, UsageError
from seqgen.registry import Entry, Registry


def entry(package: str, name: str = "x", **changes) -> Entry:
    return Entry(package, CellSpec(**{"name": name, "summary": "s", "load": "json:loads", **changes}))


class Choices(Options):
    size: int = 3


def test_a_name_offered_twice_is_an_error_only_when_used():
    registry = Registry()
    registry.add(entry("a"))
    registry.add(entry("b"))
    registry.add(entry("b", "y"))
    assert registry.get("cell", "y").package == "b"
    with pytest.raises(UsageError, match="write a:x or b:x"):
        registry.get("cell", "x")
    assert registry.get("cell", "b:x").package == "b"
    assert registry.names("cell") == ["a:x", "b:x", "y"]
    registry.remove_package("a")
    assert registry.get("cell", "x").package == "b" and registry.names("cell") == ["x", "y"]


def test_unknown():
    with pytest.raises(UnknownName, match=r"no cell named 'x' \(look there\)"):
        Registry().get("cell", "x", lambda: "look there")


@pytest.mark.parametrize("load", ["no_such_module:Thing", "json:no_such_name"])
def test_what_cannot_be_loaded_names_the_package(load):
    with pytest.raises(PluginError, match="cell x of guilty is broken"):
        entry("guilty", load=load).load()


def test_options_are_named_or_derived():
    assert entry("a", options=Choices).options({"size": "4"}) == {"size": 4}
    assert entry("a", load=lambda *, depth: None).options_model.model_fields.keys() == set()
    with pytest.raises(BadOption, match="no option 'sise'; did you mean 'size'"):
        entry("a", options=Choices).options({"sise": 4})
    with pytest.raises(PluginError, match="not a pydantic model"):
        entry("a", options="json:loads").option_names()


def test_building_fails_with_the_plugins_name():
    def broken():
        raise RuntimeError("two\nlines")

    with pytest.raises(PluginError, match="cell x of guilty is broken: RuntimeError: two lines"):
        entry("guilty", load=broken).build({})
