"""R15: a run folder cannot exhaust memory or time, and readers fail in one way only."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_hostile_runs import MANIFEST, MODEL, RUN, STATE, TOKENIZER, TRAIN, fit, place

import seqgen
from conftest import one_in
from seqgen.checkpoint import RunFolder, read_verified, unpack
from seqgen.errors import SeqgenError
from seqgen.files import dump_json

MAX_S, MAX_MB = 2.0, 270


def tensors(header: bytes, n_data: int = 0) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(n_data)


def many_tensors() -> bytes:
    entry = '"t%07d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    return tensors(("{" + ",".join(entry % number for number in range(1_000_000)) + "}").encode())


def shaped(*shape: int, dtype: str = "F32", n_data: int = 8) -> bytes:
    header = {"w": {"dtype": dtype, "shape": list(shape), "data_offsets": [0, n_data]}}
    return tensors(json.dumps(header).encode(), n_data)


def symbols(symbol: bytes, n: int) -> bytes:
    return b'{"conditions":[],"data":{"symbols":[' + (symbol + b",") * n + symbol + b"]}}"


def with_settings(run: RunFolder, part: str, **options: object) -> bytes:
    value = json.loads((run.path / RUN).read_bytes())
    (value[part]["options"] if part else value).update(options)
    return dump_json(value)


BOMBS = {
    "header of 200 MB claimed": (MODEL, lambda run: struct.pack("<Q", 200_000_000) + b"{}"),
    "header of 2^63 bytes claimed": (TRAIN, lambda run: struct.pack("<Q", 2**63) + b"{}"),
    "a million tensors": (MODEL, lambda run: many_tensors()),
    "shape beyond 2^64": (MODEL, lambda run: shaped(2**33, 2**33)),
    "shape of 2^64": (MODEL, lambda run: shaped(2**32, 2**32, n_data=0)),
    "shape below zero": (MODEL, lambda run: tensors(b'{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}', 8)),
    "more tensor than data": (TRAIN, lambda run: shaped(10**9)),
    "nested header": (MODEL, lambda run: tensors(b"[" * 100_000)),
    "nested state": (STATE, lambda run: b"[" * 100_000),
    "nested manifest": (MANIFEST, lambda run: b'{"a":' * 100_000),
    "nested run.json": (RUN, lambda run: b"[" * 100_000),
    "nested tokenizer.json": (TOKENIZER, lambda run: b'{"data":' * 100_000),
    "ten million symbols": (TOKENIZER, lambda run: symbols(b'"a"', 10**7)),
    "as many lists as may be": (TOKENIZER, lambda run: symbols(b"[]", 2_790_000)),
    "as many symbols as may be": (TOKENIZER, lambda run: symbols(b'"ab"', 1_600_000)),
    "a number of a million digits": (RUN, lambda run: b'{"format_version":' + b"9" * 10**6 + b"}"),
    "hidden size of 10^9": (RUN, lambda run: with_settings(run, "model", hidden=10**9)),
    "hidden size of 65,536": (RUN, lambda run: with_settings(run, "model", hidden=65_536)),
    "256 layers of 65,536": (RUN, lambda run: with_settings(run, "model", hidden=65_536, layers=256)),
    "embedding of 65,536": (RUN, lambda run: with_settings(run, "model", embedding=65_536)),
    "ten million symbols in run.json": (RUN, lambda run: with_settings(run, "", n_symbols=10_000_000)),
    "a billion threads": (RUN, lambda run: with_settings(run, "", engine={"threads": 10**9})),
    "manifest of 50 MB": (MANIFEST, lambda run: b" " * 50_000_000 + b"{}"),
    "step of a million digits": (STATE, lambda run: b'{"step":' + b"9" * 10**6 + b"}"),
}


@pytest.fixture
def run(tiny_run, in_memory):
    run = RunFolder(shutil.copytree(tiny_run.path, in_memory / "run"))
    for step in run.steps()[:-1]:
        shutil.rmtree(run.checkpoint(step))
    return run


@pytest.mark.full
@pytest.mark.promise("R15")
def test_a_bomb_is_refused_soon_and_small(run, in_memory, record_property):
    """Headers, shapes, nesting, symbols, sizes beyond reason: exit 4 in 2 s, 270 MB beside torch."""
    folders = []
    for number, (name, content) in enumerate(BOMBS.values()):
        bomb = RunFolder(shutil.copytree(run.path, in_memory / f"bomb-{number}"))
        place(bomb, name).write_bytes(content(bomb))
        if name != MANIFEST:
            fit(bomb)
        folders.append(bomb.path)
    script = Path(__file__).parent.parent / "refusing.py"
    command = [sys.executable, str(script), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for name, result in zip(BOMBS, found, strict=True):
        assert result["code"] == 4 and len(result["line"]) < 600 and "\n" not in result["line"], (name, result)
        assert result["processor_s"] < MAX_S, (name, result)
        assert result["more_mb"] < MAX_MB, (name, result)
    record_property("cases", len(BOMBS))


def test_a_run_without_a_checkpoint_is_held_to_its_own_count(run):
    """Without tensors to compare with, the model must have as many parameters as run.json says."""
    shutil.rmtree(run.path / "checkpoints")
    (run.path / RUN).write_bytes(with_settings(run, "model", hidden=65_536))
    with pytest.raises(seqgen.CheckpointError, match="parameters"):
        seqgen.resume(run.path)


# -- fuzzing: whatever the bytes are, only our own errors come out

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def mutated(draw, value):
    """A JSON value of which one part, at any depth, is another, is gone, or has come."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    copied = value.copy()
    key = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    way = draw(st.sampled_from(("deeper", "deeper", "gone", "new")))
    if way == "deeper":
        copied[key] = draw(mutated(value[key]))
    elif way == "gone":
        del copied[key]
    elif isinstance(copied, dict):
        copied[draw(st.text(max_size=8))] = draw(JSON)
    else:
        copied.append(draw(JSON))
    return copied


