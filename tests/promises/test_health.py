"""A loss that is no number stops a run before it spoils it; the same seed gives the same bytes."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import pytest

import seqgen
import seqgen.checkpoint
from conftest import registered
from resuming import digests
from seqgen.errors import Diverged, Interrupted
from seqgen.training import Progress

BOMB = '''
import math, torch, seqgen

VALUES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

class Spoil(torch.autograd.Function):
    """Forward as it is; backward not a number."""

    @staticmethod
    def forward(ctx, x, value):
        ctx.value = value
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.value, None

class Fuse:
    left = 0

    def spoiled(self, x, where, value):
        if not self.training:
            return x
        Fuse.left -= 1
        if Fuse.left >= 0:
            return x
        return x * VALUES[value] if where == "forward" else Spoil.apply(x, VALUES[value])

class Stepping(Fuse, seqgen.StepCell):
    """A step cell that goes wrong in what is done before its steps."""

    def __init__(self, input_size, hidden_size, *, where: str = "forward", value: str = "nan", after: int = 14):
        super().__init__(input_size, hidden_size)
        self.where, self.value, Fuse.left = where, value, after
        self.input = torch.nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)

    def initial_state(self, batch_size): return self.zeros(batch_size)
    def project(self, x_BTI): return self.input(x_BTI)
    def noise(self, p_BTP): return self.spoiled(p_BTP, self.where, self.value)

    def step(self, p_BP, h_BH):
        h_BH = torch.tanh(p_BP + self.recurrent(h_BH))
        return h_BH, h_BH

class Whole(Fuse, seqgen.Cell):
    """A cell that computes whole sequences."""

    def __init__(self, input_size, hidden_size, *, where: str = "forward", value: str = "nan", after: int = 14):
        super().__init__(input_size, hidden_size)
        self.where, self.value, Fuse.left = where, value, after
        self.input = torch.nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size): return self.input.weight.new_zeros(batch_size, 1)
    def forward(self, x_BTI, state): return self.spoiled(torch.tanh(self.input(x_BTI)), self.where, self.value), state

@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="stepping", summary="s", load=Stepping))
    register(seqgen.CellSpec(name="whole", summary="s", load=Whole))
'''
SMALL = ("--hidden", 8, "--embedding", 5, "--batch-size", 8, "--split", "80/10/10", "-o", "patience=0")


@pytest.fixture
def bomb(in_tmp):
    (in_tmp / "bomb.py").write_text(BOMB)
    sys.modules.pop("bomb", None)
    yield ("--plugin", "bomb.py")
    sys.modules.pop("bomb", None)


def kept_are_finite(path: Path) -> list[int]:
    """The steps of the checkpoints of a run, each whole and of finite numbers only."""
    from safetensors.torch import load_file

    run = seqgen.checkpoint.RunFolder(path)
    steps = []
    for folder in sorted((path / "checkpoints").iterdir()):
        steps.append(int(folder.name.partition("-")[2]))
        run.load(steps[-1])  # its manifest vouches for it
        for file in ("model", "train"):
            tensors = load_file(folder / f"{file}.safetensors")
            assert all(tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point())
    return steps


@pytest.mark.full
@pytest.mark.promise("R10")
@pytest.mark.parametrize(
    ("cell", "engine", "where", "value"),
    [
        ("stepping", "fused", "forward", "nan"),
        ("stepping", "scan", "backward", "nan"),
        ("stepping", "eager", "forward", "inf"),
        ("stepping", "eager", "backward", "-inf"),
        ("whole", "fused", "forward", "nan"),
        ("whole", "eager", "backward", "nan"),
    ],
)
def test_what_is_not_finite_is_refused_before_it_is_learned(cell, engine, where, value, cli, words, in_tmp, bomb):
    """Ten steps are kept; the thirteenth or so goes wrong, and nothing of it is seen in any file."""
    options = ("-o", f"cell.where={where}", "-o", f"cell.value={value}", "-o", "eval_every=5", "--engine", engine)
    result = cli("train", "--corpus", words, "--cell", cell, "--steps", 30, *SMALL, *options, *bomb, "--out", "run")
    line = result.err.splitlines()[-1]
    assert result.code == 6 and "Traceback" not in result.err, result.err
    step = int(re.match(r"seqgen: step (\d+): the loss is ", line)[1])
    assert 10 < step <= 15 and kept_are_finite(in_tmp / "run") == [5, 10]
    number = r"(nan|inf|-inf)"
    if where == "forward":
        assert re.search(rf"the loss is {number}", line) or re.search(rf"norm {number}", line)
    else:
        assert re.search(rf"the loss is \d\.\d+ and the gradient's norm {number}", line)
    assert re.search(
        r"The learning rate is 0\.\d+: try a lower --lr; the losses before it: \d\.\d+(, \d\.\d+){4};", line
    )
    numbers = re.search(r"its batch: records of the corpus ([\d, ]+)$", line)[1].split(", ")
    lines = words.read_text().split()
    run = seqgen.load("run", checkpoint="latest", plugins=["bomb.py"])
    assert len(set(numbers)) == len(numbers) <= 8 and all(1 <= int(number) <= len(lines) for number in numbers)
    assert set(run.where([lines[int(number) - 1] for number in numbers]).values()) == {"train"}
    assert [row["step"] for row in run.metrics] == [5, 10] and run.state["best_step"] in (5, 10)
    assert all(math.isfinite(row["train_loss_nats"]) for row in run.metrics)
    assert len(run.sample(2)) == 2


@pytest.mark.promise("R10")
def test_what_goes_wrong_in_one_long_text_is_told_by_its_symbols(cli, words, in_tmp, bomb):
    result = cli(
        "train", "--corpus", words, "--layout", "stream", "--cell", "whole", "--steps", 30, *SMALL[:-4], *bomb,
        "-o", "window=8", "-o", "after=7", "--out", "run",
    )  # fmt: skip
    assert result.code == 6 and re.search(r"its batch: symbols of the training part \d+, ", result.err)


@pytest.mark.promise("R10")
def test_an_absurd_rate_is_refused(cli, words, in_tmp):
    result = cli("train", "--corpus", words, "--lr", "1e6", "--out", "run")
    assert result.code == 2 and "less than or equal to 10, not 1000000" in result.err and not (in_tmp / "run").exists()


def spoiled_by_its_rate(cell, engine, lr, words, folder, monkeypatch) -> str:
    """Train at a rate that no user can ask for; what was kept is finite, whatever comes of it."""
    monkeypatch.setattr("seqgen.training.schedule.Schedule.lr", lambda *_: lr)
    options = {"eval_every": 5, "save_every_s": 1e-9, "clip_norm": 0.0, "patience": 0}
    wishes = {"hidden": 8, "steps": 30, "batch_size": 8, "options": options}
    told = ""
    try:
        seqgen.train(words, cell=cell, engine=engine, **wishes, out=folder / "r")
    except Diverged as error:
        told = str(error)
    if (folder / "r" / "checkpoints").exists():
        kept_are_finite(folder / "r")
    log = folder / "r" / "metrics.jsonl"
    for line in log.read_text().splitlines() if log.exists() else ():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} in metrics.jsonl"))
    return told


@pytest.mark.promise("R10")
@pytest.mark.parametrize(("lr", "must"), [(1e6, False), (1e30, True)])
@pytest.mark.parametrize(
    ("cell", "engine"), [("gru", "fused"), ("lstm", "scan"), ("vanilla", "eager"), ("transformer", "auto")]
)
def test_no_checkpoint_holds_what_is_not_finite(cell, engine, lr, must, words, tmp_path, monkeypatch):
    assert spoiled_by_its_rate(cell, engine, lr, words, tmp_path, monkeypatch) or not must


@pytest.mark.promise("R10")
@pytest.mark.slow
def test_compiled_steps_are_watched_too(words, tmp_path, compiler, monkeypatch):
    assert spoiled_by_its_rate("vanilla", "compiled", 1e30, words, tmp_path, monkeypatch)


# -- the same seed, the same bytes


CELLS = [entry.qualified for entry in registered("cell")]


def same_twice(cell: str, words: Path, folder: Path) -> None:
    wishes = {"hidden": 16, "steps": 6, "batch_size": 8, "dropout": 0.1, "options": {"eval_every": 3, "samples": 2}}
    one, other = (
        digests(seqgen.train(words, cell=cell, **wishes, out=folder / f"{cell.replace(':', '-')}-{name}").path)
        for name in "ab"
    )
    assert one == other, cell


@pytest.mark.promise("R11")
@pytest.mark.parametrize("cell", ["vanilla", "gru", "transformer"])
def test_the_same_seed_gives_the_same_bytes(cell, words, tmp_path):
    same_twice(cell, words, tmp_path)


@pytest.mark.promise("R11")
@pytest.mark.slow
def test_twenty_pairs_over_all_cells_give_the_same_bytes(words, tmp_path, record_property):
    pairs = [CELLS[n % len(CELLS)] for n in range(max(20, len(CELLS)))]
    record_property("cases", len(pairs))
    for n, cell in enumerate(pairs):
        same_twice(cell, words, tmp_path / str(n))


@pytest.mark.promise("R11")
def test_hooks_that_change_settings_of_torch_do_not_change_the_bytes(words, tmp_path):
    import torch

    class Careless:
        @staticmethod
        @seqgen.hookimpl
        def on_run_start(path):
            torch.set_num_threads(2)
            torch.set_default_dtype(torch.float64)

        @staticmethod
        @seqgen.hookimpl
        def on_report(metrics):
            torch.set_num_threads(2)
            torch.manual_seed(7)
            torch.set_grad_enabled(False)

    wishes = {"cell": "gru", "hidden": 16, "steps": 6, "batch_size": 8, "options": {"eval_every": 3, "threads": 1}}
    expected = digests(seqgen.train(words, **wishes, out=tmp_path / "a").path)
    threads = []
    run = seqgen.train(
        words, **wishes, out=tmp_path / "b", plugins=[Careless],
        listener=lambda folder, event: threads.append(torch.get_num_threads()),
    )  # fmt: skip
    assert digests(run.path) == expected and set(threads) == {1}
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()


@pytest.mark.promise("R11")
def test_a_run_keeps_its_number_of_threads_wherever_it_is_resumed(words, tmp_path, monkeypatch):
    """So the number of threads that torch would take has no say in the bytes."""
    import torch

    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)
    wishes = {"cell": "gru", "hidden": 16, "steps": 12, "batch_size": 8, "options": {"threads": 1, "eval_every": 4}}
    expected = digests(seqgen.train(words, **wishes, out=tmp_path / "a").path)

    class Stop(Exception):
        pass

    def listener(folder, event):
        seen.append(torch.get_num_threads())
        if isinstance(event, Progress) and event.step == 6:
            raise Stop

    seen: list[int] = []
    with pytest.raises((Stop, Interrupted)):
        seqgen.train(words, **wishes, out=tmp_path / "b", listener=listener)
    said: list[str] = []
    torch.set_num_threads(2)
    try:
        resumed = seqgen.resume(
            tmp_path / "b", warn=said.append, listener=lambda *_: seen.append(torch.get_num_threads())
        )
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert digests(resumed.path) == expected and set(seen) == {1}
    assert resumed.settings.engine.threads == 1 and said == []
