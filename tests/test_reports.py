"""Reports: any plugin may write one; what is missing is said before anything is evaluated."""

from __future__ import annotations

import json
import sys

import pytest

import seqgen
from conftest import finish, one_in, run_seqgen
from seqgen.errors import MissingExtra, PluginError, UnknownName
from seqgen.plugins import missing_plugin
from seqgen.pytest_plugin import load_plugins

REPORTS = """
import seqgen

class Numbers:
    def __init__(self, *, digits: int = 3):
        self.digits = digits
    def write(self, evaluation, path):
        seqgen.write_atomic(path, f"{evaluation.metrics['test_bits_per_char']:.{self.digits}f}".encode())
        return [path]

class Odd(Numbers):
    def write(self, evaluation, path): return path

class Absent(Numbers):
    def write(self, evaluation, path): return [path]

class Failing(Numbers):
    def write(self, evaluation, path): raise ValueError("no ink")

@seqgen.hookimpl
def register_reports(register):
    for load in (Numbers, Odd, Absent, Failing):
        register(seqgen.ReportSpec(name=load.__name__.lower(), summary="s", load=load))
"""


@pytest.fixture
def reporter(in_tmp):
    (in_tmp / "reporter.py").write_text(REPORTS)
    yield ("--plugin", "reporter.py")
    sys.modules.pop("reporter", None)


@pytest.fixture
def unevaluated(monkeypatch):
    """Any evaluation fails the test."""
    monkeypatch.setattr("seqgen.api.open_run.read_again", lambda *_, **__: pytest.fail("it has begun to evaluate"))


def test_a_report_of_a_plugin_is_written_with_its_options(cli, tiny_run, reporter, in_tmp):
    asked = ("--report", "numbers=a.txt", "-o", "numbers.digits=1", *reporter)
    result = cli("evaluate", tiny_run.path, "-n", 20, "--json", *asked)
    assert result.code == 0 and result.err == "wrote a.txt\n"
    assert (in_tmp / "a.txt").read_text() == f"{json.loads(result.out)['test_bits_per_char']:.1f}"


def test_a_report_from_python(tiny_run, reporter, in_tmp):
    run = seqgen.load(tiny_run.path, plugins=["reporter.py"])
    metrics = run.evaluate(20, reports={"numbers": in_tmp / "b.txt"}, options={"numbers.digits": 2})
    assert (in_tmp / "b.txt").read_text() == f"{metrics['test_bits_per_char']:.2f}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("odd", "not a list of the files written (write, line"),
        ("absent", "write names 'a.txt', but has not written it (write, line"),
        ("failing", "ValueError: no ink"),
    ],
)
def test_a_report_that_breaks_its_contract_is_one_line(name, expected, cli, tiny_run, reporter):
    result = cli("evaluate", tiny_run.path, "-n", 20, "--report", f"{name}=a.txt", *reporter)
    assert result.code == PluginError.exit_code and "Held-out loss" in result.out, (
        "the evaluation is shown all the same"
    )
    assert "reporter" in result.err and expected in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("--report", "htm=x.html"), "no report named 'htm', did you mean 'html'"),
        (("--report", "x.html"), "write NAME=FILE"),
        (("--report", "html=x.html", "--report", "html=y.html"), "the report html is to be 'x.html' and 'y.html'"),
        (("--on", "nosuch"), "no executor named 'nosuch'"),
        (("--report", "html=x.html", "-o", "html.nothing=1"), "no option 'nothing'"),
    ],
)
def test_mistakes_are_reported_before_the_evaluation(asked, expected, cli, tiny_run, unevaluated):
    result = cli("evaluate", tiny_run.path, *asked)
    assert result.code == 2 and expected in result.err.replace("; did", ", did") and result.err.count("\n") == 1


@pytest.mark.full
@pytest.mark.parametrize("switch", one_in(2, ["--no-plugins", "SEQGEN_LOAD_PLUGINS"]))
def test_a_page_without_its_plugin_names_it_and_evaluates_nothing(switch, tiny_run, tmp_path):
    option, variable = ((switch,), {}) if switch.startswith("-") else ((), {switch: "seqgen_classic"})
    process = run_seqgen("evaluate", tiny_run.path, "--html", "x.html", *option, cwd=tmp_path, env=variable)
    result = finish(process)
    assert result.code == 2 and result.out == "" and not list(tmp_path.iterdir())
    assert result.err.count("\n") == 1 and "seqgen_report" in result.err and "'html'" in result.err


def test_a_missing_extra_is_reported_before_the_evaluation(tiny_run, unevaluated, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    with pytest.raises(MissingExtra, match=r"seqgen-lm\[plot\]"):
        tiny_run.evaluate(5, html="x.html")


def test_the_providers_of_parts_are_read_from_the_distributions():
    assert "seqgen_report" in missing_plugin("reports", "html")
    assert missing_plugin("reports", "nothing") == "" == missing_plugin("nothing", "html")
    alone = load_plugins((), installed=False)
    with pytest.raises(UnknownName):
        alone.registry.get("report", "html")


# -- the value that reports are given


def test_rows_of_an_evaluation_are_ready_to_show():
    evaluation = seqgen.Evaluation(
        metrics={
            "valid": 0.5, "valid_low": 0.4, "valid_high": 0.6, "copies": 0.1, "copies_chance": 0.2, "own.size": 2.0,
            "published": {"own": {"Other (1999)": {"size": 3.0}}},
        },
        labels={"own.size": "own: size (nm)"},
    )  # fmt: skip
    groups = dict(evaluation.groups())
    (valid,) = groups["Samples"]
    assert (valid.name, valid.label, valid.value, valid.interval) == (
        "valid",
        "valid, of samples",
        "50.0%",
        "40.0% to 60.0%",
    )
    assert [row.chance for rows in groups.values() for row in rows if row.name == "copies"] == ["20.0%"]
    assert [row.label for row in groups["Metrics of plugins"]] == ["own: size (nm)"]
    assert evaluation.published() == {"Other (1999)": {"own.size": 3.0}}


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "", "-"), (float("nan"), "bits", "-"), (0.256, "share", "25.6%"), (0.00001, "p", "< 0.0001"),
        (1234, "count", "1,234"), (1.5, "s", "1.5 s"), (2.0, "chars", "2.00"), ("why", "text", "why"),
        (2.0, "", "2.000"), (1.6944, "ratio", "1.69"), ([1.0, 2.5], "bits", "1.000, 2.500"),
    ],
)  # fmt: skip
def test_values_are_written_by_their_unit(value, unit, shown):
    assert seqgen.format_metric(value, unit) == shown


def test_every_metric_has_a_known_unit():
    units = {"bits", "nats", "share", "chars", "p", "ratio", "count", "s", "text"}
    assert {info.unit for info in seqgen.METRICS.values()} <= units
