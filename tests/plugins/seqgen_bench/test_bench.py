"""``seqgen bench``: cells at equal parameters; a failure costs a row; what is finished is not trained again."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
import subprocess
import sys
import types
import xml.etree.ElementTree as ElementTree

import pytest

import seqgen
from conftest import registered
from failing_cells import PLUGIN
from seqgen import measure
from seqgen.errors import BadOption, CorpusError, DiskError, UnknownName, UsageError
from seqgen.evaluation import mean_interval
from seqgen.evaluation.intervals import t_quantile
from seqgen.testing.exercise import printed
from seqgen_bench.plot import bench_plot
from seqgen_bench.render import speed
from seqgen_bench.results import BenchResult, RunScore
from seqgen_bench.runner import bench
from seqgen_bench.throughput import samples_per_s

QUICK = {"params": 3000, "seeds": 2, "steps": 12, "split": "60/20/20"}
STOPPER = """
import os, signal
import seqgen
started = []

@seqgen.hookimpl
def on_run_start(path, settings):
    started.append(path)
    if len(started) == 3:
        os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "benchcells.py"
    path.write_text(PLUGIN)
    yield path
    sys.modules.pop("benchcells", None)


# -- Student's t


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (30, 2.04227)]
)
def test_quantiles_are_those_of_the_tables(freedom, quantile):
    assert t_quantile(freedom) == pytest.approx(quantile, abs=1e-4)


def test_the_interval_of_three_seeds_by_hand():
    mean, half = mean_interval([2.0, 2.1, 2.3])
    # the deviation is sqrt((0.1333^2 + 0.0333^2 + 0.1667^2) / 2) = 0.152753, the error 0.0881917
    assert mean == pytest.approx(2.1333333) and half == pytest.approx(4.30265 * 0.0881917, rel=1e-4)
    assert mean_interval([2.5]) == (2.5, None)


# -- a bench


@pytest.mark.full
def test_a_bench_compares_at_equal_parameters_and_a_failure_costs_a_row(cli, words, in_tmp, plugin):
    result = cli(
        "bench", "--corpus", words, "--cells", "vanilla,broken,plain,wild,ngram,vanilla", "--params", "3k",
        "--seeds", 2, "--steps", 12, "--split", "60/20/20", "-o", "cell.activation=tanh", "--csv", "out.csv",
        "--plot", "out.svg", "--plugin", plugin,
    )  # fmt: skip
    assert result.code == 0, result.err
    lines = result.err.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith("seqgen: wild: ")] == [
        "10 runs", "vanilla seed 0", "broken failed", "plain seed 0", "wild failed", "ngram seed 0",
        "vanilla seed 1", "plain seed 1", "ngram seed 1", "wrote out.csv", "wrote out.svg",
    ], "rounds are interleaved over seeds"  # fmt: skip
    shown = " ".join(result.out.split())  # a long reason is folded
    assert all(f" {name} " in shown for name in ("vanilla", "plain", "ngram", "broken:", "wild:"))
    assert "fails on its first batch: ValueError: out of [/red] luck" in shown and "step 1: the loss is" in shown
    rows = {row["cell"]: row for row in csv.DictReader(io.StringIO((in_tmp / "out.csv").read_text()))}
    assert list(rows)[-2:] == ["broken", "wild"] and rows["broken"]["bits_per_char"] == ""
    bits = [float(row["bits_per_char"]) for row in rows.values() if not row["problem"]]
    assert bits == sorted(bits) and len(bits) == 3
    for name in ("vanilla", "plain"):
        assert 2700 < int(rows[name]["parameters"]) <= 3000 and rows[name]["steps"] == "12"
    counts = json.loads((in_tmp / "runs" / "bench-words-001" / "results.json").read_text())["counts"]
    assert {"5-gram", "xz"} < counts.keys() and any(name.startswith("Kneser-Ney n=") for name in counts)
    assert all(f" {name} {bits:.3f} " in shown for name, bits in counts.items())
    for row in rows.values():
        under = "" if row["problem"] else min(counts.values()) - float(row["bits_per_char"])
        assert row["under_best_count"] == under or float(row["under_best_count"]) == pytest.approx(under)
    assert rows["ngram"]["lr"] == "" and rows["vanilla"]["lr"] == rows["plain"]["lr"] != "" and " lr " not in shown
    assert rows["ngram"]["steps"] == "1" and rows["ngram"]["width"] == "", "what counts sees the corpus once"
    drawn = ElementTree.fromstring((in_tmp / "out.svg").read_bytes())
    assert drawn.tag.endswith("svg")
    folder = in_tmp / "runs" / "bench-words-001"
    assert (folder / "results.csv").read_text() == (in_tmp / "out.csv").read_text()
    assert not (folder / "broken-seed0").exists()
    kept = seqgen.load(folder / "vanilla-seed1")
    assert kept.settings.train.seed == 1 and kept.settings.cell.options["activation"] == "tanh"
    assert seqgen.load(folder / "plain-seed0", plugins=[plugin]).settings.train.seed == 0


