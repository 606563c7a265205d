from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import seqgen
from conftest import finish, one_in, plugins_with, run_seqgen
from resuming import SMALL, Stopper, digests
from seqgen.config import TrainSettings
from seqgen.errors import CorpusError, Diverged, Interrupted, NoSuchFile, RunLocked
from seqgen.training.gradients import Gradients
from seqgen.training.optimizer import AdamW
from seqgen.training.schedule import Schedule

# -- the optimizer, against torch's own


@pytest.mark.parametrize("fused", [True, False])
def test_adamw_is_torchs(fused):
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 4).double(), nn.Linear(5, 4).double()
    theirs.load_state_dict(ours.state_dict())
    optimizer = AdamW(ours.named_parameters(), 0.1, fused=fused)
    groups = [{"params": [theirs.weight], "weight_decay": 0.1}, {"params": [theirs.bias], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
    for number in range(1, 20):
        lr = 0.01 / number
        for group in reference.param_groups:
            group["lr"] = lr
        x = torch.randn(7, 5, dtype=torch.float64)
        for model in (ours, theirs):
            model.zero_grad()
            model(x).pow(2).sum().backward()
        optimizer.step(number, lr)
        reference.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-14)


def test_a_fused_step_that_runs_out_of_memory_is_not_taken_in_another_way(monkeypatch):
    layer = nn.Linear(3, 2)
    optimizer = AdamW(layer.named_parameters(), 0.1, fused=True)
    layer(torch.ones(1, 3)).sum().backward()
    before = [parameter.detach().clone() for parameter in layer.parameters()]

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("seqgen.training.optimizer.FUSED_ADAMW", full)
    with pytest.raises(torch.OutOfMemoryError):
        optimizer.step(1, 0.1)
    assert all(map(torch.equal, layer.parameters(), before))


def test_clipping():
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))]
    gradients = Gradients(parameters)
    gradients.clear()
    sum(parameter.sum() for parameter in parameters).backward()
    assert gradients.clip(100.0) == pytest.approx(math.sqrt(7))
    assert gradients.clip(1.0) == pytest.approx(math.sqrt(7))
    assert gradients.clip(0.0) == pytest.approx(1.0)
    assert all(torch.allclose(p.grad, torch.full_like(p, 1 / math.sqrt(7))) for p in parameters)
    parameters[0].grad[0] = math.nan
    assert not math.isfinite(gradients.clip(1.0))
    gradients.clear()
    assert gradients.clip(1.0) == 0


def test_gradients_of_all_kinds_of_parameters():
    """Types mixed, some frozen, some unused, and a gradient that somebody else has put there."""
    layer, wide = nn.Linear(3, 2), nn.Parameter(torch.ones(3, dtype=torch.float64))
    frozen, unused = nn.Parameter(torch.ones(2), requires_grad=False), nn.Parameter(torch.ones(2))
    gradients = Gradients([*layer.parameters(), wide, frozen, unused])
    x = torch.ones(4, 3)
    for _ in range(2):
        layer.weight.grad = torch.full((2, 3), 9.0)
        gradients.clear()
        (layer(x).sum() + (3 * wide).sum()).backward()
        assert torch.equal(layer.weight.grad, torch.full((2, 3), 4.0)) and torch.equal(
            wide.grad, 3 * torch.ones(3).double()
        )
        assert frozen.grad is None and torch.equal(unused.grad, torch.zeros(2))
        assert gradients.clip(0.0) == pytest.approx(math.sqrt(6 * 16 + 2 * 16 + 3 * 9))


# -- when it ends


def schedule(per_epoch=10, **settings):
    return Schedule(TrainSettings(**settings), per_epoch)


def test_ends():
    assert schedule(steps=30).ended(30, 0) == "steps" and schedule(steps=30).ended(29, 0) == ""
    assert Schedule(TrainSettings(steps=None, epochs=0.07), 100).max_steps() == 7  # although 0.07 * 100 > 7
    assert schedule(epochs=2.5).max_steps() == 25 and schedule(epochs=2.5).ended(25, 0) == "epochs"
    assert (
        schedule(steps=30, epochs=2).ended(20, 0) == "epochs" and schedule(steps=15, epochs=2).ended(15, 0) == "steps"
    )
    assert schedule(time_s="1m").ended(1, 60.0) == "time" and schedule(time_s=60).ended(1, 59.0) == ""


