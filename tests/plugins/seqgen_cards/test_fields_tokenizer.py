from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
import seqgen.testing

pytest.importorskip("seqgen_cards")
from seqgen_cards.tokenizer import FieldsTokenizer

CARDS = ["name=a\ncost=1\ntext=costs 2=x", "cost=3\nname=b", "name=c=d\ncost=\ntext=", "name=e", "cost=5"]
ANY = st.text(st.sampled_from("abcdenopmstxu=_ \n\r\x0b\u2028\ue000\ue001\ud800😀"))
FIELDED = st.lists(
    st.sampled_from(["name=", "cost=", "text=", "race=", "\n", "\n\n", "=", "x", " name=", "NAME=", "é"])
)


def test_a_field_is_one_symbol():
    tokenizer = FieldsTokenizer.fit(CARDS)
    assert tokenizer.fields == ["cost", "name", "text"]
    symbols = [tokenizer.symbols[index] for index in tokenizer.encode("name=a\ncost=1\ntext=cost=x")]
    assert symbols == ["name=", "a", "\ncost=", "1", "\ntext=", "c", "o", "s", "t", "=", "x"]
    assert len(tokenizer.encode("\n\ncost=1\n")) == 4  # only the second line end belongs to the field


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        (["x = 1", "def f(a=1):", "y=2\nz"], []),  # code has lines that only look so
        (["a=1", "b", "c"], []),
        (["a=1", "b=1", "c", "d"], ["a", "b"]),
        (["A=1\nb=2"] * 3, []),
        (["b=2\n9=2"] * 3, []),
        ([""] * 3, []),
        (["b2_c=2\nb=2"], ["b", "b2_c"]),
        ([*["a=1"] * 3000, "rare=1"], ["a"]),
        ([], []),
    ],
)
def test_what_is_a_field(texts, fields):
    assert FieldsTokenizer.fit(iter(texts)).fields == fields


@pytest.mark.full
def test_the_share_is_an_option(plugins):
    spec = plugins.registry.get("tokenizer", "fields").spec
    assert FieldsTokenizer.fit(["a=1", "b", "c"], min_share=0.3).fields == ["a"]
    seqgen.testing.check_tokenizer(spec)
    seqgen.testing.check_tokenizer(spec, (*CARDS, "name=Ada"), min_share=1)


@given(st.lists(ANY | FIELDED.map("".join), min_size=1, max_size=5), st.integers(0, 4))
def test_every_known_text_comes_back(texts, n):
    tokenizer = FieldsTokenizer.fit([*CARDS[:n], *texts])
    again = FieldsTokenizer.from_json(json.loads(json.dumps(tokenizer.to_json())))
    flat, lengths = tokenizer.encode_many(texts)
    assert tokenizer.decode_many(flat, lengths) == texts
    assert [tokenizer.decode(tokenizer.encode(text)) for text in texts] == texts
    assert again.encode_many(texts)[0].tolist() == flat.tolist() == [i for text in texts for i in again.encode(text)]
    assert flat.size == 0 or 0 <= flat.min() <= flat.max() < tokenizer.n_symbols


@given(st.data())
def test_any_rows_of_ids_decode(data):
    tokenizer = FieldsTokenizer.fit(CARDS)
    ids = data.draw(st.lists(st.integers(0, tokenizer.n_symbols - 1)))
    text = "".join(tokenizer.symbols[index] for index in ids)
    assert tokenizer.decode(ids) == text and tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("unknown", ["Z", "\ue000", "\ue005", "\U0010ffff", "é"])
def test_the_unknown_is_named_with_its_place(unknown):
    tokenizer = FieldsTokenizer.fit(CARDS)
    for encode in (tokenizer.encode, lambda text: tokenizer.encode_many(["name=a", text, "name=Q"])):
        with pytest.raises(seqgen.UnknownSymbol) as caught:
            encode(f"name=a\ncost={unknown}1")
        assert (caught.value.symbol, caught.value.position) == (unknown, 12)


def test_many_texts_have_the_ids_of_each():
    texts = [f"name=Owl of the night {i}\ncost={i % 9}\ntype=minion\ntext=Battlecry: Draw a card." for i in range(2000)]
    tokenizer = FieldsTokenizer.fit(texts)
    flat, lengths = tokenizer.encode_many(texts)
    assert flat.tolist() == [index for text in texts for index in tokenizer.encode(text)]
    assert tokenizer.decode_many(flat, lengths) == texts
