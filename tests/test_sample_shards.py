"""Ranges of rows, and files of many rows that workers sample in shards."""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from conftest import WORDS, one_in
from seqgen.cli import sample_files, shard_job
from seqgen.config import parse_range
from seqgen.files import FolderLock

SETTINGS = {
    "plain": {},
    "greedy": {"temperature": 0},
    "cooler": {"temperature": 0.7, "top_k": 9},
    "constraint": {"contains": ("an",)},
    "template": {"template": "m*a"},
    "exact": {"contains": ("a",), "exact": True},
    "new": {"novel": True, "valid": False},
}


@pytest.mark.full
@pytest.mark.parametrize("name", SETTINGS)
def test_ranges_join_to_the_rows_of_one_call(name, tiny_run):
    whole = tiny_run.sample(rows=(0, 700), **SETTINGS[name])
    spans = ((0, 33), (33, 500), (500, 500), (500, 700))
    parts = [row for span in spans for row in tiny_run.sample(rows=span, **SETTINGS[name])]
    assert parts == whole and [row.number for row in whole] == sorted({row.number for row in whole})
    n = len(whole)
    assert n > 20 and tiny_run.sample(n, **SETTINGS[name]) == whole


@pytest.mark.full
@settings(max_examples=15, deadline=None)
@given(bounds=st.lists(st.integers(0, 400), min_size=1, max_size=4).map(sorted))
def test_any_boundaries(tiny_run, bounds):
    spans = itertools.pairwise([0, *bounds, 400])
    rows = [row for span in spans for row in tiny_run.describe(tiny_run.sample(rows=span, contains="a"))]
    assert rows == tiny_run.describe(tiny_run.sample(rows=(0, 400), contains="a"))


@pytest.mark.parametrize(("text", "span"), [("0:1e6", (0, 10**6)), ("50k:1.5m", (50_000, 1_500_000)), ("3:3", (3, 3))])
def test_ranges_are_numbers_of_any_spelling(text, span):
    assert parse_range(text) == span


@pytest.mark.parametrize("text", ["5", "1:2:3", "a:b", "0.5:2", ":", "-1:3", "9:3"])
def test_what_is_no_range_is_refused(text, cli, tiny_run):
    result = cli("sample", tiny_run.path, "--rows", text)
    assert result.code == 2 and "is not a range of rows" in result.err, result.err


def test_rows_of_a_beam_have_no_range(tiny_run):
    with pytest.raises(seqgen.UsageError, match="drop --rows"):
        tiny_run.sample(rows=(0, 5), decode="beam")


# -- files


@pytest.fixture
def small(monkeypatch):
    """Shards of few rows."""
    monkeypatch.setattr(shard_job, "_MOST", 100)
    monkeypatch.setattr(shard_job, "_LEAST", 100)


def sampled(cli, run, path, *arguments):
    result = cli("sample", run.path, "--out", path, *arguments)
    assert result.code == 0, result.err
    assert not path.with_name(path.name + ".shards").exists()
    return path.read_bytes()


ASKED = {
    "plain": ("-n", 450),
    "unique": ("-n", 300, "--unique"),
    "new": ("-n", 200, "--novel", "--unique"),
    "constraint": ("-n", 150, "--contains", "an"),
    "greedy": ("-n", 120, "-t", 0),
    "exact": ("-n", 90, "--contains", "an", "--exact"),
    "range": ("--rows", "40:333", "--contains", "a"),
    "none": ("-n", 0),
}


@pytest.mark.full
@pytest.mark.parametrize("ending", ["txt", "jsonl", "csv", "tsv", "json"])
@pytest.mark.parametrize("name", ASKED)
def test_shards_join_to_the_file_of_one_process(name, ending, cli, tiny_run, tmp_path, small, monkeypatch):
    path = tmp_path / f"whole.{ending}"
    with monkeypatch.context() as whole:
        if name == "range":
            whole.setattr(shard_job, "_LEAST", 10**6)
        else:
            whole.setattr("seqgen.cli.sample_shards.MANY", 10**9)
        expected = sampled(cli, tiny_run, path, *ASKED[name])
    assert sampled(cli, tiny_run, tmp_path / f"shards.{ending}", *ASKED[name], "--workers", 1) == expected


