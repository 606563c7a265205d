from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from seqgen import (
    CellSpec,
    MetricSpec,
    Options,
    ReaderSpec,
    RendererSpec,
    ReportSpec,
    Tokenizer,
    TokenizerSpec,
    ValidatorSpec,
    Verdict,
)
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


NAMES = {"size": 2, "a b": np.float32(0.5), "c": Fraction(1, 3), "d": None, "e": float("nan"), "f": np.int64(3)}
NAMES |= {"g": True, "h": float("-inf")}
ODD_VALUES = {
    "not a number": (np.True_, "x", 1j, Decimal(1), [1.0], np.ones(2), 10**400),
    "is not one line of 1 to 80 printable characters": ("", " a", "a ", "a\nb", "\x1b[31m", "a" * 81, 3, "\ud800"),
}  # fmt: skip


def metric_of(values, **attributes):
    part = type("M", (), {"__call__": lambda self, samples, reference: values, **attributes})
    return Entry("guilty", MetricSpec(name="x", summary="s", load=lambda: part())).use({})


def test_values_of_a_metric_are_numbers_with_printable_names():
    assert metric_of(NAMES)([], []) == NAMES
    values, names = ODD_VALUES.items()
    for odd in ({**NAMES, "odd": value} for value in values[1]):
        with pytest.raises(PluginError, match=f"^metric x of guilty: the value of 'odd' .*{values[0]} "):
            metric_of(odd)([], [])
    for name in names[1]:
        with pytest.raises(PluginError, match=f"^metric x of guilty: the name .* {names[0]} "):
            metric_of({name: 1})([], [])


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        (True, "True, not a seqgen.Verdict"),
        (Verdict("no"), "a seqgen.Verdict with ok='no', which is neither True nor False"),
        (Verdict(None), "a seqgen.Verdict with ok=None, which is"),
        (Verdict(False, 5), "a seqgen.Verdict with reason=5, which is not a string"),
        (Verdict(True, canonical=5), "a seqgen.Verdict with canonical=5, which is neither a string nor None"),
    ],
)
def test_a_verdict_of_wrong_types_names_the_field(verdict, message):
    spec = ValidatorSpec(name="x", summary="s", load=lambda: Part(validate=lambda text: verdict))
    with pytest.raises(PluginError, match=rf"^validator x of guilty: validate\('a'\) returned {message}"):
        Entry("guilty", spec).use({}).validate("a")


def test_a_verdict_may_be_of_numpy():
    spec = ValidatorSpec(name="x", summary="s", load=lambda: Part(validate=lambda text: Verdict(np.bool_(True))))
    assert Entry("guilty", spec).use({}).validate("a").ok


@pytest.mark.parametrize(
    ("published", "message"),
    [
        ([("a", 1)], "published is .*, not a mapping of models"),
        ({"a": 1}, r"published\['a'\] is 1, not values by name"),
        ({"a": {}}, r"published\['a'\] is {}, not values by name"),
        ({"a\nb": {"n": 1}}, r"published has the model 'a\\nb', which is not one line"),
        ({"a": {"n": "x"}}, r"in published\['a'\] the value of 'n' is 'x', not a number"),
        ({"a": {"": 1}}, r"in published\['a'\] the name '' is not one line"),
    ],
)
def test_published_values_are_looked_at_where_a_metric_is_built(published, message):
    assert metric_of(NAMES, published={"Other (1999)": {"n": 1}}).published
    with pytest.raises(PluginError, match=f"^metric x of guilty: {message}"):
        metric_of(NAMES, published=published)


def metric_with(function):
    return Entry("guilty", MetricSpec(name="x", summary="s", load=lambda: function)).use({})


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (lambda samples: {}, "(samples)"),
        (lambda samples, reference, texts: {}, "(samples, reference, texts)"),
        (lambda samples, training: {}, "(samples, training)"),
        (lambda samples, reference, training, /: {}, "(samples, reference, training, /)"),
        (lambda samples, reference, *, scale: {}, "(samples, reference, *, scale)"),
    ],
)
def test_the_signature_of_a_metric_is_looked_at_where_it_is_built(function, signature):
    needed = "not (samples, reference) or (samples, reference, training)"
    line = f"metric x of guilty: its signature is {signature}, {needed} (<lambda>, line "
    with pytest.raises(PluginError, match=f"^{re.escape(line)}"):
        metric_with(function)


def test_a_metric_may_have_other_parameters_with_defaults():
    assert metric_with(lambda a, b, scale=1.0, *, training: {"n": scale})([], [], training=()) == {"n": 1.0}
    assert metric_with(lambda *texts: {"n": len(texts)})([], []) == {"n": 2}
    assert metric_with(max)  # of this no signature is known


def test_the_corpora_of_published_values_are_names():
    with pytest.raises(PluginError, match=r"^metric x of guilty: published_on is 3, not a tuple"):
        metric_of(NAMES, published_on=3)


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
