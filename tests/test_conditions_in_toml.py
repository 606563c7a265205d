"""Conditions, an augmentation and a domain in a configuration: ``[train] condition = [...]`` and others."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import seqgen

SMALL_CAPS = Path(__file__).parent.parent / "docs" / "examples" / "smallcaps.py"
RECORDS = "".join(f"{name},{kind},{size}\n" for name in ("Ada", "Bea", "Cem", "Dag") * 8 for kind, size in ("ax", "by"))


@pytest.fixture
def train(cli, in_tmp):
    (in_tmp / "t.csv").write_text("text,kind,size\n" + RECORDS)

    def call(toml, *arguments):
        (in_tmp / "run.toml").write_text(toml)
        return cli(
            "train", "--corpus", "t.csv", "--config", "run.toml", "--plugin", SMALL_CAPS, "--hidden", 8, "--steps", 2,
            "--out", "run", *arguments,
        )  # fmt: skip

    yield call
    sys.modules.pop("smallcaps", None)


def settings(folder):
    from seqgen.checkpoint import RunFolder

    return RunFolder(folder / "run").settings()


@pytest.mark.parametrize("written", ['["kind", "size"]', '"kind,size"', '"kind, size"'])
def test_conditions_stand_in_a_configuration(train, in_tmp, written):
    done = train(f"[train]\ncondition = {written}\n")
    assert done.code == 0, done.err
    assert settings(in_tmp).conditions == ("kind", "size")


def test_a_flag_wins_over_the_configuration(train, in_tmp):
    assert train('[train]\ncondition = ["kind"]\n', "--condition", "size").code == 0
    assert settings(in_tmp).conditions == ("size",)


@pytest.mark.full
def test_an_augmentation_stands_in_a_configuration_with_its_options(train, in_tmp):
    done = train('[train]\naugment = "smallcaps"\n\n[augmentation]\nshare = 0.25\n')
    assert done.code == 0, done.err
    chosen = settings(in_tmp).augmentation
    assert chosen.name == "smallcaps:smallcaps" and chosen.options == {"share": 0.25}


def test_a_domain_stands_in_a_configuration_and_a_flag_wins(train, in_tmp):
    assert train('[corpus]\ndomain = "dna"\n').code == 0 and settings(in_tmp).corpus.domain == "seqgen_bio:dna"
    shutil.rmtree(in_tmp / "run")
    assert train('[corpus]\ndomain = "dna"\n', "--domain", "text").code == 0
    assert settings(in_tmp).corpus.domain.endswith("text")


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[train]\ncondition = 3\n", "cannot use condition 3 of [train]"),
        ('[train]\ncondition = ["kind", 1]\n', "cannot use condition ['kind', 1] of [train]"),
        ('[train]\ncondition = ""\n', "cannot use condition '' of [train]"),
        ('[train]\ncondition = "kind,"\n', "cannot use condition 'kind,' of [train]: a name in it is empty"),
        (
            '[train]\ncondition = ["kind", " "]\n',
            "cannot use condition ['kind', ' '] of [train]: a name in it is",
        ),
        ('[train]\ncondition = ["colour"]\n', "colour"),
        ('[train]\ncondition = ["Kind"]\n', "no record has it beside its text; did you mean 'kind'?"),
        ("[train]\naugment = true\n", "cannot use augment True of [train]"),
        ("[corpus]\ndomain = 1\n", "cannot use domain 1 of [corpus]"),
        ('[corpus]\ndomain = "dnaa"\n', "did you mean 'dna'"),
        ('[train]\naugment = "smallcap"\n', "did you mean 'smallcaps'"),
        ('[train]\naugment = "smallcaps"\n\n[augmentation]\nname = "other"\n', "[augmentation] names 'other'"),
        ('[train]\ncondition = ["kind"]\n[corpus]\nlayout = "stream"\n', "no records to condition"),
    ],
)
def test_what_cannot_be_used_is_one_line(train, in_tmp, toml, says):
    done = train(toml)
    assert done.code in (2, 3) and done.err.count("\n") == 1 and says in done.err, done.err
    assert not (in_tmp / "run").exists()


@pytest.mark.parametrize("given", ["kind,", ",", "kind,,size", ""])
def test_an_empty_name_among_conditions_is_refused_wherever_it_is_given(train, in_tmp, given):
    refused = train("", "--condition", given)
    line = f"cannot use condition {given!r}: a name in it is empty; write the names of fields, with commas between"
    assert refused.code == 2 and refused.err == f"seqgen: {line}\n"
    with pytest.raises(seqgen.BadOption) as caught:
        seqgen.plan("t.csv", condition=given)
    assert str(caught.value) == line


@pytest.mark.parametrize("given", [3, [1], ["kind", 2]])
def test_conditions_that_are_no_texts_are_refused(in_tmp, given):
    with pytest.raises(seqgen.BadOption, match=r"cannot use condition .*: write fields"):
        seqgen.plan("names", condition=given)
