"""Training by several processes: the sum over pieces, the same bytes for any number of them, and their losses."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import namedtuple
from functools import partial
from itertools import count, product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from conftest import WORDS, in_tiers
from resuming import SMALL, Stopper, digests
from seqgen.api.data_parallel import check_devices, count_workers
from seqgen.batches import Stream, encode
from seqgen.cells import choose_padding, untraced_steps
from seqgen.config import SampleConfig, TrainSettings
from seqgen.corpus import Record, Splitter
from seqgen.errors import BadOption, Interrupted, UsageError, WorkerLost
from seqgen.evaluation import held_out_batches, held_out_loss, penalty
from seqgen.model import RecurrentModel, evaluation_mode
from seqgen.sampling import Sampler
from seqgen.tokenizers import PAD, CharTokenizer, Vocabulary
from seqgen.training import Evaluating, shares
from seqgen.training.gradients import DividedGradient, Gradients, piece_bounds, take_piece
from seqgen.training.model_checks import find_divided_buffers
from seqgen.training.observer import log_probs_of
from seqgen.training.rendezvous import connect_store, interface_to, serve_store
from seqgen.training.shares import Shares
from seqgen.training.train_step import TrainStep

VOCABULARY = Vocabulary(CharTokenizer.fit(WORDS))
TRAIN = encode(map(Record, WORDS), VOCABULARY, Splitter((1.0, 0.0, 0.0)))["train"]
DIVIDED = {**SMALL, "steps": 12, "dropout": 0.3, "options": {"eval_every": 6}}
PAIRS = [f"{one}{two}" for one, two in product(WORDS, WORDS)]
_Share = namedtuple("_Share", "rank size sum")


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\n".join(WORDS * 3))
    return path


@pytest.fixture
def pairs(tmp_path):
    """A file with several evaluation batches."""
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(PAIRS))
    return path


@pytest.fixture
def always(monkeypatch):
    """Evaluations and samples are divided however small they are: rank 0, which decides it, is this process."""
    monkeypatch.setattr(shares, "_LEAST_WORK", 1)
    monkeypatch.setattr(shares, "_LEAST_ROWS", 1)


# -- pieces


@given(n_rows=st.integers(0, 70), n_pieces=st.sampled_from([1, 2, 4, 6, 8]))
def test_pieces_are_contiguous_and_of_about_equal_size(n_rows, n_pieces):
    bounds = piece_bounds(n_rows, n_pieces)
    assert bounds[0] == 0 and bounds[-1] == n_rows and bounds == sorted(bounds)
    sizes = np.diff(bounds)
    assert sizes.max() - sizes.min() <= 1


@given(
    rows=st.lists(st.integers(0, len(TRAIN) - 1), min_size=1, max_size=20),
    data=st.data(),
    engine=st.sampled_from(["fused", "compiled"]),
)
def test_a_piece_is_the_batch_of_its_rows(rows, data, engine):
    pad = partial(choose_padding, engine)
    first = data.draw(st.integers(0, len(rows) - 1))
    last = data.draw(st.integers(first + 1, len(rows)))
    piece = take_piece(TRAIN.take(np.array(rows), pad), first, last, pad)
    alone = TRAIN.take(np.array(rows[first:last]), pad)
    n_steps = min(piece.ids_BT.shape[1], alone.ids_BT.shape[1])  # a batch of shorter records is padded less
    assert torch.equal(piece.targets_BT[:, :n_steps], alone.targets_BT[:, :n_steps])
    inside = alone.targets_BT[:, :n_steps] != PAD
    assert torch.equal(piece.ids_BT[:, :n_steps][inside], alone.ids_BT[:, :n_steps][inside])
    targets = piece.targets_BT.t().flatten()
    assert piece.at_N is None or (targets[piece.at_N] != PAD).all()
    kept = targets if piece.at_N is None else targets[piece.at_N]
    assert (kept != PAD).sum() == alone.n_targets
    assert piece.n_targets == sum(TRAIN.lengths_N[rows]) - len(rows)  # that of the whole batch


def _step(pieces, model, **settings):
    return TrainStep(
        model, penalty(VOCABULARY), weight_decay=0.01, clip_norm=1.0, precision="float32", pieces=pieces, **settings
    )


def _model(cell=None, **options):
    torch.manual_seed(0)
    make = cell or seqgen_cell("gru")
    return RecurrentModel(VOCABULARY.size, make, hidden=9, embedding=5, **options)


def seqgen_cell(name):
    from seqgen.plugins import default_plugins

    return default_plugins().registry.get("cell", name).load()


@pytest.mark.parametrize("n_rows", [3, 16])
def test_the_sum_over_pieces_is_the_gradient_of_the_batch(n_rows):
    batch = TRAIN.take(np.arange(n_rows))
    whole, divided = _model(), _model()
    result = _step(1, whole).run(1, 0.01, batch, 5)
    in_pieces = _step(8, divided).run(1, 0.01, batch, 5)
    assert in_pieces.nats.item() == pytest.approx(result.nats.item(), rel=1e-5)
    assert in_pieces.norm.item() == pytest.approx(result.norm.item(), rel=1e-4)
    for (name, mine), theirs in zip(whole.named_parameters(), divided.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_the_branches_of_workers_make_up_the_sum_of_one_process(size):
    batch = TRAIN.take(np.arange(13))

    def branch(rank, size):
        sums = []
        model = _model(dropout=0.3).train()
        step = _step(1, model)
        share = None if size == 1 else _Share(rank, size, lambda tensors: sums.extend(t.clone() for t in tensors))
        gradients = Gradients(model.parameters())
        divided = DividedGradient(8, gradients, step._differentiate, torch.manual_seed, int, torch.device("cpu"), share)
        step._choose_backward()
        nats = divided.compute(batch, 3)
        assert nats == gradients.flats[0][-1]
        return sums or gradients.flats

    parts = [branch(rank, size) for rank in range(size)]
    while len(parts) > 1:  # neighbours, as Gang.sum adds them
        parts = [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(parts[::2], parts[1::2], strict=True)]
    for mine, theirs in zip(parts[0], branch(0, 1), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_each_piece_draws_masks_of_its_own(dropout):
    """Two equal rows have the same gradient only where nothing is dropped."""
    found = []

    def differentiate(piece, carried):
        result = step._differentiate(piece, carried)
        found.append([tensor.clone() for tensor in gradients.flats])
        return result

    model = _model(dropout=dropout).train()
    step, gradients = _step(1, model), Gradients(model.parameters())
    step._choose_backward()
    divided = DividedGradient(2, gradients, differentiate, torch.manual_seed, int, torch.device("cpu"))
    divided.compute(TRAIN.take(np.array([4, 4])), 3)
    one, other = found
    assert all(map(torch.equal, one, other)) is (dropout == 0)


JOIN = """
import sys, time, torch
from torch import distributed as dist
from seqgen.errors import WorkerLost
from seqgen.training.gang import Gang
rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
gang = Gang(rank, size, dist.FileStore(folder + "/store", size), timeout_s=float(sys.argv[4]))
gang.connect()
"""
SUM = """
tensors = [torch.load(f"{folder}/{number}.pt")[rank].clone() for number in range(4)]
gang.sum(tensors)
torch.save(tensors, f"{folder}/sums-{rank}.pt")
gang.close()
"""
HANG = """
time.sleep({0: 0, 1: 0.3, 2: 0.6, 3: 1000}[rank])
try:
    gang.sum([torch.zeros(8)])
