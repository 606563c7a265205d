"""Errors that plugin authors meet: the line at fault, and the arguments of the test kit."""

from __future__ import annotations

import pytest

import seqgen
import seqgen.testing
from seqgen.errors import UsageError
from seqgen.plugins import Plugins, file_candidate

MISTAKES = {
    "pydantic": ("import pydantic\n\n\nclass Own(pydantic.BaseModel):\n    rate: dict[str, 3]\n", 4),
    "spec": ("import seqgen\n\nSPEC = seqgen.CellSpec(name='Bad Name', summary='s', load='a:B')\n", 3),
    "json": ("import json\n\n\ndef data():\n    return json.loads('{')\n\n\ndata()\n", 5),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_plugin_that_cannot_be_imported_is_explained_by_the_line_of_its_author(mistake, tmp_path):
    text, line = MISTAKES[mistake]
    path = tmp_path / f"authored_{mistake}.py"
    path.write_text(text)
    said: list[str] = []
    Plugins(said.append).load([file_candidate(path)])
    assert len(said) == 1 and said[0].endswith(f"({path}:{line})"), said


def test_an_interrupt_while_a_plugin_is_imported_names_it(tmp_path):
    path = tmp_path / "authored_hang.py"
    path.write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt) as caught:
        Plugins(pytest.fail).load([file_candidate(path)])
    assert any("plugin authored_hang" in note and "was being imported" in note for note in caught.value.__notes__)


def test_the_kit_takes_the_path_of_a_file_as_a_text(tmp_path):
    path = tmp_path / "authored_caps.py"
    path.write_text(
        "import seqgen\n\n\ndef load():\n    return lambda text, random: text.upper()\n\n\n"
        "@seqgen.hookimpl\ndef register_augmentations(register):\n"
        "    register(seqgen.AugmentationSpec(name='caps', summary='s', load=load))\n"
    )
    assert [spec.name for spec in seqgen.testing.specs_of(str(path))] == ["caps"]


def test_check_accepts_says_that_it_takes_specs():
    corpus = seqgen.CorpusSpec(name="a", summary="s", licence="CC0-1.0", load=list)
    with pytest.raises(UsageError, match=r"cannot check .*: it is not a seqgen\.ValidatorSpec; pass"):
        seqgen.testing.check_accepts(object(), corpus)  # type: ignore[arg-type]
