from __future__ import annotations

import pytest

from seqgen import CellSpec, Options, ReaderSpec, RendererSpec, ReportSpec, Tokenizer, TokenizerSpec, ValidatorSpec
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


class Part:
    """A part of any kind."""

    def __init__(self, **members):
        self.__dict__ |= members

    def __call__(self, text):
        return text


@pytest.mark.parametrize(
    ("spec", "members", "message"),
    [
        (ValidatorSpec, {}, "load returned .*Part.*, which has no validate"),
        (ValidatorSpec, {"validate": 5}, "validate is 5, not a method"),
        (ReportSpec, {"write": None}, "write is None, not a method"),
        (ReportSpec, {"write": print, "suffixes": ".json"}, "suffixes is '.json', not a tuple of lower-case suffixes"),
        (ReportSpec, {"write": print, "suffixes": (".JSON",)}, "not a tuple"),
        (RendererSpec, {"suffixes": ["svg"]}, "not a tuple"),
        (RendererSpec, {"suffixes": [".svg"]}, "it has suffixes, but draw is None"),
        (RendererSpec, {"suffixes": [".svg"], "draw": 3}, "it has suffixes, but draw is 3"),
        (ReaderSpec, {"read": "lines"}, "read is 'lines', not a method"),
    ],
)
def test_members_that_cannot_be_used_are_refused_where_the_part_is_built(spec, members, message):
    more = {"endings": (".x",), "example": b"x"} if spec is ReaderSpec else {}
    made = Entry("guilty", spec(name="x", summary="s", load=lambda: Part(**members), **more))
    with pytest.raises(PluginError, match=f"{spec.kind} x of guilty: .*{message}"):
        made.build({})


def test_a_member_that_cannot_be_read_names_the_part():
    broken = type("Broken", (), {"write": print, "suffixes": property(lambda self: 1 / 0)})
    with pytest.raises(PluginError, match="report x of guilty is broken: ZeroDivisionError"):
        Entry("guilty", ReportSpec(name="x", summary="s", load=broken)).build({})


def test_a_method_of_a_tokenizer_that_is_none_is_refused():
    broken = type("Broken", (Tokenizer,), {"fit": None})
    with pytest.raises(PluginError, match="tokenizer x of guilty: fit is None, not a method"):
        Entry("guilty", TokenizerSpec(name="x", summary="s", load=broken)).load()


def test_building_fails_with_the_plugins_name():
    def broken():
        raise RuntimeError("two\nlines")

    with pytest.raises(PluginError, match="cell x of guilty is broken: RuntimeError: two lines"):
        entry("guilty", load=broken).build({})
