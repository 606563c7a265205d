from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_smiles")
from seqgen_smiles import specs
from seqgen_smiles.tokenizers import SelfiesTokenizer, SmilesTokenizer

KINDS = (SmilesTokenizer, SelfiesTokenizer)
ANY = st.text(st.one_of(st.sampled_from("[]%CBrlnH@+-=#()1290.\n/\\"), st.characters(exclude_categories=())))
TEXTS = st.lists(ANY, max_size=6)


@pytest.mark.parametrize("spec", specs.TOKENIZERS, ids=lambda spec: spec.name)
def test_the_contract(spec):
    testing.check_tokenizer(spec)


@pytest.mark.parametrize("kind", KINDS)
@given(texts=TEXTS)
def test_every_text_comes_back_alone_and_together(kind, texts):
    tokenizer = kind.fit(texts)
    assert [tokenizer.decode(tokenizer.encode(text)) for text in texts] == texts
    flat, lengths = tokenizer.encode_many(texts)
    assert flat.dtype == np.int32 and lengths.dtype == np.int64
    assert flat.tolist() == [symbol for text in texts for symbol in tokenizer.encode(text)]
    assert lengths.tolist() == [len(tokenizer.encode(text)) for text in texts]
    assert tokenizer.decode_many(flat, lengths) == texts
    assert set(tokenizer.symbols) == {piece for text in texts for piece in kind.pattern.findall(text)}


@pytest.mark.parametrize("kind", KINDS)
@given(known=TEXTS, texts=TEXTS)
def test_what_is_unknown_is_named_with_its_place(kind, known, texts):
    tokenizer = kind.fit(known)
    for text in texts:
        pieces = kind.pattern.findall(text)
        unknown = [index for index, piece in enumerate(pieces) if piece not in tokenizer.symbols]
        if not unknown:
            continue
        for call in (tokenizer.encode, lambda text: tokenizer.encode_many([*known, text])):
            with pytest.raises(seqgen.UnknownSymbol) as caught:
                call(text)
            assert caught.value.symbol == pieces[unknown[0]]
            assert caught.value.position == len("".join(pieces[: unknown[0]]))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("ClC(Br)c1c[nH]cc1", ["Cl", "C", "(", "Br", ")", "c", "1", "c", "[nH]", "c", "c", "1"]),
        ("C%12CC%12", ["C", "%12", "C", "C", "%12"]),
        ("C%1[13C@@H]", ["C", "%", "1", "[13C@@H]"]),
        ("[Na+].[Cl-]", ["[Na+]", ".", "[Cl-]"]),
        ("[C[nH]]Cl]", ["[", "C", "[nH]", "]", "Cl", "]"]),
        ("C\nl[\n]", ["C", "\n", "l", "[\n]"]),
    ],
)
def test_pieces_of_smiles(text, pieces):
    tokenizer = SmilesTokenizer.fit([text])
    assert [tokenizer.symbols[symbol] for symbol in tokenizer.encode(text)] == pieces


def test_pieces_of_selfies():
    text = "[C][=Branch1][Ring1][Cl].[Na+1]"
    tokenizer = SelfiesTokenizer.fit([text])
    pieces = ["[C]", "[=Branch1]", "[Ring1]", "[Cl]", ".", "[Na+1]"]
    assert [tokenizer.symbols[symbol] for symbol in tokenizer.encode(text)] == pieces


def test_a_bracket_never_reaches_into_the_next_text():
    tokenizer = SmilesTokenizer.fit(["[C", "l]", "B", "r", "%1", "2"])
    assert tokenizer.symbols == ["%", "1", "2", "B", "C", "[", "]", "l", "r"]


def test_texts_are_read_as_they_come():
    def endless():
        yield from ("C[nH]" for _ in range(20_000))
        yield "Br"

    assert SmilesTokenizer.fit(endless()).symbols == ["Br", "C", "[nH]"]


@pytest.mark.parametrize("kind", KINDS)
def test_plain_texts_beside_one_with_symbols_beyond_latin(kind):
    """Codes of ASCII texts come in a byte each, which the largest known code does not fit into."""
    tokenizer = kind.fit(["CCO", "C👩"])
    flat, lengths = tokenizer.encode_many(["CCO", "OC"])
    assert tokenizer.decode_many(flat, lengths) == ["CCO", "OC"] and lengths.tolist() == [3, 2]


@pytest.mark.full
def test_smiles_are_refused_as_selfies(cli, in_tmp):
    (in_tmp / "mine.smi").write_text("CCO\nc1ccccc1[N+](=O)[O-]\n" * 20)
    (in_tmp / "theirs.txt").write_text("[C][C][O]\n[C][=C].[N]\n" * 20)
    (in_tmp / "mixed.txt").write_text("[C][C][O]\n[C][=C].[N]\nCCO\n" * 20)
    train = ("train", "--hidden", 4, "--steps", 1, "--out", "a", "--corpus")
    for arguments in (("mine.smi", "--tokenizer"), ("mine.smi", "--domain"), ("smiles", "--tokenizer")):
        refused = cli(*train, *arguments, "selfies")
        assert refused.code == 3 and not (in_tmp / "a").exists(), refused.err
        assert "cannot train with the tokenizer selfies: " in refused.err and "use --domain smiles" in refused.err
    assert (
        "40 of the first 40 records are not SELFIES, such as 'CCO'"
        in cli(*train, "mine.smi", "--domain", "selfies").err
    )
    taken = cli(*train, "theirs.txt", "--tokenizer", "selfies")
    assert taken.code == 0 and "not SELFIES" not in taken.err
    doubted = cli("train", "--hidden", 4, "--steps", 1, "--corpus", "mixed.txt", "--tokenizer", "selfies", "--out", "b")
    assert doubted.code == 0 and "tokenizer selfies: 20 of the first 60 records are not SELFIES" in doubted.err