def test_rate():
    plan = schedule(steps=100, warmup_steps=10, lr=1.0, final_lr_ratio=0.1)
    rates = [plan.lr(step, plan.share(step, 0)) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, abs=0.01) and max(rates) <= 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[100] == pytest.approx(0.1)
    constant = schedule(steps=100, warmup_steps=0, lr=0.5, decay="none")
    assert {constant.lr(step, constant.share(step, 0)) for step in range(101)} == {0.5}
    timed = schedule(time_s=10, warmup_steps=0, lr=1.0)
    assert timed.share(3, 5.0) == 0.5


def test_evaluations_are_about_twenty():
    assert schedule(steps=2000).eval_every() == 100 and schedule(steps=30).eval_every() == 30
    assert schedule(steps=2000, eval_every=7).eval_every() == 7 and schedule(time_s=9).eval_every() == 250


def test_evaluations_of_a_run_with_a_time_limit_are_at_most_250_steps_apart():
    assert schedule(steps=100_000).eval_every() == 5000
    assert schedule(steps=100_000, time_s=9).eval_every() == 250
    assert schedule(steps=2000, time_s=9).eval_every() == 100


def test_the_progress_of_a_refit_is_its_share_of_the_steps_to_its_end():
    refit = Schedule(TrainSettings(steps=100), 10, stop_step=40)
    assert refit.progress(10, 1.0) == 0.25 and refit.progress(41, 1.0) == 1.0 and refit.share(10, 1.0) == 0.1


# -- runs


def test_each_evaluation_reports_the_training_loss_since_the_last_one(tiny_run):
    """A character is a symbol, and so is the end of a record."""
    losses = [row["train_loss_nats"] / math.log(2) for row in tiny_run.metrics]
    assert len(losses) == 3
    assert [row["train_bits_per_char"] for row in tiny_run.metrics] == pytest.approx(losses)


@pytest.mark.promise("R1")
@pytest.mark.parametrize("cell", one_in(3, ["gru", "vanilla", "lstm"]))
def test_a_resumed_run_is_the_run_that_never_stopped(cell, words, tmp_path, monkeypatch, record_property):
    """Five stops of a 40-step run with dropout and evaluations every 7 steps: the same bytes."""
    record_property("cases", 5)
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)  # an event a step
    options = {"eval_every": 7, "samples": 2}
    common = {**SMALL, "cell": cell, "layers": 2, "dropout": 0.3, "steps": 40, "options": options}
    straight = seqgen.train(words, out=tmp_path / "straight", **common)
    expected = digests(straight.path)
    for at in (1, 7, 11, 28, 39):
        path = tmp_path / f"stopped-{at}"
        with pytest.raises(Interrupted) as caught:
            seqgen.train(words, out=path, listener=Stopper(at), **common)
        assert caught.value.exit_code == 130 and "seqgen resume" in str(caught.value)
        assert digests(path) != expected
        resumed = seqgen.resume(path)
        assert digests(resumed.path) == expected, f"stopped at {at}"


def test_time_limited_checkpoints_change_nothing(words, tmp_path):
    common = {**SMALL, "cell": "gru", "steps": 20}
    options = {"eval_every": 10}
    often = seqgen.train(words, out=tmp_path / "a", **common, options={**options, "save_every_s": 1e-9})
    seldom = seqgen.train(words, out=tmp_path / "b", **common, options=options)
    assert digests(often.path) == digests(seldom.path)


@pytest.mark.promise("R5")
def test_damaged_newest_checkpoint_resumes_from_the_older_one(words, tmp_path):
    common = {**SMALL, "cell": "vanilla", "steps": 30, "options": {"eval_every": 10}}
    expected = digests(seqgen.train(words, out=tmp_path / "a", **common).path)
    run = seqgen.train(words, out=tmp_path / "b", **common)
    newest = max((run.path / "checkpoints").iterdir())
    (newest / "model.safetensors").write_bytes(b"gone")
    said: list[str] = []
    assert digests(seqgen.resume(run.path, warn=said.append).path) == expected
    assert len(said) == 1 and "using step 20 instead" in said[0]