@pytest.mark.full
@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("ending", ["txt", "jsonl", "csv"])
def test_workers_write_the_file_of_one_process(workers, ending, cli, tiny_run, tmp_path, small):
    asked = ("-n", 350, "--unique", "--contains", "a")
    expected = sampled(cli, tiny_run, tmp_path / f"one.{ending}", *asked)
    assert sampled(cli, tiny_run, tmp_path / f"many.{ending}", *asked, "--workers", workers) == expected


def test_all_candidates_of_a_range_count_as_tried(cli, tiny_run):
    result = cli("sample", tiny_run.path, "--rows", "10:40", "--length", "3-6", "--exact")
    n_kept = len(result.out.splitlines())
    assert result.code == 0 and 0 < n_kept < 30 and f"kept {n_kept} of 30 sampled rows" in result.err


def test_a_range_and_a_number_of_rows_are_not_given_together(cli, tiny_run):
    result = cli("sample", tiny_run.path, "--rows", "10:40", "-n", 3)
    assert result.code == 2 and "--rows says which rows are tried, and -n how many are kept" in result.err


THREADS = """
import os, pathlib
import seqgen, torch

def note():
    def step(logits_BV, ids_BT):
        (pathlib.Path(os.environ["NOTES"]) / f"{os.getpid()}-{torch.get_num_threads()}").touch()
        return logits_BV
    return step

@seqgen.hookimpl
def register_processors(register):
    register(seqgen.ProcessorSpec(name="note", summary="s", load=note))
"""


@pytest.mark.full
def test_a_worker_computes_with_its_share_of_the_threads(words, tmp_path, monkeypatch):
    """Whatever the run was trained with; in the process of the command, rows are sampled with as many as that."""
    plugin = tmp_path / "notes.py"
    plugin.write_text(THREADS)
    run = seqgen.train(words, cell="vanilla", hidden=8, steps=5, options={"threads": 3}, out=tmp_path / "run")
    for number, (flags, n_threads) in enumerate(
        [
            (["--workers", "1"], 3),
            (["--workers", "1", "-o", "executor.threads=1"], 1),
            (["--workers", "2", "-o", "executor.threads=2"], 2),
        ]
    ):
        (notes := tmp_path / str(number)).mkdir()
        monkeypatch.setenv("NOTES", str(notes))
        command = ["sample", str(run.path), "--plugin", str(plugin), "--processor", "note", "-n", "20"]
        subprocess.run(
            [sys.executable, "-m", "seqgen", *command, "--out", str(tmp_path / f"{number}.txt"), *flags], check=True
        )
        assert {path.name.partition("-")[2] for path in notes.iterdir()} == {str(n_threads)}, flags


def test_parquet_has_the_rows_of_json_lines(cli, tiny_run, tmp_path, small):
    pq = pytest.importorskip("pyarrow.parquet")
    for name, arguments in (("one", ()), ("shards", ("--workers", 1))):
        sampled(cli, tiny_run, tmp_path / f"{name}.parquet", "-n", 250, *arguments)
    lines = sampled(cli, tiny_run, tmp_path / "rows.jsonl", "-n", 250).splitlines()
    table = pq.read_table(tmp_path / "shards.parquet")
    assert table.equals(pq.read_table(tmp_path / "one.parquet"))
    assert table.to_pylist() == [json.loads(line) for line in lines]


def test_half_of_a_character_is_replaced_in_parquet():
    pq = pytest.importorskip("pyarrow.parquet")
    rows = [{"row": 0, "text": "a\ud800b\U0001f600", "cut": False}]
    table = pq.read_table(io.BytesIO(b"".join(sample_files.parquet(rows))))
    assert table.to_pylist() == [{"row": 0, "text": "a\ufffdb\U0001f600", "cut": False}]


def test_too_few_rows_are_written_and_reported(cli, tiny_run, tmp_path, small):
    arguments = ("-n", 500, "--unique", "-t", 0, "--effort", 300)
    one = cli("sample", tiny_run.path, "--out", tmp_path / "one.txt", *arguments)
    many = cli("sample", tiny_run.path, "--out", tmp_path / "many.txt", *arguments, "--workers", 1)
    assert one.code == many.code == 8 and "only 1 among 300 sampled" in many.err
    assert (tmp_path / "one.txt").read_bytes() == (tmp_path / "many.txt").read_bytes()