def sample_or_refuse(path: Path) -> None:
    try:
        seqgen.load(path).sample(1, max_length=20)
    except SeqgenError as error:
        assert "\n" not in str(error).strip(), str(error)


@pytest.mark.promise("R15")
@pytest.mark.parametrize("name", one_in(4, [RUN, TOKENIZER, STATE, MANIFEST]))
def test_json_of_any_form_is_read_or_refused(name, run, record_property):
    """Structure-aware mutations of run.json, tokenizer.json, state.json and the manifest, checksums made to fit."""
    path, value = place(run, name), json.loads(place(run, name).read_bytes())
    n_examples = 40

    @settings(max_examples=n_examples)
    @given(st.data())
    def check(data):
        path.write_bytes(json.dumps(data.draw(mutated(value))).encode("utf-8", "surrogatepass"))
        if name != MANIFEST:
            fit(run)
        sample_or_refuse(run.path)

    check()
    record_property("cases", n_examples)


@pytest.mark.promise("R15")
def test_tensor_files_of_any_bytes_are_read_or_refused(run, record_property):
    """Tensor files whose header is mutated by structure or whose bytes are changed, and bytes of no form at all."""
    folder = run.checkpoint(run.steps()[-1])
    files = read_verified(folder)
    n_header = int.from_bytes(files[MODEL][:8], "little")
    header, data = json.loads(files[MODEL][8 : 8 + n_header]), files[MODEL][8 + n_header :]
    n_examples = 150

    @settings(max_examples=n_examples)
    @given(st.data())
    def check(given_):
        way = given_.draw(st.sampled_from(("header", "header", "bytes", "nothing")))
        if way == "header":
            text = json.dumps(given_.draw(mutated(header))).encode("utf-8", "surrogatepass")
            content = struct.pack("<Q", len(text)) + text + data
        elif way == "bytes":
            changed = bytearray(files[MODEL])
            for _ in range(given_.draw(st.integers(1, 4))):
                changed[given_.draw(st.integers(0, n_header + 8))] = given_.draw(st.integers(0, 255))
            content = bytes(changed)
        else:
            content = given_.draw(st.binary(max_size=100))
        try:
            unpack({**files, MODEL: content}, folder)
        except SeqgenError as error:
            assert "\n" not in str(error)
            return
        (folder / MODEL).write_bytes(content)
        fit(run)
        sample_or_refuse(run.path)

    check()
    record_property("cases", n_examples)
