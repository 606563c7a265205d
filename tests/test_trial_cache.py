"""The cache of trials under a constraint: what is found once is not tried again, and nothing else is taken for it."""

from __future__ import annotations

import pytest

import seqgen
from conftest import WORDS
from seqgen.sampling import conditional
from seqgen.sampling.trial_cache import remembering

CONSTRAINT = {"contains": "an", "length": "3-6"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "seqgen" / "trials"


@pytest.fixture
def trials(monkeypatch):
    """How often rows were tried."""
    counted = []
    choose = conditional._Chooser.choose

    def counting(self):
        counted.append(1)
        return choose(self)

    monkeypatch.setattr(conditional._Chooser, "choose", counting)
    return counted


def texts(run, **settings):
    said = []
    rows = run.sample(20, warn=said.append, **settings)
    return [row.text for row in rows], said


@pytest.mark.full
def test_a_trial_is_made_once(tiny_run, home, trials):
    first = texts(tiny_run, **CONSTRAINT)
    again = texts(seqgen.load(tiny_run.path), **CONSTRAINT)
    assert again == first and len(trials) == 1
    texts(tiny_run, **CONSTRAINT, seed=5, batch_size=64)
    texts(tiny_run, **CONSTRAINT, unique=True)
    assert len(trials) == 1


@pytest.mark.full
@pytest.mark.parametrize(
    "changed", [{"contains": "en"}, {"length": "3-7"}, {"temperature": 0.9}, {"prefix": "a"}, {"ban": "z"}]
)
def test_other_settings_are_tried_for_themselves(tiny_run, home, trials, changed):
    texts(tiny_run, **CONSTRAINT)
    texts(tiny_run, **CONSTRAINT | changed)
    assert len(trials) == 2


@pytest.mark.full
def test_another_checkpoint_is_tried_for_itself(tiny_run, home, trials):
    texts(tiny_run, **CONSTRAINT)
    texts(seqgen.load(tiny_run.path, checkpoint=tiny_run.folder.steps()[0]), **CONSTRAINT)
    assert len(trials) == 2


def test_rows_are_sampled_once_for_all_constraints(tiny_run, home, monkeypatch):
    monkeypatch.setattr(conditional, "_ENOUGH", 1)  # look-ahead is tried for every constraint
    texts(tiny_run, contains="an", ends="a")
    files = set(home.iterdir())
    texts(tiny_run, contains="er", ends="a")
    assert len(set(home.iterdir()) - files) == 1  # the trial; the rows that were counted are known


@pytest.mark.full
def test_rows_do_not_depend_on_what_was_asked_before(tiny_run, home, monkeypatch):
    monkeypatch.setattr(conditional, "_ENOUGH", 1)
    first = texts(tiny_run, contains="an")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    texts(tiny_run, avoid=["e"], ends="a", length="2-4")  # of which few rows would be left if they ended where it fails
    assert texts(tiny_run, contains="an") == first


@pytest.mark.full
@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b'{"value": {"by": ""}}\n'])
def test_a_damaged_file_is_replaced(tiny_run, home, trials, damage):
    first = texts(tiny_run, **CONSTRAINT)
    for path in home.iterdir():
        path.write_bytes(damage)
    assert texts(tiny_run, **CONSTRAINT) == first and len(trials) == 2
    assert texts(tiny_run, **CONSTRAINT) == first and len(trials) == 2


@pytest.mark.full
def test_a_folder_that_cannot_be_written_to_costs_nothing_but_time(tiny_run, tmp_path, monkeypatch, trials):
    (tmp_path / "seqgen").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert texts(tiny_run, **CONSTRAINT) == texts(tiny_run, **CONSTRAINT) and len(trials) == 2


def test_only_the_newest_files_are_kept(home, monkeypatch):
    monkeypatch.setattr("seqgen.sampling.trial_cache._MOST", 3)
    for number in range(6):
        remember = remembering({"rows": {"number": number}})
        assert remember("rows", lambda number=number: number) == number
        assert remember("rows", pytest.fail) == number
    assert len(list(home.iterdir())) == 3


def test_decoding_steps_of_plugins_are_always_tried(tmp_path, home, trials):
    (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n")
    (tmp_path / "flat.py").write_text(
        "import seqgen\n\n\ndef load():\n    return lambda logits_BV, ids_BT: logits_BV / 2\n\n\n"
        "@seqgen.hookimpl\ndef register_processors(register):\n"
        "    register(seqgen.ProcessorSpec(name='flat', summary='s', load=load))\n"
    )
    run = seqgen.train(
        tmp_path / "words.txt", cell="vanilla", hidden=8, steps=5, out=tmp_path / "run", plugins=[tmp_path / "flat.py"],
        progress=False,
    )  # fmt: skip
    for _ in range(2):
        run.sample(2, contains="a", processors={"flat": {}})
    assert len(trials) == 2
