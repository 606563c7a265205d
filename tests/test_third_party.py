"""A third-party package: built, installed next to seqgen, used, and uninstalled."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import seqgen
from conftest import ROOT, environment_of_its_own
from test_structure import tool_in

PACKAGE = ROOT / "tests" / "packages" / "seqgen-telegraph"


def test_it_is_clean_by_its_own_rules():
    tool_in(PACKAGE, "ruff", "check", "--no-cache", ".")
    tool_in(PACKAGE, "ruff", "format", "--no-cache", "--check", ".")


def test_its_tests_are_none_of_ours(request):
    assert not [item for item in request.session.items if "packages" in item.path.relative_to(ROOT).parts]


@pytest.mark.slow
@pytest.mark.promise("R24")
def test_from_wheel_to_uninstalling(tmp_path):
    python, project = environment_of_its_own(tmp_path / "venv"), tmp_path / "project"
    shutil.copytree(PACKAGE, project)

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-m", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    run("pip", "wheel", "-q", "--no-deps", "-w", "dist", project)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    shutil.move(project / "tests", tmp_path / "their_tests")
    shutil.rmtree(project)  # nothing but the wheel is left
    run("pip", "install", "-q", "--no-deps", wheel)
    asked = "from importlib.metadata import requires; print(requires('seqgen-telegraph')[0])"
    required = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    assert Requirement(required).name == "seqgen-lm" and seqgen.__version__ in Requirement(required).specifier

    rows = json.loads(run("seqgen", "plugins", "--json").stdout)
    (row,) = [row for row in rows if row["package"] == "telegraph"]
    assert (row["distribution"], row["version"], row["state"]) == ("seqgen-telegraph", "1.4.0", "ok")
    assert run("seqgen", "key", "SOS de").stdout == "... --- ...   -.. .\n"
    checked = run("seqgen", "plugins", "check", "telegraph").stdout
    assert "causality" in checked and "FAILED" not in checked
    tested = run("pytest", "-q", "-p", "no:cacheprovider", "their_tests").stdout
    assert re.search(r"\d\d+ passed", tested) and "skipped" not in tested, tested

    run("seqgen", "train", "--corpus", "callsigns", "--cell", "decay", "--hidden", 48, "--out", "run", "-q")
    sampled = run("seqgen", "sample", "run", "-n", 20, "--prefix", "D", "--seed", 1).stdout.splitlines()
    assert len(sampled) == 20 and all(text.startswith("D") for text in sampled)
    assert all(re.fullmatch(r"[A-Z0-9/]+", text) for text in sampled), sampled
    figures = json.loads(run("seqgen", "evaluate", "run", "-n", 60, "--json").stdout)
    assert abs(figures["keying.dots"] / figures["keying.dots_held_out"] - 1) < 0.5

    run("pip", "uninstall", "-q", "-y", "seqgen-telegraph")
    missing = run("seqgen", "sample", "run", code=4)
    assert missing.stdout == "" and missing.stderr.count("\n") == 1
    assert "of seqgen-telegraph 1.4.0, which is not installed; run.json names the distribution" in missing.stderr
    assert Path(tmp_path / "run").is_dir()
