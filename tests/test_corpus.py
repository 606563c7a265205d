from __future__ import annotations

import random
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgen.corpus import (
    Corpus,
    PresplitSource,
    Record,
    Splitter,
    Survey,
    TextFile,
    profile,
    read_lines,
    readers,
    survey,
    without_training_part,
)
from seqgen.errors import CorpusError, PluginError, SeqgenError, UsageError


def texts(path, **options):
    return [record.text for record in TextFile(path, **options)]


def write(tmp_path, data: bytes):
    path = tmp_path / "corpus.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\rc\n", ["a", "b", "c"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"a\n\n  \n\t\nb\n", ["a", "b"]),
        (b" a \n", [" a "]),
        ("a\u2028b\u2029c\u0085d\x0be\x0cf\n".encode(), ["a\u2028b\u2029c\u0085d\x0be\x0cf"]),
        (b"a\x00b\n", ["a\x00b"]),
        ("e\u0301\n\u00e9\n👩‍🔬\n".encode(), ["e\u0301", "\u00e9", "👩‍🔬"]),
        (b"a\na\n", ["a", "a"]),
    ],
)
def test_lines(tmp_path, data, expected):
    path = write(tmp_path, data)
    assert texts(path) == expected
    assert [record.text for record in read_lines(path)] == expected


@given(st.lists(st.sampled_from(["a", "é", "👩", " ", "\n", "\r", "\r\n", "\ufeff", "\u2028"])), st.integers(1, 5))
def test_lines_do_not_depend_on_the_blocks_that_are_read(tmp_path_factory, pieces, block):
    path = tmp_path_factory.mktemp("c") / "corpus.txt"
    data = "".join(pieces)
    path.write_bytes(data.encode())
    expected = data.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "_BLOCK_CHARS", block)
        assert texts(path, max_line_chars=400) == [line for line in expected if line and not line.isspace()]


def test_data_that_is_no_text_gets_no_advice_on_encodings(tmp_path):
    path = write(tmp_path, bytes(random.Random(0).randbytes(5000)))
    with pytest.raises(CorpusError, match="it is binary data, not text; pass a text file"):
        texts(path)
    path = write(tmp_path, "\x1b[1mzo\xeb\x1b[0m\tna\xefve \r\n".encode("cp1252") * 90)
    with pytest.raises(CorpusError, match="cp1252 is the most likely"):
        texts(path)


@pytest.mark.parametrize("block", [1, 7, 1 << 16])
def test_a_complaint_names_the_place_whatever_the_block(tmp_path, monkeypatch, block):
    monkeypatch.setattr(readers, "_BLOCK_CHARS", block)
    path = write(tmp_path, "é\r\n".encode() * 9 + b"ab\xff\n")
    with pytest.raises(CorpusError, match=r"line 10: byte 3 of the line \(byte 39 of the file\) is 0xff"):
        texts(path)
    path = write(tmp_path, b"\xef\xbb\xbf12345\r\n" + b"12345\n" * 8 + b"123456")
    with pytest.raises(CorpusError, match="line 10: longer than 5 characters"):
        texts(path, max_line_chars=5)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1)))
def test_what_is_written_is_read(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("c") / "corpus.txt"
    path.write_bytes("\n".join(lines).encode())
    expected = [line for line in lines if not line.isspace()]
    if expected and lines[0].startswith("\ufeff"):
        return  # a byte order mark is dropped
    assert texts(path) == expected


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("c") / "corpus.txt"
    path.write_bytes(data)
    try:
        assert all("\n" not in text and "\r" not in text for text in texts(path))
    except CorpusError as error:
        assert "\n" not in str(error)


def test_invalid_utf8_names_line_and_byte(tmp_path):
    path = write(tmp_path, "zoë\r\nab".encode() + b"\xffc\n")
    with pytest.raises(CorpusError, match=r"line 2: byte 3 of the line \(byte 9 of the file\) is 0xff"):
        texts(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path, encoding):
    assert texts(write(tmp_path, "a\nö𝄞\n".encode(encoding))) == ["a", "ö𝄞"]
    with pytest.raises(CorpusError, match=f"line 2: here is 0x.*, which is not {encoding.upper()}"):
        texts(write(tmp_path, "a\nö".encode(encoding)[:-1]))


def test_a_long_line_is_refused_in_bounded_memory(tmp_path):
    path = write(tmp_path, b"ok\n" + b"x" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(CorpusError, match="line 2: longer than 10000 characters"):
            texts(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert len(texts(write(tmp_path, b"x" * 11), max_line_chars=11)) == 1
    with pytest.raises(CorpusError):
        texts(write(tmp_path, b"x" * 12), max_line_chars=11)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        texts(tmp_path / "nope.txt")
    with pytest.raises(UsageError, match="folder"):
        texts(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\n \n\t\n", b"\xef\xbb\xbf"])
def test_no_records_is_an_error(tmp_path, data):
    with pytest.raises(CorpusError, match="no records"):
        profile(TextFile(write(tmp_path, data)), "empty")


def test_a_file_can_be_iterated_again(words):
    source = TextFile(words, label="x", split="test")
    assert list(source) == list(source)
    assert next(iter(source)) == Record("anna", "x", split="test")


def test_survey_counts_and_digests():
    def look(records):
        result = Survey()
        list(survey(records, "c", result))
        return result

    first = look([Record("ab"), Record("c", "x")])
    assert (first.n_records, first.n_chars, first.longest, first.alphabet) == (2, 3, 2, "abc")
    others = [[Record("c", "x"), Record("ab")], [Record("ab"), Record("c")], [Record("abc", "x")]]
    assert len({first.digest, *(look(records).digest for records in others)}) == 4


def test_survey_has_the_alphabet_of_all_texts():
    texts = ["zab", "é"] * 100 + ["\ud800é", "a\x7f", "b\n", "文a", "\U0010ffffé", "ba"]
    list(survey(map(Record, texts), "c", result := Survey()))
    assert result.alphabet == "".join(sorted(set("".join(texts))))


def test_what_is_not_a_record_is_the_plugins_fault():
    with pytest.raises(PluginError, match=r"not a seqgen\.Record"):
        list(survey(["text"], "c", Survey()))  # type: ignore[list-item]
    with pytest.raises(PluginError, match="yielded the text b'text', which is not a string"):
        list(survey([Record(b"text")], "c", Survey()))  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="yielded the field name 3, which is not a string"):
        list(survey([Record("text", fields={"a": 1, 3: 4})], "c", Survey()))  # type: ignore[dict-item]


def test_a_corpus_without_training_records_is_named_with_its_plugin_where_it_splits_itself():
    found = str(
        without_training_part(Corpus("c", [Record("a", split="valid")], plugin="brk (brk.py 1)"), "c", "1 record")
    )
    assert found.startswith("corpus c of brk (brk.py 1) has no record in its training part: its records say which")
    found = str(without_training_part(Corpus("c", [Record("a")], plugin="brk (brk.py 1)"), "c", "1 record"))
    problem = "corpus 'c' has no record in its training part: it has 1 record in all"
    assert found == f"{problem}; add more, or pass --split none, which trains on all"


@pytest.mark.parametrize("split", ["learn", ["train"], 1, ""])
def test_a_split_that_is_none_is_the_plugins_fault(split):
    with pytest.raises(PluginError, match="which is not train, valid or test"):
        list(survey([Record("text"), Record("text", split=split)], "c", Survey()))


def test_profile_shows_every_nth(words):
    shown = profile(TextFile(words), "words", n_shown=4)
    assert shown["records"] == 40 and shown["every"] == 10 and shown["shown"] == ["anna", "karl", "anne", "kira"]
    assert sum(shown["lengths"].values()) == 40 and shown["duplicates"] == 0
    assert sum(shown["symbols"].values()) == shown["characters"]


# -- split


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(0, 2**63 - 1))
def test_equal_texts_are_never_on_both_sides(lines, seed):
    splitter = Splitter(seed=seed)
    parts = {line: splitter.part(Record(line, "a")) for line in lines}
    assert all(splitter.part(Record(line, "b")) == part for line, part in parts.items())


def test_shares_are_kept():
    counts = Counter(Splitter().part(Record(str(n))) for n in range(20_000))
    assert abs(counts["train"] / 20_000 - 0.9) < 0.01 and abs(counts["valid"] / 20_000 - 0.05) < 0.01


def test_split_seed_changes_the_split_and_none_holds_nothing_out():
    records = [Record(str(n)) for n in range(200)]
    assert [Splitter(seed=1).part(r) for r in records] != [Splitter(seed=2).part(r) for r in records]
    assert {Splitter((1.0, 0.0, 0.0)).part(record) for record in records} == {"train"}


def test_records_may_carry_their_split():
    assert Splitter().part(Record("x", split="test")) == "test"
    source = PresplitSource([Record("a", split="test")], [Record("b")], None)
    assert [(record.text, record.split) for record in source] == [("a", "train"), ("b", "valid")]


def test_errors_are_of_the_tree():
    assert issubclass(CorpusError, SeqgenError)
