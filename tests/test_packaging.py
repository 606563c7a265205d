"""The distribution as others get it."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import seqgen
from conftest import environment_of_its_own
from seqgen.pytest_plugin import WORDS

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


def test_the_dockerfile_names_what_there_is():
    """No test builds the image: an extra, an option or a file of another name would be seen by users alone."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    said = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    of = {name: [value for one, value in said if one == name] for name, _ in said}
    runs = " ".join(of["RUN"])
    (extras,) = re.findall(r"/src\[([a-z,]+)\]", runs)
    assert set(extras.split(",")) <= PROJECT["project"]["optional-dependencies"].keys()
    (torch,) = re.findall(r'"(torch[^"]+)"', runs)
    assert torch in PROJECT["project"]["dependencies"]
    (tag,) = re.findall(r"^python:(\d+\.\d+)-slim$", *of["FROM"])
    assert PROJECT["project"]["requires-python"] == f">={tag}"
    assert of["COPY"] == [". /src"]
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    build = PROJECT["tool"]["hatch"]["build"]
    needed = [
        "pyproject.toml",
        PROJECT["project"]["readme"],
        *PROJECT["project"]["license-files"],
        *build["only-include"],
    ]
    assert all((ROOT / name).exists() for name in needed) and not set(needed) & set(left_out)
    (program, command, *options), commands = json.loads(*of["ENTRYPOINT"]), PROJECT["project"]["entry-points"]
    assert program in PROJECT["project"]["scripts"] and command in commands["seqgen.commands"]
    parameters = inspect.signature(importlib.import_module("seqgen_serve.command").serve).parameters
    assert options[::2] == ["--host"] and "host" in parameters
    assert of["EXPOSE"] == [str(parameters["port"].default)]
    assert f":{parameters['port'].default}/health" in of["HEALTHCHECK"][0]


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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from the sdist, so that this holds everything too."""
    pytest.importorskip("build", reason="comes with the extra 'test'")
    folder = tmp_path_factory.mktemp("wheel")
    project = copy_of_the_project(folder / "clone")
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", project, cwd=folder)
    shutil.rmtree(project)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


@pytest.mark.slow
def test_a_wheel_trains_and_samples_outside_the_clone(wheel, tmp_path):
    """Torch and the rest are those of this environment."""
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
@pytest.mark.parametrize("blend", ["none", "ngram"])
def test_a_hub_folder_is_sampled_from_with_the_wheel_alone(wheel, tmp_path, blend):
    """In a fresh environment, without the corpus, without the run: the rows are those of the run."""
    (tmp_path / "here").mkdir()
    corpus = tmp_path / "here" / "words.txt"
    corpus.write_text("\n".join(WORDS) + "\n")
    trained = seqgen.train(corpus, cell="gru", hidden=12, steps=40, blend=blend, out=tmp_path / "here" / "run")
    trained.export("hub", tmp_path / "words-hub")
    expected = [row.text for row in trained.sample(50, seed=3)]
    shutil.rmtree(tmp_path / "here")
    python = environment_of_its_own(tmp_path / "venv", with_seqgen=False)
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--ignore-installed", wheel, cwd=tmp_path, PYTHONPATH="")
    where = run(python, "-c", "import seqgen; print(seqgen.__file__)", cwd=tmp_path, PYTHONPATH="")
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")
    command = (tmp_path / "venv" / "bin" / "seqgen", "sample", "words-hub", "-n", 50, "--seed", 3)
    assert run(*command, cwd=tmp_path, PYTHONPATH="").splitlines() == expected
    assert len(set(expected)) > 10


@pytest.mark.slow
def test_core_does_without_a_plugin(tmp_path):
    """Delete plugins/seqgen_titles and its entry point: the default tests stay green."""
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
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "-k", "not links_lead_somewhere and not commands_shown_exist",  # pages name every plugin and every file
        *tests, project / "tests" / "plugins",
        cwd=project, PYTHONPATH=path,
    )  # fmt: skip
    assert re.search(r"\d+ passed", out) and "failed" not in out
