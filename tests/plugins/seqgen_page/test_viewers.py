"""The viewers: molecules, tunes and cards are read as by the plugins of their domains, and atoms do not overlap."""

from __future__ import annotations

import importlib
import itertools
import json
import random
import subprocess
from pathlib import Path

import pytest

import seqgen
import seqgen_page
import seqgen_page.viewers
from seqgen_page.comparison import find_node
from seqgen_page.viewers import viewer_of

pytestmark = pytest.mark.skipif(find_node() is None, reason="node 18 or newer is not installed")
FOLDER = Path(seqgen_page.__file__).parent
MOLECULE = [f"viewers/{name}.js" for name in ("smiles_reader", "molecule_rings", "ring_layout", "molecule_layout")]
TUNE = ["abc_lexer.js", "viewers/tune_reader.js", "viewers/tune_player.js"]


def in_node(files, expression, texts):
    """The values of an expression of ``text``, for each text, or {"error": its message}."""
    script = "\n".join((FOLDER / file).read_text().replace('"use strict";\n', "") for file in files)
    program = f"""{script}
    const texts = JSON.parse(require("fs").readFileSync(0, "utf-8"));
    const found = texts.map((text) => {{
      try {{ return {expression}; }} catch (error) {{ return {{ error: error.message }}; }}
    }});
    process.stdout.write(JSON.stringify(found));"""
    done = subprocess.run(
        [find_node(), "-e", program], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


# -- molecules

FACTS = """(() => { const { atoms, bonds } = readSmiles(text);
    return [atoms.length, bonds.length, atoms.reduce((sum, atom) => sum + atom.hydrogens, 0)]; })()"""
PLACES = """(() => { const molecule = readSmiles(text), places = layoutMolecule(molecule);
    const near = places.map((p, i) => Math.min(9, ...places.slice(0, i).map((q) => distance(p, q))));
    const lengths = molecule.bonds.map(({ a, b }) => distance(places[a], places[b]));
    return { near: Math.min(...near), shortest: Math.min(1, ...lengths), longest: Math.max(1, ...lengths) }; })()"""


def test_molecules_are_read():
    known = {
        "C": [1, 0, 4], "CCO": [3, 2, 6], "c1ccccc1": [6, 6, 6], "C1=CC=CN1": [5, 5, 5], "c1cc[nH]c1": [5, 5, 5],
        "CC(=O)[O-].[Na+]": [5, 3, 3], "OS(=O)(=O)O": [5, 4, 2], "C%12CC%12": [3, 3, 6], "[13CH4]": [1, 0, 4],
        "F/C=C/F": [4, 3, 2], "N[C@@H](C)C(O)=O": [6, 5, 7], "OCl(=O)(=O)=O": [5, 4, 1], "n1ccccc1": [6, 6, 5],
        "c1ccsc1": [5, 5, 4], "Cn1cccc1": [6, 6, 7], "c1ccoc1": [5, 5, 4], "Cc1ccccc1[N+](=O)[O-]": [10, 10, 7],
    }  # fmt: skip
    assert dict(zip(known, in_node(MOLECULE, FACTS, list(known)), strict=True)) == known


def test_unpaired_electrons_are_counted():
    known = {
        "[C]": [4], "C[CH2]": [0, 1], "C[C]C": [0, 2, 0], "CC": [0, 0], "C[O]": [0, 1], "[O-]C": [0, 0],
        "c1cc[nH]c1": [0] * 5, "c1ccs[c]1": [0, 0, 0, 0, 1], "[Na+].[Cl-]": [0, 0], "CS(=O)C": [0] * 4, "[Fe]": [0],
        "N[C@@H](C)C(O)=O": [0] * 6,
    }  # fmt: skip
    found = in_node(MOLECULE, "readSmiles(text).atoms.map((atom) => atom.radicals)", list(known))
    assert dict(zip(known, found, strict=True)) == known


def test_hydrogens_stand_away_from_bonds():
    # Neighbours of an atom, y downwards.
    near = {
        "[]": "right", "[[-1, 0]]": "right", "[[1, 0]]": "left", "[[0, 1]]": "right", "[[0.5, 0.87]]": "left",
        "[[1, -0.5], [-1, -0.5]]": "below", "[[1, 0.5], [-1, 0.5]]": "above", "[[1, 0], [-1, 0]]": "below",
    }  # fmt: skip
    script = ["viewers/molecule_key.js", "viewers/molecule.js"]
    pairs = "freeSide(JSON.parse(text).map(([x, y]) => ({ x, y })))"
    assert in_node(script, pairs, list(near)) == list(near.values())
    label = """(() => { const { atoms } = readSmiles(text);
        return ["right", "left", "below"].map((side) => Object.values(atomLabel(atoms[1], side)).join("|")); })()"""
    labels = {
        "CNC": ["NH|||false", "HN|||true", "N|H||false"], "CCC": ["|||false"] * 3,
        "C[C]C": ["C••|||false", "••C|||true", "C|••||false"], "C[CH]C": ["CH•|||false", "•HC|||true", "C|H|•|false"],
    }  # fmt: skip
    assert in_node([*MOLECULE, *script], label, list(labels)) == list(labels.values())


def test_a_text_that_is_no_molecule_has_a_reason():
    wrong = {
        "": "there is no atom", "C1CC": "ring 1 is not closed", "C(C": "a bracket is not closed",
        "CC)": "closed that was", "CC=": "no atom after", "=C": "no atom before",
        "C(C)(C)(C)(C)C": "atom 1, C, has 5 bonds", "C!": '"!" is no part',
        "[Xx]": "no element Xx", "C11": "bound twice", "(C)": "begins before any atom", "C==C": "no atom before",
        "C=1CC#1": "closed by another bond",
    }  # fmt: skip
    for text, found in zip(wrong, in_node(MOLECULE, FACTS, list(wrong)), strict=True):
        assert wrong[text] in found["error"], text


def smiles_texts():
    from importlib.resources import files

    return (files("seqgen_corpora") / "smiles/smiles.txt").read_text().split()


@pytest.mark.full
def test_molecules_are_those_of_rdkit():
    chem = pytest.importorskip("rdkit.Chem")
    texts = smiles_texts()[::10]
    for text, found in zip(texts, in_node(MOLECULE, FACTS, texts), strict=True):
        molecule = chem.MolFromSmiles(text)
        hydrogens = sum(atom.GetTotalNumHs() for atom in molecule.GetAtoms())
        assert found == [molecule.GetNumAtoms(), molecule.GetNumBonds(), hydrogens], text


def test_all_spellings_of_a_molecule_have_one_key():
    texts = smiles_texts()[::10]
    keys = in_node([*MOLECULE, "viewers/molecule_key.js"], "moleculeKey(text)", texts)
    assert len(set(keys)) == len(texts)
    spellings = ["C1=CC=CC=C1O", "C1C=CC=CC=1O", "Oc1ccccc1", "c1cc(ccc1)O", "c1ccccc1C"]
    first, *others, toluene = in_node([*MOLECULE, "viewers/molecule_key.js"], "moleculeKey(text)", spellings)
    assert set(others) == {first} != {toluene}


@pytest.mark.full
def test_spellings_by_rdkit_have_one_key():
    chem = pytest.importorskip("rdkit.Chem")
    texts = smiles_texts()[::10]
    molecules = [chem.MolFromSmiles(text) for text in texts]
    turned = [chem.RenumberAtoms(molecule, list(range(molecule.GetNumAtoms()))[::-1]) for molecule in molecules]
    others = [chem.MolToSmiles(molecule, canonical=False) for molecule in turned]  # aromatic, in another order
    files = [*MOLECULE, "viewers/molecule_key.js"]
    assert in_node(files, "moleculeKey(text)", texts) == in_node(files, "moleculeKey(text)", others)


def test_atoms_do_not_overlap():
    found = in_node(MOLECULE, PLACES, smiles_texts()[::20])
    assert all("error" not in one for one in found)
    clear = [one["near"] > 0.4 and one["shortest"] > 0.6 and one["longest"] < 1.6 for one in found]
    assert sum(clear) >= 0.98 * len(found)


def test_rings_are_regular():
    (benzene, naphthalene) = in_node(MOLECULE, PLACES, ["C1=CC=CC=C1", "C1=CC=C2C=CC=CC2=C1"])
    for one in (benzene, naphthalene):
        assert one["near"] == pytest.approx(1, abs=1e-6) and one["longest"] == pytest.approx(1, abs=1e-6)


# -- tunes

TUNES = [
    "M:6/8\nL:1/8\nK:D\nA|d>ed cde|f2 ^g (3abc'|=c2 c C,3|z2 d-d3:|",
    "M:C|\nL:1/16\nK:Gm\n{ab}[G4B4d4]- [G4B4d4] B/c/d//e// c<<d|[K:Am]a8 [M:2/4] f4|]",
    "M:9/8\nL:1/8\nK:Hp\n(2ab (4abcd c'3|[1a,,2:|[2 _b2 b B ^^F|",
]
SOUNDS = """(() => { const tune = readTune(text), { sounds } = soundsOf(tune, [...tune.bars.keys()]);
    return sounds.map(({ start, length, pitch }) => [start, length, pitch]); })()"""
ORDER = "playOrder(readTune(text).bars)"


def sounds_of(text):
    read_tune = pytest.importorskip("seqgen_tunes.parser").read_tune
    whole = importlib.import_module("seqgen_tunes.metres").WHOLE
    notes = read_tune(text).sounding()
    return sorted((note.at / whole, note.ticks / whole, pitch) for note in notes for pitch in note.pitches)


def test_tunes_sound_as_by_their_plugin():
    for text, found in zip(TUNES, in_node(TUNE, SOUNDS, TUNES), strict=True):
        wanted = sounds_of(text)
        assert [one[2] for one in sorted(found)] == [pitch for _, _, pitch in wanted], text
        for one, other in zip(sorted(found), wanted, strict=True):
            assert one == pytest.approx(list(other), abs=1e-3)


@pytest.mark.full
def test_tunes_of_the_corpus_sound_as_by_their_plugin():
    pytest.importorskip("music21")
    from seqgen_tunes.corpus import Tunes

    texts = [record.text for record in Tunes("aird", None)]
    for text, found in zip(texts, in_node(TUNE, SOUNDS, texts), strict=True):
        wanted = sounds_of(text)
        assert len(found) == len(wanted), text
        for one, other in zip(sorted(found), wanted, strict=True):
            assert one == pytest.approx(list(other), abs=1e-3), text


def test_repeats_and_endings_are_played():
    orders = {
        "ab|cd|": [0, 1], "ab:|cd|": [0, 0, 1], "|:ab|cd:|e|": [0, 1, 0, 1, 2], "a|:b:|:c:|": [0, 1, 1, 2, 2],
        "|:a|1b:|2c|d|": [0, 1, 0, 2, 3], "a|[1b:|[2c||d:|": [0, 1, 0, 2, 3, 3],
    }  # fmt: skip
    found = in_node(TUNE, ORDER, [f"L:1/8\nK:C\n{music}" for music in orders])
    assert dict(zip(orders, found, strict=True)) == orders


DRAWN = ["abc_lexer.js", *(f"viewers/{name}.js" for name in seqgen_page.viewers._TUNE)]
STAVES = """(() => {
  globalThis.svg = (name, attributes, ...children) => ({ name, attributes, children,
    append(...more) { this.children.push(...more); }, setAttribute(key, value) { this.attributes[key] = value; } });
  const drawn = drawTune(text), height = Number(drawn.attributes.viewBox.split(" ")[3]);
  return [...drawn.children.map((staff) => {
    const at = Number(staff.attributes.transform.split(" ")[1].replace(")", ""));
    const ys = staff.children.flatMap(({ attributes: a }) => [a.cy, a.y1, a.y2]).filter((y) => y !== undefined);
    return [at + Math.min(...ys.map(Number)), at + Math.max(...ys.map(Number))];
  }), [height, height]]; })()"""


def test_staves_of_a_tune_do_not_run_into_each_other():
    wide = "M:4/4\nL:1/4\nK:C\n" + "C,,E,,G,,C,|c'e'g'c''|{b''}a'A,,c''B,,|(3ccc_b''-b''|" * 8
    plain = "M:4/4\nL:1/4\nK:C\n" + "CEGc|ceGE|" * 12
    leaping, usual = in_node(DRAWN, STAVES, [wide, plain])
    assert len(leaping) > 3 and leaping[0][0] >= 0
    assert all(above[1] < below[0] for above, below in itertools.pairwise(leaping))
    assert [round(below[1] - above[1]) for above, below in itertools.pairwise(usual[:-1])] == [78] * (len(usual) - 2)


def test_a_tune_without_key_or_notes_has_a_reason():
    no_key, no_notes = in_node(TUNE, ORDER, ["abc|", "M:C\nK:D\n|:|"])
    assert no_key["error"] == "there is no key" and no_notes["error"] == "there are no notes"


KEYED = ["abc_lexer.js", "viewers/tune_reader.js", "viewers/tune_key.js"]
HEADS = [f"M:{metre}\nL:{unit}\nK:{key}\n" for metre, unit, key in (
    ("2/4", "1/4", "D minor"), ("none", "1", "Amix"), ("(2+3)/8", "1/1", "Bb ^f =c"), ("C|", "1/16", "HP"),
    ("6/8", "1/8", "Em"), ("C", "1/4", "none"), ("3/7", "1/8", "G"), ("3/4", "1/8", "C# min"), ("3/4", "1/8", "Cb loc"),
    ("2/4", "1/8", "G treble+8 middle=d, octave=-1"), ("2/4", "1/4", "Em =c clef=bass4 transpose=-2 stafflines=4 "),
)]  # fmt: skip
WORDS = [
    "A", "B2", "c'/", "^d,", "=e3/2", "z", "z2/4", "x", "Z", "Z2", "|", "||", "|:", ":|", "::", "|]", "[|", "[|]", "|1",
    ":|2", "[1", " ", "\n", "\r\n", "`", "y2", "(", ")", "-", ">", "<<", "(3", "(3:2:2", "{c}", "{c d}", "{,}", "[CE]",
    "[C-E-]2", "[K:D]", "[M:2/4]", "[L:1/8 ]", "\nK:A minor\n", "\nT:x\n", '"Am"', "!trill!", "~", ":", "1", "/", ",",
    "%", "[P:A]", "c0",
]  # fmt: skip


def forms_of(texts):
    """The keys of tunes on a page, and their canonical forms by the plugin; None of one that is refused."""
    from seqgen_tunes.validator import AbcValidator

    validate = AbcValidator().validate
    keys = [key if isinstance(key, str) else None for key in in_node(KEYED, "tuneKey(text)", texts)]
    return keys, [verdict.canonical if (verdict := validate(text)).ok else None for text in texts]


@pytest.mark.full
def test_the_key_of_a_tune_is_its_canonical_form():
    pytest.importorskip("seqgen_tunes")
    pick = random.Random(5)
    texts = [pick.choice(HEADS) + "".join(pick.choices(WORDS, k=pick.randint(1, 8))) for _ in range(9000)]
    head = "T:x\r\nL: 1/8\r\nM: 6/8\r\nK:EMin\r\n| E > GE G`E`G|"
    texts += [head + "B/2B/A2 e2 f|", head + "B/B/2 A2\ne2f|]"]
    keys, forms = forms_of(texts)
    valid = [(key, form) for key, form in zip(keys, forms, strict=True) if form is not None]
    assert len(valid) > 200 and all(key == form for key, form in valid)
    # What the plugin refuses has the key of no tune that it takes.
    assert not {key for key, form in zip(keys, forms, strict=True) if form is None} & {form for _, form in valid}


@pytest.mark.full
def test_the_keys_of_the_corpus_are_its_canonical_forms():
    pytest.importorskip("music21")
    from seqgen_tunes.corpus import load

    keys, forms = forms_of([record.text for record in load()][::20])
    assert keys == forms and len(keys) > 180


# -- cards, and scripts of others


def test_cards_are_read():
    good = "name=Fire Imp\ncost=3\ntype=minion\ntext=a=b"
    (found,) = in_node(["viewers/card.js"], "[...readCard(text)]", [good])
    assert dict(found) == {"name": "Fire Imp", "cost": "3", "type": "minion", "text": "a=b"}
    wrong = {
        "name=x\ny": "line 2 is no field",
        "name=x\nname=y": "stands there twice",
        "name=x\ncost=1": "no field type",
    }
    for text, one in zip(wrong, in_node(["viewers/card.js"], "readCard(text)", list(wrong)), strict=True):
        assert wrong[text] in one["error"]


def test_cards_with_an_unknown_type_or_bad_numbers_are_not_drawn():
    rules = pytest.importorskip("seqgen_cards.rules")
    card = "name=Fire Imp\ncost=%s\ntype=%s\nhealth=%s"
    fields = [
        *itertools.product(("0", "7", "100"), rules.TYPES, ("1", "100")),
        *itertools.product(("", "x", "07", "1.5", "-1", "101", "5" * 50, "\u0663"), ("minion",), ("1", "0")),
        ("1", "beast", "1"), ("1", "", "1"), ("1", "minion", "0"), ("1", "minion", "2 "),
    ]  # fmt: skip
    texts = [card % one for one in fields]
    for text, found in zip(texts, in_node(["viewers/card.js"], "[...checkCard(readCard(text))]", texts), strict=True):
        wrong = [name for name in ("type", "cost", "health") if name in rules.find_problems(text)]
        # Fields that a type does not have are drawn.
        wrong = [name for name in wrong if "not a field" not in rules.find_problems(text)[name]]
        assert (wrong[0] in found["error"]) if wrong else isinstance(found, list), text


def test_a_domain_has_its_viewer_only():
    assert [viewer_of(domain, "auto").name for domain in ("seqgen_smiles:smiles", "seqgen_tunes:abc", None)] == [
        "molecule", "tune", "",
    ]  # fmt: skip
    assert viewer_of("seqgen_cards:card", "none").n_bytes == 0 < viewer_of("seqgen_cards:card", "auto").n_bytes < 10_000


def test_a_script_of_somebody_is_a_viewer(tmp_path):
    script = tmp_path / "waves.js"
    script.write_text('"use strict";\nconst viewer = { name: "wave", draw: (text) => text };\n')
    viewer = viewer_of(None, str(script))
    assert viewer.name == "waves" and viewer.script.startswith("(() => {")
    for content, reason in (("draw()", "const viewer"), ("const viewer = {}; // </script>", "</script")):
        script.write_text(content)
        with pytest.raises(seqgen.BadOption, match=reason):
            viewer_of(None, str(script))
    with pytest.raises(seqgen.BadOption, match="cannot read the viewer"):
        viewer_of(None, str(tmp_path / "none.js"))