except WorkerLost as error:
    print(error, flush=True)
"""


def _ranks(program, size, folder, timeout_s):
    command = [sys.executable, "-c", JOIN + program]
    return [
        subprocess.Popen(
            [*command, str(rank), str(size), str(folder), str(timeout_s)], stdout=subprocess.PIPE, text=True
        )
        for rank in range(size)
    ]


@pytest.mark.full
def test_ranks_add_up_along_one_tree(tmp_path):
    """Tensors of one number, of fewer than there are ranks, and of sizes that no power of two divides."""
    size, wanted = 8, []
    for number, length in enumerate((1, 5, 16, 1003)):
        parts = list(torch.randn(size, length) * 10.0 ** torch.arange(size).view(-1, 1))
        torch.save(parts, tmp_path / f"{number}.pt")
        while len(parts) > 1:
            parts = [one + other for one, other in zip(parts[::2], parts[1::2], strict=True)]
        wanted.append(parts[0])
    for process in (ranks := _ranks(SUM, size, tmp_path, 60)):
        process.communicate(timeout=120)
    assert [process.returncode for process in ranks] == [0] * size
    for rank in range(size):
        for mine, tree in zip(torch.load(tmp_path / f"sums-{rank}.pt"), wanted, strict=True):
            assert torch.equal(mine, tree)


@pytest.mark.full
def test_the_rank_that_hangs_is_named_by_all_that_wait_for_it_or_for_one_another(tmp_path):
    """Rank 0 waits first, but for rank 2, which waits for rank 3."""
    *waiting, hanging = _ranks(HANG, 4, tmp_path, 3)
    try:
        said = [process.communicate(timeout=60)[0] for process in waiting]
    finally:
        hanging.kill()
        hanging.communicate()
    assert [line.partition(" on ")[0] for line in said] == ["worker 3"] * 3, said
    assert all("did not answer within 3 s" in line for line in said), said


def test_the_state_of_a_long_text_is_carried_piece_by_piece_and_saved_as_a_whole():
    text = np.arange(4000) % (VOCABULARY.size - 4) + 4
    stream = Stream(text, len(text))
    starts = np.arange(12) * 300

    def windows(n):
        for index in range(n):
            yield stream.window(starts + index * 16, text[starts + index * 16 - 1], 16, continues=index > 0)

    one, two = _model(), _model()
    straight, first = _step(4, one, carries=True), _step(4, two, carries=True)
    batches = list(windows(4))
    for number, batch in enumerate(batches, 1):
        straight.run(number, 0.01, batch, number)
    for number, batch in enumerate(batches[:2], 1):
        first.run(number, 0.01, batch, number)
    state = {name: tensor.clone() for name, tensor in first.state().items()}
    assert state["carried.0"].shape[0] == 12
    second = _step(4, two, carries=True)
    second.load(state)
    for number, batch in enumerate(batches[2:], 3):
        second.run(number, 0.01, batch, number)
    for mine, theirs in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_step_that_fails_in_its_second_piece_leaves_what_is_carried():
    text = np.arange(400) % (VOCABULARY.size - 4) + 4
    stream, starts = Stream(text, len(text)), np.array([0, 200])
    numbers = count(1)

    def differentiate(piece, carried):
        if next(numbers) == 4:
            raise MemoryError
        return step._differentiate(piece, carried)

    model = _model()
    step = _step(1, model, carries=True)
    step._choose_backward()
    divided = DividedGradient(
        2, Gradients(model.parameters()), differentiate, torch.manual_seed, int, torch.device("cpu")
    )
    divided.compute(stream.window(starts, text[starts - 1], 16, continues=False), 1)
    (before,) = divided.carried()
    following = stream.window(starts + 16, text[starts + 15], 16, continues=True)
    with pytest.raises(MemoryError):
        divided.compute(following, 2)
    (after,) = divided.carried()
    assert torch.equal(after, before)
    divided.compute(following, 2)
    assert not any(map(torch.equal, divided.carried()[0], before))


@pytest.mark.parametrize("hidden", range(8, 14))
def test_a_batch_of_one_row_runs_over_time_as_others_do(hidden):
    """The product of a vector may have other bits where it overwrites, which would end the tracing of the cell."""
    for seed in range(4):
        torch.manual_seed(seed)
        model = RecurrentModel(VOCABULARY.size, seqgen_cell("vanilla"), hidden=hidden, embedding=5)
        _step(1, model).run(1, 0.01, TRAIN.take(np.array([seed])), seed)
        assert untraced_steps(model) == []


# -- evaluations and samples


class _Ranks:
    """The ranks of a gang in one process: what rank 0 commands, the others do when it waits for them."""

    def __init__(self, rank, size):
        self.rank, self.size, self.others, self.sent, self.due = rank, size, [], None, None
        self.n_commands = 0

    def command(self, command):
        assert self.due is None, "the results of the last command have not been received"
        self.due, self.n_commands = command, self.n_commands + 1

    def _catch_up(self):
        for _, other in self.others:
            other.follow(self.due)
        self.due = None

    def share(self, tensors=None):
        if tensors is not None:
            for gang, _ in self.others:
                gang.sent = tensors
            self._catch_up()
        return self.sent

    def collect(self, tensors):
        if self.rank:
            self.sent = tensors
            return []
        self._catch_up()
        return [tensors, *(gang.sent for gang, _ in self.others)]


def _shares(size, valid, model):
    settings = TrainSettings(batch_size=8, steps=1, samples=300)

    def draw(model, seed, first, last, check):
        sampler = Sampler(model, VOCABULARY, SampleConfig(seed=seed, max_length=12))
        return list(sampler.take(last - first, check, first=first))

    gangs = [_Ranks(rank, size) for rank in range(size)]
    all_ = [Shares(model, penalty(VOCABULARY), valid, settings, draw, gang) for gang in gangs]
    gangs[0].others = list(zip(gangs[1:], all_[1:], strict=True))
    return all_[0], gangs[0], Shares(model, penalty(VOCABULARY), valid, settings, draw, None)


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("most_work", [1, shares._ROUND_WORK])  # one batch in a round, and all
def test_divided_evaluations_and_samples_have_the_bits_of_one_process(always, monkeypatch, size, most_work):
    monkeypatch.setattr(shares, "_ROUND_WORK", most_work)
    parts = encode(map(Record, PAIRS), VOCABULARY, Splitter((0.3, 0.7, 0.0)))
    train, valid, model = parts["train"], parts["valid"], _model()
    divided, gang, alone = _shares(size, valid, model)
    for most in (10_000, 600, 10_000):
        shared = held_out_loss(model, valid, penalty(VOCABULARY), most=most, known=divided.losses(most, int))
        assert shared == held_out_loss(model, valid, penalty(VOCABULARY), most=most)
    n_commands = gang.n_commands
    assert n_commands >= 3
    for records, found in ((valid, divided.log_probs(800, int)), (train, divided.training_log_probs(train, 800, int))):
        with evaluation_mode(model):
            wanted = [log_probs_of(model, batch, penalty(VOCABULARY))[0] for batch in held_out_batches(records, 800)]
        assert len(wanted) > 1 and all(torch.equal(*pair) for pair in zip(found, wanted, strict=True))
    assert gang.n_commands > n_commands + 2
    assert alone.losses(800, int) is alone.log_probs(800, int) is None
    rows = divided.samples(model, 5, int)
    assert rows == alone.samples(model, 5, int) and [row.number for row in rows] == list(range(300))


def test_a_stop_while_samples_are_divided_leaves_no_result_behind(always):
    valid, model = encode(map(Record, PAIRS), VOCABULARY, Splitter((0.3, 0.7, 0.0)))["valid"], _model()
    divided, _, alone = _shares(2, valid, model)

    def stop():
        raise KeyError

    with pytest.raises(KeyError):
        divided.samples(model, 5, stop)
    with pytest.raises(KeyError):
        list(divided.losses(10_000, stop))
    assert divided.samples(model, 5, int) == alone.samples(model, 5, int)


def test_small_evaluations_and_few_samples_stay_with_the_first_process():
    valid, model = encode(map(Record, PAIRS), VOCABULARY, Splitter((0.3, 0.7, 0.0)))["valid"], _model()
    divided, gang, alone = _shares(4, valid, model)
    shared = held_out_loss(model, valid, penalty(VOCABULARY), known=divided.losses(10_000, int))
    assert shared == held_out_loss(model, valid, penalty(VOCABULARY))
    assert divided.samples(model, 5, int) == alone.samples(model, 5, int)
    assert not gang.n_commands


# -- what is refused


@pytest.mark.parametrize(
    ("workers", "pieces", "said"),
    [
        (3, 8, "--workers 3: a batch of this run has 8 pieces, which 1 or 2 or 4 or 8 can share"),
        (16, 8, "--workers 16"),
        (0, 8, "--workers 0"),
        (2, 1, "--workers 2: a batch of this run is one piece, as it was trained without --workers: leave it out"),
        (4, 6, "--workers 4"),
    ],
)
def test_numbers_of_workers_that_do_not_fit_the_pieces_are_refused(workers, pieces, said):
    with pytest.raises(BadOption, match=said):
        count_workers(workers, pieces)
    assert count_workers(None, pieces) == count_workers(1, pieces) == 1


def test_each_worker_needs_a_gpu_of_its_own(monkeypatch):
    """A number of GPUs that no machine has; under torchrun only the processes of this machine count."""
    with pytest.raises(
        UsageError, match=r"^cannot train with 1024 workers on \d+ GPUs?: each needs one of its own; leave"
    ):
        check_devices("cuda", 1024)
    check_devices("cpu", 1024)
    check_devices("cuda:1", 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "0")
    check_devices("cuda", 1024)
    with pytest.raises(BadOption, match="'cuda:1': each of 2 workers takes the GPU of its number"):
        check_devices("cuda:1", 2)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"on": "local"}, BadOption, "--on 'local' is for the other processes of --workers N: give N, at least 2"),
        ({"options": {"executor.threads": 1}}, BadOption, "-o executor.threads is for the other processes"),
        ({"workers": 2, "on": "locl"}, seqgen.UnknownName, "did you mean 'local'"),
        ({"workers": 2, "options": {"executor.nodes": 2}}, BadOption, "nodes"),
        ({"workers": 2, "on": "threads"}, UsageError, "cannot train on 'threads': its tasks start one by one"),
    ],
)
def test_executors_that_cannot_run_the_other_workers_are_refused(words, tmp_path, settings, error, said):
    settings["options"] = {**DIVIDED["options"], **settings.get("options", {})}
    threads = Path(seqgen.__file__).parents[1] / "docs" / "examples" / "threads.py"
    with pytest.raises(error, match=said):
        seqgen.train(words, plugins=[threads], out=tmp_path / "run", **{**DIVIDED, **settings})
    sys.modules.pop("threads", None)  # other tests load the file under its own name
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_continued_takes_options_of_the_executor_alone(tmp_path):
    with pytest.raises(BadOption, match="-o lr: a run keeps its settings"):
        seqgen.resume(tmp_path / "run", options={"lr": 0.1})


def test_a_run_in_one_piece_cannot_be_resumed_by_several(words, tmp_path):
    with pytest.raises(Interrupted) as stopped:
        seqgen.train(words, cell="vanilla", out=tmp_path / "cut", listener=Stopper(6), **DIVIDED)
    assert stopped.value.run.settings.train.pieces == 1
    with pytest.raises(BadOption, match="a batch of this run is one piece"):
        seqgen.resume(tmp_path / "cut", workers=2)


RUNNING = """
import torch
import seqgen


