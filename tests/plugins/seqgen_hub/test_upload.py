"""Uploading by the real huggingface_hub to a hub on this machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from local_hub import TOKEN, Repo, local_hub

import seqgen

pytest.importorskip("huggingface_hub", reason="comes with the extra 'hub'")
REPO = "you/words"


@pytest.fixture
def hub():
    with local_hub() as found:
        yield found


def export(hub, run, out, *arguments, token=TOKEN, repo=REPO):
    """Run the command in a process of its own: huggingface_hub reads its settings when it is imported.

    Large files go by Git LFS, since the protocol of hf_xet is no HTTP that a test could answer.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(out.parent / "home"), "HF_HUB_DISABLE_XET": "1"}
    env |= {"HF_TOKEN": token} if token else {}
    command = [sys.executable, "-m", "seqgen", "export", "hub", run.path, out, "--push", repo, *arguments]
    return subprocess.run(list(map(str, command)), env=env, capture_output=True, text=True)


def failed(result, out) -> str:
    assert result.returncode == 2 and result.stdout == "" and not out.exists()
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.full
def test_a_run_is_uploaded_and_sampled_from_what_the_hub_holds(hub, tiny_run, tmp_path):
    stale = "checkpoints/step-00000001/state.json"
    hub.repos[REPO] = Repo(private=True, files={stale: b"of before", "notes.md": b"mine"})
    out = tmp_path / "words-hub"
    result = export(hub, tiny_run, out)
    assert result.returncode == 0, result.stderr
    assert f"uploaded to {hub.address}/{REPO} (private)" in result.stderr and TOKEN not in result.stderr
    held = hub.repos[REPO].files
    assert stale not in held and held.pop("notes.md") == b"mine"
    assert held == {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert f"hf download {REPO} --local-dir words-hub" in held["README.md"].decode()
    for name, data in held.items():
        (tmp_path / "cloned" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cloned" / name).write_bytes(data)
    assert seqgen.load(tmp_path / "cloned").sample(20) == tiny_run.sample(20)


@pytest.mark.full
def test_a_new_repository_is_private_unless_it_may_be_public(hub, tiny_run, tmp_path):
    assert export(hub, tiny_run, tmp_path / "a").returncode == 0 and hub.repos[REPO].private
    hub.repos.clear()
    result = export(hub, tiny_run, tmp_path / "b", "--public")
    assert "(public)" in result.stderr and not hub.repos[REPO].private
    line = failed(export(hub, tiny_run, tmp_path / "c"), tmp_path / "c")
    assert line.endswith("'you/words': the repository exists and is public; add --public to upload all the same")


@pytest.mark.full
def test_errors_of_the_hub_are_one_line_without_the_token(hub, tiny_run, tmp_path):
    out = tmp_path / "hub"
    line = failed(export(hub, tiny_run, out, token=""), out)
    assert (
        line == "seqgen: cannot upload to 'you/words': no token of the hub is known; run hf auth login, or set HF_TOKEN"
    )
    assert hub.requests == []
    line = failed(export(hub, tiny_run, out, token="hf_wrong"), out)
    assert "HTTP 401" in line and "hf auth login" in line and "hf_wrong" not in line
    line = failed(export(hub, tiny_run, out, repo="others/words"), out)
    assert "HTTP 403" in line and "under the namespace 'others'" in line
    hub.fails = 507
    line = failed(export(hub, tiny_run, out), out)
    assert line == "seqgen: cannot upload to 'you/words': HTTP 507: no space left on the hub"
    hub.address = "http://127.0.0.1:9"
    assert "Connection refused" in failed(export(hub, tiny_run, out), out)


def test_what_push_takes(cli, tiny_run, tmp_path):
    command = ("export", "hub", tiny_run.path, tmp_path / "hub")
    assert (
        cli(*command, "--push").err == "seqgen: cannot upload to 'true': it is no repository; write --push OWNER/NAME\n"
    )
    assert cli(*command, "--public").err == (
        "seqgen: cannot make a folder public: --public is of --push OWNER/NAME, which is missing\n"
    )
