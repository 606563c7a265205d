"""The warning of a prefix whose text the symbols of many rows divide otherwise than it is divided itself."""

import pytest

import seqgen

WORDS = ["an", "ann", "anna", "annabel", "anton", "bea", "ben", "banana", "nan", "nana"]


@pytest.fixture
def run(request, in_tmp):
    tokenizer = request.param
    if tokenizer == "bpe":
        pytest.importorskip("tokenizers")
    (in_tmp / "words.txt").write_text("\n".join(WORDS * 4) + "\n")
    options = {"vocab_size": 14} if tokenizer == "bpe" else {}
    return seqgen.train(
        "words.txt", tokenizer=tokenizer, options=options, hidden=16, embedding=8, steps=150, lr=0.02, blend="none",
        batch_size=16, out="run", split="none", warn=lambda _: None,
    )  # fmt: skip


@pytest.mark.parametrize("run", ["bpe"], indirect=True)
def test_the_share_of_rows_that_a_prefix_leaves_out(run):
    warned = []
    list(run.iter_samples(2, prefix="an", warn=warned.append))
    (line,) = warned
    assert line.startswith("--prefix 'an': ") and line.endswith("--template 'an*' in its place finds all of them")
    seqgen.load(run.path, warn=warned.append).top(2, prefix="an")
    assert warned == [line, line]
    own = run.vocabulary.encode("an").tolist()
    rows = [row.text for row in run.sample(4000, seed=3) if row.text.startswith("an")]
    others = sum(run.vocabulary.encode(text).tolist()[: len(own)] != own for text in rows)
    stated = float(line.partition(": ")[2].partition("%")[0]) / 100
    assert others / len(rows) == pytest.approx(stated, abs=0.04) and stated > 0.05


@pytest.mark.parametrize("run", ["char", "byte"], indirect=True)
def test_characters_and_bytes_leave_nothing_out(run):
    warned = []
    list(run.iter_samples(2, prefix="an", warn=warned.append))
    assert warned == []


@pytest.mark.parametrize("run", ["bpe"], indirect=True)
def test_a_prefix_that_is_divided_in_one_way_is_sampled_in_silence(run):
    warned = []
    list(run.iter_samples(2, prefix="be", warn=warned.append))
    list(run.iter_samples(2, warn=warned.append))
    assert warned == []