def test_seed_decides(words, tmp_path):
    def run(name, seed):
        return digests(seqgen.train(words, **SMALL, cell="gru", steps=5, seed=seed, out=tmp_path / name).path)

    assert run("a", 1) == run("b", 1) != run("c", 2)


def test_evaluating_and_sampling_do_not_shift_training(words, tmp_path):
    def model(name, **options):
        run = seqgen.train(words, **SMALL, cell="gru", dropout=0.4, steps=12, options=options, out=tmp_path / name)
        return digests(run.path)["model.safetensors"]

    assert model("a", eval_every=12, samples=0) == model("b", eval_every=1, samples=5)


def test_early_stopping_and_the_best_checkpoint(words, tmp_path):
    run = seqgen.train(
        words, **SMALL, cell="gru", steps=4000, lr=0.02, out=tmp_path / "r",
        options={"eval_every": 5, "patience": 3, "best_by": "loss"},
    )  # fmt: skip
    losses = {row["step"]: row["valid_loss_nats"] for row in run.metrics}
    best = min(losses, key=lambda step: losses[step])
    assert run.state["best_step"] == run.state["step"] == best and max(losses) == best + 15 < 4000
    latest = seqgen.load(run.path, checkpoint="latest")
    assert latest.state["ended"] == "patience" and latest.state["step"] == max(losses)


def test_without_held_out_records_nothing_stops_early(words, tmp_path):
    run = seqgen.train(
        words, cell="vanilla", hidden=4, steps=6, split="none", options={"eval_every": 2}, out=tmp_path / "r"
    )
    assert run.state["best_step"] is None and all("valid_loss_nats" not in row for row in run.metrics)


def test_time_limit(words, tmp_path):
    started = time.monotonic()
    run = seqgen.train(words, **SMALL, cell="vanilla", time="0.5s", out=tmp_path / "r")
    assert run.folder.load_latest(pytest.fail).state["ended"] in ("time", "patience")
    assert time.monotonic() - started < 20


