"""Rows marked as new or in training: the filter misses no record, and is seldom wrong about others."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import numpy as np
import pytest

import seqgen
import seqgen_page
from seqgen import exporting
from seqgen_page.comparison import find_node
from seqgen_page.novelty import ONE_IN, bloom_filter, record_filter
from seqgen_page.viewers import viewer_of

pytestmark = pytest.mark.skipif(find_node() is None, reason="node 18 or newer is not installed")


def known_in_page(bits, facts, texts, viewer=None):
    """What the page's script says of texts, compared by the key of a viewer if there is one."""
    script = (Path(seqgen_page.__file__).parent / "novelty.js").read_text()
    form = "(text) => text" if viewer is None else f"((viewer) => (text) => keyOf(viewer, text))({viewer.script})"
    program = f"""{script}
    const asked = JSON.parse(require("fs").readFileSync(0, "utf-8"));
    const novelty = new Novelty(Uint8Array.from(asked.bits), asked.facts, {form});
    process.stdout.write(JSON.stringify(asked.texts.map((text) => novelty.has(text))));"""
    asked = json.dumps({"bits": bits.tolist(), "facts": facts, "texts": texts})
    done = subprocess.run([find_node(), "-e", program], input=asked, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def words(n, seed):
    generator = random.Random(seed)
    return ["".join(generator.choices("abcdé日👩", k=generator.randint(1, 90))) for _ in range(n)]


@pytest.mark.full
def test_records_are_found_and_others_seldom():
    records, others = words(2000, 1), sorted(set(words(20_000, 2)) - set(words(2000, 1)))
    bits, facts = bloom_filter(records)
    assert all(known_in_page(bits, facts, records))
    n_wrong = sum(known_in_page(bits, facts, others))
    # Binomial: the expected number and five standard deviations.
    expected = len(others) / ONE_IN
    assert n_wrong <= expected + 5 * expected**0.5
    assert facts["records"] == len(set(records)) and len(bits) < 2 * len(records)


@pytest.mark.parametrize("record", ["é", "e\u0301"])
def test_texts_are_compared_in_normal_form(record):
    bits, facts = bloom_filter([record])
    assert known_in_page(bits, facts, ["e\u0301", "é", "e"]) == [True, True, False]


def test_a_filter_of_nothing_knows_nothing():
    bits, facts = bloom_filter([])
    assert not np.any(bits) and known_in_page(bits, facts, ["", "a"]) == [False, False]


@pytest.mark.full
@pytest.mark.parametrize("layout", ["stream", "lines"])
def test_a_run_without_its_records_is_refused_before_it_is_traced(layout, tmp_path, words, monkeypatch):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(words.read_text())
    run = seqgen.train(corpus, layout=layout, cell="vanilla", hidden=8, steps=2, blend="none", out=tmp_path / "run")
    corpus.write_text(words.read_text() + "another\n")
    monkeypatch.setattr(exporting, "traced_program", lambda step: pytest.fail("the model is traced"))
    refused, reason = {
        "stream": (seqgen.BadOption, r"\(--novelty\): one long text has no records; export without --novelty"),
        "lines": (seqgen.CorpusError, "changed"),
    }[layout]
    with pytest.raises(refused, match=reason):
        seqgen.load(run.folder).export("page", tmp_path / "page.html", novelty=True)


@pytest.mark.full
def test_records_are_compared_by_the_key_of_a_viewer(tiny_run, tmp_path):
    script = tmp_path / "viewer.js"
    script.write_text("const viewer = { name: 'word', draw: (text) => text, key(text) { return text.length + '' } };")
    bits, facts = record_filter(tiny_run, viewer_of(None, str(script)))
    assert facts["records"] == len({len(record.text) for record in tiny_run.records("train")}) and facts["keyed"]
    script.write_text("const viewer = { key_of: 0, draw: (key) => key };")
    assert not record_filter(tiny_run, viewer_of(None, str(script)))[1]["keyed"]
    script.write_text("const viewer = { key: document.title };")
    with pytest.raises(seqgen.ExportRefused, match="document is not defined"):
        record_filter(tiny_run, viewer_of(None, str(script)))


def test_without_a_key_records_are_known_in_their_canonical_form_too(tmp_path):
    pytest.importorskip("seqgen_tunes")
    path, tune = tmp_path / "tunes.jsonl", "M:6/8\nL:1/8\nK:D major\n|:AGA dfa|{}ec d3:|"
    path.write_text("\n".join(json.dumps({"text": tune.format(note)}) for note in "ABcdefg"))
    run = seqgen.train(path, domain="abc", cell="vanilla", hidden=4, steps=1, blend="none", split="none",
                       out=tmp_path / "run", options={"samples": 0})  # fmt: skip
    bits, facts = record_filter(run, viewer_of("seqgen_tunes:abc", "none"))
    other = run.canonical(tune.format("A"))
    assert not facts["keyed"] and facts["note"] and other != tune.format("A")
    texts = [tune.format("A"), other, run.canonical(tune.format("a"))]
    assert known_in_page(bits, facts, texts) == [True, True, False]


def test_molecules_that_differ_in_configuration_count_as_the_same_and_the_page_says_so(tmp_path):
    pytest.importorskip("seqgen_smiles")
    path, left, right = tmp_path / "molecules.smi", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"
    path.write_text("\n".join([left, "F/C=C/F", "CCO", "CCN"]))
    run = seqgen.train(path, domain="smiles", cell="vanilla", hidden=4, steps=1, blend="none", split="none",
                       out=tmp_path / "run", options={"samples": 0})  # fmt: skip
    viewer = viewer_of("seqgen_smiles:smiles", "auto")
    bits, facts = record_filter(run, viewer)
    assert facts["keyed"] and "differ only in configuration" in facts["note"]
    assert known_in_page(bits, facts, [left, right, "F/C=C\\F", "CCF"], viewer) == [True, True, True, False]
    assert run.where([left, right]) == {left: "train", right: "new"}


@pytest.mark.full
def test_a_tune_in_another_layout_is_in_training(tmp_path):
    pytest.importorskip("seqgen_tunes")
    path, tune = tmp_path / "tunes.jsonl", "M:6/8\nL:1/8\nK:{}\n|:AGA dfa|{}ec d3:|"
    path.write_text("\n".join(json.dumps({"text": tune.format("D", note)}) for note in "ABcdefg"))
    run = seqgen.train(path, domain="abc", cell="vanilla", hidden=4, steps=2, blend="none", split="none",
                       out=tmp_path / "run")  # fmt: skip
    viewer = viewer_of("seqgen_tunes:abc", "auto")
    bits, facts = record_filter(run, viewer)
    assert facts["keyed"] and not facts["note"]
    texts = [
        tune.format("D", "A"), tune.format("D major", "B").replace(" ", "").replace("|B", "|\r\nB") + "\n",
        tune.format("Dm", "A"), tune.format("D", "a"), "A",
    ]  # fmt: skip
    known = known_in_page(bits, facts, texts, viewer)
    assert known == [where == "train" for where in (run.where(texts)[text] for text in texts)]
    assert known == [True, True, False, False, False]
