"""Checks of exporters."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from seqgen.files import write_atomic
from seqgen.testing.check import TEXTS, Subject

_STEPS = 2


def small_run() -> Any:
    """Return a run of a few steps on ``TEXTS``, opened anew: exporters may have changed the one before."""
    import seqgen

    return seqgen.load(_trained())


@functools.cache
def _trained() -> Path:
    """Return the folder of a run, trained once a process, and removed with it."""
    import seqgen

    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    corpus, lines = Path(folder.name) / "texts.jsonl", [json.dumps({"text": text}) + "\n" for text in TEXTS if text]
    write_atomic(corpus, "".join(lines).encode())
    with contextlib.redirect_stderr(io.StringIO()):  # what the events of other plugins say is not of the check
        run = seqgen.train(
            corpus, cell="vanilla", hidden=6, embedding=4, batch_size=4, steps=_STEPS, out=Path(folder.name) / "run"
        )
    return Path(run.path)


def exported(exporter: Any, run: Any = None) -> tuple[Any, dict[str, bytes]]:
    """Return the result of an exporter of a run, by default the small one, and what the files that it wrote hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export"
        found = exporter.export(small_run() if run is None else run, path)
        there = {
            file.relative_to(folder).as_posix(): file for file in sorted(Path(folder).rglob("*")) if file.is_file()
        }
        strange = [name for name in there if name.partition("/")[0] != "export"]
        assert not strange, f"writes {strange[0]!r} beside the path that it is given"
        return found, {name: file.read_bytes() for name, file in there.items()}


def files(subject: Subject) -> str:
    """Check that it writes something, at the path only, and returns an Exported with the files."""
    _, content = exported(subject.entry.use(subject.options))
    assert content and all(content.values()), "writes no file, or an empty one"
    return ", ".join(f"{name}: {len(data):,} bytes" for name, data in content.items())


def compares(subject: Subject) -> str:
    """Check that it compares what it wrote with the run, and finds both equal within its tolerance."""
    found, _ = exported(subject.entry.use(subject.options))
    assert isinstance(found.compared, str) and found.compared, f"compared={found.compared!r}: say what is compared"
    assert 0 <= found.difference <= found.tolerance, (
        f"the {found.compared} differ by {found.difference}, and {found.tolerance} is allowed"
    )
    return f"{found.compared}: {found.difference:.2g} of {found.tolerance:.2g}"


def untouched(subject: Subject) -> None:
    """Check that it leaves the run as it is."""
    import torch

    run = small_run()
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    exported(subject.entry.use(subject.options), run)
    changed = [name for name, tensor in run.model.state_dict().items() if not torch.equal(tensor, before[name])]
    assert not changed, f"changes the weight {changed[0]}"
    assert not run.model.training, "leaves the model in training mode"