class Running(seqgen.StepCell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = torch.nn.Linear(input_size, hidden_size)
        self.register_buffer("mean", torch.zeros(hidden_size))

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def noise(self, p_BTP):
        if self.training:
            self.mean.lerp_(p_BTP.detach().mean((0, 1)), 0.1)
        return p_BTP - self.mean

    def step(self, p_BP, state):
        h_BH = torch.tanh(p_BP + state)
        return h_BH, h_BH


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="running", summary="s", load=Running))
"""


def test_workers_are_refused_where_training_changes_a_buffer(words, tmp_path):
    """Each would have a running mean of its own rows; of two, the first one's was saved."""
    (tmp_path / "running.py").write_text(RUNNING)
    train = partial(seqgen.train, words, cell="running", plugins=[tmp_path / "running.py"], **DIVIDED)
    said = "cannot train 'running' with 2 workers: training changes the buffer Running.mean by .*; give --workers 1"
    with pytest.raises(UsageError, match=said):
        train(out=tmp_path / "two", workers=2)
    assert not (tmp_path / "two").exists()
    with pytest.raises(Interrupted):
        train(out=tmp_path / "one", workers=1, listener=Stopper(6))
    with pytest.raises(UsageError, match=said):
        seqgen.resume(tmp_path / "one", workers=2, plugins=[tmp_path / "running.py"])
    assert seqgen.resume(tmp_path / "one", workers=1, plugins=[tmp_path / "running.py"])