@pytest.mark.parametrize("effort", [60, *(pytest.param(n, marks=pytest.mark.full) for n in (150, 5000))])
def test_effort_counts_rows_that_satisfy_the_constraint_with_workers_too(cli, tiny_run, tmp_path, small, effort):
    arguments = ("-n", 100, "--unique", "--length", "3-4", "--contains", "a", "--effort", effort)
    one = cli("sample", tiny_run.path, "--out", tmp_path / "one.txt", *arguments)
    many = cli("sample", tiny_run.path, "--out", tmp_path / "many.txt", *arguments, "--workers", 1)
    assert one.code == many.code == (8 if effort == 60 else 0 if effort == 5000 else one.code)
    assert one.code == 0 or f"among {effort:,} sampled" in many.err
    assert (tmp_path / "one.txt").read_bytes() == (tmp_path / "many.txt").read_bytes()


def test_a_folder_that_holds_something_else_is_left_alone(cli, tiny_run, tmp_path):
    folder = tmp_path / "rows.txt.shards"
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    for more in ((), ("--force",)):
        result = cli("sample", tiny_run.path, "-n", 20, "--workers", 1, "--out", tmp_path / "rows.txt", *more)
        assert result.code == 2 and "holds 'mine.txt', which is no shard; pass another --out" in result.err
    assert (folder / "mine.txt").read_text() == "precious" and not (tmp_path / "rows.txt").exists()


def test_shards_need_a_file(cli, tiny_run):
    for arguments in (("--workers", 2), ("--on", "local", "-o", "executor.threads=1")):
        result = cli("sample", tiny_run.path, *arguments)
        assert result.code == 2 and "need --out FILE" in result.err
    result = cli("sample", tiny_run.path, "--workers", 2, "--out", "x.txt", "-o", "executor.nodes=1")
    assert result.code == 2 and "nodes" in result.err


def test_finished_shards_are_used_again_and_damaged_ones_are_not(cli, tiny_run, tmp_path, small, monkeypatch):
    path, asked = tmp_path / "rows.jsonl", ("-n", 450)
    expected = sampled(cli, tiny_run, tmp_path / "whole.jsonl", *asked)
    sample_shard, calls = shard_job.sample_shard, []

    def counted(**arguments):
        calls.append(tuple(arguments["settings"]["rows"]))
        if len(calls) == 4:
            raise seqgen.DiskError("cannot write: no space")
        return sample_shard(**arguments)

    monkeypatch.setattr(shard_job, "sample_shard", counted)
    result = cli("sample", tiny_run.path, *asked, "--out", path, "--workers", 1)
    folder = tmp_path / "rows.jsonl.shards"
    assert result.code == 7 and not path.exists()
    shards = ["0-100.json", "100-200.json", "200-300.json"]
    assert sorted(file.name for file in folder.iterdir()) == [".lock", *shards, "job.json"]
    other = cli("sample", tiny_run.path, "-n", 451, "--out", path, "--workers", 1)
    assert other.code == 2 and "shards of other settings" in other.err
    damaged = folder / "100-200.json"
    damaged.write_bytes(damaged.read_bytes().replace(b'"numbers"', b'"numbres"'))
    again = cli("sample", tiny_run.path, *asked, "--out", path, "--workers", 1)
    assert again.err.count(f"resuming {str(path)!r}: 300 of 450 rows are there\n") == 1, again.err
    assert path.read_bytes() == expected and not folder.exists()
    assert calls[4:] == [(100, 200), (300, 400), (400, 450)]


@pytest.mark.parametrize("first", ["temperature", "guidance", "run"])
def test_shards_of_another_command_or_run_are_refused(first, cli, tmp_path, small, monkeypatch):
    """A temperature of 0 is one, although 0 equals False; and a run may be trained anew in its folder."""
    labels = tmp_path / "labels.csv"
    labels.write_text("text,label\n" + "".join(f"{word},{len(word)}\n" for word in WORDS))
    wanted = {"condition": ["label"], "cell": "vanilla", "hidden": 8, "steps": 5, "blend": "none"}
    run = seqgen.train(labels, out=tmp_path / "run", **wanted)
    path, sample_shard = tmp_path / "rows.txt", shard_job.sample_shard
    command = ("sample", run.path, "-n", 250, "--label", "5", "--out", path, "--workers", 1)

    def full(**arguments):
        if arguments["settings"]["rows"][0]:
            raise seqgen.DiskError("cannot write: no space")
        return sample_shard(**arguments)

    with monkeypatch.context() as patched:
        patched.setattr(shard_job, "sample_shard", full)
        assert cli(*command, *((f"--{first}", 0) if first != "run" else ())).code == 7
    if first == "run":
        shutil.rmtree(run.path)
        seqgen.train(labels, out=run.path, seed=1, **wanted)
    other = cli(*command)
    assert other.code == 2 and "shards of other settings" in other.err


