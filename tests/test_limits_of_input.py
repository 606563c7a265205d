"""Configurations, run folders and memory limits that no run can have: one line each, and a documented exit code."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys

import pytest

from conftest import finish, run_seqgen
from seqgen.checkpoint import RunFolder
from seqgen.errors import CheckpointError
from seqgen.files import dump_json, load_json

CONFIGS = {
    "deep": ("[train]\nx = " + "[" * 5000 + "]" * 5000 + "\n", "nested too deeply"),
    "large": ("[train]\n" + "# nothing\n" * 200_000, "more than 1,048,576 bytes"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_beyond_reason_is_refused_in_one_line(name, cli, words, in_tmp):
    content, reason = CONFIGS[name]
    (in_tmp / "c.toml").write_text(content)
    refused = cli("train", "--corpus", words, "--config", "c.toml", "--steps", 2, "--out", "run")
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert "cannot read the configuration 'c.toml': " in refused.err and reason in refused.err


@pytest.mark.parametrize("out", [".", "./", "/", "//", "/.."])
def test_a_run_folder_that_can_never_be_new_is_refused(out, cli, words, in_tmp):
    refused = cli("train", "--corpus", words, "--steps", 2, "--hidden", 4, "--out", out)
    assert refused.code == 2 and "name a new one" in refused.err.splitlines()[-1]
    assert "the current folder" in refused.err or "the root of the file system" in refused.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no /dev/zero")
def test_a_device_that_never_ends_is_no_configuration(cli, words, in_tmp):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = cli("train", "--corpus", words, "--config", "/dev/zero", "--steps", 2, "--out", "run")
    assert refused.code == 2 and "'/dev/zero': it has more than" in refused.err
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS holds on Linux")
@pytest.mark.parametrize(
    "command", [("sample",), ("train", "--corpus", "w.txt", "--steps", "2")], ids=["sample", "train"]
)
def test_an_address_space_too_small_for_torch_is_said(command, tiny_run, in_tmp):
    import resource

    (in_tmp / "w.txt").write_text("anna\nberta\ncarl\n")
    least = 500 << 20
    target = (tiny_run.path,) if command == ("sample",) else ()
    ended = finish(
        run_seqgen(
            *command, *target, cwd=in_tmp, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (least, least))
        )
    )
    assert ended.code == 2 and ended.out == ""
    (line,) = ended.err.splitlines()
    assert line.startswith("seqgen: memory ran out (ImportError: ") and "ulimit -v" in line


COMMANDS = [("sample", "-n", 2), ("score", "anna", "--run"), ("resume",), ("show", "run"), ("checkpoint", "verify")]


def fit(run, step):
    """Write the manifest anew, as whoever made the files may have done."""

    def of(path):
        data = path.read_bytes()
        return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    folder = run.checkpoint(step)
    files = {name: of(folder / name) for name in ("model.safetensors", "train.safetensors", "state.json")}
    own = {name: of(run.path / name) for name in ("run.json", "tokenizer.json")}
    (folder / "MANIFEST.json").write_bytes(dump_json({"format_version": 1, "files": files, "run": own}))


def changed(tiny_run, folder, name, **values):
    """A copy of the run whose files say something else, checksums made to fit; it has not ended."""
    run = RunFolder(shutil.copytree(tiny_run.path, folder / "run"))
    for step in run.steps():
        state = run.checkpoint(step) / "state.json"
        for path, others in ((state, {"ended": ""}), (run.path / name if name == "run.json" else state, values)):
            data = json.loads(path.read_bytes()) | others
            path.write_text(json.dumps(data, indent=2) + "\n")
        fit(run, step)
    return run


@pytest.mark.parametrize("name", ["elapsed_s", "best_loss_nats", "nats"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_state_that_is_not_finite_is_damaged(name, number, tiny_run, in_tmp):
    run = changed(tiny_run, in_tmp, "state.json", **{name: 12345.5})
    for step in run.steps():
        path = run.checkpoint(step) / "state.json"
        path.write_bytes(path.read_bytes().replace(b"12345.5", number.encode()))
        fit(run, step)
    with pytest.raises(CheckpointError, match=r"state\.json has invalid values"):
        run.load_latest(pytest.fail)
    assert run.latest_state() is None


@pytest.mark.full
def test_a_max_length_that_no_row_can_have_is_cut(tiny_run, in_tmp, cli):
    train = json.loads((tiny_run.path / "run.json").read_bytes())["train"] | {"steps": 65}
    run = changed(tiny_run, in_tmp, "run.json", max_length=2**31, train=train)
    assert run.settings().max_length == 1_000_000
    for command in COMMANDS:
        result = cli(*command, run.path)
        assert result.code == 0, (command, result.err)
    assert run.latest_state()["ended"] == "steps"


def test_numbers_that_json_does_not_have_are_refused():
    for text in ("NaN", "[Infinity]", "-Infinity", "1e999", "[" * 100_000):
        with pytest.raises(ValueError, match=r"not a finite number|nested too deeply"):
            load_json(text.encode())
    assert load_json(b'{"a": [1.5, -2e3, 7]}') == {"a": [1.5, -2000.0, 7]}