@pytest.mark.parametrize(
    ("change", "is_divided"),
    [
        (lambda buffer, p: buffer.copy_(torch.maximum(buffer, p.amax((0, 1)))), True),
        (lambda buffer, p: buffer.copy_(p[-1, -1]), True),  # of the last row seen
        (lambda buffer, p: buffer.add_(1), True),
        (lambda buffer, p: buffer.add_(torch.randn(())), True),
        (lambda buffer, p: buffer.fill_(p.shape[2]), False),  # noted once: the same in each process
        (lambda buffer, p: buffer, False),
    ],
)
def test_a_buffer_is_divided_where_it_depends_on_the_rows_seen(change, is_divided):
    class Noting(type(_model().stack.layers[0])):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.register_buffer("kept", torch.zeros(3 * hidden_size))

        def noise(self, p_BTP):
            if self.training:
                change(self.kept, p_BTP.detach())
            return p_BTP

    model = _model(Noting)
    found = find_divided_buffers(model, TRAIN.take(np.arange(8)), penalty(VOCABULARY), "float32")
    assert found == ["Noting.kept"] * is_divided
    assert not model.stack.layers[0].kept.any() and all(one.grad is None for one in model.parameters())


def test_a_part_passed_as_an_object_is_refused(words, tmp_path):
    class Mine(seqgen.StepCell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.input = torch.nn.Linear(input_size, hidden_size)

        def initial_state(self, batch_size):
            return self.zeros(batch_size)

        def project(self, x_BTI):
            return self.input(x_BTI)

        def step(self, p_BP, state):
            h_BH = torch.tanh(p_BP + state)
            return h_BH, h_BH

    with pytest.raises(UsageError, match="needs an importable plugin"):
        seqgen.train(words, cell=Mine, workers=2, out=tmp_path / "run", **DIVIDED)


# -- finding one another


def test_processes_talk_over_the_interface_that_reaches_the_first(monkeypatch):
    name = "GLOO_SOCKET_IFNAME"
    monkeypatch.delenv(name, raising=False)
    with interface_to("127.0.0.1"):
        assert os.environ[name].startswith("lo")
    assert name not in os.environ
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("203.0.113.7", 1))  # of nobody, by RFC 5737: through the default route, if there is one
        with interface_to(probe.getsockname()[0]):
            assert os.environ[name] in [name for _, name in socket.if_nameindex()]
    monkeypatch.setenv(name, "chosen")
    with interface_to("127.0.0.1"):
        assert os.environ[name] == "chosen"