def test_rates_that_differ_are_shown(words, in_tmp, cli):
    result = cli("bench", "--corpus", words, "--cells", "vanilla,mgu", "--params", 3000, "--seeds", 1, "--steps", 2,
                 "--split", "60/20/20")  # fmt: skip
    assert result.code == 0 and " lr " in result.out
    assert "0.003" in result.out and "0.01" in result.out


def test_the_figures_are_those_of_the_runs(words, in_tmp):
    told = []
    result = bench(words, "vanilla", part="test", **QUICK, on_run=lambda *heard: told.append(heard[1:3]))
    (row,) = result.rows
    assert told == [("vanilla", 0), ("vanilla", 1)]
    bits = []
    for score in result.runs:
        run = seqgen.load(result.folder / score.run)
        assert run.settings.n_parameters == score.parameters == row["parameters"]
        assert run.settings.model.options["hidden"] == row["width"]
        assert run.settings.train.samples == run.settings.train.patience == 0
        figures = run.evaluate(1)
        assert figures["test_bits_per_char"] == pytest.approx(score.bits_per_char, rel=1e-6)
        bits.append(figures["test_bits_per_char"])
        assert score.tokens_per_s > 0 and score.samples_per_s > 0 and score.trained_s > 0
    assert row["bits_per_char"] == pytest.approx(statistics.mean(bits))
    assert row["interval"] == pytest.approx(12.7062 * statistics.stdev(bits) / math.sqrt(2), rel=1e-4)
    kept = json.loads((result.folder / "results.json").read_text())
    assert kept["part"] == "test" and kept["rows"][0]["bits_per_char"] == row["bits_per_char"]


def made(folder):
    """When each run of a bench was begun."""
    paths = sorted(folder.glob("*-seed*/run.json"))
    return {path.parent.name: json.loads(path.read_text())["created"] for path in paths}


@pytest.mark.full
def test_what_is_finished_is_not_trained_again(words, in_tmp):
    first = bench(words, "vanilla,ngram", **QUICK)
    before = made(first.folder)
    assert len(before) == 4
    again = bench(words, "vanilla,ngram", **QUICK, out=first.folder)
    assert made(first.folder) == before and again.rows == first.rows
    for path in (first.folder / "vanilla-seed1" / "checkpoints").iterdir():  # as if it had been stopped
        (path / "MANIFEST.json").unlink()
    third = bench(words, "vanilla", **QUICK, out=first.folder)
    after = made(first.folder)
    assert {name for name in before if before[name] != after[name]} == {"vanilla-seed1"}
    bits = {row["cell"]: row["bits_per_char"] for row in first.rows}
    assert third.rows[0]["bits_per_char"] == bits["vanilla"], "the same seed gives the same run"
    kept = json.loads((first.folder / "results.json").read_text())
    assert len(kept["runs"]) == 4 and [row["cell"] for row in kept["rows"]] == ["vanilla"]
    judged = bench(words, "vanilla", **QUICK, part="test", out=first.folder)
    assert made(first.folder) == after and judged.rows[0]["bits_per_char"] != bits["vanilla"]
    with pytest.raises(UsageError, match=r"train\.steps 12, not with train\.steps 13; pass another --out"):
        bench(words, "vanilla", **{**QUICK, "steps": 13}, out=first.folder)
    assert made(first.folder) == after