@pytest.mark.full
@pytest.mark.parametrize(
    ("asked", "there"),
    [
        (("-n", 450), "300 of 450 rows are there"),
        (("--rows", "100:450"), "200 of 350 rows are there"),
        (("-n", 450, "--contains", "a"), "300 rows tried are there"),
        (("-n", 450, "--novel"), "300 rows tried are there"),
    ],
)
def test_the_rows_that_are_there_are_reported(asked, there, cli, tiny_run, tmp_path, small, monkeypatch):
    sample_shard = shard_job.sample_shard

    def full(**arguments):
        if arguments["settings"]["rows"][0] == 300:
            raise seqgen.DiskError("cannot write: no space")
        return sample_shard(**arguments)

    path = tmp_path / "rows.txt"
    command = ("sample", tiny_run.path, *asked, "--out", path, "--workers", 1)
    with monkeypatch.context() as patched:
        patched.setattr(shard_job, "sample_shard", full)
        first = cli(*command)
    assert first.code == 7 and "resuming" not in first.err
    again = cli(*command)
    assert again.code == 0 and again.err.count(f"resuming {str(path)!r}: {there}\n") == 1, again.err


@pytest.mark.parametrize("more", one_in(3, [(), ("--force",), ("--seed", 2, "--force")]))
def test_a_file_that_another_process_writes_is_left_to_it(more, cli, tiny_run, tmp_path, small):
    path = tmp_path / "rows.txt"
    folder = tmp_path / "rows.txt.shards"
    folder.mkdir()
    command = ("sample", tiny_run.path, "-n", 450, "--out", path, "--workers", 1, *more)
    lock = FolderLock(folder)
    refused = cli(*command)
    assert refused.code == 2 and refused.err.startswith(f"seqgen: {str(path)!r} is being written by process "), refused
    assert refused.err.count("\n") == 1 and not path.exists() and [file.name for file in folder.iterdir()] == [".lock"]
    lock.release()
    assert cli(*command).code == 0 and path.exists() and not folder.exists()


def wait_until(condition, limit_s=60):
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_a_killed_command_goes_on(number, cli, tiny_run, tmp_path):
    """One of its workers was killed before, which changed nothing."""
    asked = ("-n", 600_000)
    expected = sampled(cli, tiny_run, tmp_path / "whole.txt", *asked)
    path = tmp_path / "rows.txt"
    folder = tmp_path / "rows.txt.shards"
    command = [
        sys.executable,
        "-m",
        "seqgen",
        "sample",
        tiny_run.path,
        *map(str, asked),
        "--out",
        path,
        "--workers",
        "2",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        wait_until(lambda: folder.exists() and len(list(folder.glob("*-*.json"))) >= 2)
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
        os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
        wait_until(lambda: len(list(folder.glob("*-*.json"))) >= 4)
        process.send_signal(number)
        started = time.monotonic()
        process.wait(10)
        assert time.monotonic() - started < 2 and not path.exists()
    kept = {file: file.stat().st_mtime_ns for file in folder.glob("*-*.json")}
    assert len(kept) >= 4
    assert sampled(cli, tiny_run, path, *asked, "--workers", "2") == expected


@pytest.mark.full
def test_warnings_of_the_run_are_shown_of_shards_too(cli, in_tmp):
    (in_tmp / "a.csv").write_text("text,label\n" + "".join(f"a{n}na,x\n" for n in range(60)))
    (in_tmp / "v.csv").write_text("text,label\n" + "".join(f"a{n}nb,y\n" for n in range(20)))
    given = {"cell": "vanilla", "hidden": 8, "steps": 2, "condition": "label", "valid": "v.csv", "out": "run"}
    seqgen.train("a.csv", **given, warn=lambda line: None)
    line = "no training record has the label 'y'"
    assert line in cli("sample", "run", "-n", 2, "--label", "y").err
    for more in (("--workers", 2), ("-o", "executor.threads=1")):
        result = cli("sample", "run", "-n", 40, "--label", "y", *more, "--out", f"{len(more)}{more[-1]}.txt")
        assert result.code == 0 and result.err.count(line) == 1, result.err