def test_the_store_listens_at_the_address_of_this_machine_alone():
    store, port = serve_store("127.0.0.1", 2)
    store.set("key", "value")
    assert connect_store("127.0.0.1", port, 2).get("key") == b"value"
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.2", port), 5):
        pass
    with pytest.raises(UsageError, match=r"workers that reach this process at '203\.0\.113\.7'"):
        serve_store("203.0.113.7", 2)


# -- processes


def test_two_workers_write_the_bytes_of_one(always, pairs, tmp_path):
    settings = {**DIVIDED, "split": "50/50/0", "blend": "none", "options": {"eval_every": 3, "samples": 70}}
    runs = [
        seqgen.train(pairs, cell="gru", workers=workers, out=tmp_path / str(workers), **settings, **more)
        for workers, more in ((1, {}), (2, {"on": "local"}))
    ]
    assert runs[0].settings.train.pieces == 8 and runs[0].settings.engine.threads == 1
    assert digests(runs[0].path) == digests(runs[1].path)


@pytest.mark.parametrize(
    ("cell", "layout"),
    in_tiers(
        (
            pytest.param(*case)
            for case in itertools.product(("vanilla", "gru", "mamba", "transformer"), ("lines", "stream"))
        ),
        lambda cell, layout: (cell, layout) in {("vanilla", "lines"), ("gru", "stream"), ("mamba", "lines")},
        ("slow", "release"),
    ),
)
def test_one_two_four_and_eight_workers_write_the_same_bytes(words, tmp_path, cell, layout):
    options = {"window": 8, **DIVIDED["options"]} if layout == "stream" else DIVIDED["options"]
    settings = {**DIVIDED, "options": options, "layout": layout, "batch_size": 12}
    found = [
        digests(seqgen.train(words, cell=cell, workers=workers, out=tmp_path / str(workers), **settings).path)
        for workers in (1, 2, 4, 8)
    ]
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"blend": "none", "condition": "label", "best_by": "copies"},
        {"blend": "ngram"},
        {"blend": "ngram", "condition": "label"},
    ],
    ids=str,
)
def test_frequent_evaluations_are_the_same_by_one_two_four_and_eight_workers(always, tmp_path, settings):
    options = {"eval_every": 5, "samples": 300}
    settings = {**DIVIDED, "steps": 20, "split": "40/50/10", "batch_size": 12, **settings, "options": options}
    found = [
        digests(seqgen.train("names", cell="gru", workers=workers, out=tmp_path / str(workers), **settings).path)
        for workers in (1, 2, 4, 8)
    ]
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["lines", "stream"])
def test_a_run_is_resumed_by_other_numbers_of_workers(words, tmp_path, layout):
    settings = {**DIVIDED, "steps": 40, "layout": layout, "options": {"eval_every": 6, "window": 8}}
    whole = seqgen.train(words, cell="gru", workers=1, out=tmp_path / "whole", **settings)
    cut = tmp_path / "cut"
    with pytest.raises(Interrupted):
        seqgen.train(words, cell="gru", workers=4, out=cut, listener=Stopper(9), **settings)
    with pytest.raises(Interrupted):
        seqgen.resume(cut, workers=2, listener=Stopper(20))
    seqgen.resume(cut, workers=1)
    assert digests(cut) == digests(whole.path)


