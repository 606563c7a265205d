"""The page: its script gives what the run gives, and it asks a network for nothing."""

from __future__ import annotations

import base64
import copy
import hashlib
import html
import itertools
import json
import math
import operator
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import seqgen
from browser import Browser, find_chromium
from conftest import in_tiers, one_in, registered
from seqgen import exporting
from seqgen.counting import blend_of
from seqgen.errors import ExportRefused
from seqgen.model import RecurrentModel
from seqgen.tokenizers import Vocabulary
from seqgen_page import compiler, packing
from seqgen_page.comparison import Expected, _of_program, compared, find_node, lost_bits, page_results
from seqgen_page.document import document
from seqgen_page.texts import text_facts

needs_node = pytest.mark.skipif(find_node() is None, reason="node 18 or newer is not installed")
needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="chromium is not installed")
SETTINGS = {"temperature": 1, "topK": None, "topP": None, "forced": []}
TWELVE = ["vanilla", "gru", "lstm", "mamba", "transformer", "mingru", "ntm", "slstm", "s5", "tcn", "convlstm", "phased"]


def element(page, name):
    return re.search(rf'<script id="{name}"[^>]*>([^<]*)</script>', page.read_text())[1]


def facts_of(page):
    return json.loads(element(page, "facts"))


def sampled(page, n, **settings):
    asked = {**SETTINGS, "seed": 0, "maxLength": facts_of(page)["maxLength"], "n": n, **settings}
    return page_results(page, {"rows": [], "texts": [], "sample": asked})["samples"]


@pytest.fixture(scope="module")
def page(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    tiny_run.export("page", path, title="Forty <words>", novelty=True)
    return path


# -- the document


def test_the_page_may_run_its_own_script_and_style_only(page):
    text = page.read_text()
    policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1])
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'" and rules["script-src"].endswith("'wasm-unsafe-eval'")

    def digest(found):
        return f"'sha256-{base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()}'"

    assert rules["style-src"] == digest(re.search(r"<style>(.*?)</style>", text, re.S)[1])
    assert rules["script-src"].split()[0] == digest(re.search(r'<script id="program">(.*?)</script>', text, re.S)[1])
    text = text.replace("http://www.w3.org/2000/svg", "")  # a name, which nothing is loaded from
    assert not re.search(r"https?://|\bimport\(|fetch\(|src=|href=", text)
    assert "<h1>Forty &lt;words&gt;</h1>" in text


def test_the_page_is_small(page, tiny_run):
    assert page.stat().st_size <= 1.4 * 4 * tiny_run.settings.n_parameters + 200_000


def test_facts_cannot_end_their_element():
    text = document({"title": "</script><!--<script>"}, "", "")
    assert text.count("</script>") == 4 and "<!--" not in text
    assert json.loads(re.search(r'<script id="facts"[^>]*>([^<]*)<', text)[1])["title"] == "</script><!--<script>"


def test_every_input_has_a_label_and_every_table_head_a_scope(page):
    text = page.read_text()
    body = text[text.index("<body>") : text.index('<script id="facts"')]
    labelled = "".join(re.findall(r"<label.*?</label>", body, re.S))
    assert re.findall(r'<(?:input|textarea) id="([^"]*)"', body) == re.findall(
        r'<(?:input|textarea) id="([^"]*)"', labelled
    )
    assert body.count("<th ") == body.count('scope="col"') > 0 and 'role="status"' in body


# -- its results


@pytest.mark.full
@needs_node
def test_rows_of_a_seed_are_those_of_the_run(page, tiny_run):
    for mine, theirs in (
        ({"seed": 3}, {"seed": 3}),
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"topK": 2}, {"top_k": 2}),
        ({"topP": 0.6}, {"top_p": 0.6}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"forced": tiny_run.vocabulary.encode("gr").tolist()}, {"prefix": "gr"}),
        ({"maxLength": 3}, {"max_length": 3}),
    ):
        found = sampled(page, 150, **mine)
        rows = tiny_run.sample(150, **theirs)
        assert [(row["text"], row["cut"]) for row in found] == [(row.text, row.cut) for row in rows]


@needs_node
def test_the_costs_of_symbols_are_those_of_the_run(page, tiny_run):
    rows = [row for row in sampled(page, 20) if not row["cut"]]
    scores = tiny_run.score([row["text"] for row in rows])
    for row, score in zip(rows, scores, strict=True):
        assert row["nats"] == pytest.approx(score.nats_per_symbol, abs=1e-4)