@pytest.mark.full
def test_a_signal_leaves_the_rows_so_far(cli, words, in_tmp):
    (in_tmp / "stopper.py").write_text(STOPPER)
    asked = ("bench", "--corpus", words, "--cells", "vanilla,ngram", "--params", "3k", "--seeds", 2, "--steps", 12,
             "--split", "60/20/20", "--out", "kept")  # fmt: skip
    result = cli(*asked, "--json", "--plugin", "stopper.py")
    sys.modules.pop("stopper")
    assert result.code == 130 and "with --out kept continues" in result.err, result.err
    shown = json.loads(result.out)
    assert [(run["cell"], run["seed"]) for run in shown["runs"]] == [("vanilla", 0), ("ngram", 0)]
    assert json.loads((in_tmp / "kept" / "results.json").read_text())["runs"] == shown["runs"]
    before = made(in_tmp / "kept")
    result = cli(*asked)
    assert result.code == 0
    after = made(in_tmp / "kept")
    assert len(after) == 4 and all(after[name] == before[name] for name in ("vanilla-seed0", "ngram-seed0"))


def test_one_seed_has_no_interval(cli, words, in_tmp):
    result = cli("bench", "--corpus", words, "--cells", "vanilla", "--hidden", 6, "--seeds", 1, "--epochs", 2, "-q")
    assert result.code == 0 and result.err == ""
    line = next(line for line in result.out.splitlines() if "vanilla" in line)
    assert "±" not in line and 0 < float(line.split()[1]) < 9


@pytest.mark.full
def test_all_is_every_registered_cell_that_remembers(words, in_tmp):
    result = bench(words, "all", **{**QUICK, "steps": 1, "seeds": 1}, options={"cell.activation": "tanh"})
    every = {entry.spec.name for entry in registered("cell")}
    assert {row["cell"] for row in result.rows} == every - {"mlp"} and "mlp" in every
    assert not any(row["problem"] for row in result.rows)
    assert all(2500 < row["parameters"] <= 3000 for row in result.rows)


def test_a_budget_that_cannot_be_met_is_a_row(words, in_tmp):
    result = bench(words, "vanilla,lstm", **{**QUICK, "params": 1000, "seeds": 1, "steps": 1})
    vanilla, lstm = result.rows
    assert (vanilla["cell"], vanilla["problem"]) == ("vanilla", "")
    assert lstm["cell"] == "lstm" and "a budget of 1,000 parameters is too small" in lstm["problem"]


def test_a_full_disk_ends_the_bench(words, in_tmp, monkeypatch):
    def full(*_, **__):
        raise DiskError("cannot write: full")

    monkeypatch.setattr(seqgen.TrainingPlan, "train", full)
    with pytest.raises(DiskError):
        bench(words, "vanilla", **QUICK)


