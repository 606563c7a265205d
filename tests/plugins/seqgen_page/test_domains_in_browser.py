"""Pages of names, molecules, tunes and cards in a browser: rows of the run, pictures, sound, and no request."""

from __future__ import annotations

import bisect
import json

import pytest
import torch

import seqgen
from browser import Browser, find_chromium
from seqgen import exporting

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="chromium is not installed")

STATUS = "document.getElementById('status').textContent"
CARD = "name={}\ncost={}\ntype=minion\nclass=mage\nrarity=epic\nattack={}\nhealth=2\ntext=Battlecry: Deal 3 damage."
TUNE = "M:6/8\nL:1/8\nK:D\n|:A{}A dfa|{}ec d3:|"
NEAR = 1e-5  # of a boundary between two symbols, as a part of 1


def write_records(name, folder):
    """A small file of texts of a domain."""
    if name == "tune":
        texts = [TUNE.format(a, b) for a in "ABcdef" for b in "abcdefg"]
    else:
        texts = [
            CARD.format(f"{a}{b}", cost, 1 + cost % 5) for cost, a in enumerate(("Imp", "Elf", "Orc")) for b in "abcde"
        ]
    path = folder / f"{name}s.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    return path


@pytest.fixture(scope="module", params=["names", "smiles", "tune", "card"])
def exported(request, tmp_path_factory):
    """A run of a domain and its page."""
    folder, name = tmp_path_factory.mktemp(request.param), request.param
    settings = {"cell": "gru", "hidden": 64, "steps": 300, "out": folder / "run"}
    if name in ("names", "smiles"):
        run = seqgen.train(name, **settings)
    else:
        run = seqgen.train(write_records(name, folder), domain={"tune": "abc", "card": "card"}[name], **settings)
    run.export("page", folder / "page.html", novelty=True)
    return name, run, folder / "page.html"


def is_near_boundary(run, symbols, one, other, uniform):
    """Whether a row differs from the run's where a random number lies beside the boundary between two symbols."""
    ids, slots = one["ids"], [0] * len(symbols.slots)
    texts = [run.vocabulary.decode(ids[: n + 1]) for n in range(len(ids))]
    first = next((n for n, text in enumerate(texts) if not other.startswith(text)), len(ids))
    logits = exporting.replayed(run.model, [[*slots, *ids[:first]]])[0][-1].double()
    sums = torch.softmax(logits[list(symbols.allowed)], -1).cumsum(-1).tolist()
    at = bisect.bisect(sums, uniform[first])
    return min(abs(uniform[first] - bound) for bound in sums[max(0, at - 1) : at + 1]) <= NEAR