@needs_node
def test_rows_are_new_as_the_run_says(page, tiny_run):
    rows = sampled(page, 600)
    where = tiny_run.where([row["text"] for row in rows])
    assert sum(row["known"] != (where[row["text"]] == "train") for row in rows) <= 3
    assert facts_of(page)["novelty"]["records"] == len({record.text for record in tiny_run.records("train")})


@needs_node
def test_a_page_that_differs_is_noticed(page, tiny_run):
    rows = [[5, 6, 7]]
    logits = exporting.replayed(tiny_run.model, rows)[0].tolist()
    step = exporting.one_step(tiny_run.model)
    symbols = exporting.symbols_of(tiny_run)
    good = Expected(rows, [logits], [], [], rows, symbols)
    assert compared(page, None, step, good)[0] < 1e-5
    logits[2][4] += 0.01
    assert compared(page, None, step, Expected(rows, [logits], [], [], rows, symbols))[0] == pytest.approx(
        0.01, abs=1e-5
    )
    with pytest.raises(ExportRefused, match="as other symbols"):
        compared(page, None, step, Expected(rows, [logits], ["ada"], [[4, 4, 4]], rows, symbols))


@pytest.mark.full
def test_without_node_the_traced_program_is_compared(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = tiny_run.export("page", tmp_path / "page.html")
    assert found.difference <= 1e-5 and "is not installed" in found.notes[0]
    assert re.fullmatch(r"\d+ kB: weights \d+, (counts \d+, )?the rest \d+", found.notes[1])


@pytest.mark.full
def test_without_node_a_growing_state_is_compared_too(tmp_path, words, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    run = seqgen.train(words, cell="transformer", hidden=8, steps=2, blend="none", out=tmp_path / "run")
    assert run.export("page", tmp_path / "page.html").difference <= 1e-5


@needs_node
@pytest.mark.full
@pytest.mark.parametrize("weights", ["int8", "float16"])
def test_rounded_weights_say_what_they_cost(weights, tiny_run, tmp_path, page):
    found = tiny_run.export("page", tmp_path / "page.html", weights=weights)
    (cost,) = [note for note in found.notes if weights in note]
    assert 0 <= float(re.search(r"cost (?:less than )?(\S+) bits", cost)[1]) < 0.1
    assert weights == "int8" or "less than 0.0001 bits" in cost
    assert len(element(tmp_path / "page.html", "arrays")) < len(element(page, "arrays"))


def test_the_cost_of_other_weights_is_their_divergence_in_bits(tiny_run):
    other, rows, symbols = copy.deepcopy(tiny_run.model), [[5, 6, 7], [4, 9]], exporting.symbols_of(tiny_run)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.5)

    def predicted(model):
        logits_NV = torch.cat([*exporting.replayed(model, rows)]).double()
        return torch.distributions.Categorical(logits=logits_NV[:, 2:])  # the end, and all symbols

    nats = torch.distributions.kl_divergence(predicted(tiny_run.model), predicted(other)).mean()
    assert symbols.offset == 3 and symbols.ends and nats > 0.01
    assert lost_bits(tiny_run.model, other, symbols, rows) == pytest.approx(float(nats) / math.log(2))


@pytest.mark.full
@needs_node
@pytest.mark.parametrize("weights", ["int8", "float16"])
def test_rounded_weights_leave_the_exponents_of_a_blend_as_they_are(weights, tmp_path):
    """They are more than 128 rows of two, as matrices that are rounded are."""
    words = ["".join(letters) for letters in itertools.product("abcde", repeat=4)]
    (tmp_path / "words.txt").write_text("\n".join(words) + "\n")
    run = seqgen.train(
        tmp_path / "words.txt", hidden=4, embedding=3, steps=4, blend="ngram", repeats="none", out=tmp_path / "run",
        options={"exponents": "sharp"},
    )  # fmt: skip
    assert blend_of(run.model).graph.n_nodes > 128
    assert run.export("page", tmp_path / "page.html", weights=weights).difference <= 1e-5


WITH_BUFFERS = """
import torch

import seqgen


class Mixing(seqgen.StepCell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.linear = torch.nn.Linear(input_size, hidden_size)
        generator = torch.Generator().manual_seed(1)
        self.register_buffer("fixed_HH", 0.2 * torch.randn(hidden_size, hidden_size, generator=generator))
        self.register_buffer("begin_NH", torch.randn(20, hidden_size, generator=generator))

    def initial_state(self, batch_size):
        return (self.begin_NH.expand(batch_size, -1, -1),)

    def step(self, p_BP, state):
        (h_BNH,) = state
        h_BNH = torch.tanh(self.linear(p_BP).unsqueeze(1) + h_BNH @ self.fixed_HH)
        return h_BNH.mean(1), (h_BNH,)


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="mixing", summary="a fixed matrix", load=Mixing))
"""


@pytest.mark.full
@needs_node
@pytest.mark.parametrize("weights", ["int8", "float16"])
def test_rounded_weights_leave_buffers_and_the_first_state_as_they_are(weights, tmp_path, words):
    script = tmp_path / f"mixing_{weights}.py"
    script.write_text(WITH_BUFFERS)
    run = seqgen.train(
        words, cell="mixing", hidden=32, steps=3, blend="none", plugins=[str(script)], out=tmp_path / "run"
    )
    assert run.export("page", tmp_path / "page.html", weights=weights).difference <= 1e-5
    described = facts_of(tmp_path / "page.html")["arrays"]
    assert ["float32", 32 * 32] in described and ["float32", 20 * 32] in described
    assert weights in {kind for kind, *_ in described}


def test_half_of_a_weight_is_stored_exactly():
    values = torch.tensor([[0.0, -1.5, 65504.0, 6e-8, 0.333]]).repeat(60, 1).numpy()
    model = nn.Linear(5, 60, bias=False)
    model.weight.data = torch.from_numpy(values.copy())
    assert torch.equal(packing.rounded_model(model, "float16").weight.detach(), model.weight.half().float())
    whole, scales = packing.scaled_rows(values)
    assert abs(whole * scales[:, None] - values).max() <= scales.max() / 2


@needs_node
@pytest.mark.full
@pytest.mark.parametrize(
    "settings",
    [
        {"blend": "ngram", "cell": "gru"},
        {"blend": "ngram", "cell": "gru", "options": {"exponents": "words"}},
        {"blend": "ngram", "repeats": "on", "cell": "gru"},
        {"blend": "none", "repeats": "on", "cell": "vanilla"},
        {"condition": "label", "cell": "lstm"},
        {"layout": "stream", "cell": "vanilla", "repeats": "on"},
        {"tokenizer": "bpe", "cell": "vanilla", "options": {"vocab_size": 40}},
        {"tokenizer": "byte", "cell": "vanilla"},
    ],
    ids=str,
)
def test_pages_of_other_runs(settings, tmp_path, words):
    if settings.get("condition"):
        records = [json.dumps({"text": word, "label": "ab"[len(word) % 2]}) for word in words.read_text().split()]
        words = tmp_path / "words.jsonl"
        words.write_text("\n".join(records))
    if settings.get("tokenizer") == "bpe":
        pytest.importorskip("tokenizers")
    run = seqgen.train(words, hidden=12, embedding=6, steps=30, out=tmp_path / "run", **settings)
    run.export("page", tmp_path / "page.html")
    given = {"label": "b"} if "condition" in settings else {}
    forced = run.vocabulary.condition_ids([given])[0].tolist()
    found = sampled(tmp_path / "page.html", 200, forced=forced)
    rows = run.sample(200, given=given)
    same = sum(one["text"] == other.text for one, other in zip(found, rows, strict=True))
    assert same >= 199


# -- texts


class Read:
    """What the page reads texts as, for a tokenizer."""

    def __init__(self, folder, name, tokenizer):
        vocabulary = Vocabulary(tokenizer)
        self.symbols = exporting.Symbols(
            vocabulary.size, vocabulary.symbol_offset, (), (), True, [2], vocabulary.pieces(), name,
            tokenizer.to_json(), 10,
        )  # fmt: skip
        facts = {"arrays": [], "nWeights": 0, "nLeaves": 0, "tables": [], "counts": None, "nIds": vocabulary.size,
                 "slots": [], "allowed": [], "offset": 3, "ends": True, "title": "",
                 "texts": text_facts(self.symbols)}  # fmt: skip
        self.page = folder / "page.html"
        self.page.write_text(document(facts, "function makeStep() {}", ""))

    def __call__(self, texts):
        return page_results(self.page, {"rows": [], "texts": list(texts), "sample": None})["ids"]

    def refusals(self, texts):
        """What the page says of texts that it cannot read."""
        program = f"""{re.search(r'<script id="program">(.*?)</script>', self.page.read_text(), re.S)[1]}
        const asked = JSON.parse(require("fs").readFileSync(0, "utf-8")), texts = new Texts(asked.facts);
        process.stdout.write(JSON.stringify(asked.texts.map((text) => {{
          try {{ texts.encode(text); return ""; }} catch (error) {{ return error.message; }}
        }})));"""
        asked = json.dumps({"facts": facts_of(self.page)["texts"], "texts": texts})
        done = subprocess.run([find_node(), "-e", program], input=asked, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


TEXTS = [
    "Ada Lovelace's 1st engine", "naïve café — déjà  vu\n\nnew", "e\u0301a'b’c ½ x² ⅷ", "日本語 テスト", "👩‍🔬 ok",
    "C[C@H](N)C(=O)OBrCl%12",
    "cost=1\nname=cost=\n\nname=x", "a\tb  c", "don't 'quote' 12,345.6", "x",
    "a !\ufeff! b\u0085c \u1680\u00a0 d\u3000 !\x85! !\x1c!",
    "M:6/8\nK:D\n|:{gf}^c,/2(3ab'[ce-]3/2 z2>A|1 T:|2 \"G\"[K:Am]!trill!c//-|]",
]  # fmt: skip


@needs_node
@pytest.mark.parametrize("name", one_in(3, ["char", "byte", "word", "bpe", "smiles", "selfies", "fields", "abc"]))
def test_texts_are_read_as_by_the_tokenizer(name, tmp_path):
    (entry,) = [one for one in registered("tokenizer") if one.spec.name == name]
    if name == "bpe":
        pytest.importorskip("tokenizers")
    options = {"min_share": 0.1} if name == "fields" else {}
    tokenizer = entry.load().fit(TEXTS * 3, **options)
    read = Read(tmp_path, entry.qualified, tokenizer)
    offset = read.symbols.offset
    assert read(TEXTS) == [[index + offset for index in tokenizer.encode(text)] for text in TEXTS]


UNKNOWN = [
    "\u201c",
    "\u2018",
    "z\u20ac",
    "a\u0301\u200b",
    "\u3041",
    "\U0001f916 a",
    "D",
    "\u00c9",
    "''",
    "[Zr]C",
    "[C@@H]X",
    "=\n",
    "\u00bd8",
    "C[D,,2e]",
    "\u00df\\",
]


def refusal_of(tokenizer):
    """A function that returns what a tokenizer says of a text that it cannot read, or "" of another one."""

    def refusal(text):
        try:
            tokenizer.encode(text)
        except seqgen.UnknownSymbol as error:
            return str(error)
        return ""

    return refusal


@needs_node
@pytest.mark.parametrize("name", one_in(3, ["char", "word", "bpe", "smiles", "selfies", "fields", "abc"]))
def test_an_unknown_symbol_is_named_as_by_the_tokenizer(name, tmp_path):
    (entry,) = [one for one in registered("tokenizer") if one.spec.name == name]
    if name == "bpe":
        pytest.importorskip("tokenizers")
    tokenizer = entry.load().fit(["C[C@H](N)C(=O)OBr[nH][Zn]", "\u00e9a\u0300 Bce \u2019 X= 1", "a\nx=1 sd", '"'])
    read = Read(tmp_path, entry.qualified, tokenizer)
    expected = list(map(refusal_of(tokenizer), UNKNOWN))
    assert read.refusals(UNKNOWN) == expected
    assert len(set(expected)) > 5 and any("the nearest known ones are" in line for line in expected)


# -- the translation


def model_of(cell, hidden=12, layers=2):
    torch.manual_seed(1)
    model = RecurrentModel(11, cell, hidden=hidden, embedding=6, layers=layers).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def page_of(model, path):
    """A page of a model without a run; its logits can be asked for."""
    step = exporting.one_step(model)
    translated = compiler.Compiler(exporting.traced_program(step))
    source = translated.source()
    arrays = [tensor.detach().numpy() for tensor in translated.weights.values()]
    leaves = [leaf.numpy() for leaf in step.initial_leaves(1)]
    text, described = packing.packed_arrays((array, "float32") for array in [*arrays, *leaves])
    facts = {"arrays": described, "nWeights": len(arrays), "nLeaves": len(step.initial_leaves(1)), "tables": [],
             "counts": None, "nIds": 11, "slots": [], "allowed": list(range(2, 11)), "offset": 3, "ends": True,
             "title": "", "grows": bool(step.growing), "maxLength": 20,
             "texts": {"read": "char", "pieces": ["YQ=="] * 8, "offset": 3}}  # fmt: skip
    path.write_text(document(facts, source, text))


def largest_difference(model, path, n_rows=2):
    rows = exporting.probe_rows(n_rows, 9, range(11))
    found = page_results(path, {"rows": rows, "texts": [], "sample": None})["logits"]
    wanted = exporting.replayed(model, rows)
    return max(float((torch.tensor(a) - b).abs().max()) for a, b in zip(found, wanted, strict=True))


@pytest.mark.full
@needs_node
@pytest.mark.parametrize(
    "entry",
    in_tiers(
        [pytest.param(entry, id=entry.spec.name) for entry in registered("cell")],
        lambda entry: entry.spec.name == "gru",
    ),
)
def test_any_cell_gives_the_logits_of_the_run(entry, tmp_path):
    model = model_of(lambda i, h: entry.build({}, i, h))
    page_of(model, tmp_path / "page.html")
    assert largest_difference(model, tmp_path / "page.html") <= 1e-5


class Odd(seqgen.StepCell):
    """Uses what few cells use."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, hidden_size)
        self.table = nn.Parameter(torch.randn(3, hidden_size))

    def initial_state(self, batch_size):
        return {"h": self.zeros(batch_size) + 0.5, "n": torch.zeros(batch_size, dtype=torch.int64)}

    def step(self, p_BP, state):
        h_BH, n_B = state["h"], state["n"]
        x = self.linear(p_BP)
        y = torch.where(x > 0, nn.functional.elu(x), nn.functional.leaky_relu(x)) + self.table[n_B % 3]
        y = y + nn.functional.softplus(h_BH).mean(1, keepdim=True) - h_BH.var(1, keepdim=True)
        y = y + nn.functional.pad(h_BH, (1, -1)).flip(1) + h_BH.roll(1, 1) + h_BH.cumsum(1) / 9
        y = y + h_BH.amax(1, keepdim=True) + h_BH.index_select(-1, torch.arange(h_BH.shape[1] - 1, -1, -1))
        y = torch.log_softmax(y, 1) + torch.einsum("bi,bj->bij", y, y).sum(2).tanh() + torch.round(x * 2) / 8
        return y.clamp(-3, 3), {"h": torch.tanh(y), "n": n_B + 1}


class Unknown(Odd):
    def step(self, p_BP, state):
        y, state = super().step(p_BP, state)
        return torch.special.i0e(y), state


@needs_node
@pytest.mark.full
def test_a_page_whose_numbers_are_not_finite_differs(tmp_path):
    model, rows = model_of(Odd), [[5, 6, 7]]
    wanted = exporting.replayed(model, rows)[0].tolist()
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    page_of(model, tmp_path / "page.html")
    expected = Expected(rows, [wanted], [], [], rows, symbols=None)
    assert math.isnan(compared(tmp_path / "page.html", None, exporting.one_step(model), expected)[0])


@needs_node
@pytest.mark.full
def test_further_operations(tmp_path):
    model = model_of(Odd)
    page_of(model, tmp_path / "page.html")
    assert largest_difference(model, tmp_path / "page.html") <= 1e-5


@pytest.mark.full
def test_an_operation_without_a_translation_is_named():
    with pytest.raises(ExportRefused, match=r"no translation of torch's operation aten\.special_i0e"):
        compiler.Compiler(exporting.traced_program(exporting.one_step(model_of(Unknown)))).source()


@pytest.mark.full
@pytest.mark.parametrize("compare", [operator.eq, operator.le])
def test_checks_of_sizes_are_left_out(compare):
    """Programs of torch 2.8 have some."""
    program = exporting.traced_program(exporting.one_step(model_of(Odd)))
    expected = compiler.Compiler(program).source()
    graph = program.graph
    first, last = next(node for node in graph.nodes if node.op == "call_function"), list(graph.nodes)[-1]
    ids = next(node for node in graph.nodes if node.name == "ids_b")
    for place in (first, last):
        with graph.inserting_before(place):
            size = graph.call_function(torch.ops.aten.sym_size.int, (ids, 0))
            graph.call_function(torch.ops.aten._assert_scalar.default, (graph.call_function(compare, (size, 5)), ""))
    assert compiler.Compiler(program).source() == expected


@pytest.mark.full
def test_whole_numbers_that_javascript_cannot_hold_are_refused(tmp_path, words):
    run = seqgen.train(words, model="ngram", steps=2, out=tmp_path / "run")
    with pytest.raises(ExportRefused, match=r"exact up to 2\*\*53 only; a network blended with counts"):
        run.export("page", tmp_path / "page.html")


def test_the_kernel_is_its_source():
    wasmtime = pytest.importorskip("wasmtime")
    folder = Path(compiler.__file__).parent
    assert bytes(wasmtime.wat2wasm((folder / "linear.wat").read_text())) == (folder / "linear.wasm").read_bytes()


# -- in a browser


@needs_chromium
@pytest.mark.full
def test_the_page_opens_from_a_file_and_asks_for_nothing(page, tiny_run):
    with Browser() as browser:
        browser.open(page, "#rows=30&seed=5")
        browser.wait_for("document.querySelectorAll('#body tr').length === 30")
        assert browser.requests() == [f"{page.resolve().as_uri()}#rows=30&seed=5"] or browser.requests() == [
            page.resolve().as_uri()
        ]
        assert not browser.complaints()
        texts = browser.evaluate("[...document.querySelectorAll('td.text')].map((cell) => cell.textContent)")
        rows = tiny_run.sample(30, seed=5)
        assert texts == [row.text or "(empty)" for row in rows]
        bits = browser.evaluate("[...document.querySelectorAll('td.number:last-child')].map((one) => +one.textContent)")
        assert bits == pytest.approx([row["bits_per_char"] for row in tiny_run.describe(rows)], abs=0.006)
        browser.evaluate("document.querySelector('[data-by=bits]').click()")
        ordered = browser.evaluate(
            "[...document.querySelectorAll('td.number:last-child')].map((one) => +one.textContent)"
        )
        assert ordered == sorted(bits)
        browser.evaluate("URL.createObjectURL = (blob) => { window.saved = blob.text(); return '#'; }")
        browser.evaluate("document.getElementById('save').click()")
        head, *lines = browser.evaluate("saved").splitlines()
        where = tiny_run.where(texts)
        assert head == "row,text,bits_per_char,cut,where" and len(lines) == 30
        assert {tuple(line.split(",")[1::3]) for line in lines if line.split(",")[1]} == {
            (text, "train" if where[text] == "train" else "new") for text in texts if text != "(empty)"
        }


@needs_chromium
@pytest.mark.full
def test_an_address_given_to_the_open_page_is_taken(page):
    with Browser() as browser:
        browser.open(page, "#rows=3&prefix=a")
        browser.wait_for("document.querySelectorAll('#body tr').length === 3")
        browser.evaluate("window.before = true")
        browser.evaluate("location.hash = '#rows=2'")
        browser.wait_for("window.before === undefined && document.querySelectorAll('#body tr').length === 2")
        assert browser.evaluate("document.getElementById('prefix').value") == ""


@needs_chromium
@pytest.mark.full
def test_a_prefix_in_the_address_of_a_page_that_cannot_read_texts_is_reported(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("seqgen_page.exporter._reads_longest", lambda *_: False)
    tiny_run.export("page", tmp_path / "page.html")
    with Browser() as browser:
        browser.open(tmp_path / "page.html", "#rows=2&prefix=a")
        browser.wait_for("document.querySelectorAll('#body tr').length === 2")
        shown = browser.evaluate("[document.getElementById('address').hidden, address.textContent]")
        assert not shown[0] and shown[1].endswith("does not know: prefix")


@needs_chromium
@pytest.mark.full
def test_a_page_that_finds_no_rows_says_how_many_it_tried(page):
    with Browser() as browser:
        browser.open(page, "#rows=100000&contains=" + "b" * 14)  # too rare to be found before the button
        status = "document.getElementById('status').textContent"
        browser.wait_for(f"/Sampling … 0 rows of [1-9]/.test({status})")
        browser.evaluate("document.getElementById('stop').click()")
        assert re.fullmatch(r"Stopped after 0 rows of \d[\d,]* tried\.", browser.evaluate(status))


@needs_node
@pytest.mark.parametrize("keep", ["true", "one.text.includes('a')"])
def test_rows_are_found_in_order_while_others_are_sampled(keep, page, tiny_run):
    """So that they stay if sampling is stopped; a chunk has 4,096 rows."""
    script = re.search(r'<script id="program">(.*?)</script>', page.read_text(), re.S)[1]
    program = f"""const elements = {json.dumps({name: element(page, name) for name in ("facts", "arrays", "kernel")})};
    {script}
    const {{ facts, model, texts }} = loadPage((id) => elements[id]), rows = [];
    const settings = {{ ...{json.dumps(SETTINGS)}, seed: 0, maxLength: facts.maxLength }};
    const asked = {{ settings, keep: (one) => {keep}, plain: {json.dumps(keep == "true")}, n: 4096 }};
    let tried = 0;
    for (const _ of sampled(model, texts, asked, (one) => rows.push(one), (n) => (tried = n))) if (tried >= 100) break;
    process.stdout.write(JSON.stringify({{ tried, rows }}));"""
    done = subprocess.run([find_node()], input=program, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert 100 <= found["tried"] < 400
    rows = [(number, row.text) for number, row in enumerate(tiny_run.sample(found["tried"], seed=0))]
    kept = rows if keep == "true" else [(number, text) for number, text in rows if "a" in text]
    assert [(one["row"], one["text"]) for one in found["rows"]] == kept


@needs_chromium
@pytest.mark.full
def test_constraints_are_kept_by_rejection(page, tiny_run):
    with Browser(390, 800, dark=True) as browser:
        browser.open(page, "#rows=10&contains=a&shortest=3&longest=5")
        browser.wait_for("document.getElementById('status').textContent.includes('10 rows kept of')")
        texts = browser.evaluate("[...document.querySelectorAll('td.text')].map((cell) => cell.textContent)")
        rows = tiny_run.sample(10, contains="a", length="3-5", exact=True)
        assert texts == [row.text for row in rows]
        table = "document.getElementById('rows-table')"
        assert browser.evaluate(f"{table}.scrollWidth <= {table}.clientWidth")
        browser.evaluate("document.getElementById('rows').value = '1'")
        browser.evaluate("document.getElementById('settings').requestSubmit()")
        browser.wait_for("document.getElementById('status').textContent.includes('1 row kept of')")
        for name, label in (("contains", "Contains"), ("prefix", "Starts with")):
            browser.evaluate(f"document.getElementById('{name}').value = '€'")
            browser.evaluate("document.getElementById('settings').requestSubmit()")
            refused = browser.evaluate("document.getElementById('status').textContent")
            assert refused == f"{label}: {refusal_of(tiny_run.vocabulary)('€')}." and "nearest known ones" in refused
            assert browser.evaluate("document.querySelectorAll('#body tr').length") == 0
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390


@needs_chromium
@pytest.mark.full
@pytest.mark.parametrize("width", [1200, 390])
def test_the_costs_of_a_long_text_are_all_in_sight(width, page, tiny_run):
    longest = facts_of(page)["maxLength"]
    with Browser(width, 800) as browser:
        browser.open(page, "#rows=5")

        def score(text):
            browser.evaluate(f"document.getElementById('text').value = {json.dumps(text)}")
            browser.evaluate("document.getElementById('text').dispatchEvent(new Event('input'))")

        browser.evaluate(f"document.getElementById('scoring').style.maxWidth = '{longest}rem'")  # less than they take
        score("a" * longest)
        browser.wait_for(f"document.querySelectorAll('#symbols li').length === {longest + 1}")
        sides = browser.evaluate(
            """(() => {
            const strip = document.getElementById("symbols"), whole = document.getElementById("scoring");
            const right = Math.max(...[...strip.children].map((one) => one.getBoundingClientRect().right));
            return [right, whole.getBoundingClientRect().right, strip.scrollWidth - strip.clientWidth];
        })()"""
        )
        assert sides[0] <= sides[1] and sides[2] == 0
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        score("an\nQ")
        browser.wait_for("document.querySelectorAll('#scored tr').length === 2")
        shown = browser.evaluate("document.querySelector('#scored td.failed').textContent")
        assert shown == refusal_of(tiny_run.vocabulary)("Q")


def shown_score(page, text):
    """What the page says of a text that somebody types."""
    with Browser() as browser:
        browser.open(page, "#rows=1")
        browser.evaluate(f"document.getElementById('text').value = {json.dumps(text)}")
        browser.evaluate("document.getElementById('text').dispatchEvent(new Event('input'))")
        browser.wait_for("document.getElementById('score').textContent !== ''")
        return browser.evaluate("document.getElementById('score').textContent")


@needs_chromium
@pytest.mark.full
def test_texts_longer_than_sampled_rows_are_scored_as_by_the_run(page, tiny_run):
    text = "ada" * facts_of(page)["maxLength"]
    assert facts_of(page)["longestScored"] is None
    (score,) = tiny_run.score([text])
    assert shown_score(page, text).startswith(f"{score.bits_per_char:.3f} bits per character")


@needs_chromium
@pytest.mark.full
def test_a_text_beyond_a_growing_state_is_refused_with_its_limit(tmp_path, words):
    run = seqgen.train(words, cell="transformer", hidden=8, steps=2, blend="none", out=tmp_path / "run")
    page = tmp_path / "page.html"
    run.export("page", page)
    facts = facts_of(page)
    limit = facts["longestScored"]
    assert limit > facts["maxLength"]
    (score,) = run.score(["a" * limit])
    assert shown_score(page, "a" * limit).startswith(f"{score.bits_per_char:.3f} bits per character")
    found = shown_score(page, "a" * (limit + 1))
    assert found == f"Cannot score this text: it has {limit + 1} symbols, and this model reads at most {limit}."


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("cell", TWELVE)
def test_twelve_cells_in_a_browser(cell, tmp_path, words):
    run = seqgen.train(words, cell=cell, hidden=32, steps=60, blend="none", out=tmp_path / "run")
    page = tmp_path / "page.html"
    assert run.export("page", page).difference <= 1e-4
    rows = [run.vocabulary.encode(word).tolist() for word in words.read_text().split()[:20]]
    starts = [word[: 1 + number % 4] for number, word in enumerate((words.read_text().split() * 3)[:100])]
    asked = {"rows": rows, "starts": starts, "maxLength": run.settings.max_length}
    with Browser() as browser:
        browser.open(page)
        found = browser.evaluate(
            f"""(() => {{
            const asked = {json.dumps(asked)};
            const {{ model, texts }} = loadPage((id) => document.getElementById(id).textContent);
            const sampled = (settings, rows) => {{
              const found = [];
              const all = {{ temperature: 1, topK: null, topP: null, forced: [], seed: 0, maxLength: asked.maxLength }};
              const sampler = new Sampler(model, {{ ...all, ...settings }});
              for (const _ of sampler.sample(rows, 64, (row) => found.push(row))) {{}}
              return found.sort((a, b) => a.row - b.row).map((row) => texts.decode(row.ids));
            }};
            return {{
              logits: asked.rows.map((ids) => model.replay(ids).map((row) => [...row])),
              greedy: asked.starts.map((start) => sampled({{ temperature: 0, forced: texts.encode(start) }}, [0])[0]),
              seeded: sampled({{}}, [...Array(1000).keys()]),
              wasm: kernel !== null,
            }};
        }})()"""
        )
        assert not browser.complaints()
    wanted = exporting.replayed(run.model, rows)
    worst = max(float((torch.tensor(a) - b).abs().max()) for a, b in zip(found["logits"], wanted, strict=True))
    assert worst <= 1e-4 and found["wasm"]
    assert found["greedy"] == [run.sample(1, temperature=0, prefix=start)[0].text for start in starts]
    same = sum(one == other.text for one, other in zip(found["seeded"], run.sample(1000), strict=True))
    assert same >= 999 and not math.isnan(worst)
    assert page.stat().st_size <= 1.4 * 4 * run.settings.n_parameters + 200_000


def test_logits_of_a_program_that_are_no_numbers_are_a_difference():
    calls = itertools.count()

    class Step:
        growing = ()
        initial_leaves = staticmethod(lambda width: [])

        def __call__(self, ids_B):
            return [torch.zeros(2, 5)]

    def module(ids_B):
        return [torch.full((2, 5), math.nan if next(calls) == 1 else 0.0)]

    assert math.isnan(_of_program(SimpleNamespace(module=lambda: module), Step()))
