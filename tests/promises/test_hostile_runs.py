"""R13, R14: an untrusted run folder cannot execute code, even with matching checksums."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

import seqgen
from conftest import one_in
from seqgen.checkpoint import RunFolder, pack, unpack
from seqgen.files import dump_json

MODEL, TRAIN, STATE, MANIFEST = FILES = ("model.safetensors", "train.safetensors", "state.json", "MANIFEST.json")
RUN, TOKENIZER = "run.json", "tokenizer.json"
Hostile = Callable[[RunFolder, Path], None]


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def fit(run: RunFolder) -> None:
    """Rewrite the manifest so that the files of the folder pass verification and are parsed."""
    import hashlib

    def of(path: Path) -> dict[str, object]:
        data = path.read_bytes()
        return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    folder = run.checkpoint(run.steps()[-1])
    manifest = {
        "format_version": 1,
        "files": {name: of(folder / name) for name in (MODEL, TRAIN, STATE)},
        "run": {name: of(run.path / name) for name in (RUN, TOKENIZER)},
    }
    (folder / MANIFEST).write_bytes(dump_json(manifest))


def place(run: RunFolder, name: str) -> Path:
    return run.path / name if name in (RUN, TOKENIZER) else run.checkpoint(run.steps()[-1]) / name


def put(name: str, content: Callable[[bytes, Path], bytes]) -> Hostile:
    """Something that replaces a file; it is given what the file held and the canary."""

    def act(run: RunFolder, canary: Path) -> None:
        path = place(run, name)
        path.write_bytes(content(path.read_bytes(), canary))
        if name != MANIFEST:
            fit(run)

    return act


def edit(name: str, change: Callable[[dict, Path], None]) -> Hostile:
    """Something that changes a JSON file."""

    def content(data: bytes, canary: Path) -> bytes:
        value = json.loads(data)
        change(value, canary)
        return dump_json(value)

    return put(name, content)


def linked(name: str) -> Hostile:
    """A link to a pickle outside."""

    def act(run: RunFolder, canary: Path) -> None:
        outside = canary.parent / "outside"
        outside.write_bytes(pickle.dumps(Evil(canary)))
        place(run, name).unlink()
        place(run, name).symlink_to(outside)
        if name != MANIFEST:
            fit(run)

    return act


def linked_folder(run: RunFolder, canary: Path) -> None:
    folder = run.checkpoint(run.steps()[-1])
    outside = shutil.move(folder, canary.parent / "elsewhere")
    (Path(outside) / MODEL).write_bytes(pickle.dumps(Evil(canary)))
    folder.symlink_to(outside)
    fit(run)


def pickled(old: bytes, canary: Path) -> bytes:
    return pickle.dumps(Evil(canary))


def old_pickle(old: bytes, canary: Path) -> bytes:
    return pickle.dumps(Evil(canary), protocol=0)


def torch_zip(old: bytes, canary: Path) -> bytes:
    data = io.BytesIO()
    torch.save({"weight": Evil(canary)}, data)
    return data.getvalue()


def torch_legacy(old: bytes, canary: Path) -> bytes:
    data = io.BytesIO()
    torch.save({"weight": Evil(canary)}, data, _use_new_zipfile_serialization=False)
    return data.getvalue()


def npy(old: bytes, canary: Path) -> bytes:
    data = io.BytesIO()
    np.save(data, np.array([Evil(canary)], dtype=object), allow_pickle=True)
    return data.getvalue()


def tar(old: bytes, canary: Path) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("../../model.safetensors")
        content = pickle.dumps(Evil(canary))
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def zipped(old: bytes, canary: Path) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(canary)))
    return data.getvalue()


def yaml(old: bytes, canary: Path) -> bytes:
    return f"!!python/object/apply:os.system ['touch {canary}']\n".encode()


def python(old: bytes, canary: Path) -> bytes:
    return f"__import__('os').system('touch {canary}')\n".encode()


def with_metadata(old: bytes, canary: Path) -> bytes:
    return save(load(old), {"format": "pt", "py/reduce": f"os.system('touch {canary}')"})


def header(claimed: int) -> Callable[[bytes, Path], bytes]:
    return lambda old, canary: struct.pack("<Q", claimed) + old[8:]


def named(part: str, name: str) -> Hostile:
    """run.json names a module and what to import from it, or something else that is not in the registry."""
    return edit(RUN, lambda value, canary: value[part].update(name=name))


IMPORTS = {"py/object": "os.system", "_target_": "os.system", "class_path": "os.system", "__reduce__": ["os.system"]}
EVERYWHERE = (MODEL, TRAIN, STATE, MANIFEST, RUN, TOKENIZER)
HOSTILE: dict[str, Hostile] = {
    **{f"pickle as {name}": put(name, pickled) for name in EVERYWHERE},
    **{f"yaml tags as {name}": put(name, yaml) for name in (STATE, MANIFEST, RUN, TOKENIZER)},
    **{f"python as {name}": put(name, python) for name in (MODEL, RUN, TOKENIZER)},
    **{f"link out as {name}": linked(name) for name in EVERYWHERE},
    "old pickle": put(MODEL, old_pickle),
    "torch.save": put(MODEL, torch_zip),
    "torch.save, of the optimizer": put(TRAIN, torch_zip),
    "torch.save before 1.6": put(MODEL, torch_legacy),
    "npy of objects": put(MODEL, npy),
    "tar": put(MODEL, tar),
    "zip": put(TRAIN, zipped),
    "safetensors, then zip": put(MODEL, lambda old, canary: old + zipped(old, canary)),
    "zip, then safetensors": put(MODEL, lambda old, canary: zipped(old, canary) + old),
    "safetensors with code in its metadata": put(MODEL, with_metadata),
    "header beyond the file": put(MODEL, header(200_000_000)),
    "header of all ones": put(TRAIN, header(2**64 - 1)),
    "link to a folder outside": linked_folder,
    "import paths in options": edit(RUN, lambda value, canary: value["cell"]["options"].update(IMPORTS)),
    "import paths in the settings": edit(RUN, lambda value, canary: value.update(IMPORTS)),
    "import paths in the tokenizer": edit(TOKENIZER, lambda value, canary: value["data"].update(symbols=IMPORTS)),
    "import paths in the state": edit(STATE, lambda value, canary: value.update(IMPORTS)),
    "conditions that are no texts": edit(TOKENIZER, lambda value, canary: value.update(conditions=[IMPORTS])),
    "a corpus that is a command": edit(
        RUN, lambda value, canary: value["corpus"]["options"].update(path=f"| touch {canary}")
    ),
}
HARMLESS = {"safetensors with code in its metadata", "import paths in the state", "a corpus that is a command"}
"""What works, since nobody looks at it when sampling."""


@pytest.fixture
def run(tiny_run, in_memory):
    """A run with one checkpoint, so that there is nothing to fall back to."""
    run = RunFolder(shutil.copytree(tiny_run.path, in_memory / "runs" / "run"))
    for step in run.steps()[:-1]:
        shutil.rmtree(run.checkpoint(step))
    return run


def commands(run: RunFolder) -> list[tuple]:
    return [("sample", run.path, "-n", 2), ("score", "anna", "--run", run.path), ("resume", run.path)]


@pytest.mark.full
@pytest.mark.promise("R13")
@pytest.mark.parametrize("name", one_in(8, HOSTILE))
def test_a_hostile_file_is_harmless(name, run, in_memory, cli):
    """Pickles, archives, polyglots, links, yaml, import paths in each file: exit 4 and one line; no canary."""
    canary = in_memory / "canary"
    HOSTILE[name](run, canary)
    for command in commands(run):
        result = cli(*command)
        assert result.code == (0 if name in HARMLESS else 4) or (name in HARMLESS and command[0] == "resume")
        assert "Traceback" not in result.err and "unexpected" not in result.err
        if result.code:
            assert result.code in (2, 4) and result.err.count("seqgen: ") == 1, result.err
            assert len(result.err.splitlines()[-1]) < 500
    assert cli("checkpoint", "verify", run.path).code in (0, 2, 4)
    assert not canary.exists()


def test_there_are_enough_of_them():
    assert len(HOSTILE) >= 30


def test_the_canary_would_sing(in_memory):
    """The payloads work where pickles are loaded."""
    for make in (pickled, old_pickle):
        pickle.loads(make(b"", in_memory / make.__name__))
        assert (in_memory / make.__name__).exists()
    torch.load(io.BytesIO(torch_zip(b"", in_memory / "torch")), weights_only=False)
    assert (in_memory / "torch").exists()


NAMES = ["os:system", "module:Name", "os.path:join", "builtins:eval", "evil", "seqgen:../../x", "a b:c", "", ":"]


@pytest.mark.full
@pytest.mark.promise("R14")
@pytest.mark.parametrize("part", one_in(4, ["cell", "model", "tokenizer", "corpus"]))
def test_a_name_that_is_in_no_registry_is_refused(part, run, cli, record_property):
    """Import paths and other names in place of a cell, model, tokenizer or corpus: exit 4, and no advice to follow."""
    good = (run.path / RUN).read_bytes()
    for name in NAMES:
        (run.path / RUN).write_bytes(good)
        named(part, name)(run, run.path)
        for command in [("sample", run.path)] if part != "corpus" else [("resume", run.path)]:
            if part == "corpus" and "ended" in (run.latest_state() or {}):
                break  # a run that has ended reads its corpus only for figures
            result = cli(*command)
            assert result.code == 4 and "Traceback" not in result.err, (name, result.err)
            assert result.err.count("seqgen: ") == 1 and "pip" not in result.err
        with pytest.raises(seqgen.CheckpointError):
            seqgen.load(run.path).corpus if part == "corpus" else seqgen.load(run.path).sample(1)
    record_property("cases", len(NAMES))


@pytest.mark.promise("R14")
def test_a_plugin_that_is_no_distributions_name_is_not_advised(run, cli):
    """The line that says what to install is not what a hostile run.json would like to have typed."""

    def change(value: dict, canary: Path) -> None:
        value["cell"]["name"] = "evil:cell"
        value["plugins"].append({"package": "evil", "distribution": "x'; touch canary; '", "version": "1"})

    edit(RUN, change)(run, run.path)
    result = cli("sample", run.path)
    assert result.code == 4 and "touch" not in result.err and "pip" not in result.err


@pytest.mark.full
@pytest.mark.promise("R14")
@pytest.mark.parametrize(
    "origin",
    [
        "/x; touch canary", "/x`touch canary`", "$(touch canary)", "/x\ntouch canary", "--index-url=http://touch/canary",
        "git+https://host/touch --pre", "git+https://touch:canary@host/x@1", "file:///touch", "//touch", "/\x1btouch",
    ],
)  # fmt: skip
def test_a_folder_that_is_no_plain_path_is_not_advised(run, cli, origin):
    def change(value: dict, canary: Path) -> None:
        value["cell"]["name"] = "evil:cell"
        value["plugins"].append({"package": "evil", "distribution": "evil", "version": "1", "origin": origin})

    edit(RUN, change)(run, run.path)
    result = cli("sample", run.path)
    assert result.code == 4 and result.err.endswith(
        "not installed; run.json says it was installed from a local folder or a repository\n"
    )
    assert "touch" not in result.err and "pip" not in result.err and result.err.count("\n") == 1


ROOT = Path(seqgen.__file__).parent.parent
SOURCES = sorted([*(ROOT / "seqgen").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
BANNED = {"pickle", "cPickle", "eval", "exec", "joblib", "dill", "cloudpickle", "marshal", "shelve", "compile"}
BANNED_CALLS = {
    ("torch", "load"), ("torch", "save"), ("yaml", "load"), ("yaml", "unsafe_load"), ("os", "system"), ("os", "popen"),
    ("torch.jit", "load"), ("torch.hub", "load"), ("builtins", "eval"), ("builtins", "exec"),
}  # fmt: skip


def guilt(tree: ast.AST, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Return the program elements that could execute code from data."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name.split(".")[0] for alias in node.names} | {str(getattr(node, "module", ""))}
            found += sorted(names & BANNED)
        if isinstance(node, ast.Attribute) and (ast.unparse(node.value), node.attr) in BANNED_CALLS:
            found.append(ast.unparse(node))
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in BANNED - allowed:
                found.append(node.func.id)
            for keyword in node.keywords:
                if keyword.arg in ("allow_pickle", "shell") and getattr(keyword.value, "value", None) is not False:
                    found.append(str(keyword.arg))
    return found


@pytest.mark.promise("R13")
def test_nothing_can_unpickle_or_evaluate(record_property):
    """No pickle, eval, exec, torch.load, yaml.load, shell=True, allow_pickle in core or plugins, by their syntax trees.

    One module writes loops and runs them; it reads no file, and nothing that a file says comes into its lines.
    """
    writer = ROOT / "seqgen" / "engine" / "codegen.py"
    for path in SOURCES:
        allowed = frozenset({"exec"} if path == writer else ())
        assert guilt(ast.parse(path.read_text(encoding="utf-8")), allowed) == [], path
    record_property("cases", len(SOURCES))


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from joblib import load", "eval('1')", "exec('1')", "load = torch.load", "torch.save(a, b)",
     "np.load(f, allow_pickle=True)", "np.load(f, allow_pickle=wish)", "yaml.load(f)", "run(c, shell=True)",
     "os.system('a')", "compile('1', '', 'eval')"],
)  # fmt: skip
def test_the_search_finds(line):
    assert guilt(ast.parse(line))


def test_what_is_saved_is_what_is_read(run):
    """The reader has not been closed altogether."""
    snapshot = run.load(run.steps()[-1])
    files = pack(snapshot, {})
    again = unpack(files, run.path)
    assert again.model.keys() == snapshot.model.keys() and again.state == snapshot.state