@pytest.mark.slow
def test_rows_are_those_of_the_run(exported):
    name, run, page = exported
    n = 1000 if name == "names" else 200
    with Browser() as browser:
        browser.open(page)
        found = browser.evaluate(
            f"""(() => {{
            const {{ facts, model, texts, novelty }} = loadPage((id) => document.getElementById(id).textContent);
            const found = [], forced = facts.slots.map(() => PAD), uniforms = new Uniforms(4);
            const all = {{ seed: 4, temperature: 1, topK: null, topP: null, forced, maxLength: facts.maxLength }};
            const sampler = new Sampler(model, all);
            for (const _ of sampler.sample([...Array({n}).keys()], 64, (row) => found.push(row))) {{}}
            return found.sort((a, b) => a.row - b.row).map(({{ row, ids }}) => {{
              const text = texts.decode(ids), uniform = [...ids, 0].map((_, place) => uniforms.at(row, place));
              return {{ ids, text, known: novelty.has(text), uniform }};
            }});
        }})()"""
        )
        assert not browser.complaints()
    symbols, rows = exporting.symbols_of(run), run.sample(n, seed=4)
    different = [(one, row.text) for one, row in zip(found, rows, strict=True) if one["text"] != row.text]
    assert len(different) <= (1 if name == "names" else n // 50)
    assert all(is_near_boundary(run, symbols, one, text, one["uniform"]) for one, text in different)
    where = run.where([one["text"] for one in found])
    wrong = {one["text"]: one["known"] for one in found if one["known"] != (where[one["text"]] == "train")}
    # Of a tune another spelling counts as new.
    assert sum(wrong.values()) <= 5 and (name == "tune" or all(wrong.values()))
    assert name != "names" or any(one["known"] for one in found)


@pytest.mark.slow
def test_texts_are_drawn_and_nothing_is_asked_for(exported):
    name, run, page = exported
    with Browser() as browser:
        browser.open(page, "#rows=20&seed=1&nothing=3&top-k=many&longest=500")
        browser.wait_for(f"/ rows kept of /.test({STATUS})")
        assert browser.evaluate("document.getElementById('address').textContent").endswith(": nothing, top-k=many")
        assert browser.evaluate("document.getElementById('more').open")
        assert browser.evaluate(f"/New: \\d+ of 20/.test({STATUS})")
        wanted = {
            "names": "#body tr",
            "smiles": "svg.molecule line",
            "tune": "svg.tune ellipse",
            "card": ".card .title",
        }
        assert browser.evaluate(f"document.querySelectorAll({json.dumps(wanted[name])}).length") >= 5
        text = next(iter(run.records("train"))).text
        browser.evaluate(f"document.getElementById('text').value = {json.dumps(text)}")
        browser.evaluate("document.getElementById('text').dispatchEvent(new Event('input'))")
        browser.wait_for("document.getElementById('score').textContent !== ''")
        score = run.score([text])[0].bits_per_char
        assert float(browser.evaluate("document.getElementById('score').textContent").split()[0]) == pytest.approx(
            score, abs=2e-3
        )
        assert browser.evaluate("document.querySelectorAll('#drawing svg, #drawing .card').length") == (name != "names")
        label = browser.evaluate("document.getElementById('text-label').textContent")
        assert label.startswith("One text: " if run.settings.corpus.multiline else "Texts, one a line")
        assert not browser.complaints()
        assert all(address.startswith(page.resolve().as_uri()) for address in browser.requests())


@pytest.mark.slow
def test_a_tune_is_played(exported):
    name, _, page = exported
    if name != "tune":
        pytest.skip("only tunes are played")
    with Browser() as browser:
        browser.open(page, "#rows=4")
        browser.wait_for(f"/ rows in /.test({STATUS})")
        button = "document.querySelector('#gallery .play')"
        browser.evaluate(f"{button}.click()", by_hand=True)
        assert browser.evaluate(f"{button}.ariaLabel").startswith("Stop row")
        browser.evaluate(f"{button}.click()", by_hand=True)
        assert browser.evaluate(f"{button}.ariaLabel").startswith("Play row")
        loudest, crossings = browser.evaluate(
            """(async () => {
            const context = new OfflineAudioContext(1, 48000, 48000);
            const seconds = viewer.sound("L:1/2\\nK:C\\nA|", context);
            const samples = (await context.startRendering()).getChannelData(0).slice(12000, 36000);
            let crossings = 0;
            for (let i = 1; i < samples.length; i++) if (samples[i - 1] < 0 && samples[i] >= 0) crossings += 1;
            return [Math.max(...samples), crossings];
        })()"""
        )
        assert 0.05 < loudest < 1 and crossings == pytest.approx(220, abs=2)
        assert not browser.complaints()


@pytest.mark.slow
def test_several_lines_are_scored_and_a_refused_value_leaves_no_rows(exported):
    name, run, page = exported
    if name != "names":
        pytest.skip("one domain is enough")
    with Browser(390, 800) as browser:
        browser.open(page, "#rows=5")
        browser.wait_for(f"/ rows in /.test({STATUS})")
        browser.evaluate("document.getElementById('text').value = 'Anna\\nMaria\\n€'")
        browser.evaluate("document.getElementById('text').dispatchEvent(new Event('input'))")
        browser.wait_for("document.querySelectorAll('#scored tr').length === 3")
        cells = browser.evaluate("[...document.querySelectorAll('#scored td.number')].map((cell) => +cell.textContent)")
        scores = [score.bits_per_char for score in run.score(["Anna", "Maria"])]
        assert cells[::2] == pytest.approx(scores, abs=2e-3)
        assert "1 of them without a score" in browser.evaluate("document.getElementById('score').textContent")
        browser.evaluate("document.getElementById('rows').value = '0'")
        browser.evaluate("document.getElementById('settings').requestSubmit()")
        assert browser.evaluate(STATUS).startswith("Rows: ")
        assert browser.evaluate("document.querySelectorAll('#body tr').length") == 0
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
