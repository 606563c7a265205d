"""Labels of a domain's metrics in tables; JSON has their names."""

import io
import json
import sys

import pytest
from rich.console import Console

from conftest import one_in
from seqgen.protocols import LabelledMetric
from seqgen.render import evaluation_view

PLUGIN = """
import seqgen


class Sizes:
    labels = LABELS

    def __call__(self, samples, reference):
        return {"gap": 1.5, "plain_one": 2.0}


@seqgen.hookimpl
def register_metrics(register):
    register(seqgen.MetricSpec(name="sizes", summary="sizes", load=lambda: Sizes()))


@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="sized", summary="texts", metrics=("sizes",)))
"""


@pytest.fixture(autouse=True)
def forgotten():
    """The plugin of one test is no module of the next."""
    yield
    sys.modules.pop("sizes", None)


def shown(view):
    console = Console(file=io.StringIO(), width=120)
    console.print(view)
    return console.file.getvalue()


def test_shares_of_samples_name_their_denominators():
    table = shown(evaluation_view({"samples": 4, "valid": 0.75, "unique": 2 / 3, "novel": 0.5}))
    for label in ("valid, of samples", "unique, of valid", "novel, of unique"):
        assert label in table


@pytest.mark.full
@pytest.mark.parametrize(
    "labels", one_in(4, [{"gap": "length, distance (characters)"}, ["gap"], {"gap": 3}, {3: "gap"}])
)
def test_evaluate_shows_metrics_by_their_labels(cli, words, in_tmp, labels):
    """Labels that are none are passed over: a finished evaluation is shown all the same."""
    (in_tmp / "sizes.py").write_text(PLUGIN.replace("LABELS", repr(labels)))
    plugin = ("--plugin", "sizes.py")
    assert (
        cli("train", "--corpus", words, "--domain", "sized", "--steps", 2, "--hidden", 4, "--out", "r", *plugin).code
        == 0
    )
    table = cli("evaluate", "r", "-n", 5, *plugin)
    assert table.code == 0, table.err
    good = labels == {"gap": "length, distance (characters)"}
    assert ("sizes: length, distance (characters)" in table.out) == good
    assert ("sizes.gap" in table.out) != good and "sizes.plain one" in table.out
    figures = json.loads(cli("evaluate", "r", "-n", 5, "--json", *plugin).out)
    assert figures["sizes.gap"] == 1.5 and "labels" not in figures


def test_labels_are_in_every_table():
    labels, figures = {"moses.logP": "moses: logP, distance"}, {"run": "r", "moses.logP": 0.761}
    published = {"CharRNN": {"moses.logP": 0.5}}
    for view in (evaluation_view(figures, labels=labels), evaluation_view(figures, published, labels)):
        assert "moses: logP, distance" in shown(view) and "moses.logP" not in shown(view)


def test_distances_of_molecules_have_labels(plugins):
    pytest.importorskip("rdkit", reason="it comes with the extra 'chem'")
    metric = plugins.registry.get("metric", "moses").use({"jobs": 1})
    assert isinstance(metric.__wrapped__, LabelledMetric)
    found = metric(["CCO", "CCN", "c1ccccc1"], ["CCC", "CCCl"])
    assert set(found) <= set(metric.labels)
    assert all("distance" in metric.labels[name] for name in ("FCD", "logP", "SA", "QED", "weight"))


@pytest.mark.full
def test_the_page_has_labels(cli, words, in_tmp):
    pytest.importorskip("matplotlib", reason="it comes with the extra 'plot'")
    (in_tmp / "sizes.py").write_text(PLUGIN.replace("LABELS", "{'gap': 'length, distance (characters)'}"))
    plugin = ("--plugin", "sizes.py")
    cli("train", "--corpus", words, "--domain", "sized", "--steps", 2, "--hidden", 4, "--out", "r", *plugin)
    assert cli("evaluate", "r", "-n", 5, "--html", "page.html", *plugin).code == 0
    assert "sizes: length, distance (characters)" in (in_tmp / "page.html").read_text(encoding="utf-8")
