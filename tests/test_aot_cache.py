"""Steps are compiled ahead of time into libraries on disk, which are used again without a compiler."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys

import pytest
import torch
from torch import nn

from conftest import registered
from over_time import assert_agree, results
from seqgen import Recurrent, StepCell
from seqgen.batches import Batch
from seqgen.cells import compile_steps, use_engine
from seqgen.engine import aot_cache, compiled_runner, onednn_linear
from seqgen.engine.codegen import Codegen
from seqgen.engine.ir import Name, Operation
from seqgen.engine.plan_runner import traced_step
from seqgen.evaluation import total_nats
from seqgen.files import SafePath
from seqgen.model import RecurrentModel
from seqgen.training.train_step import TrainStep

ENTRIES = {entry.spec.name: entry for entry in registered("cell")}
AGAIN = """
import sys
import torch
from test_aot_cache import learned
torch.set_num_threads(int(sys.argv[2]))
found = learned("ugrnn", 6)
assert "torch._dynamo" not in sys.modules and "torch._inductor.compile_fx" not in sys.modules
torch.save(found, sys.argv[1])
"""


def learned(name, hidden, dtype=torch.float32):
    """Return the results of a compiled cell for a batch, with all gradients."""
    torch.manual_seed(0)
    cell = ENTRIES[name].build({}, 5, hidden).to(dtype)
    x_BTI = torch.randn(4, 19, 5, dtype=dtype)
    expected = results(cell, "scan", x_BTI)
    compile_steps(nn.ModuleList([cell]))
    found = results(cell, "compiled", x_BTI)
    assert_agree(found, expected)
    return found


def check_compiled(make_cell, hidden):
    """Compare compiled steps with eager ones: whole chunks, and steps after them."""
    torch.manual_seed(0)
    cell, x_BTI = make_cell(5, hidden), torch.randn(4, 27, 5)
    expected = results(cell, "eager", x_BTI)
    results(cell, "scan", x_BTI)
    compile_steps(nn.ModuleList([cell]))
    assert traced_step(cell).compiled
    assert_agree(results(cell, "compiled", x_BTI), expected)


@pytest.fixture
def libraries(tmp_path, monkeypatch, compiler):
    """Return an empty folder of libraries; none is loaded."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(aot_cache, "_loaded", {})
    return tmp_path / "cache" / "ahead"


def made(libraries):
    """Return the time at which each library was written, by name."""
    return {path.name: (path / "steps.so").stat().st_mtime_ns for path in libraries.iterdir()}


def read(path):
    """Return the text of a file; "" without a file."""
    return path.read_text() if path.exists() else ""


@pytest.mark.slow
def test_a_library_is_compiled_once_and_used_without_a_compiler(libraries, tmp_path, monkeypatch):
    first = learned("ugrnn", 6)
    written = made(libraries)
    assert len(written) == 2 and not any(name.startswith(".") for name in written)
    learned("ugrnn", 6)
    assert made(libraries) == written
    env = os.environ | {"PATH": "", "CXX": "/nonexistent", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", AGAIN, str(tmp_path / "found.pt"), str(torch.get_num_threads())], env=env, check=True
    )
    again = torch.load(tmp_path / "found.pt")
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())
    assert made(libraries) == written
    damaged = libraries / sorted(written)[0] / "steps.so"
    half = damaged.read_bytes()[:5000]
    damaged.unlink()  # what this process has loaded of it stays
    damaged.write_bytes(half)
    monkeypatch.setattr(aot_cache, "_loaded", {})
    assert all(torch.equal(tensor, first[name]) for name, tensor in learned("ugrnn", 6).items())
    assert made(libraries).keys() == written.keys() and damaged.stat().st_size > 5000


@pytest.mark.slow
@pytest.mark.promise("R31")
def test_a_flipped_bit_in_a_cached_library_is_found(libraries, record_property):
    """With 100 flips over all files of a library, it is compiled again instead of loaded."""
    learned("ugrnn", 6)
    path = next(libraries.iterdir())
    kept, place = SafePath(libraries, (path.name,)), random.Random(0)
    assert aot_cache._load_valid(kept) is not None
    for number in range(100):
        file = sorted(path.iterdir())[number % len(list(path.iterdir()))]
        whole = file.read_bytes()
        damaged = bytearray(whole)
        damaged[place.randrange(len(whole))] ^= 1 << place.randrange(8)
        file.unlink()  # what this process has loaded of it stays
        file.write_bytes(damaged)
        assert aot_cache._load_valid(kept) is None, file
        file.unlink()
        file.write_bytes(whole)
    record_property("cases", 100)


@pytest.mark.slow
def test_another_process_may_write_the_same_library_at_the_same_time(libraries, tmp_path, monkeypatch):
    learned("ugrnn", 6)
    theirs = libraries.rename(tmp_path / "theirs")
    monkeypatch.setattr(aot_cache, "_loaded", {})

    def second(folder, files):
        shutil.copytree(theirs / folder.name, folder.path)
        write_folder_atomic(folder, files)

    write_folder_atomic = aot_cache.write_folder_atomic
    monkeypatch.setattr(aot_cache, "write_folder_atomic", second)
    learned("ugrnn", 6)
    assert made(libraries) == made(theirs)