@pytest.mark.slow
def test_torchrun_launches_a_run(words, tmp_path):
    one = seqgen.train(words, cell="gru", workers=1, out=tmp_path / "one", **DIVIDED)
    program = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "seqgen", "train"]
    options = "--cell gru --hidden 10 --embedding 5 --batch-size 8 --split 80/10/10 --steps 12 --dropout 0.3"
    command = [*program, "--corpus", str(words), *options.split(), "-o", "eval_every=6"]
    done = subprocess.run([*command, "--out", str(tmp_path / "two")], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "two") == digests(one.path)


@pytest.mark.slow
def test_a_model_that_counts_is_trained_by_the_first_process_alone(words, tmp_path):
    said: list[str] = []
    seqgen.train(words, model="ngram", workers=2, out=tmp_path / "one", warn=said.append)
    assert "a model that counts is trained by one process: the other workers have nothing to do" in said
    program = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "seqgen", "train"]
    command = [*program, "--corpus", str(words), "--model", "ngram", "--workers", "2", "--out", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "two") == digests(tmp_path / "one")


def _train(words, out, *more):
    options = "--cell gru --hidden 10 --embedding 5 --batch-size 8 --split 80/10/10 --dropout 0.3"
    command = [sys.executable, "-m", "seqgen", "train", "--corpus", str(words), *options.split(), "--out", str(out)]
    return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _children(process=None):
    """Return the processes that any thread of a process, or of this one, has started."""
    pid = os.getpid() if process is None else process.pid
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def _is_there(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_run_whose_processes_are_killed_is_resumed_to_the_same_bytes(words, tmp_path):
    long = ["--steps", "300", "-o", "eval_every=50", "-o", "save_every_s=0.2"]
    process = _train(words, tmp_path / "whole", *long, "--workers", "1")
    assert process.communicate(timeout=200) and process.returncode == 0
    draw, n_killed = random.Random(0), 0
    for round_ in range(int(os.environ.get("SEQGEN_KILLS", "3"))):
        cut = tmp_path / f"cut{round_}"
        process = _train(words, cut, *long, "--workers", "2")
        while not list(cut.glob("checkpoints/step-*")) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 1))
        workers = _children(process)
        victim = draw.choice([process.pid, *workers])
        os.kill(victim, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        n_killed += process.returncode != 0
        if victim != process.pid and process.returncode:
            assert process.returncode == WorkerLost.exit_code
            how = "has ended(: the worker process was killed by signal 9)?"
            lost = f"seqgen: worker 1 on {os.uname().nodename} {how}; continue with: seqgen resume"
            assert re.search(lost, said), said
        deadline = time.monotonic() + 20
        while any(map(_is_there, workers)):
            assert time.monotonic() < deadline, "a worker outlives its run"
            time.sleep(0.05)
        seqgen.resume(cut, workers=draw.choice([1, 2, 4]))
        assert digests(cut) == digests(tmp_path / "whole")
    assert n_killed


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_worker_that_hangs_ends_the_run_within_the_time(words, tmp_path):
    process = _train(words, tmp_path / "run", "--steps", "100000", "-o", "timeout_s=3", "--workers", "2")
    while not list((tmp_path / "run").glob("checkpoints/step-*")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    (worker,) = _children(process)
    os.kill(worker, signal.SIGSTOP)
    started = time.monotonic()
    try:
        _, said = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):  # the run has ended it
            os.kill(worker, signal.SIGKILL)
    assert process.returncode == WorkerLost.exit_code
    assert "did not answer within 3 s; continue with: seqgen resume" in said
    assert time.monotonic() - started < 40


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_lost_in_an_evaluation_ends_the_run(always, pairs, tmp_path, number):
    """The worker goes when the evaluation of step 6 begins; the run goes on from the checkpoint before it."""
    options = {"eval_every": 3, "samples": 70, "timeout_s": 10}
    settings = {**DIVIDED, "split": "50/50/0", "blend": "none", "options": options}
    whole = seqgen.train(pairs, cell="gru", workers=1, out=tmp_path / "whole", **settings)
    before = set(_children())
    lost: list[int] = []

    def listener(folder, event):
        if isinstance(event, Evaluating) and event.step == 6:
            lost.extend(set(_children()) - before)
            os.kill(lost[0], number)

    how = "did not answer within 10 s" if number == signal.SIGSTOP else "has ended"
    try:
        with pytest.raises(WorkerLost, match=f"worker 1 on {os.uname().nodename} {how}; continue with: seqgen resume"):
            seqgen.train(pairs, cell="gru", workers=2, out=tmp_path / "cut", listener=listener, **settings)
    finally:
        with contextlib.suppress(ProcessLookupError):  # the run has ended it
            os.kill(lost[0], signal.SIGKILL)
    assert [row["step"] for row in seqgen.load(tmp_path / "cut").metrics] == [3]
    assert digests(seqgen.resume(tmp_path / "cut", workers=1).path) == digests(whole.path)


@pytest.mark.slow
def test_a_worker_with_another_corpus_says_so(words, tmp_path):
    process = _train(words, tmp_path / "run", "--steps", "100000", "--workers", "2")
    while not (tmp_path / "run").exists():
        time.sleep(0.01)
    words.write_text("\n".join(WORDS))  # before the worker, which has to import torch, reads it
    _, said = process.communicate(timeout=60)
    assert process.returncode == WorkerLost.exit_code
    assert "worker 1 on" in said and "has failed: " in said and "continue with" in said
