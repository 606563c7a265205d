"""``seqgen tune``: a study that finds, prunes, fails in single trials, and goes on after any stop."""

from __future__ import annotations

import itertools
import json
import shlex
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

import seqgen
from conftest import finish, run_seqgen
from failing_cells import PLUGIN
from seqgen.errors import BadOption, CorpusError, DiskError, Diverged, UnknownName, UsageError

pytest.importorskip("optuna", reason="no optuna (extra: tune)")

from seqgen.pytest_plugin import load_plugins
from seqgen.registry import Entry
from seqgen.testing.exercise import printed
from seqgen.training import evaluator
from seqgen_tune.dimension import combinations
from seqgen_tune.plot import _draw_setting
from seqgen_tune.render import _heading, trial_line
from seqgen_tune.results import TrialResult, TuneResult, so_far
from seqgen_tune.runner import tune
from seqgen_tune.sampling import N_PARTS
from seqgen_tune.study import REPEATS, StudyFolder
from seqgen_tune.worker import train_next

QUICK = {"steps": 40, "split": "60/20/20", "cell": "vanilla", "hidden": 6, "blend": "none", "batch_size": 16}
FLAGS = [word for name, value in QUICK.items() for word in (f"--{name.replace('_', '-')}", value)]
SPACE = ("lr=1e-5..1e-1:log", "embedding=2..8")
CELLS = ("gru", "vanilla")
N_REPORTS = 8  # of a trial that is not pruned: few records are evaluated every five steps
LISTED = {name: value for name, value in QUICK.items() if name not in ("hidden", "cell")}
STOPPER = """
import os, signal
import seqgen
reports = []

@seqgen.hookimpl
def on_report(path, metrics):
    reports.append(path)
    if len(reports) == int(os.environ["STOP_AFTER"]):
        os.kill(os.getpid(), getattr(signal, os.environ["STOP_WITH"]))
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "tunecells.py"
    path.write_text(PLUGIN)
    yield path
    sys.modules.pop("tunecells", None)


def _exit():
    raise BrokenExecutor("the worker was killed")


def of(result):
    """The trials of a study by all that a seed decides."""
    return [(one.state, one.bits_per_char, one.values, one.steps) for one in result.trials]


@pytest.mark.full
def test_a_study_finds_prunes_and_prints_the_command_of_the_best(cli, words, in_tmp):
    result = cli("tune", "--corpus", words, *SPACE, *FLAGS, "--trials", 12, "--out", "study", "--plot", "s.svg")
    assert result.code == 0, result.err
    shown = json.loads(cli("tune", "--out", "study", "--json").out)
    trials = shown["trials"]
    finished = [one for one in trials if one["state"] == "finished"]
    pruned = [one for one in trials if one["state"] == "pruned"]
    assert len(trials) == 12 == len(finished) + len(pruned) and pruned and len(finished) >= 6
    best = min(finished, key=lambda one: one["bits_per_char"])
    assert shown["best"] == best["number"] and best["values"]["train.lr"] > 1e-3
    assert sum(shown["importance"].values()) == pytest.approx(1) and max(shown["importance"]) == "train.lr"
    folders = {path.name for path in (in_tmp / "study").glob("trial-*")}
    assert folders == {f"trial-{one['number']:04d}" for one in finished}, "what was pruned is removed"
    line = result.out.splitlines()[-1]
    assert line == f"train the best: {shown['command']}"
    program, *arguments = shlex.split(shown["command"])
    assert program == "seqgen" and cli(*arguments, "--out", "again").code == 0
    again = seqgen.load(in_tmp / "again")
    tried = seqgen.load(in_tmp / "study" / f"trial-{best['number']:04d}")
    differing = seqgen.measure.settings_diff({"again": again, "tried": tried})
    assert set(differing) == {"train.samples"}
    losses = [row["valid_bits_per_char"] for row in again.metrics]
    assert min(losses) == best["bits_per_char"], "the same settings give the same run"
    assert ElementTree.fromstring((in_tmp / "s.svg").read_bytes()).tag.endswith("svg")
    assert not list((in_tmp / "study").glob("worker-*"))


@pytest.mark.full
def test_numbers_of_a_list_are_numbers_in_the_results(words, in_tmp):
    trials = tune(words, ["hidden=4|6", "lr=1e-3|1e-2", "cell=gru|vanilla"], trials=2, **LISTED).to_json()["trials"]
    for one in trials:
        values = one["values"]
        assert values["model.hidden"] in (4, 6) and values["train.lr"] in (0.001, 0.01) and values["cell"] in CELLS


@pytest.mark.full
def test_all_of_few_combinations_are_tried(words, in_tmp):
    space = ["cell=vanilla|lstm", "cell.*", "hidden=4|6"]
    result = tune(words, space, trials=20, **{**QUICK, "cell": None, "hidden": None, "steps": 2})
    trained = [one for one in result.trials if one.same_as is None]
    assert len(trained) == len({str(one.values) for one in trained}) == 8 == len(combinations(result.space))
    assert "all 8 combinations of the settings were tried" in printed(result.view(), width=200)
    assert result.counts.startswith("8 trials: ")
    some = tune(words, space, trials=5, **{**QUICK, "cell": None, "hidden": None, "steps": 2})
    assert sum(one.same_as is None for one in some.trials) == 5
    assert "combinations of the settings" not in printed(some.view(), width=200)


def test_the_first_line_counts_the_trials_that_the_study_will_have(words, in_tmp):
    lines, settings = [], {**QUICK, "steps": 2}
    tune(words, ["lr=1e-3..1e-2"], trials=3, out="study", log=lines.append, **settings)
    for trials in (2, 4):
        tune(out="study", trials=trials, log=lines.append)
    tune(words, ["hidden=4|6"], trials=9, log=lines.append, **{**settings, "hidden": None})
    counts = [line.partition(": ")[2].partition(" of ")[0] for line in lines]
    assert counts == ["3 trials", "3 trials (3 there already)", "4 trials (3 there already)", "2 trials"]


def test_a_process_that_is_killed_leaves_no_combination_out_and_none_twice(words, in_tmp):
    space, settings = ["hidden=4|5|6"], {**QUICK, "hidden": None, "steps": 2}
    tune(words, space, trials=2, out="study", **settings)
    study = StudyFolder(seqgen.WorkFolder.open("study", {}))
    begun = study.study.ask(study.study.trials[0].distributions)  # killed before, and while, it is left out
    begun.set_user_attr(REPEATS, True)
    study.study.ask(study.study.trials[0].distributions)
    result = tune(out="study", trials=9)
    assert sorted(one.values["model.hidden"] for one in result.trials) == [4, 5, 6]
    assert result.counts.startswith("3 trials: ")


@pytest.mark.full
def test_workers_try_each_combination_once(words, in_tmp):
    space, settings = ["hidden=4|5", "batch_size=4|8"], {**QUICK, "hidden": None, "batch_size": None}
    result = tune(words, space, trials=9, workers=3, pruner="none", **settings)
    assert len(result.trials) == len({str(one.values) for one in result.trials}) == 4


def test_conditions_apply_to_the_parts_that_have_the_option(words, in_tmp):
    result = tune(words, ["cell=vanilla|lstm", "cell.*"], trials=6, **{**QUICK, "cell": None, "steps": 2})
    assert {one.state for one in result.trials} == {"finished"}
    trained = [one for one in result.trials if one.same_as is None]
    assert {one.values["cell"] for one in trained} == {"vanilla", "lstm"}
    for one in trained:
        assert set(one.values) == ({"cell", "cell.activation"} if one.values["cell"] == "vanilla"
                                   else {"cell", "cell.peepholes"})  # fmt: skip
        run = seqgen.load(result.folder / f"trial-{one.number:04d}")
        assert run.settings.cell.name.endswith(one.values["cell"])


@pytest.mark.full
def test_a_trial_that_fails_or_diverges_costs_a_row(cli, words, in_tmp, plugin):
    result = cli("tune", "--corpus", words, "cell=plain|broken|wild", *FLAGS[:4], "--hidden", 4, "--steps", 3,
                 "--trials", 9, "--plugin", plugin, "--out", "study")  # fmt: skip
    assert result.code == 0, result.err
    shown = " ".join(result.out.split())
    assert "failed: " in shown and "ValueError: out of [/red] luck" in shown and "diverged: " in shown
    assert f"--cell plain --hidden 4 --split 60/20/20 --steps 3 --plugin {plugin.name}" in shown
    states = {line.split(": ")[1]: line.split(": ")[2] for line in result.err.splitlines() if line.startswith("trial")}
    assert states["cell=broken"].startswith("failed") and states["cell=wild"].startswith("diverged")
    assert "all 3 combinations of the settings were tried" in shown
    trials = json.loads(cli("tune", "--out", "study", "--plugin", plugin, "--json").out)["trials"]
    assert len(trials) == 3 == len({one["values"]["cell"] for one in trials}), "three values and nine trials"
    assert all(one["same_as"] is None for one in trials)
    for other in (("--steps", 4), ("--corpus", words, "cell=plain|wild", "--trials", 9)):
        refused = cli("tune", *other, "--plugin", plugin, "--out", "study")
        assert refused.code == 2
        assert refused.err.strip().endswith(f"to continue it: seqgen tune --out study --plugin {plugin.name}")


def test_values_that_were_tried_have_the_known_result(words, in_tmp):
    """A range of numbers of four digits has too many combinations to count."""
    result = tune(words, ["dropout=0.25..0.250001", "hidden=4|5"], trials=6, **{**QUICK, "hidden": None, "steps": 2})
    by_number = {one.number: one for one in result.trials}
    repeated = [one for one in result.trials if one.same_as is not None]
    assert len(result.trials) == 6 and repeated
    for one in repeated:
        twin = by_number[one.same_as]
        assert (one.state, one.bits_per_char, one.values) == (twin.state, twin.bits_per_char, twin.values)


def test_a_failure_or_divergence_that_is_known_costs_no_second_run(cli, words, in_tmp, plugin):
    result = cli("tune", "--corpus", words, "cell=broken|wild", "dropout=0.25..0.250001", "--hidden", 4, "--steps", 3,
                 "--split", "60/20/20", "--trials", 6, "--plugin", plugin, "--out", "study", "--json")  # fmt: skip
    trials = json.loads(result.out)["trials"]
    repeated = [one for one in trials if one["same_as"] is not None]
    assert len(trials) == 6 and {one["values"]["cell"] for one in repeated} == {"broken", "wild"}
    for one in repeated:
        twin = trials[one["same_as"]]
        assert one["problem"] and twin["same_as"] is None
        assert [one[name] for name in ("state", "problem", "values")] == [
            twin[name] for name in ("state", "problem", "values")
        ]


def test_a_known_result_is_shown_with_the_trial_that_has_it(tmp_path):
    trials = [
        TrialResult(number, "failed", None, {"cell": "gru"}, problem="no luck", same_as=same)
        for number, same in ((0, None), (1, 0))
    ]
    result = TuneResult(tmp_path, "words", (), trials)
    lines = [f"trial {number}: cell=gru: failed: no luck" for number in (0, 1)]
    assert [trial_line(result, one) for one in trials] == [lines[0], f"{lines[1]} (as trial 0)"]
    assert result.counts == "1 trial: 1 failed, and 1 known already"
    assert printed(result.view(), width=200).count("no luck") == 1


@pytest.mark.full
@pytest.mark.parametrize(
    ("space", "code", "expected"),
    [("cell.boost=1|2", 5, "out of [/red] luck"), ("lr=1e-3|1e-2", 5, "out of [/red] luck")],
)
def test_a_study_whose_first_run_cannot_be_built_ends_at_once(cli, words, in_tmp, plugin, space, code, expected):
    """Planning builds no model, so a broken cell fails in the trials, all of them."""
    result = cli("tune", "--corpus", words, "--cell", "broken", space, "--hidden", 4, "--steps", 1, "--split",
                 "60/20/20", "--trials", 2, "--plugin", plugin, "-q")  # fmt: skip
    assert result.code == 2 and result.err.count("\n") == 1, result.err
    assert "cannot train any of 2 trials" in result.err and expected in result.err
    assert "2 trials: " in result.out


def test_a_study_that_always_diverges_has_its_own_exit_code(cli, words, in_tmp, plugin):
    result = cli("tune", "--corpus", words, "--cell", "wild", "lr=1e-3|1e-2", "--hidden", 4, "--steps", 3, "--split",
                 "60/20/20", "--trials", 2, "--plugin", plugin, "-q")  # fmt: skip
    assert result.code == Diverged.exit_code and "cannot train any of 2 trials" in result.err


def test_the_first_trial_is_what_would_be_trained_without_a_search(words, in_tmp):
    space = ["cell=lstm|vanilla", "lr=1e-4..1e-1:log", "layers=1..2", "cell.peepholes=true|false", "dropout=0.2..0.4"]
    result = tune(words, space, trials=1, **{**QUICK, "cell": None, "steps": 1})
    plan = seqgen.plan(words, **{**QUICK, "cell": "lstm", "steps": 1})
    (trial,) = result.trials
    assert trial.values.pop("model.dropout") >= 0.2 > plan.settings.model.options["dropout"], "that is not in the space"
    lr = plan.settings.train.lr
    assert trial.values == {"cell": "lstm", "train.lr": lr, "model.layers": 1, "cell.peepholes": "false"}


def test_trials_are_compared_on_all_held_out_records(in_tmp, monkeypatch):
    monkeypatch.setattr(evaluator, "_SHARE", 1e-9)  # so that an evaluation sees one batch of records only
    lines = ["".join(letters) for letters in itertools.product("abcdefghi", repeat=3)]
    (in_tmp / "lines.txt").write_text("\n".join(lines))
    result = tune(in_tmp / "lines.txt", ["lr=1e-3|1e-2"], trials=1,
                  **{**QUICK, "steps": 3, "split": "40/60/0", "options": {"time_s": 600}})  # fmt: skip
    run = seqgen.load(result.folder / "trial-0000")
    assert "valid_symbols" in run.metrics[-1]
    assert result.trials[0].bits_per_char == pytest.approx(seqgen.measure.held_out_loss(run, "valid").bits_per_char)


def test_a_trial_that_was_trained_to_its_end_cannot_be_pruned(words, in_tmp):
    result = tune(words, SPACE, trials=1, **{**QUICK, "steps": 4, "options": {"eval_every": 1}})
    study = StudyFolder(seqgen.WorkFolder(result.folder))
    (trial,) = study.trials()
    assert trial.intermediate_values and max(trial.intermediate_values) < N_PARTS


def test_a_trial_on_a_corpus_that_has_changed_meanwhile_fails(words, in_tmp):
    folder = tune(words, SPACE, time=1e-6, **{**QUICK, "steps": 2}).folder  # over before the first trial
    words.write_text(words.read_text() + "another\n")
    assert train_next(str(folder), 1) == 0
    (last,) = so_far(StudyFolder(seqgen.WorkFolder(folder))).trials
    assert last.state == "failed" and "has changed since the study began" in last.problem


def test_a_trial_whose_result_was_known_is_not_ranked_again(tmp_path):
    trials = [
        TrialResult(number, "finished", bits, {}, same_as=same)
        for number, bits, same in ((0, 2.0, None), (1, 2.0, 0), (2, 1.5, None))
    ]
    assert [one.number for one in TuneResult(tmp_path, "words", (), trials).ranked] == [2, 0]


@pytest.mark.full
def test_only_workers_that_are_lost_in_a_row_end_a_study(words, in_tmp):
    """Here each task gets one worker after another until none is left to lose it; the second and fifth are done."""
    lost = iter([True, True, True, False, True, True, True, True, True, True, False])

    class Losing(ThreadPoolExecutor):
        def submit(self, function, *given):
            if next(lost):
                return super().submit(_exit)
            future = Future()
            future.set_result(function(*given))
            return future

    warned = []
    plugins = load_plugins([], installed=True)
    plugins.registry.add(Entry("mine", seqgen.ExecutorSpec(name="losing", summary="s", load=Losing), "mine", "1"))
    result = tune(words, SPACE, trials=2, on="losing", plugins=plugins, warn=warned.append, **{**QUICK, "steps": 2})
    assert result.counts == "2 trials: 2 finished"
    assert sum("lost its worker 3 times" in line for line in warned) == 1, "a warning is passed on once"


def test_settings_that_are_named_like_results_keep_their_columns(words, in_tmp):
    figure = pytest.importorskip("matplotlib.figure", reason="needs the extra 'plot'").Figure()
    result = tune(words, ["steps=2|3", "batch_size=4|8"], trials=3, **{**QUICK, "steps": None, "batch_size": None})
    lines = printed(result.view(), width=200).splitlines()
    heading = next(line.split() for line in lines if line.split()[:1] == ["trial"])
    assert heading.count("steps") == 1 and "train.steps" in heading and "batch_size" in heading
    assert _heading("params") == "--params"
    axes = figure.subplots()
    _draw_setting(axes, result, next(one for one in result.space if one.name == "train.batch_size"))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "8"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [([2e-3, 8e-3], "0.002 0.005"), ([1e-4, 9e-3], "0.0001 0.0003 0.001 0.003"), ([0.3], "0.2 0.5")],
)
def test_a_logarithmic_axis_has_two_numbers_or_more(values, shown):
    figure = pytest.importorskip("matplotlib.figure", reason="needs the extra 'plot'").Figure()
    trials = [SimpleNamespace(values={"train.lr": value}, bits_per_char=2.0) for value in values]
    axes = figure.subplots()
    setting = SimpleNamespace(name="train.lr", choices=(), log=True)
    _draw_setting(axes, SimpleNamespace(ranked=trials), setting)
    axes.set_xlim(*(values if len(values) > 1 else (0.15, 0.6)))
    assert " ".join(label.get_text() for label in axes.get_xticklabels() if _is_in(axes, label)) == shown


def _is_in(axes, label):
    low, high = axes.get_xlim()
    return low * (1 - 1e-9) <= label.get_position()[0] <= high * (1 + 1e-9)  # rounded otherwise by older versions


# -- stopping and going on


def stopped(words, cwd, number, after, trials=6, *more):
    """A study that a signal ends after so many evaluations; gives how it ended."""
    (cwd / "stopper.py").write_text(STOPPER)
    arguments = ("tune", "--corpus", words, *SPACE, *FLAGS, "--trials", trials, "--out", "study", *more)
    arguments += ("--plugin", "stopper.py")
    return finish(run_seqgen(*arguments, cwd=cwd, env={"STOP_WITH": number, "STOP_AFTER": str(after)}))


@pytest.mark.full
@pytest.mark.parametrize(("number", "times"), [("SIGINT", 3), ("SIGTERM", 1), ("SIGKILL", 2)])
def test_a_study_that_was_stopped_ends_as_if_it_never_was(number, times, words, in_tmp):
    whole = tune(words, SPACE, trials=6, out="whole", **QUICK)
    for n_stopped in range(times):  # each time while the third is trained
        ended = stopped(words, in_tmp, number, after=4 if n_stopped else 2 * N_REPORTS + 4)
        if number == "SIGKILL":
            assert ended.code == -9 and len(list((in_tmp / "study").glob("worker-*"))) == 1
        else:
            assert ended.code == {"SIGINT": 130, "SIGTERM": 143}[number], ended.err
            line = ended.err.splitlines()[-1]
            assert "seqgen tune --out study --plugin stopper.py continues" in line
            assert n_stopped or "2 trials: " in ended.out
    result = tune(out="study")
    assert of(result) == of(whole)
    numbers = [one.number for one in result.trials]
    assert numbers == [0, 1, *(times + number for number in range(2, 6))], "the third was cut short, and tried again"
    assert not (in_tmp / "study" / "trial-0002").exists() and not list((in_tmp / "study").glob("worker-*"))


def test_a_trial_that_signals_end_is_tried_again_however_often(words, in_tmp):
    study = StudyFolder(seqgen.WorkFolder(tune(words, SPACE, time=1e-6, **QUICK).folder))
    proposed = []
    with study.worker() as worker:
        for _ in range(5):
            begun = study.begin(worker, 1)
            study.cut(begun)
            proposed.append(begun.values)
        assert proposed == [proposed[0]] * 5 and study.begin(worker, 1).values == proposed[0]


@pytest.mark.full
def test_hyperband_goes_on_in_the_same_brackets(words, in_tmp):
    """A trial that is tried again moves the numbers of all later ones, which choose the brackets."""
    every = {"options": {"eval_every": 2}}
    whole = tune(words, SPACE, trials=14, pruner="hyperband", out="whole", **every, **QUICK)
    assert any(one.state == "pruned" for one in whole.trials)
    ended = stopped(words, in_tmp, "SIGTERM", 25, 14, "--pruner", "hyperband", "-o", "train.eval_every=2")
    assert ended.code == 143, ended.err
    result = tune(out="study")
    assert of(result) == of(whole) and [one.number for one in result.trials] != list(range(14))


@pytest.mark.slow
def test_a_trial_that_kills_its_process_is_tried_three_times(words, in_tmp):
    for _ in range(3):
        assert stopped(words, in_tmp, "SIGKILL", after=1).code == -9
    result = tune(out="study")
    assert [one.number for one in result.trials] == [2, 3, 4, 5, 6, 7]
    assert result.trials[0].state == "failed" and "killed each time (3)" in result.trials[0].problem
    assert {one.state for one in result.trials[1:]} <= {"finished", "pruned"}


@pytest.mark.full
def test_the_journal_of_a_process_that_was_killed_while_writing_is_mended(words, in_tmp):
    whole = tune(words, SPACE, trials=3, out="study", **QUICK)
    journal = in_tmp / "study" / "journal.log"
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"1')
    again = tune(out="study", trials=4)
    assert of(again)[:3] == of(whole) and len(again.trials) == 4
    assert all(json.loads(line) for line in journal.read_text().splitlines())
    written = journal.read_text()
    for damaged in ("no journal", "null", "[]", "1", '{"op_code": 99}', '{"op_code": 4}'):
        journal.write_text(f"{written}{damaged}\n")
        with pytest.raises(seqgen.CheckpointError, match="journal of 'study' is damaged"):
            tune(out="study")
    journal.write_text("no journal\n" + written)
    with pytest.raises(seqgen.CheckpointError, match="journal of 'study' is damaged"):
        tune(out="study")


@pytest.mark.slow
def test_several_processes_share_a_study(words, in_tmp):
    arguments = ("tune", "--corpus", words, *SPACE, *FLAGS, "--steps", 600, "--trials", 10, "--out", "study")
    processes = [run_seqgen(*arguments, cwd=in_tmp) for _ in range(2)]
    for ended in map(finish, processes):
        assert ended.code == 0, ended.err
        assert ended.err.count("\ntrial ") >= 1, "each has trained some"
    result = tune(out="study")
    assert [one.number for one in result.trials] == list(range(10))
    assert {one.state for one in result.trials} <= {"finished", "pruned"}


@pytest.mark.full
def test_workers_share_a_study(cli, words, in_tmp):
    result = cli("tune", "--corpus", words, *SPACE, *FLAGS, "--trials", 6, "--workers", 2, "--out", "study")
    assert result.code == 0, result.err
    assert sorted(int(line.split()[1].rstrip(":")) for line in result.err.splitlines() if line.startswith("trial")) == [
        0, 1, 2, 3, 4, 5,
    ]  # fmt: skip
    assert {one.state for one in tune(out="study").trials} <= {"finished", "pruned"}
    assert not list((in_tmp / "study").glob("worker-*"))


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_trial_only(words, in_tmp, monkeypatch):
    """A worker is killed in its second trial, which another one tries again with the same values."""
    (in_tmp / "stopper.py").write_text(STOPPER)
    monkeypatch.setenv("STOP_WITH", "SIGKILL")
    monkeypatch.setenv("STOP_AFTER", str(N_REPORTS + 1))
    result = tune(words, SPACE, trials=6, workers=2, plugins=["stopper.py"], out="study", **QUICK)
    assert len(result.trials) == 6 and {one.state for one in result.trials} <= {"finished", "pruned"}
    assert max(one.number for one in result.trials) > 5, "some were cut short"
    with pytest.raises(BadOption, match="no option 'colour'"):
        tune(out="study", trials=7, workers=2, options={"executor.colour": "red"})


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_too(words, in_tmp):
    arguments = (
        "tune",
        "--corpus",
        words,
        *SPACE,
        *FLAGS,
        "--steps",
        600,
        "--trials",
        8,
        "--workers",
        2,
        "--out",
        "study",
    )
    process = run_seqgen(*arguments, cwd=in_tmp)
    while not list((in_tmp / "study").glob("trial-*/checkpoints/*")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130 and "seqgen tune --out study continues" in ended.err.splitlines()[-1], ended.err
    result = tune(out="study", plugins=[])
    assert len(result.trials) == 8 and {one.state for one in result.trials} <= {"finished", "pruned"}
    assert not list((in_tmp / "study").glob("worker-*"))


@pytest.mark.full
def test_an_interrupt_between_two_results_ends_the_workers_too(words, in_tmp):
    def interrupt(*_):
        while len(list((in_tmp / "study").glob("trial-*"))) < 2:  # the other worker may have begun later
            time.sleep(0.05)
        raise KeyboardInterrupt

    with pytest.raises(seqgen.Interrupted, match="seqgen tune --out study continues"):
        tune(words, ["steps=2|1000000"], trials=2, workers=2, out="study", on_trial=interrupt,
             **{**QUICK, "steps": None})  # fmt: skip
    trials = StudyFolder(seqgen.WorkFolder.open("study", {})).trials()
    assert {one.state.name for one in trials} == {"COMPLETE", "FAIL", "WAITING"}, "none runs, one is tried again"
    assert {one.user_attrs.get("tries", 1) for one in trials} == {1}, "it did not lose its worker by itself"


@pytest.mark.full
def test_more_trials_are_asked_for_later_and_known_ones_stay(words, in_tmp):
    first = tune(words, SPACE, trials=2, out="study", **QUICK)
    told = []
    more = tune(words, SPACE, trials=3, out="study", on_trial=lambda so_far, one: told.append(one.number), **QUICK)
    assert told == [2] and of(more)[:2] == of(first)
    assert of(tune(words, SPACE, trials=3, out="other", **QUICK)) == of(more), "reproducible with one process"
    other = tune(words, SPACE, trials=3, out="third", seed=1, **QUICK)
    assert [one.values for one in other.trials] != [one.values for one in more.trials]
    assert len(tune(words, SPACE, trials=9, time=1e-6, out="study", **QUICK).trials) == 3, "the time is over"


@pytest.mark.full
def test_the_seed_of_the_sampler_is_that_of_the_runs_wherever_it_is_given(words, in_tmp):
    (in_tmp / "c.toml").write_text("[train]\nseed = 3\n")
    ways = {"keyword": {"seed": 3}, "option": {"options": {"seed": "3"}}, "part": {"options": {"train.seed": 3}},
            "file": {"config": "c.toml"}, "other": {"options": {"seed": "4"}}}  # fmt: skip
    proposed = {}
    for way, given in ways.items():
        tune(words, SPACE, time=1e-6, out=way, **QUICK, **given)  # over before the first trial
        study = StudyFolder(seqgen.WorkFolder(in_tmp / way))
        with study.worker() as worker:
            _, proposed[way] = (study.begin(worker, 2).values for _ in range(2))  # the first has the defaults
    other = proposed.pop("other")
    assert list(proposed.values()) == [proposed["keyword"]] * 4 and proposed["keyword"] != other
    stored = json.loads((in_tmp / "option" / "study.json").read_text())
    assert stored.pop("seed") == 3
    (in_tmp / "option" / "study.json").write_text(json.dumps(stored))
    assert StudyFolder(seqgen.WorkFolder(in_tmp / "option")).definition.seed == 0, "older studies go on as they began"


@pytest.mark.full
def test_hyperband_prunes_too(words, in_tmp):
    result = tune(words, SPACE, trials=12, pruner="hyperband", **QUICK)
    assert {one.state for one in result.trials} == {"finished", "pruned"}
    assert tune(words, SPACE, trials=7, pruner="none", **QUICK).counts == "7 trials: 7 finished"
    proposed = [tuple(one.values.items()) for one in result.trials]
    assert len(set(proposed)) == 12, "brackets count their trials apart, and must not propose the same"


@pytest.mark.full
def test_a_time_limit_of_the_runs(words, in_tmp):
    settings = {**QUICK, "steps": None, "options": {"time_s": "1s"}}
    result = tune(words, ["lr=1e-3|1e-2"], trials=1, **settings)
    (trial,) = result.trials
    assert trial.state == "finished" and trial.trained_s < 3 and "-o time_s=1s" in result.command


# -- mistakes


@pytest.mark.parametrize(
    ("changed", "error", "expected"),
    [
        ({"space": ["lr"]}, BadOption, "write it like"),
        ({"space": ["nothing=1|2"]}, BadOption, "no part has such an option"),
        ({"space": ["cell=gru|lstmm"], "cell": None}, UnknownName, "did you mean 'lstm'"),
        ({"space": ["hidden=1|2"]}, BadOption, "as a fixed setting too"),
        ({"space": ["lr=1e-3|fast"]}, BadOption, "'lr' of train: .* not 'fast'"),
        ({"space": ["embedding=4|x"]}, BadOption, "'embedding' of model"),
        ({"space": ["dropout=0|5"]}, BadOption, "'dropout' of model"),
        ({"space": ["hidden=4..8"], "hidden": None, "params": 2000}, BadOption, "not both"),
        ({"space": ["params=1k|2k"]}, BadOption, "not both"),
        ({"trials": 0}, BadOption, "at least 1, not 0"),
        ({"workers": 0}, BadOption, "at least 1, not 0"),
        ({"on": "locall"}, UnknownName, "did you mean 'local'"),
        ({"time": "soon"}, BadOption, "not a duration"),
        ({"pruner": "shears"}, BadOption, "median, hyperband, none"),
        ({"refit": True}, BadOption, "no held-out records"),
        ({"cell": int}, BadOption, "by its registered name"),
        ({"split": "none"}, CorpusError, "in its validation part; try --split 80/10/10 or --valid-file FILE"),
        ({"out": "words.txt"}, BadOption, "name a new one"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(words, in_tmp, changed, error, expected):
    with pytest.raises(error, match=expected):
        tune(words, **{"space": ["lr=1e-3..1e-2"], **QUICK, **changed})
    assert not (in_tmp / "runs").exists()


def test_a_plot_in_a_folder_that_is_missing_is_refused_before_anything_is_trained(cli, words, in_tmp):
    pytest.importorskip("matplotlib", reason="needs the extra 'plot'")
    result = cli("tune", "--corpus", words, *SPACE, *FLAGS, "--trials", 1, "--plot", "nowhere/s.svg", "--out", "study")
    assert result.code == DiskError.exit_code and not (in_tmp / "study").exists()
    with pytest.raises(DiskError) as afterwards:
        seqgen.write_atomic(Path("nowhere/s.svg"), b"")
    assert result.err == f"seqgen: {afterwards.value}\n"


def test_another_study_in_the_folder_is_refused(words, in_tmp):
    tune(words, SPACE, trials=1, out="study", **QUICK)
    for changed in ({"space": ["lr=1e-3..1e-2"]}, {"hidden": 7}, {"pruner": "none"}):
        with pytest.raises(UsageError, match=r"to continue it: seqgen tune --out study"):
            tune(words, **{"space": SPACE, "trials": 1, "out": "study", **QUICK, **changed})
    for changed in ({"space": SPACE}, {"steps": 3}, {"pruner": "none"}):
        with pytest.raises(UsageError, match=r"settings of its own; to continue it: seqgen tune --out study"):
            tune(out="study", **changed)
    words.write_text(words.read_text() + "another\n")
    with pytest.raises(UsageError, match="another content of the corpus"):
        tune(words, SPACE, trials=2, out="study", **QUICK)
    with pytest.raises(CorpusError, match="has changed since the study began"):
        tune(trials=2, out="study")
    with pytest.raises(UsageError, match="'nowhere' is not the folder of a study"):
        tune(out="nowhere")
    (in_tmp / "other").mkdir()
    (in_tmp / "other" / "thing.txt").write_text("mine")
    with pytest.raises(UsageError, match="not the folder of a study"):
        tune(words, SPACE, trials=1, out="other", **QUICK)


@pytest.mark.full
def test_a_study_does_not_go_on_with_another_configuration_file(words, in_tmp):
    file, settings = in_tmp / "c.toml", {**QUICK, "steps": None, "hidden": None, "config": "c.toml", "out": "study"}
    file.write_text("[train]\nsteps = 2\n[model]\nhidden = 4\n")
    tune(words, SPACE, trials=1, **settings)
    file.write_text("# the same\n[model]\nhidden = 4\n[train]\nsteps = 2\n")
    assert len(tune(out="study", trials=2).trials) == 2 == len(tune(words, SPACE, trials=2, **settings).trials)
    changed = "cannot continue the study 'study': the configuration 'c.toml' has changed since it began; restore"
    file.write_text("[train]\nsteps = 5\n[model]\nhidden = 9\n")
    for again in ({"out": "study"}, {"corpus": words, "space": SPACE, **settings}):
        with pytest.raises(UsageError, match=changed):
            tune(trials=3, **again)
    with pytest.raises(UsageError, match=changed):
        train_next("study", 3)
    stored = json.loads((in_tmp / "study" / "study.json").read_text())
    del stored["config_digest"]  # as in a study that began before it was stored
    (in_tmp / "study" / "study.json").write_text(json.dumps(stored))
    assert [one.steps for one in tune(out="study", trials=3).trials] == [2, 2, 5]


def test_a_configuration_file_that_changes_meanwhile_ends_the_study(words, in_tmp):
    file = in_tmp / "c.toml"
    file.write_text("[train]\nsteps = 2\n")
    with pytest.raises(UsageError, match=r"'c\.toml' has changed since it began"):
        tune(words, SPACE, trials=3, out="study", on_trial=lambda *_: file.write_text("[train]\nsteps = 3\n"),
             **{**QUICK, "steps": None, "config": "c.toml"})  # fmt: skip
    file.write_text("[train]\nsteps = 2\n")
    assert [one.steps for one in tune(out="study").trials] == [2, 2, 2]


def test_a_refit_of_a_configuration_file_is_refused(words, in_tmp):
    (in_tmp / "c.toml").write_text("[train]\nrefit = true\n")
    with pytest.raises(BadOption, match=r"cannot tune with refit: its run has no held-out records; .* 'c\.toml'"):
        tune(words, SPACE, **QUICK, config="c.toml")
    assert not (in_tmp / "runs").exists()


@pytest.mark.full
def test_a_study_does_not_go_on_with_another_plugin(words, in_tmp, plugin):
    path = in_tmp / "onecell.py"
    path.write_text(plugin.read_text())
    quick = {**QUICK, "cell": "plain", "steps": 2, "plugins": path, "out": "study"}
    tune(words, ["embedding=4|5"], trials=1, **quick)
    tune(words, ["embedding=4|5"], trials=1, **quick)
    path.write_text(path.read_text() + "\n# changed\n")
    for again in ({"plugins": path, "out": "study"}, {"corpus": words, "space": ["embedding=4|5"], **quick}):
        with pytest.raises(UsageError, match=r"study .study.: trial-0000: the plugin onecell .*--out"):
            tune(trials=2, **again)


def test_a_full_disk_ends_the_study(words, in_tmp, monkeypatch):
    def full(*_, **__):
        raise DiskError("cannot write: full")

    monkeypatch.setattr(seqgen.TrainingPlan, "train", full)
    with pytest.raises(DiskError):
        tune(words, SPACE, **QUICK)


@pytest.mark.full
def test_without_optuna_one_line_says_what_to_install(words, in_tmp):
    program = (
        "import sys; sys.modules['optuna'] = None\nfrom seqgen.cli import main\n"
        f"sys.exit(main(['tune', '--corpus', {str(words)!r}, 'lr=1e-3..1e-2']))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=in_tmp)
    assert shown.returncode == 2 and shown.stderr.count("\n") == 1 and "pip install 'seqgen-lm[tune]'" in shown.stderr
