"""Compiled libraries as every supported version of torch packs them, and runs where torch's compiler fails."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest
import torch

from seqgen.engine import aot_cache

FAILING = """#!/bin/sh
case "$*" in *--version*) echo "g++ 12.0"; exit 0;; esac
echo "cpu.h:1:10: fatal error: no such header" >&2
echo "compilation terminated." >&2
exit 1
"""


def packed(folder, *names):
    """Write a package of compiled code with these files, each of which holds its own name."""
    path = folder / "made.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(f"data/aotinductor/model/{name}", name)
    return path


@pytest.mark.parametrize(
    "stem, others",
    [
        pytest.param("chz", ["chz.cpp", "chz_metadata.json"], id="2.6"),
        pytest.param("cog.wrapper", ["cog.wrapper.cpp", "cog.wrapper_metadata.json", "cwx.kernel.cpp"], id="2.13"),
    ],
)
@pytest.mark.parametrize("calls", [True, False])
def test_a_library_is_found_under_the_names_of_each_version_of_torch(tmp_path, stem, others, calls):
    names = [f"{stem}.so", *others, *([f"{stem}.json"] if calls else [])]
    expected = {"steps.so": f"{stem}.so".encode()} | ({"steps.json": f"{stem}.json".encode()} if calls else {})
    assert aot_cache._unpack(packed(tmp_path, *names)) == expected


@pytest.mark.parametrize("names", [["chz.cpp"], ["a.so", "b.so"]])
def test_a_package_without_one_library_is_an_error(tmp_path, names):
    with pytest.raises(RuntimeError, match=r"packs \d libraries where one is expected"):
        aot_cache._unpack(packed(tmp_path, *names))


def test_a_checksum_without_a_library_is_ignored(tmp_path):
    (tmp_path / "sha256").write_text("")
    assert aot_cache._load_valid(tmp_path) is None


def test_the_cause_is_one_whole_line():
    from seqgen.training.engine_choice import _compiler_problem

    command = "g++ " + "-O3 " * 500
    error = RuntimeError(
        f"C++ compile error\n\nCommand:\n{command}\n\nOutput:\n{'x' * 200}.h:1:10: fatal error: gone\n"
    )
    assert _compiler_problem(error) == f"{'x' * 200}.h:1:10: fatal error: gone"
    assert _compiler_problem(ModuleNotFoundError("No module named 'setuptools'", name="setuptools")) == (
        "torch's compiler needs the package 'setuptools' (pip install setuptools)"
    )
    assert _compiler_problem(RuntimeError("Error in dlopen: steps.so:\n  no such file")) == "Error in dlopen: steps.so:"
    assert _compiler_problem(RuntimeError("")) == "RuntimeError"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the compiler is a shell script")
def test_a_run_continues_uncompiled_if_the_compiler_fails(words, tmp_path, compiler, monkeypatch):
    (tmp_path / "cxx").write_text(FAILING)
    (tmp_path / "cxx").chmod(0o755)
    monkeypatch.setenv("CXX", str(tmp_path / "cxx"))
    arguments = ["--cell", "gru", "--hidden", "12", "--batch-size", "8", "--steps", "3", "--engine", "compiled"]
    done = subprocess.run(  # torch looks for its compiler once in a process
        [sys.executable, "-m", "seqgen", "train", "--corpus", words, *arguments, "--out", tmp_path / "run"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["engine"]["name"] == "scan"
    prints_it_itself = torch.__version__.startswith("2.6.")
    cause = "C++ compile error" if prints_it_itself else "cpu.h:1:10: fatal error: no such header"
    assert f"cannot compile the steps: {cause}; they run uncompiled" in done.stderr
    assert not (tmp_path / "TORCHINDUCTOR_CACHE_DIR" / "ahead").exists()
