"""Measurements of runs for plugins."""

from __future__ import annotations

import pytest

from seqgen import measure
from seqgen.errors import UnknownSymbol, UsageError


def test_the_nats_of_a_prefix_are_those_of_its_score(tiny_run):
    (score,) = tiny_run.score("anna")
    assert measure.prefix_nats(tiny_run, "anna") == pytest.approx(score.nats_per_symbol[:4])
    assert measure.prefix_nats(tiny_run, "an") == pytest.approx(score.nats_per_symbol[:2], rel=1e-5)
    assert measure.prefix_nats(tiny_run, "") == []


def test_a_prefix_that_cannot_be_scored(tiny_run):
    with pytest.raises(UnknownSymbol):
        measure.prefix_nats(tiny_run, "Ä")
    with pytest.raises(UsageError, match="label"):
        measure.prefix_nats(tiny_run, "a", label="x")