@pytest.mark.parametrize(
    ("changed", "error", "expected"),
    [
        ({"cells": "vanila"}, UnknownName, "did you mean 'vanilla'"),
        ({"cells": ""}, UsageError, "name the cells to compare"),
        ({"cells": "recurrent"}, UsageError, "made of cells"),
        ({"seeds": 0}, BadOption, "at least 1, not 0"),
        ({"part": "train"}, BadOption, "valid or test, not 'train'"),
        ({"hidden": 8}, BadOption, "not both"),
        ({"options": {"seed": 3}}, BadOption, "--seeds"),
        ({"options": {"cell.nothing": 3}}, BadOption, "no option 'nothing'"),
        ({"lr": -1.0}, BadOption, "lr"),
        ({"on": "nosuch", "workers": 2}, UsageError, "no executor named 'nosuch'"),
        ({"executor": {"nonsense": 3}}, UsageError, "nonsense"),
        ({"split": "none"}, CorpusError, "in its validation part; try --split 80/10/10 or --valid-file FILE"),
        ({"split": "none", "part": "test"}, CorpusError, "in its test part; .* or --test-file FILE"),
        ({"out": "words.txt"}, BadOption, "not the folder of a bench"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(words, in_tmp, changed, error, expected):
    asked = {"cells": "vanilla,lstm", **QUICK, **changed}
    with pytest.raises(error, match=expected):
        bench(words, **asked)
    assert not (in_tmp / "runs").exists()


def test_a_file_that_cannot_be_written_is_told_first(cli, words, in_tmp):
    for flag in ("--csv", "--plot"):
        result = cli("bench", "--corpus", words, flag, "missing/t.svg")
        assert result.code == 7 and "there is no folder 'missing'" in result.err and result.err.count("\n") == 1
    assert not (in_tmp / "runs").exists()


@pytest.mark.parametrize("prefix", ["", "train."])
def test_the_settings_that_were_asked_for_are_those_of_the_runs(prefix, words, in_tmp):
    result = bench(words, "vanilla", **{**QUICK, "seeds": 1}, options={f"{prefix}samples": "2", f"{prefix}patience": 7})
    assert (result.asked["samples"], result.asked["patience"]) == (2, 7)


@pytest.mark.full
def test_a_plot_that_cannot_be_drawn_is_told_first(cli, words, in_tmp):
    result = cli("bench", "--corpus", words, "--plot", "p.gif")
    assert result.code == 2 and "ends in .svg or .png, not '.gif'" in result.err and result.err.count("\n") == 1
    program = (
        "import sys; sys.modules['matplotlib'] = None\nfrom seqgen.cli import main\n"
        f"sys.exit(main(['bench', '--corpus', {str(words)!r}, '--plot', 'p.svg']))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=in_tmp)
    assert shown.returncode == 2 and shown.stderr.count("\n") == 1 and "pip install 'seqgen-lm[plot]'" in shown.stderr
    assert not (in_tmp / "runs").exists()


@pytest.mark.full
def test_a_bench_of_which_nothing_is_left(cli, words, in_tmp, plugin):
    asked = ("--cells", "broken", "--hidden", 4, "--steps", 1, "--plugin", plugin, "-o", "threads=1")
    result = cli("bench", "--corpus", words, *asked, "--plot", "p.png", "--json")
    assert result.code == 2 and (in_tmp / "p.png").read_bytes().startswith(b"\x89PNG")
    (row,) = json.loads(result.out)["rows"]
    assert row["seeds"] == 0 and "ValueError" in row["problem"]


def test_speeds_of_sampling_are_a_median_over_more_than_a_moment(monkeypatch):
    """A slow moment does not count, and a slow model samples a thousand rows once."""
    for seconds, expected in (([0.0, 0.05, 0.5, 0.02], 1000 / 0.05 / 2 + 1000 / 0.5 / 2), ([0.0, 4.0], 250.0)):
        now, taken = [0.0], iter(seconds)

        def sample(n, now=now, taken=taken):
            now[0] += next(taken)
            return [""] * n

        monkeypatch.setattr("time.perf_counter", lambda now=now: now[0])
        assert samples_per_s(types.SimpleNamespace(sample=sample)) == pytest.approx(expected)


def test_speeds_are_shown_with_three_digits():
    """All of them, whatever their size."""
    assert [speed(value) for value in (98092.4, 31924.0, 123.4, 8.51, None)] == [98100, 31900, 123, 9, None]


@pytest.mark.full
@pytest.mark.parametrize("interval", [None, 0.1])
def test_a_plot_is_the_same_each_time(interval):
    row = {"cell": "x$y$", "bits_per_char": 2.0, "interval": interval, "tokens_per_s": 10.0, "samples_per_s": None}
    first, second = (bench_plot([row], "a title of\x1b[31m $1$", ".svg") for _ in range(2))
    assert first == second and ElementTree.fromstring(first) is not None


@pytest.mark.full
def test_one_long_text(words, in_tmp):
    words.write_text(words.read_text() * 20)
    result = bench(words, "vanilla", layout="stream", **{**QUICK, "seeds": 1, "steps": 3})
    (row,) = result.rows
    assert row["problem"] == ""
    (score,) = result.runs
    run = seqgen.load(result.folder / score.run)
    assert run.settings.corpus.layout == "stream"
    figures = run.evaluate(1)
    assert score.bits_per_char == pytest.approx(figures["validation_bits_per_char"], rel=1e-6)
    assert result.counts["xz"] > 0 and row["under_best_count"] < 0


def test_a_run_whose_held_out_loss_is_not_finite_has_failed(words, in_tmp):
    """Its cell breaks on what only the test part has, a record of many symbols."""
    breaking = "p_BP * torch.where(h_BH < 30, 1, torch.nan), h_BH + 1"  # its state counts the steps
    plain = "p_BP * 1e30 * 1e30 if self.training else p_BP, h_BH"
    assert plain in PLUGIN
    (in_tmp / "short.py").write_text(PLUGIN.replace(plain, breaking))
    (in_tmp / "test.txt").write_text("anna" * 10 + "\n")
    result = bench(words, "wild", part="test", test=in_tmp / "test.txt", plugins=[in_tmp / "short.py"],
                   **{**QUICK, "seeds": 1, "steps": 2, "split": None})  # fmt: skip
    assert result.runs == [] and "its test part has nan bits per character" in result.problems["wild"]


@pytest.mark.parametrize("most_chars", [None, 40])
def test_counts_are_those_of_an_evaluation(most_chars, tiny_run, monkeypatch):
    """Of an excerpt too, whose characters are fewer than those of the corpus."""
    for limit in ("MAX_TRAINING", "MAX_TEST") if most_chars else ():
        monkeypatch.setattr(f"seqgen.api.evidence.{limit}", most_chars)
    figures, counts = tiny_run.evaluate(0), measure.count_bits_per_char(measure.read_corpus(tiny_run), "test")
    order = figures["baseline_kneser_ney_order"]
    expected = {"5-gram": "5gram", f"Kneser-Ney n={order}": "kneser_ney", "xz": "xz"}
    if "baseline_ppmd_order" in figures:
        expected[f"PPMd n={figures['baseline_ppmd_order']}"] = "ppmd"
    assert counts == pytest.approx({name: figures[f"baseline_{key}_bits_per_char"] for name, key in expected.items()})


@pytest.mark.parametrize(("asked", "n_remarks"), [({"time_s": 5.0}, 1), ({"steps": 500}, 0)])
def test_seeds_with_unequal_steps_in_the_same_time_are_named(asked, n_remarks, tmp_path):
    steps = {"gru": (228, 547), "vanilla": (470, 621), "ngram": (0, 0)}
    runs = [
        RunScore(cell, seed, f"{cell}-seed{seed}", "valid", 3000, 8, taken, 5.0, 2.5, 1e4, 1e3)
        for cell, some in steps.items()
        for seed, taken in enumerate(some)
    ]
    found = BenchResult(tmp_path, "names", "valid", {"seeds": 2} | asked, [*steps, "lstm"], runs=runs).remarks
    assert len(found) == n_remarks and all(line.startswith("gru: its seeds took 228 to 547 steps") for line in found)


def test_the_title_names_what_is_given_for_all(words, in_tmp):
    given = {"seeds": 1, "steps": 2, "lr": 0.01, "options": {"projection": 3}}
    result = bench(words, cells="vanilla,lstm", **{**QUICK, **given})
    assert "1 seed, lr=0.01, projection=3: " in result.title


def test_differences_are_of_the_seeds_that_both_have(tmp_path):
    bits = {"a": (2.0, 2.3, 2.1), "b": (2.2, 2.4, 2.6, 9.0), "c": (3.0,)}
    runs = [
        RunScore(cell, seed, "run", "valid", 3000, 8, 9, 5.0, value, 1e4, 1e3)
        for cell, values in bits.items()
        for seed, value in enumerate(values)
    ]
    asked = {"seeds": 4, "time_s": None}
    first, second, third = BenchResult(tmp_path, "words", "valid", asked, ["c", "b", "a"], runs=runs).rows
    assert (first["cell"], first["above_best"], third["cell"], third["above_best"]) == (
        "a",
        None,
        "b",
        pytest.approx(0.8 / 3),
    )
    assert third["above_best_interval"] == pytest.approx(mean_interval([0.2, 0.1, 0.5])[1])
    assert (second["cell"], second["above_best"]) == ("c", None), "one seed has no interval"
    table = printed(BenchResult(tmp_path, "words", "valid", asked, ["b", "a"], runs=runs).view(), width=200)
    assert "above the best ± 95%" in table and "0.267 ± 0.517" in table
