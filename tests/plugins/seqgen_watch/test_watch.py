"""``seqgen watch``: runs, benches and studies as their files show them, while other processes write them."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import seqgen
from conftest import WORDS, finish, run_seqgen
from seqgen.testing.exercise import printed
from seqgen_watch.files import parse_lines
from seqgen_watch.groups import WatchedGroup
from seqgen_watch.run import RunView, WatchedRun, max_steps
from seqgen_watch.view import frame


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run that is blended with counts."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "words.txt").write_text("\n".join(WORDS * 3) + "\n", encoding="utf-8")
    return seqgen.train(
        folder / "words.txt", cell="vanilla", hidden=12, batch_size=16, steps=60, split="60/40/0", blend="ngram",
        options={"eval_every": 20, "best_by": "loss", "patience": 0}, out=folder / "run",
    )  # fmt: skip


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(trained.path, tmp_path / "names-001"))


def hold(folder: Path, pid: int | None = None, host: str | None = None, since: float | None = None) -> None:
    """Write the line of a process that holds a folder."""
    import socket

    taken = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
    name = socket.gethostname() if host is None else host
    (folder / ".lock").write_text(f"process {os.getpid() if pid is None else pid} on {name} since {taken}\n")


def unfinished(folder: Path) -> None:
    """Let a finished run look as one that has not ended."""
    for path in folder.glob("checkpoints/*/state.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"ended": ""}))


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


# -- a run


def test_a_frame_has_curves_state_and_samples(cli, run, trained):
    result = cli("watch", run, "--once")
    assert result.code == 0 and result.err == ""
    best = min(row["valid_bits_per_char"] for row in trained.metrics)
    (sample,) = [row["text"] for row in trained.folder.samples.rows() if row["step"] == 60][:1]
    for shown in ("names-001  ended: steps", "vanilla,", "100%  step 60 of 60", f"best {best:.3f}", "┄", sample):
        assert shown in result.out, shown
    assert f"counting {trained.metrics[-1]['valid_counts_bits_per_char']:.3f}" in result.out
    assert any(0x2800 < ord(letter) <= 0x28FF for letter in result.out)


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(run, width):
    from io import StringIO

    from rich.console import Console

    from seqgen_watch.view import frame

    unfinished(run)
    hold(run)
    views = [WatchedRun(run).look(), WatchedRun(run).look()]
    for some in (views[:1], views):
        text = StringIO()
        Console(file=text, width=width, force_terminal=True, color_system=None).print(frame(some, 24))
        lines = text.getvalue().splitlines()
        assert max(map(cell_len, lines)) <= width and len(lines) <= 24


def test_the_counting_line_is_that_of_the_counts_alone(trained):
    from seqgen import measure

    data = measure.read_corpus(trained)
    known = [row["valid_counts_bits_per_char"] for row in trained.metrics]
    assert known == pytest.approx(known[:1] * 3)  # the counts do not learn
    kneser_ney = [bits for name, bits in measure.count_bits_per_char(data, "valid").items() if "Kneser" in name]
    assert known[0] == pytest.approx(min(kneser_ney), rel=0.15)  # which chooses its order otherwise


def test_states(run):
    watched = WatchedRun(run)
    assert watched.look().state == "ended: steps" and not watched.look().runs
    unfinished(run)
    os.utime(run / "checkpoints")  # the stamp by which a new checkpoint is seen
    assert WatchedRun(run).look().state == "stopped; can be resumed"
    for pid, since, state in (
        (os.getpid(), None, "running"),
        (dead_process(), None, "killed; can be resumed"),
        (os.getpid(), 1e9, "killed; can be resumed"),  # a later process of the same number
    ):
        hold(run, pid, since=since)
        assert WatchedRun(run).look().state == state
    hold(run, host="elsewhere")
    assert WatchedRun(run).look().state == "running on elsewhere"
    for path in [run / ".lock", *run.rglob("*.json*")]:
        os.utime(path, (1e9, 1e9))
    hold(run, host="elsewhere", since=1e9)
    assert WatchedRun(run).look().state == "no sign of life from elsewhere"


def test_progress_is_estimated_between_checkpoints(run):
    unfinished(run)
    settings = json.loads((run / "run.json").read_text())
    settings["train"]["steps"] = 600
    (run / "run.json").write_text(json.dumps(settings))
    for path in run.glob("checkpoints/*/state.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"elapsed_s": 6.0}))
        os.utime(path, (time.time() - 4, time.time() - 4))
    older = os.getpid() if sys.platform == "win32" else 1  # this process may have begun later than that
    hold(run, older, since=time.time() - 10)
    view = WatchedRun(run).look()  # ten steps a second, the last checkpoint at step 60 four seconds ago
    assert view.is_estimate and 95 <= view.step <= 120 and view.max_steps == 600
    assert view.left_s == pytest.approx(50, abs=3) and view.steps_per_s == 10


@pytest.mark.parametrize(
    ("train", "corpus", "refit", "expected"),
    [
        ({"steps": 50}, {}, None, 50),
        ({"epochs": 2.5, "batch_size": 4}, {"parts": {"train": 10}}, None, 8),
        ({"steps": 7, "epochs": 2, "batch_size": 4}, {"parts": {"train": 10}}, None, 6),
        ({"steps": 90}, {}, {"steps": 40}, 40),
        ({"time_s": 60.0}, {}, None, None),
        ({"epochs": 0.07, "batch_size": 1}, {"parts": {"train": 100}}, None, 7),  # times 100 a little more than 7
        ({"epochs": 1, "batch_size": 4, "window": 10}, {"layout": "stream", "parts": {"train": 1000}}, None, 24),
    ],
)
def test_the_last_step(train, corpus, refit, expected):
    assert max_steps({"train": train, "corpus": corpus, "refit": refit}) == expected


def test_a_log_that_is_being_written(run):
    watched = WatchedRun(run)
    before = watched.look()
    with (run / "metrics.jsonl").open("ab") as log:
        log.write(b'{"step": 80, "valid_bits_')
    assert watched.look().metrics == before.metrics
    with (run / "metrics.jsonl").open("ab") as log:
        log.write(b'per_char": 1.5}\n')
    assert watched.look().last("valid_bits_per_char") == 1.5


@given(data=st.binary(max_size=200))
def test_any_bytes_can_stand_in_a_file(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    (folder / "checkpoints" / "step-00000001").mkdir(parents=True)
    for name in ("run.json", "metrics.jsonl", "samples.jsonl", ".lock", "checkpoints/step-00000001/state.json"):
        (folder / name).write_bytes(data)
    (folder / "study.json").write_bytes(data)
    (folder / "journal.log").write_bytes(data)
    (folder / "results.json").write_bytes(data)
    WatchedRun(folder).look()
    for is_study in (True, False):
        WatchedGroup(folder, is_study).look()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "step", "elapsed_s", "ended", "best_step", "train", "steps", "time_s", "epochs", "batch_size", "corpus", "parts",
    "cell", "model", "name", "refit", "text", "valid_bits_per_char", "op_code", "trial_id", "state", "values",
    "user_attr", "user_attrs", "runs", "rows", "counts", "asked", "title", "trials", "n_parameters",
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), min_size=1, max_size=4))
def test_any_values_can_stand_in_a_file(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("values")
    (folder / "checkpoints" / "step-00000001").mkdir(parents=True)
    for name in ("run.json", "checkpoints/step-00000001/state.json", "study.json", "results.json"):
        (folder / name).write_text(json.dumps(rows[0]))
    for name in ("metrics.jsonl", "samples.jsonl", "journal.log"):
        (folder / name).write_text("\n".join(map(json.dumps, rows)))
    from rich.console import Console

    from seqgen_watch.view import frame, lines

    views = [WatchedRun(folder).look(), *(WatchedGroup(folder, study).look() for study in (True, False))]
    for view in views:
        with Path(os.devnull).open("w") as nowhere:
            Console(file=nowhere).print(frame([view], 20))
        assert lines(view)


def test_nothing_is_written_locked_or_followed(cli, run):
    before = sorted(run.rglob("*"))
    with seqgen.WorkFolder(run).locked():
        held = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
        assert "running" in cli("watch", run, "--once").out
        assert held == {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert before == sorted(run.rglob("*"))
    secret = run.parent / "secret"
    secret.write_text('{"step": 1, "valid_bits_per_char": 0.125}\n')
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").symlink_to(secret)
    assert "0.125" not in cli("watch", run, "--once").out


def test_a_terminal_without_braille_gets_letters(run):
    process = run_seqgen("watch", run, "--once", cwd=run.parent, env={"PYTHONIOENCODING": "ascii"})
    shown = finish(process)
    assert shown.code == 0 and shown.out.isascii() and "\\u" not in shown.out
    assert "######" in shown.out and "oooo" in shown.out and "-----" in shown.out


def test_torch_is_not_imported(run):
    code = (
        "import sys\nfrom seqgen.__main__ import main\n"
        f"sys.argv = ['seqgen', 'watch', {str(run)!r}, '--once']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- what is watched


def test_several_runs_are_a_table_and_json_has_all(cli, run, in_tmp):
    shutil.copytree(run, in_tmp / "runs" / "other-002")
    shown = cli("watch", run, "other-002", "--once")
    assert shown.code == 0 and "names-001" in shown.out and "other-002" in shown.out and "bits" not in shown.err
    (first, second) = json.loads(cli("watch", run, "other-002", "--json").out)
    assert first["state"] == second["state"] == "ended: steps" and len(first["metrics"]) == 3


def test_a_table_in_a_pipe_is_not_cut(cli, run, in_tmp):
    other = shutil.copytree(run, run.with_name("a_second_run_with_a_name_that_is_rather_long_for_a_column_of_a_table"))
    header, *rows = cli("watch", run, other, "--once").out.splitlines()
    assert header.split()[0] == "run" and header.split()[-1] == "trained" and len(rows) == 2
    assert rows[1].split()[0] == other.name


def test_a_narrow_terminal_keeps_the_held_out_loss(run):
    from rich.console import Console

    from seqgen_watch.view import frame

    view, shown = WatchedRun(run).look(), set()
    for width in range(100, 20, -1):
        console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
        console.print(frame([view, view]))
        header = next((line for line in console.file.getvalue().splitlines() if line.split()[:1] == ["run"]), "")
        shown.add(("held out" in header, "counting" in header))
    assert shown >= {(True, True), (True, False)} and (False, True) not in shown


def test_without_names_what_runs_is_watched_else_the_newest(cli, run, in_tmp):
    assert cli("watch", "--once").out.startswith("names-001")  # in the current folder, as --out makes it
    run = run.rename(run.with_name(".away"))
    assert "no run in 'runs' or the current folder" in cli("watch", "--once").err
    for name in ("a-001", "b-001", "c-001"):
        shutil.copytree(run, in_tmp / "runs" / name)
        os.utime(in_tmp / "runs" / name / "run.json", (1e9 + ord(name[0]), 1e9 + ord(name[0])))
    assert cli("watch", "--once").out.startswith("c-001")
    unfinished(in_tmp / "runs" / "b-001")
    hold(in_tmp / "runs" / "b-001")
    assert cli("watch", "--once").out.startswith("b-001  running")


def test_a_name_that_is_none(cli, run, in_tmp):
    shutil.copytree(run, in_tmp / "runs" / "names-gru-001")
    wrong = cli("watch", "names-gur-001")
    assert wrong.code != 0 and "did you mean 'names-gru-001'" in wrong.err
    (in_tmp / "empty").mkdir()
    assert "not the folder of a run, a bench or a study" in cli("watch", "empty").err
    assert "no run, bench or study 'aaa" in cli("watch", "a" * 300, "--once").err


def test_a_folder_that_cannot_be_read_is_passed_over(cli, run, in_tmp, monkeypatch):
    shutil.copytree(run, in_tmp / "runs" / "b-001")
    (in_tmp / "runs" / "secret").mkdir()
    shutil.copytree(run, in_tmp / "runs" / "bench-001" / "b-001")
    (in_tmp / "runs" / "bench-001" / "results.json").write_text("{}")
    (in_tmp / "runs" / "bench-001" / "secret").mkdir()
    stat = Path.stat

    def refused(path, **options):
        if path.parent.name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refused)
    assert cli("watch", "--once").code == 0
    assert "b-001" in cli("watch", "bench-001", "--once").out
    assert "no run, bench or study 'secret/x'" in cli("watch", "secret/x", "--once").err


def test_a_run_that_is_made_anew_begins_at_no_step(run):
    unfinished(run)
    for again in (lambda: None, (run / "checkpoints").mkdir):
        watched = WatchedRun(run)
        assert watched.look().step == 60
        kept = run.with_name("kept")
        (run / "checkpoints").rename(kept)
        again()
        assert watched.look().step is None and watched.look().state == "stopped"
        shutil.rmtree(run / "checkpoints", ignore_errors=True)
        kept.rename(run / "checkpoints")
        assert watched.look().step == 60


# -- benches and studies


def test_a_bench_is_a_table_that_grows(cli, run, in_tmp):
    folder = in_tmp / "runs" / "bench-001"
    folder.mkdir(parents=True)
    score = {"run": "gru-seed0", "cell": "gru", "seed": 0, "steps": 60, "bits_per_char": 2.345, "parameters": 1234}
    rows = [{"cell": "gru", "problem": ""}, {"cell": "broken", "problem": "it is"}]
    found = {"corpus": "words", "asked": {"seeds": 2}, "counts": {"5-gram": 2.5}, "rows": rows}
    found["runs"] = [score, score | {"run": "gru-seed2", "seed": 2}, score | {"run": "rnn-seed0", "cell": "rnn"}]
    (folder / "results.json").write_text(json.dumps(found))
    shutil.copytree(run, folder / "vanilla-seed0")
    unfinished(folder / "vanilla-seed0")
    hold(folder)
    hold(folder / "vanilla-seed0")
    shown = cli("watch", "bench-001", "--once").out
    for part in ("running, 1 of 4 runs measured", "2.345", "counting 2.500", "vanilla-seed0", "failed: it is"):
        assert part in shown, part
    (folder / ".lock").write_text("")
    (folder / "vanilla-seed0" / ".lock").write_text("")
    assert "not running" in cli("watch", "bench-001", "--once").out


@pytest.mark.full
def test_a_study_as_it_is(cli, words, in_tmp):
    pytest.importorskip("optuna", reason="no optuna (extra: tune)")
    flags = ["--split", "60/20/20", "--cell", "vanilla", "--hidden", 6, "--steps", 20, "--blend", "none"]
    assert cli("tune", "--corpus", words, "lr=1e-3..1e-1:log", *flags, "--trials", 3, "--out", "study").code == 0
    known = {one["number"]: one for one in json.loads(cli("tune", "--out", "study", "--json").out)["trials"]}
    group = WatchedGroup(in_tmp / "study", True).look()
    assert not group.runs and "3 of 3 trials ended" in group.state and len(group.rows) == 3
    for row in group.rows:
        trial = known[row["trial"]]
        assert row["bits_per_char"] == trial["bits_per_char"] and row["state"] == trial["state"]
        assert row["values"] == f"train.lr={trial['values']['train.lr']:g}"


def test_a_study_that_was_killed_does_not_run(tmp_path):
    (tmp_path / "study.json").write_text('{"title": "words", "trials": 5}')
    lines = [{"op_code": 4}, {"op_code": 8, "trial_id": 0, "user_attr": {"values": {"train.lr": 0.5}}}]
    (tmp_path / "journal.log").write_text("\n".join(map(json.dumps, lines)) + '\n{"op_co')
    (tmp_path / "worker-00000000").mkdir()
    hold(tmp_path / "worker-00000000")
    assert WatchedGroup(tmp_path, True).look().rows[0]["state"] == "running"
    hold(tmp_path / "worker-00000000", dead_process())
    view = WatchedGroup(tmp_path, True).look()
    assert not view.runs and view.rows[0]["state"] == "stopped" and view.rows[0]["values"] == "train.lr=0.5"


# -- the loop


@pytest.mark.full
def test_a_pipe_gets_a_line_for_each_change(run):
    unfinished(run)
    hold(run)
    process = run_seqgen("watch", run, cwd=run.parent)
    assert process.stdout is not None
    first = process.stdout.readline().decode()
    assert "names-001  running  step 60 of 60" in first
    with (run / "metrics.jsonl").open("a") as log:
        log.write('{"step": 80, "valid_bits_per_char": 1.5}\n')
    assert "step 80 of 60  training" in process.stdout.readline().decode()
    (run / ".lock").write_text("")
    result = finish(process)
    assert result.code == 0 and "stopped; can be resumed" in result.out and result.err == ""


@pytest.mark.full
@pytest.mark.parametrize("end", ["q", "Ctrl-C"])
def test_a_key_ends_it_quietly(run, end):
    unfinished(run)
    hold(run)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgen", "watch", str(run)],
        stdin=follower, stdout=follower, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while b"q quits" not in shown:
        shown += os.read(leader, 65536)
    if end == "q":
        os.write(leader, b"q")
    else:
        process.send_signal(signal.SIGINT)
    with pytest.raises(OSError):  # of the other end, when it is closed
        while data := os.read(leader, 65536):
            shown += data
        raise OSError
    assert process.wait(20) == 0 and process.stderr is not None and process.stderr.read() == b""
    process.stderr.close()
    os.close(leader)
    assert b"names-001" in shown.rpartition(b"\x1b[?1049l")[2]  # the last frame stays on the terminal


@pytest.mark.full
def test_a_run_that_is_killed_is_no_longer_shown_as_running(words, tmp_path):
    flags = ["--corpus", words, "--cell", "vanilla", "--hidden", 8, "--steps", 10**6, "--out", "run"]
    process = run_seqgen("train", *flags, "-o", "train.eval_every=100", "-o", "train.patience=0", cwd=tmp_path)
    until = time.monotonic() + 60
    while not list(tmp_path.glob("run/checkpoints/step-*/state.json")):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.1)
    watched = WatchedRun(tmp_path / "run")
    assert watched.look().state == "running" and watched.look().steps_per_s
    process.kill()
    finish(process)
    assert watched.look().state == "killed; can be resumed"


def test_lines_of_a_log():
    assert parse_lines(b'{"a": 1}\n\nnull\n[1]\n{"b"') == [{"a": 1}]


@pytest.mark.parametrize(("more", "said"), [({}, "best 1.500 at 20"), ({"expected_copies": 0.1}, "kept 1.500 at 20")])
def test_a_step_that_goes_by_copies_is_not_called_the_best(more, said):
    rows = [{"step": step, "valid_bits_per_char": bits} | more for step, bits in ((10, 1.4), (20, 1.5))]
    view = RunView("run", "gru", "ended", "ended: steps", metrics=rows, best_step=20)
    assert said in printed(frame([view]), width=200)
