"""``seqgen plugins check -o part.name=value``: checks with options that differ from the defaults."""

from __future__ import annotations

import sys

import pytest

PLUGIN = """
from typing import Annotated

import seqgen
from pydantic import Field


class Short:
    def __init__(self, *, most: Annotated[int, Field(ge=1)] = 3, quiet: bool = False):
        self.most, self.quiet = most, quiet

    def validate(self, text):
        return seqgen.Verdict(len(text) <= self.most, "" if self.quiet else "too long")


def shout(*, ending: str = "!"):
    return lambda text, random: text + ending


@seqgen.hookimpl
def register_validators(register):
    register(seqgen.ValidatorSpec(name="short", summary="few letters", source="t", load=Short))


@seqgen.hookimpl
def register_augmentations(register):
    register(seqgen.AugmentationSpec(name="shout", summary="louder", source="t", load=shout))


@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="brief", summary="few letters", source="t", validator="short"))
"""


@pytest.fixture
def brief(in_tmp):
    (in_tmp / "brief.py").write_text(PLUGIN)
    yield "brief.py"
    sys.modules.pop("brief", None)


@pytest.mark.parametrize("option", ["validator.quiet=true", "short.quiet=true", "quiet=true"])
def test_a_contract_that_an_option_violates_is_found(cli, brief, option):
    assert cli("plugins", "check", brief).code == 0
    found = cli("plugins", "check", brief, "-o", option)
    assert found.code == 5 and "validator-short-verdicts" in found.err, found.err


def test_several_options_of_several_parts(cli, brief):
    found = cli("plugins", "check", brief, "-o", "validator.most=9", "-o", "ending=?")
    assert found.code == 0 and not found.err, found.err


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (
            "validator.quiett=1",
            "no part of this plugin has that option; known: validator.most, validator.quiet, augmentation.ending",
        ),
        ("cell.quiet=1", "this plugin has no part 'cell'"),
        ("domain.quiet=1", "no part of this plugin has that option"),
        ("most=0", "option 'most' of validator short: input should be greater than or equal to 1, not '0'"),
        ("most=many", "option 'most' of validator short"),
        ("most", "not of the form PART.NAME=VALUE"),
    ],
)
def test_an_option_that_cannot_be_given_is_refused(cli, brief, option, says):
    found = cli("plugins", "check", brief, "-o", option)
    assert found.code == 2 and found.err.count("\n") == 1 and says in found.err, found.err


def test_a_part_that_cannot_list_its_options_reports_why(cli, brief, in_tmp):
    (in_tmp / brief).write_text(PLUGIN.replace("load=Short", 'load="brief:Shorter"'))
    found = cli("plugins", "check", brief, "-o", "validator.most=9")
    assert found.code == 5 and "validator-short-verdicts" in found.err, found.err