def test_a_second_resume_keeps_the_time_used(words, tmp_path, monkeypatch):
    seconds = itertools.count()  # one between any two looks at the clock
    monkeypatch.setattr("seqgen.training.trainer.time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    common = {**SMALL, "cell": "vanilla", "steps": 30, "options": {"samples": 0}}
    used = []
    with pytest.raises(Interrupted):
        seqgen.train(words, **common, out=tmp_path / "r", listener=Stopper(20))
    used.append(seqgen.load(tmp_path / "r").folder.latest_state()["elapsed_s"])
    with pytest.raises(Interrupted):
        seqgen.resume(tmp_path / "r", listener=Stopper(22))
    used.append(seqgen.load(tmp_path / "r").folder.latest_state()["elapsed_s"])
    used.append(seqgen.resume(tmp_path / "r").folder.latest_state()["elapsed_s"])
    assert 20 < used[0] < used[1] < used[2]


def test_a_diverging_run_keeps_the_last_good_checkpoint(words, tmp_path):
    class Bomb(seqgen.StepCell):
        steps_left = 12 + 2  # training begins by trying the cell and one batch out

        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.input = nn.Linear(input_size, hidden_size)

        def initial_state(self, batch_size):
            return self.zeros(batch_size)

        def project(self, x_BTI):
            return self.input(x_BTI)

        def noise(self, p_BTP):
            if self.training:
                type(self).steps_left -= 1
            return p_BTP * (math.nan if type(self).steps_left < 0 else 1.0)

        def step(self, p_BP, state):
            return p_BP + state, p_BP + state

    plugins = plugins_with(seqgen.CellSpec(name="bomb", summary="s", load=Bomb))
    with pytest.raises(Diverged, match="step 13: the loss is nan") as caught:
        seqgen.train(
            words, **SMALL, cell="bomb", steps=30, options={"eval_every": 5}, out=tmp_path / "r", plugins=plugins
        )
    assert caught.value.exit_code == 6
    folder = seqgen.load(tmp_path / "r", plugins=plugins).folder
    kept = folder.load_latest(pytest.fail)
    assert kept.state["step"] == 10 and all(torch.isfinite(tensor).all() for tensor in kept.model.values())


def test_a_changed_corpus_is_not_resumed(words, tmp_path):
    with pytest.raises(Interrupted):
        seqgen.train(words, **SMALL, cell="vanilla", steps=4000, out=tmp_path / "r", listener=Stopper(1))
    words.write_text(words.read_text() + "anna\n")
    with pytest.raises(CorpusError, match=r"changed since the run began \(40 records then, 41 now\)"):
        seqgen.resume(tmp_path / "r")


def test_a_corpus_that_was_moved_is_named_with_its_place(words, tmp_path):
    with pytest.raises(Interrupted):
        seqgen.train(words, **SMALL, cell="vanilla", steps=6, out=tmp_path / "r", listener=Stopper(1),
                     options={"eval_every": 2})  # fmt: skip
    moved = words.rename(tmp_path / "moved.txt")
    with pytest.raises(NoSuchFile, match=r"words\.txt', on which the run r was trained; put it back there"):
        seqgen.resume(tmp_path / "r")
    words.symlink_to(moved)
    assert seqgen.resume(tmp_path / "r").state["step"] == 6


def test_a_run_that_goes_on_with_a_changed_corpus_has_that_one(words, tmp_path):
    with pytest.raises(Interrupted):
        seqgen.train(words, **SMALL, cell="vanilla", steps=6, out=tmp_path / "r", listener=Stopper(1),
                     options={"eval_every": 2})  # fmt: skip
    before = seqgen.load(tmp_path / "r").settings.corpus
    words.write_text(words.read_text() + "anna\n")
    seqgen.resume(tmp_path / "r", allow_corpus_change=True)
    run = seqgen.load(tmp_path / "r")
    assert (run.settings.corpus.n_records, run.settings.corpus.before) == (41, (before.digest,))
    assert run.where("anna")["anna"] != "new"  # it can be read again


@pytest.mark.promise("R8")
def test_one_run_one_trainer(words, tmp_path):
    run = seqgen.train(words, **SMALL, cell="vanilla", steps=2, out=tmp_path / "r")
    from seqgen.files import FolderLock

    lock = FolderLock(run.path)
    with pytest.raises(RunLocked):
        seqgen.resume(run.path)
    lock.release()
    assert seqgen.resume(run.path).path == run.path  # it had ended: nothing to do


def test_training_works_outside_the_main_thread(words, tmp_path):
    results: list[object] = []
    thread = threading.Thread(
        target=lambda: results.append(seqgen.train(words, **SMALL, cell="vanilla", steps=2, out=tmp_path / "r"))
    )
    thread.start()
    thread.join()
    assert len(results) == 1


@pytest.mark.parametrize("lines", [["a"], ["aaaa"] * 3, ["a", "b"], ["x" * 200]])
def test_degenerate_corpora_train_and_sample(lines, tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("\n".join(lines))
    run = seqgen.train(path, cell="vanilla", hidden=4, steps=3, split="none", out=tmp_path / "r")
    assert len(run.sample(5)) == 5


# -- signals and kills, in a process of their own


def start_training(words: Path, out: Path, *more: object):
    process = run_seqgen(
        "train", "--corpus", words, "--cell", "vanilla", "--hidden", 16, "--steps", 100_000, "-o", "patience=0",
        "-o", "eval_every=500", "--out", out, *more, cwd=words.parent, env={"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (out / "checkpoints").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (out / "checkpoints").exists(), process.stderr and process.stderr.read()
    return process


@pytest.mark.full
@pytest.mark.parametrize(
    ("number", "code"), one_in(2, [pytest.param(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143)])
)
def test_a_signal_saves_and_ends_with_its_code(words, tmp_path, number, code):
    process = start_training(words, tmp_path / "run")
    process.send_signal(number)
    result = finish(process, 20)
    assert result.code == code, result.err
    assert result.err.splitlines()[-1].startswith("seqgen: stopped at step ") and "Traceback" not in result.err
    assert "seqgen: stopping and saving the run; a second signal ends it at once, unsaved\n" in result.err
    folder = seqgen.load(tmp_path / "run").folder
    step = int(result.err.splitlines()[-1].split("step ")[1].split(",")[0])
    assert folder.load_latest(pytest.fail).state["step"] == step


@pytest.mark.full
@pytest.mark.promise("R8")
def test_a_second_training_in_the_folder_is_refused_at_once(words, tmp_path):
    process = start_training(words, tmp_path / "run")
    try:
        second = finish(run_seqgen("resume", tmp_path / "run", cwd=tmp_path))
        assert second.code == 2 and f"process {process.pid}" in second.err
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("what", ["torch", "machine"])
def test_a_change_of_torch_is_reported_when_resuming(what, words, tmp_path):
    with pytest.raises(Interrupted):
        seqgen.train(words, **SMALL, cell="vanilla", steps=4000, out=tmp_path / "r", listener=Stopper(1))
    for checkpoint in (tmp_path / "r" / "checkpoints").iterdir():
        shutil.rmtree(checkpoint)  # its manifest vouches for run.json, which is changed below
    data = json.loads((tmp_path / "r" / "run.json").read_text())
    data["environment"][what] = "1.0"
    data["train"]["steps"] = 2
    (tmp_path / "r" / "run.json").write_text(json.dumps(data))
    said: list[str] = []
    seqgen.resume(tmp_path / "r", warn=said.append)
    assert len(said) == 1 and f"was started with {what} 1.0" in said[0]


def test_a_signal_during_an_evaluation_drops_it_and_resuming_does_it_again(words, tmp_path, monkeypatch):
    from seqgen.evaluation import loss

    common = {**SMALL, "cell": "gru", "steps": 20, "options": {"eval_every": 5}}
    expected = digests(seqgen.train(words, out=tmp_path / "a", **common).path)
    plain, calls = loss.evaluation_batches, 0

    def interrupted(*arguments):
        nonlocal calls
        calls += 1
        if calls == 2:  # in the second evaluation
            os.kill(os.getpid(), signal.SIGTERM)
        yield from plain(*arguments)

    monkeypatch.setattr(loss, "evaluation_batches", interrupted)
    with pytest.raises(Interrupted) as caught:
        seqgen.train(words, out=tmp_path / "b", **common)
    assert caught.value.exit_code == 143
    state = seqgen.load(tmp_path / "b").folder.load_latest(pytest.fail).state
    assert state["step"] == 10 and state["evaluated_step"] == 5
    assert digests(seqgen.resume(tmp_path / "b").path) == expected


@pytest.mark.full
def test_hangup_is_a_signal_too(words, tmp_path):
    process = start_training(words, tmp_path / "run")
    process.send_signal(signal.SIGHUP)
    assert finish(process, 20).code == 129


def test_a_second_signal_ends_at_once(words, tmp_path):
    program = (
        "import os, signal, time\n"
        "from seqgen.signals import graceful_stop\n"
        "with graceful_stop():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n"
    )
    started = time.monotonic()
    assert subprocess.run([sys.executable, "-c", program]).returncode == 143
    assert time.monotonic() - started < 30


@pytest.mark.full
def test_a_signal_while_data_is_prepared_is_one_line(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time, seqgen\n"
        "def load():\n"
        "    class Slow:\n"
        "        def __iter__(self):\n"
        "            print('reading', flush=True)\n"
        "            time.sleep(60)\n"
        "            yield seqgen.Record('a')\n"
        "    return Slow()\n"
        "@seqgen.hookimpl\n"
        "def register_corpora(register):\n"
        "    register(seqgen.CorpusSpec(name='slow', summary='s', licence='l', load=load))\n"
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        process = run_seqgen("train", "--corpus", "slow", "--plugin", "slow.py", cwd=tmp_path)
        assert process.stderr.readline() == b"reading\n"
        process.send_signal(number)
        result = finish(process, 20)
        unsaved = "training had not begun, so nothing is saved (Ctrl-C saves a run once it trains)"
        assert result.code == 128 + number and result.err == f"seqgen: ended by {number.name}; {unsaved}\n"
    assert not (tmp_path / "runs").exists()


def test_training_leaves_torch_as_it_was(words, tmp_path):
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    seqgen.train(words, **SMALL, cell="vanilla", steps=2, out=tmp_path / "r").sample(3)
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads
