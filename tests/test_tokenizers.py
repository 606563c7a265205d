from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgen.errors import PluginError, UnknownSymbol
from seqgen.protocols import Tokenizer
from seqgen.tokenizers import BOS, EOS, PAD, ByteTokenizer, CharTokenizer, Vocabulary
from seqgen.tokenizers.char import nearest

ANY = st.lists(st.text(), min_size=1)


@given(ANY, st.sampled_from([CharTokenizer, ByteTokenizer]))
def test_decode_undoes_encode(texts, kind):
    tokenizer = kind.fit(texts)
    again = kind.from_json(json.loads(json.dumps(tokenizer.to_json())))
    for text in texts:
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert list(again.encode(text)) == list(tokenizer.encode(text))
    flat, lengths = tokenizer.encode_many(texts)
    assert flat.tolist() == [index for text in texts for index in tokenizer.encode(text)]
    assert lengths.tolist() == [len(tokenizer.encode(text)) for text in texts]
    assert tokenizer.decode_many(flat, lengths) == texts
    assert Tokenizer.decode_many(tokenizer, flat, lengths) == texts


@given(st.sets(st.characters()), st.characters(), st.text())
def test_unknown_symbols_are_named_with_their_place(known, symbol, before):
    tokenizer = CharTokenizer((known | set(before)) - {symbol})
    before = before.replace(symbol, "")
    for encode in (tokenizer.encode, lambda text: tokenizer.encode_many([before, text])):
        with pytest.raises(UnknownSymbol) as caught:
            encode(before + symbol)
        assert caught.value.symbol == symbol and caught.value.position == len(before)


def test_nearest_symbols():
    assert nearest("Ž", list("abzZY"))[:2] == ["Z", "z"]
    assert nearest("É", list("eEf"))[0] == "E"
    assert nearest("7", list("ab9"))[0] == "9"


def test_samples_of_bytes_are_always_text():
    assert ByteTokenizer().decode([0x61, 0xFF]) == "a\ufffd"


@given(ANY, st.lists(st.text(min_size=1), max_size=3, unique=True))
def test_framing(texts, conditions):
    vocabulary = Vocabulary(CharTokenizer.fit(texts), tuple(conditions))
    flat, lengths = vocabulary.frame_many(texts)
    at = 0
    for text, length in zip(texts, lengths, strict=True):
        row = flat[at : at + length]
        assert row[0] == BOS and row[-1] == EOS and (row[1:-1] >= vocabulary.symbol_offset).all()
        assert vocabulary.decode(row[1:-1].tolist()) == text
        at += length
    assert at == len(flat)
    assert vocabulary.size == 3 + len(conditions) + vocabulary.tokenizer.n_symbols


def test_specials_are_ids_never_text():
    vocabulary = Vocabulary(CharTokenizer.fit(["<eos>"]))
    assert EOS not in vocabulary.encode("<eos>")


def test_what_may_be_predicted():
    vocabulary = Vocabulary(CharTokenizer("ab\n"), ("female",))
    allowed = vocabulary.allowed_V()
    assert not allowed[PAD] and not allowed[BOS] and not allowed[3] and allowed[EOS] and allowed[4:].all()
    assert np.flatnonzero(allowed != vocabulary.allowed_V(line_ends=False)).tolist() == [4]  # the line end


class Growing(CharTokenizer):
    """A tokenizer that learns unknown symbols when it encodes them."""

    def encode(self, text):
        self.__init__([*self.symbols, *text])
        return super().encode(text)


class Storing(CharTokenizer):
    """A tokenizer that has a symbol more each time that it is stored."""

    def to_json(self):
        self.__init__([*self.symbols, chr(0x1F000 + self.n_symbols)])
        return super().to_json()


def test_a_tokenizer_whose_symbols_change_is_refused_by_name():
    vocabulary = Vocabulary(Growing.fit(["ab"]), label="tokenizer x of y")
    assert vocabulary.encode("ba").tolist() == [4, 3]
    with pytest.raises(PluginError, match=r"^tokenizer x of y: n_symbols was 2 and is 3: encode and to_json must "):
        vocabulary.encode("c")
    stored = Vocabulary(Storing.fit(["ab"]))
    stored.tokenizer.to_json()
    with pytest.raises(PluginError, match=r"^tokenizer test_tokenizers\.Storing: n_symbols was 2 and is 3"):
        stored.frame_many(["ab"])


def test_ids_beyond_the_symbols_are_refused_by_name():
    class Beyond(CharTokenizer):
        def encode(self, text):
            return [len(text)]

    with pytest.raises(PluginError, match=r"^tokenizer x of y: encode returned the ids 3 to 3, but n_symbols is 2"):
        Vocabulary(Beyond.fit(["ab"]), label="tokenizer x of y").encode("aaa")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((b"a", b"b"), r"returned \(b'a', b'b'\), neither a list nor None"),
        ([b"a"], "has 1 entries, and n_symbols is 2"),
        ([b"a", "b"], "has 'b' for symbol 1, which is not bytes"),
    ],
)
def test_bytes_of_symbols_that_are_none_are_refused_with_the_reason(found, message):
    tokenizer = type("Odd", (CharTokenizer,), {"symbol_bytes": lambda self: found}).fit(["ab"])
    with pytest.raises(PluginError, match=rf"^tokenizer x of y: symbol_bytes\(\) {message}"):
        Vocabulary(tokenizer, label="tokenizer x of y").pieces()
