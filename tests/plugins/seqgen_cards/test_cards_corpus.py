from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

import seqgen

pytest.importorskip("seqgen_cards")
import seqgen_cards
from seqgen_cards.card_text import plain_text
from seqgen_cards.corpus import load
from seqgen_cards.rules import CardValidator

FILE = "hearthstone_data/CardDefs.xml"


def tag(number, value):
    return f'<Tag enumID="{number}" type="Int" value="{value}"/>'


def words(number, text):
    return f'<Tag enumID="{number}" type="LocString"><deDE>x</deDE><enUS>{text}</enUS></Tag>'


def card(name, kind, *tags, collectible=True):
    mark = '<Tag enumID="321" name="COLLECTIBLE" type="Int" value="1"/>' if collectible else ""
    return f'<Entity CardID="{name}">{words(185, name)}{tag(202, kind)}{"".join(tags)}{mark}<Power/></Entity>'


CARDS = [
    card("Owl &amp; Co", 4, tag(48, 3), tag(47, 2), tag(45, 4), tag(199, 12), tag(203, 1), tag(200, 20), tag(2534, 1),
         words(184, "&lt;b&gt;Taunt&lt;/b&gt;\n&lt;b&gt;Deathrattle:&lt;/b&gt; Deal $2 damage.")),
    card("Hidden", 4, collectible=False),
    card("Spark", 5, tag(199, 4), tag(476, 8 + 64), tag(203, 5), words(184, "Gain @ Mana.") + tag(2, 7)),
    card("Owl &amp; Co", 4, tag(48, 9), tag(45, 1)),
    card("Spade", 7, tag(187, 3), tag(47, 1)),
    card("House", 39, tag(45, 2), tag(48, 1)),
    card("Skin of a hero", 3, tag(45, 30)),
    card("Hero", 3, tag(48, 9), tag(292, 5), tag(45, 30)),
    card("A power", 10, tag(48, 2)),
    card("Riddle", 5, words(184, "Costs {0}")),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Create the folder of an unpacked wheel with test cards."""
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_text('<?xml version="1.0"?>\n<CardDefs>\n' + "\n".join(CARDS) + "\n</CardDefs>\n", encoding="utf-8")
    return tmp_path


def test_fields_and_text(folder):
    records = list(load(path=str(folder)))
    assert [record.label for record in records] == ["minion", "spell", "weapon", "location", "hero"]
    assert records[0].fields == {
        "name": "Owl & Co", "cost": 3, "type": "minion", "class": "neutral", "rarity": "common",
        "race": "beast/undead", "attack": 2, "health": 4, "text": "Taunt. Deathrattle: Deal 2 damage.",
    }  # fmt: skip
    assert records[1].text == "name=Spark\ncost=0\ntype=spell\nclass=mage/rogue\nrarity=legendary\ntext=Gain 7 Mana."
    assert records[2].text == "name=Spade\ncost=0\ntype=weapon\nattack=1\ndurability=3"
    assert (
        records[3].fields["durability"] == 2 and records[4].fields["armor"] == 5 and "health" not in records[4].fields
    )


def test_reprints_are_an_option(folder):
    assert [record.fields["name"] for record in load(path=str(folder), reprints=True)].count("Owl & Co") == 2


def test_a_wheel_is_read_too(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as wheel:
        wheel.write(folder / FILE, FILE)
    assert list(load(path=str(tmp_path / "some.whl"))) == list(load(path=str(folder)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<CardDefs></CardDefs>", "no collectible cards"),
        (CARDS[0].replace("</enUS>", ""), "cannot read hearthstone_data/CardDefs.xml"),
    ],
)
def test_what_is_wrong_is_one_line(folder, content, message):
    (folder / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(seqgen.CorpusError, match=message):
        list(load(path=str(folder)))


@pytest.mark.parametrize(
    ("marked", "read"),
    [
        ("[x]<b>Rush</b>\n<b>Combo:</b>& Restore #3_Health\n_to this.", "Rush. Combo: Restore 3 Health to this."),
        ("Draw a\n<b>Taunt</b>\nminion. If it’s hurt, stop.", "Draw a Taunt minion. If it's hurt, stop."),
        ("<b>Taunt</b>, <b><b>Rush</b></b>\nAfter this attacks,& draw.", "Taunt, Rush. After this attacks, draw."),
        ("Win. <i>({0} left!)</i>@Win. <i>(Ready!)</i>@Win at once.", "Win."),
        ("Summon a{1} {0} <b>Golem</b>.@Summon a <b>Golem</b>.", "Summon a Golem."),
        ("Summon two {0} Recruits.", "Summon two Recruits."),
        ("In @ |4(turn, turns), deal $@ damage.", "In 2 turns, deal 2 damage."),
        ("Deal $1 damage to 1 |4(foe, foes).", "Deal 1 damage to 1 foe."),
        ("Health \\& Armor~GAMEPLAY_PROXY", "Health and Armor"),
        ("Draw {0}, then {2}.", None),
        ("", ""),
    ],
)  # fmt: skip
def test_marks_become_plain(marked, read):
    assert plain_text(marked, [] if "{0} " in marked else [2, 9]) == read


@pytest.fixture(scope="module")
def real():
    try:
        importlib.metadata.distribution("hearthstone-data")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("hearthstone-data is not installed: it comes with the extra 'cards'")
    return list(load())


@pytest.mark.full
def test_the_real_cards(real):
    counts = Counter(record.label for record in real)
    assert len(real) > 6000 and counts["minion"] > 3900 and min(counts.values()) > 20
    assert len({record.fields["name"] for record in real}) == len(real)
    text = next(record.text for record in real if record.fields["name"] == "Fireball")
    assert text == "name=Fireball\ncost=4\ntype=spell\nclass=mage\nrarity=common\ntext=Deal 6 damage."
    assert not [record.text for record in real if any(mark in record.text for mark in "@{}|_$#&<>~\\")]


@pytest.mark.full
def test_the_real_cards_are_cards(real):
    validator = CardValidator()
    verdicts = [(record.text, validator.validate(record.text)) for record in real]
    assert sum(not verdict.ok for _, verdict in verdicts) <= 5
    assert all(verdict.canonical in (None, text) for text, verdict in verdicts), "the spec says that they are canonical"


@pytest.mark.full
def test_it_is_not_imported(real):
    code = "import seqgen_cards.corpus as c, sys; next(iter(c.load())); assert 'hearthstone_data' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.full
def test_the_datasheet_counts_what_is_there(real):
    text = (Path(seqgen_cards.__file__).parent / "DATASHEET-cards.md").read_text(encoding="utf-8")
    assert all(f"## {word}" in text for word in ("Origin", "Licence", "Limits"))
    if f"| {importlib.metadata.version('hearthstone-data')} |" not in text:
        pytest.skip("the datasheet counts another version of hearthstone-data")
    said = {name: int(value) for name, value in re.findall(r"^\| (\w+) \| (\d+) \|$", text, re.M)}
    texts = [record.text for record in real]
    assert said == {
        "records": len(texts),
        "characters": sum(map(len, texts)),
        "symbols": len(set("".join(texts))),
        "longest": max(map(len, texts)),
        "duplicates": len(texts) - len(set(texts)),
    }
