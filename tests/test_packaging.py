"""The distribution as others get it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_plugin_folder_has_its_entry_point():
    folders = {path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists()}
    assert PROJECT["project"]["entry-points"]["seqgen"] == {name: name for name in folders}


def test_requirements_are_ranges():
    extras = PROJECT["project"]["optional-dependencies"].values()
    for requirement in [*PROJECT["project"]["dependencies"], *(item for extra in extras for item in extra)]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+|seqgen-lm\[[a-z,]+\]", requirement), requirement
    assert len(PROJECT["project"]["dependencies"]) <= 8


def copy_of_the_project(target: Path) -> Path:
    """What is tracked, or would be, without caches and environments."""
    ignored = shutil.ignore_patterns(".git", "__pycache__", "venv", ".venv", "dist", "runs", ".*_cache", ".hypothesis")
    return shutil.copytree(ROOT, target, ignore=ignored)


def run(*command: object, cwd: Path, **env: str) -> str:
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    return result.stdout


@pytest.mark.slow
def test_a_wheel_trains_and_samples_outside_the_clone(tmp_path):
    """Built from the sdist, so that this holds everything too; torch and the rest are those of this environment."""
    pytest.importorskip("build", reason="comes with the extra 'test'")
    project = copy_of_the_project(tmp_path / "clone")
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", project, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "seqgen/py.typed",
        "seqgen/templates/common/gitignore",
        "seqgen/templates/common/pyproject.toml",
        "seqgen/templates/cell/src/plugin_package/cell.py",
        "seqgen/templates/corpus/src/plugin_package/data.txt",
        "seqgen_names/corpus.py",
        "seqgen_corpora/names/female.txt",
        "seqgen_corpora/__init__.py",
    ):
        assert name in names
    tops = {name.split("/")[0] for name in names}
    plugins = {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir() and path.name[0] != "_"}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"seqgen", "seqgen_corpora"} | plugins
    shutil.rmtree(project)
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, wheel, cwd=elsewhere)
    command = (sys.executable, "-m", "seqgen")
    where = run(sys.executable, "-c", "import seqgen; print(seqgen.__file__)", cwd=elsewhere, PYTHONPATH=str(site))
    assert Path(where.strip()).is_relative_to(site)
    run(*command, "train", "--corpus", "names", "--cell", "vanilla", "--steps", 50, cwd=elsewhere, PYTHONPATH=str(site))
    sampled = run(*command, "sample", "-n", 7, cwd=elsewhere, PYTHONPATH=str(site))
    assert sampled.count("\n") == 7
    run(*command, "plugins", "new", "demo", "--kind", "corpus", cwd=elsewhere, PYTHONPATH=str(site))
    assert (elsewhere / "demo" / "src" / "demo" / "data.txt").exists()


@pytest.mark.slow
def test_core_does_without_a_plugin(tmp_path):
    """Delete plugins/seqgen_titles and its entry point: the tests of core stay green."""
    project = copy_of_the_project(tmp_path / "clone")
    shutil.rmtree(project / "plugins" / "seqgen_titles")
    config = project / "pyproject.toml"
    config.write_text(config.read_text().replace('seqgen_titles = "seqgen_titles"\n', ""))
    site = tmp_path / "site"
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, ".", cwd=project)
    shutil.rmtree(site / "seqgen_corpora")  # the tests are to find the clone's
    tests = [path for path in (project / "tests").glob("test_*.py") if path.name != "test_golden.py"]
    path = os.pathsep.join(map(str, (project, project / "plugins", project / "corpora", site)))
    out = run(
        sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider",
        "-k", "not links_lead_somewhere and not commands_shown_exist",  # pages name every plugin and every file
        *tests, project / "tests" / "plugins",
        cwd=project, PYTHONPATH=path,
    )  # fmt: skip
    assert re.search(r"\d+ passed", out) and "failed" not in out
