from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
import seqgen.testing

pytest.importorskip("seqgen_cards")
from seqgen_cards.metric import CardMetric
from seqgen_cards.rules import ORDER, CardValidator, find_problems
from seqgen_cards.shuffle import shuffle_fields

MINION = "name=Owl\ncost=3\ntype=minion\nclass=mage/rogue\nrarity=rare\nrace=beast\nattack=2\nhealth=4\ntext=Fly (far)."
SPELL = "name=Fire\ncost=0\ntype=spell"
WEAPON = "name=Axe\ncost=1\ntype=weapon\nattack=3\ndurability=2"


@pytest.mark.parametrize(
    "text", [MINION, SPELL, WEAPON, "name=H\ncost=9\ntype=hero", "type=location\nname=L\ncost=1\ndurability=3"]
)
def test_cards(text):
    assert CardValidator().validate(text).ok


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1 is not a field"),
        ("Ada", "line 1 is not a field"),
        (MINION + "\nspeed=3", "line 10 is not a field of a card: 'speed=3'"),
        (MINION + "\n", "line 10"),
        (MINION + "\ncost=4", "cost occurs twice"),
        ("cost=1\ntype=spell", "name is missing"),
        (MINION.replace("health=4\n", ""), "health is missing: every minion has it"),
        (WEAPON.replace("\ndurability=2", ""), "durability is missing: every weapon has it"),
        (SPELL + "\nattack=1", "attack is not a field of a spell"),
        (MINION.replace("cost=3", "cost=three"), "cost is not a whole number"),
        (MINION.replace("cost=3", "cost=03"), "cost is not a whole number"),
        (MINION.replace("cost=3", "cost=-3"), "cost is not a whole number"),
        (MINION.replace("cost=3", "cost=101"), "cost is not a whole number"),
        (MINION.replace("cost=3", "cost=" + "9" * 9999), "cost is not a whole number"),
        (MINION.replace("cost=3", "cost=٣"), "cost is not a whole number"),
        (MINION.replace("health=4", "health=0"), "health is not a whole number from 1 to 100"),
        (MINION.replace("=minion", "=dragon"), "type is unknown: 'dragon'"),
        (MINION.replace("mage/rogue", "mage/monk"), "class is unknown: 'monk'"),
        (MINION.replace("mage/rogue", "mage/mage"), "class repeats itself"),
        (MINION.replace("=rare", "=Rare"), "rarity is unknown"),
        (MINION.replace("=beast", "="), "race is empty"),
        (MINION.replace("=Owl", "= Owl"), "name begins or ends with a space"),
        (MINION.replace("=Owl", "=O\x1bwl"), "name contains a control character"),
        (MINION.replace("(far)", "(far"), "text has '(' that is not closed"),
        (MINION.replace("(far)", "far]"), "text has ']' without a matching bracket"),
    ],
)  # fmt: skip
def test_no_cards(text, reason):
    verdict = CardValidator().validate(text)
    assert not verdict.ok and reason in verdict.reason and "\n" not in verdict.reason


def test_any_order_has_one_canonical_form():
    validator, draws = CardValidator(), random.Random(3)
    shuffled = {shuffle_fields(MINION.replace("mage/rogue", "rogue/mage"), draws) for _ in range(50)}
    assert len(shuffled) > 40
    assert {validator.validate(text).canonical for text in shuffled} == {MINION}


@given(
    st.text(st.sampled_from("=\n/ 0123()[]ab") | st.characters())
    | st.lists(st.sampled_from([*ORDER, "x", "=1", "=mage", "=spell", "\n"])).map("".join)
)
def test_it_never_raises_and_is_final(text):
    verdict = CardValidator().validate(text)
    assert verdict.ok == (not find_problems(text)) and verdict.ok == (not verdict.reason)
    if verdict.ok:
        assert CardValidator().validate(verdict.canonical) == verdict


def test_shuffling_leaves_other_texts_alone():
    for text in ("", "a", "name=a", "name=a\nb", "a=1\n\nb=2", "Name=a\nb=1"):
        assert shuffle_fields(text, random.Random(0)) == text
    lines = MINION.split("\n")
    assert sorted(shuffle_fields(MINION, random.Random(0)).split("\n")) == sorted(lines)


def test_figures():
    broken = MINION.replace("cost=3", "cost=x").replace("Fly (far).", "Walk.")
    figures = CardMetric()([MINION, broken, SPELL, "no card"], [MINION, SPELL], iter([MINION, WEAPON]))
    assert figures["good_lines"] == 3 / 4
    assert figures["good_cost"] == 2 / 4  # one is wrong, one is missing
    assert figures["good_health"] == 1 and figures["good_durability"] is None  # none has it
    assert figures["tv_type"] == pytest.approx((2 / 3 - 1 / 2) / 2 + (1 / 2 - 1 / 3) / 2)
    assert figures["copied_text"] == 1 / 2 and figures["copied_name"] == 2 / 3
    assert figures["copied_text_held_out"] == 1 and figures["copied_name_held_out"] == 1 / 2
    assert figures["text_length"] == (10 + 5) / 4


def test_figures_of_nothing_and_of_the_same():
    assert CardMetric()([], []) == dict.fromkeys(CardMetric.labels)
    assert CardMetric()(["no card"], [MINION])["tv_cost"] == 1
    same = CardMetric()([MINION, SPELL], [MINION, SPELL], [WEAPON])
    assert same["tv_cost"] == same["tv_type"] == same["copied_name"] == 0
    assert all(same[f"good_{name}"] == 1 for name in ORDER if name not in ("durability", "armor"))


def test_figures_of_fields_that_no_record_has_are_left_out():
    metric = CardMetric()
    assert metric(["CCO", "CCN"], ["CC", "C"], ["CCC"]) == dict.fromkeys(CardMetric.labels) | {"good_lines": 0}
    assert {*metric.omitted} == {*CardMetric.labels} - {"good_lines"}
    assert set(metric.omitted.values()) == {"no held-out record has the field"}
    found = metric([SPELL], [MINION, WEAPON], [])
    assert {*found} == {*CardMetric.labels}
    assert {*metric.omitted} == {name for name, value in found.items() if value is None}
    assert metric.omitted["good_durability"] == "no sample has the field"
    assert metric.omitted["good_armor"] == "no held-out record has the field"
    without = metric([SPELL], [])
    assert without["good_cost"] == 1 and without["tv_cost"] is without["text_length_held_out"] is None


def test_contracts(plugins):
    seqgen.testing.check_metric(plugins.registry.get("metric", "cards").spec)
    seqgen.testing.check_augmentation(plugins.registry.get("augmentation", "shuffle-fields").spec, (MINION, SPELL, "a"))
