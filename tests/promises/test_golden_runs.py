"""R9: runs of older versions keep loading, sampling, scoring and resuming.

`python tests/promises/test_golden_runs.py NAME...` makes runs of this version anew in tests/golden/runs/. Do not make
those anew that a release has made: add others.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS))  # when it is called as a script

import seqgen  # noqa: E402
from conftest import WORDS  # noqa: E402
from resuming import Stopper  # noqa: E402
from seqgen.errors import Interrupted  # noqa: E402
from seqgen.files import dump_json  # noqa: E402

GOLDEN = TESTS / "golden" / "runs"
KINDS = {
    "vanilla": {"cell": "vanilla"},
    "gru": {"cell": "gru", "layers": 2},
    "lstm": {"cell": "lstm"},
    "transformer": {"cell": "transformer", "hidden": 8},
    "mingru": {"cell": "mingru"},
    "sru": {"cell": "sru"},
    "ngram": {"model": "ngram", "options": {"order": 3, "buckets": 64, "smoothing": "witten-bell"}},
    "ngram-kneser-ney": {"model": "ngram", "options": {"order": 3, "buckets": 64}},
    "conditioned": {"cell": "gru", "condition": "label", "label_field": "label"},
    "stream": {"cell": "gru", "layout": "stream", "options": {"window": 8}},
    "blended": {"cell": "vanilla", "blend": "ngram", "repeats": "on"},
}
STEPS, STOPPED = 30, 20
MOST_BYTES = 50_000


def write_corpus(folder: Path, name: str) -> str:
    """The corpus of a kind, in a folder; its name."""
    if name == "blended":  # what is said twice can be predicted from its beginning
        (folder / "words.txt").write_text("".join(f"{word} {word}\n" for word in WORDS), encoding="utf-8")
        return "words.txt"
    if name != "conditioned":
        (folder / "words.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
        return "words.txt"
    rows = "".join(f"{word},{'long' if len(word) > 4 else 'short'}\n" for word in WORDS)
    (folder / "words.csv").write_text("text,label\n" + rows, encoding="utf-8")
    return "words.csv"


def figures(run: seqgen.Run, name: str) -> dict:
    """Return the results of a run: samples, and the scores of two words."""
    given = {"label": "long"} if name == "conditioned" else {}
    lengths = {"max_length": 40} if name == "stream" else {}
    texts = [sample.text for sample in run.sample(5, seed=1, **given, **lengths)]
    scored = ["anna anna", "ulla ulla"] if name == "blended" else ["anna", "ulla"]
    return {"samples": texts, "nats": [score.nats for score in run.score(scored)]}


def make(name: str) -> None:
    """Make a run that is stopped before its end, in the current folder, and what is known of it."""
    target = GOLDEN / name
    shutil.rmtree(target, ignore_errors=True)
    corpus = write_corpus(Path(), name)
    given = dict(KINDS[name])
    options = {"corpus.path": corpus, "eval_every": 10, "samples": 1, "patience": 0, **given.pop("options", {})}
    if "cell" in given:
        given = {"hidden": 6, "embedding": 4, **given}
    # By its registered name, so that the path in run.json stays relative.
    common = {**given, "steps": STEPS, "batch_size": 8, "lr": 0.02, "split": "80/10/10", "options": options}
    whole = seqgen.train("seqgen:file", **common, out="whole")
    with contextlib.suppress(Interrupted):
        seqgen.train("seqgen:file", **common, out="run", listener=Stopper(STOPPED))
    shutil.rmtree("run/checkpoints/step-00000010", ignore_errors=True)
    known = figures(seqgen.load("run", checkpoint=STOPPED), name) | {"last": whole.metrics[-1]}
    shutil.copytree("run", target)
    (target / ".lock").unlink()
    (target / "known.json").write_bytes(dump_json(known))


@pytest.fixture(params=sorted(path.name for path in GOLDEN.glob("*")))
def golden(request, in_tmp):
    """A golden run, copied beside its corpus; its name."""
    shutil.copytree(GOLDEN / request.param, "run")
    write_corpus(in_tmp, request.param)
    return request.param


@pytest.mark.promise("R9")
def test_a_golden_run_loads_samples_scores_and_goes_on(golden):
    """A committed run folder of each kind: the recorded text for a seed, the recorded scores, the recorded end."""
    known = json.loads(Path("run/known.json").read_text(encoding="utf-8"))
    run = seqgen.load("run", checkpoint=STOPPED)
    found = figures(run, golden)
    assert found["samples"] == known["samples"]
    assert found["nats"] == pytest.approx(known["nats"], abs=1e-3)
    resumed = seqgen.resume("run")
    assert resumed.metrics[-1] == pytest.approx(known["last"], abs=2e-3)
    assert seqgen.load("run", checkpoint="latest").state["ended"] == "steps"


@pytest.mark.promise("R9")
def test_golden_runs_are_small_and_of_every_kind():
    """Each is at most 50 kB; none names a place on somebody's machine."""
    folders = list(GOLDEN.iterdir())
    assert {folder.name for folder in folders} >= KINDS.keys()
    for folder in folders:
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) <= MOST_BYTES
        assert json.loads((folder / "run.json").read_text())["corpus"]["options"]["path"] in ("words.txt", "words.csv")


@pytest.mark.promise("R9")
@pytest.mark.parametrize("name", ["run.json", "MANIFEST.json"])
def test_a_newer_format_says_which_seqgen_it_needs(name, in_tmp, cli):
    """format_version 2: exit 4, "needs seqgen >= ..."."""
    shutil.copytree(GOLDEN / "vanilla", "run")
    path = Path("run", "" if name == "run.json" else f"checkpoints/step-{STOPPED:08d}", name)
    path.write_bytes(dump_json(json.loads(path.read_bytes()) | {"format_version": 2, "seqgen": "7.1"}))
    result = cli("sample", "run")
    assert result.code == 4 and "Traceback" not in result.err
    assert ("needs seqgen >= 7.1" if name == "run.json" else "needs a newer seqgen") in result.err


if __name__ == "__main__":
    import tempfile

    GOLDEN.mkdir(exist_ok=True)
    for kind in sys.argv[1:] or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            make(kind)
            os.chdir(TESTS)
