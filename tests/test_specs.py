from __future__ import annotations

import sys

import pytest

from seqgen import CellSpec, CorpusSpec, DomainSpec
from seqgen.hookspecs import PLUGIN_API
from seqgen.specs import KINDS, SPEC_TYPES, load_reference

GOOD = {"name": "x", "summary": "a thing", "load": "json:loads"}


def test_a_spec_is_frozen_and_lazy():
    spec = CellSpec(**{**GOOD, "load": "no_such_module:Thing"})
    with pytest.raises(AttributeError):
        spec.name = "y"  # type: ignore[misc]
    with pytest.raises(ModuleNotFoundError):
        spec.resolve()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "X"},
        {"name": "1x"},
        {"name": ""},
        {"summary": ""},
        {"summary": "two\nlines"},
        {"load": "json.loads"},
        {"load": 3},
        {"options": "nothing"},
        {"recommended": {"trian": {}}},
        {"recommended": {"train": 3}},
        {"recommended": []},
        {"tf": ["GRUCell"]},
        {"tf": {"no class": {}}},
        {"tf": {"GRUCell": "reset=before"}},
    ],
)
def test_impossible_values_are_refused(wrong):
    with pytest.raises(ValueError):
        CellSpec(**{**GOOD, **wrong})


def test_layouts():
    assert CorpusSpec(**GOOD, licence="CC0-1.0", layout="stream").layout == "stream"
    with pytest.raises(ValueError, match="layout"):
        CorpusSpec(**GOOD, licence="CC0-1.0", layout="blob")


@pytest.mark.parametrize("labels", ["wren", [1], {"wren"}])
def test_labels_are_strings(labels):
    assert CorpusSpec(**GOOD, licence="CC0-1.0", labels=["wren"]).labels
    with pytest.raises(ValueError, match=r"x: labels=.* is not a tuple like \('f', 'm'\)"):
        CorpusSpec(**GOOD, licence="CC0-1.0", labels=labels)


def test_recommended_settings_are_a_mapping():
    with pytest.raises(ValueError, match=r"x: recommended=\[\] is not a mapping of parts to options"):
        CorpusSpec(**GOOD, licence="CC0-1.0", recommended=[])


def test_references():
    import json

    assert load_reference("json:loads") is json.loads
    with pytest.raises(AttributeError, match=r"module 'json' has no attribute 'laods'; did you mean 'loads' or 'load'"):
        load_reference("json:laods")
    assert CellSpec(**{**GOOD, "load": json.loads}).resolve() is json.loads


def test_kinds_and_plurals():
    assert set(KINDS) == set(SPEC_TYPES)
    assert KINDS["corpus"] == "corpora" and KINDS["cell"] == "cells"
    assert PLUGIN_API[0] == 1


def test_metrics_are_names():
    with pytest.raises(ValueError, match="metrics='bars' is not a tuple of names"):
        DomainSpec(name="d", summary="s", source="s", metrics="bars")


@pytest.mark.parametrize("endings", ["smi", ".smi", ("smi",), (".SMI",), (".tar.gz",), (3,)])
def test_endings_that_no_file_has_are_refused(endings):
    with pytest.raises(ValueError, match=r"endings=.* is not a tuple of lower-case suffixes like \('.smi',\)"):
        DomainSpec(name="d", summary="s", endings=endings)


def test_a_domain_loads_nothing():
    assert not hasattr(DomainSpec(name="d", summary="s"), "load")
    assert "seqgen.specs" in sys.modules