@pytest.mark.slow
def test_each_direction_is_compiled_once(libraries):
    """For all callers: the verification, autograd, and the manual backward pass."""
    torch.manual_seed(0)
    model = RecurrentModel(9, lambda i, h: ENTRIES["ugrnn"].build({}, i, h), hidden=8, layers=2, embedding=8)
    use_engine(model, "compiled")
    train_step = TrainStep(model, torch.zeros(9), weight_decay=0.0, clip_norm=0.0, precision="float32")
    ids_BT = torch.randint(3, 9, (4, 17))
    batch = Batch(ids_BT[:, :-1], ids_BT[:, 1:], None, 64, 64, 4)
    train_step.run(1, 0.1, batch)
    compile_steps(model)
    written = made(libraries)
    train_step.run(2, 0.1, batch)
    total_nats(model, batch, torch.zeros(9)).backward()
    assert len(written) == 2 and made(libraries) == written  # the layers share them


class Strewn(StepCell):
    """A cell whose states are slices of a larger tensor, and initially one expanded row."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = Recurrent(2 * hidden_size, 2 * hidden_size)
        self.first = nn.Parameter(torch.linspace(-1, 1, hidden_size))

    def initial_state(self, batch_size):
        first_BH = self.first.expand(batch_size, -1)
        return first_BH, first_BH

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, state):
        h_BH, c_BH = torch.tanh(p_BP + self.recurrent(torch.cat(state, 1))).chunk(2, 1)
        return h_BH * c_BH, (h_BH, c_BH)


@pytest.mark.slow
def test_values_between_chunks_may_have_any_strides(libraries, monkeypatch):
    """A library does not look at strides."""
    monkeypatch.setenv("AOTI_RUNTIME_CHECK_INPUTS", "1")
    check_compiled(Strewn, 6)


@pytest.mark.slow
@pytest.mark.parametrize("lowered", [True, False])
def test_wide_matrices_are_packed_in_compiled_steps_too(libraries, monkeypatch, lowered):
    """With and without a lowering for torch's compiler."""
    if not onednn_linear.is_available():
        pytest.skip("torch has no such layout here")
    if not lowered:
        from torch._inductor import lowering

        monkeypatch.setattr(aot_cache, "register_lowering", lambda: None)
        monkeypatch.delitem(lowering.lowerings, onednn_linear.packed_operation(), raising=False)
    packed = []
    pack = onednn_linear.pack
    monkeypatch.setattr(compiled_runner, "pack", lambda matrix, n_rows: packed.append(n_rows) or pack(matrix, n_rows))
    learned("ugrnn", 260)
    assert set(packed) == {4}
    calls = [path.name for path in libraries.iterdir() if "packed_linear" in read(path / "steps.json")]
    assert len(calls) == (0 if lowered else 2)


class Chained(StepCell):
    """A cell in which the result of one product is the state, and the argument of the next product."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.inner = Recurrent(hidden_size, hidden_size, bias=False)
        self.outer = Recurrent(hidden_size, hidden_size, bias=False)

    def initial_state(self, batch_size):
        return self.zeros(batch_size) + 1

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, state):
        z_BH = self.inner(state)
        return torch.tanh(p_BP + self.outer(z_BH)), z_BH


@pytest.mark.slow
def test_results_of_wide_products_are_saved_without_a_copy(libraries):
    check_compiled(Chained, 370)


@pytest.mark.slow
def test_without_libraries_chunks_are_compiled_when_called(compiler, monkeypatch):
    """As on a GPU; tested on the CPU."""
    monkeypatch.setattr(compiled_runner, "has_library_runner", lambda: False)
    monkeypatch.setattr(compiled_runner, "_jit_compiled", {})
    learned("gru", 6)
    assert len(compiled_runner._jit_compiled) == 2


def test_the_path_of_a_library_depends_on_all_it_does_and_all_it_is_for():
    """Values that are not literals, dtypes, shapes and threads tell libraries apart."""
    texts = []
    for limit in (1.0, float("inf"), float("-inf")):
        source = Codegen("def loop(p):", {})
        source.write_plain(1, [Operation(torch.ops.aten.clamp.default, (Name("p"), limit), {}, ("v1",), False)])
        texts.append(source.text())
    assert len(set(texts)) == 3
    named = aot_cache.library_path
    paths = {named(text, [torch.ones(2, 3)]) for text in texts}
    paths |= {
        named(texts[0], [torch.ones(3, 2)]),
        named(texts[0], [torch.ones(3, 2).t()]),
    }
    paths.add(named(texts[0], [torch.ones(2, 3, dtype=torch.float64)]))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        paths.add(named(texts[0], [torch.ones(2, 3)]))
    finally:
        torch.set_num_threads(threads)
    assert len(paths) == 7 and named(texts[0], [torch.zeros(2, 3)]) in paths
