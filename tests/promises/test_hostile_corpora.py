"""Malformed corpus files: read as specified, or refused in one line with exit code 3."""

from __future__ import annotations

import codecs
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from conftest import one_in, read_again, registered
from seqgen.api.corpora import open_corpus
from seqgen.api.encoded_corpus import CorpusReading
from seqgen.corpus import Splitter, TextFile, count_of, load_file
from seqgen.errors import BadOption, CorpusError, UnknownSymbol, UsageError
from seqgen.plugins.selection import default_plugins

TINY = ("--cell", "vanilla", "--hidden", 4, "--embedding", 4, "--steps", 1, "--split", "none", "-o", "samples=2")
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        data: the file.
        texts: the records; None: the file is refused.
        said: what the line says, or what ``show corpus`` counts.
        options: of the corpus.
        name: of the file.
    """

    data: bytes
    texts: list[str] | None = None
    said: str = ""
    options: tuple[str, ...] = ()
    name: str = "corpus.txt"
    counts: Mapping[str, int] = field(default_factory=dict)


LATIN1 = "naïve\ncafé\n".encode("latin-1")
NORMAL = "caf\u00e9\ncafe\u0301\n"
TABLE = {
    # invalid UTF-8
    "invalid UTF-8": Row(b"ok\nna\xef\xfeve\n", None, "line 2: byte 3 of the line (byte 6 of the file) is 0xef 0xfe"),
    "invalid UTF-8 at the end": Row(b"ok\n\xe2\x82", None, "byte 1 of the line (byte 4 of the file) is 0xe2 0x82"),
    "invalid UTF-8 replaced": Row(
        b"ok\nna\xefve\n", ["ok", "na\ufffdve"], options=("encoding_errors=replace",),
        counts={"undecodable bytes replaced": 1},
    ),
    "invalid UTF-8 skipped": Row(
        b"ok\nna\xefve\n\nend\xff", ["ok"], options=("encoding_errors=skip",),
        counts={"undecodable lines skipped": 2, "blank lines skipped": 1},
    ),
    "invalid UTF-8 in a table": Row(b"text,x\nok,1\n\xff,2\n", None, "line 3: byte 1", name="corpus.csv"),
    "invalid UTF-8 in a table, replaced": Row(
        b"text,x\nok,1\n\xff,2\n", ["ok", "\ufffd"], options=("encoding_errors=replace",), name="corpus.csv",
        counts={"undecodable bytes replaced": 1},
    ),
    "invalid UTF-8 in a table, skipped": Row(
        b"text,x\nok,1\n\xff,2\n", ["ok"], options=("encoding_errors=skip",), name="corpus.csv",
        counts={"undecodable lines skipped": 1},
    ),
    "invalid UTF-8 in one long text, replaced": Row(
        b"ok\xff\n", ["ok\ufffd\n"], options=("encoding_errors=replace", "layout=stream"),
        counts={"undecodable bytes replaced": 1},
    ),
    "Latin-1": Row(LATIN1, ["naïve", "café"], options=("encoding=latin-1",)),
    # other marks
    "UTF-16 mark": Row("a\nö\n".encode("utf-16"), ["a", "ö"]),
    "UTF-32 mark": Row("a\nö\n".encode("utf-32"), ["a", "ö"]),
    "UTF-16 big-endian mark": Row(codecs.BOM_UTF16_BE + "a\nö\n".encode("utf-16-be"), ["a", "ö"]),
    "UTF-16 mark, cut short": Row("ab\n".encode("utf-16")[:-1], None, "is 0x0a, which is not UTF-16"),
    "UTF-16 as such": Row("ä\r\n𝄞\n".encode("utf-16"), ["ä", "𝄞"], options=("encoding=utf-16",)),
    "UTF-32 as such": Row("ä\n𝄞\n".encode("utf-32"), ["ä", "𝄞"], options=("encoding=utf-32",)),
    "UTF-16 cut short": Row("ab\n".encode("utf-16")[:-1], None, "is 0x0a, which is not UTF-16", ("encoding=utf-16",)),
    "UTF-8 mark": Row(b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
    "UTF-8 mark once": Row(b"\xef\xbb\xbf\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["\ufeffa", "\ufeffb"]),
    # characters
    "NUL and C0": Row(b"a\x00b\nc\x1bd\x07\n", ["a\x00b", "c\x1bd\x07"], counts={"control": 3}),
    "CR LF": Row(b"a\r\nb\r\n", ["a", "b"]),
    "lone CR": Row(b"a\rb\r", ["a", "b"]),
    "mixed ends": Row(b"a\r\nb\rc\nd\n\re", ["a", "b", "c", "d", "e"], counts={"blank lines skipped": 1}),
    "separators that are no line ends": Row(
        "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1eh\n".encode(), ["a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1eh"],
        counts={"control": 2},
    ),
    "composed and decomposed": Row(NORMAL.encode(), ["caf\u00e9", "cafe\u0301"]),
    "composed on demand": Row(NORMAL.encode(), ["caf\u00e9"] * 2, options=("normalize=NFC",)),
    "decomposed on demand": Row(NORMAL.encode(), ["cafe\u0301"] * 2, options=("normalize=NFD",)),
    "joined emoji": Row("👩‍🔬\n🏳️‍🌈\n".encode(), ["👩‍🔬", "🏳️‍🌈"]),
    "bidirectional": Row("a\u202eb\u2066c\n".encode(), ["a\u202eb\u2066c"]),
    "lone surrogates in JSON": Row(b'{"text": "a\\ud800b"}\n"\\udfff"\n', ["a\ud800b", "\udfff"], name="corpus.jsonl"),
    "CR in JSON": Row(b'{"text": "a\\rb"}\n{"text": "c\\nd"}\n', ["a\rb", "c\nd"], name="corpus.jsonl"),
    # lines
    "empty": Row(b"", None, "holds no records"),
    "only blank lines": Row(b"\n \n\t\r\n", None, "holds no records"),
    "only a mark": Row(b"\xef\xbb\xbf", None, "holds no records"),
    "all skipped": Row(b"\xff\n", None, "holds no records", ("encoding_errors=skip",)),
    "blank lines": Row(b"a\n\n  \nb\n", ["a", "b"], counts={"blank lines skipped": 2}),
    "spaces kept": Row(b" a \n\tb\t\n", [" a ", "\tb\t"]),
    "spaces stripped": Row(b" a \n\tb\t\n", ["a", "b"], options=("strip=true",)),
    "no final end": Row(b"a\nlast", ["a", "last"]),
    "too long": Row(b"ok\n" + b"x" * 10_001 + b"\n", None, "line 2: longer than 10000 characters"),
    "as long as may be": Row(b"x" * 10_000 + b"\n", ["x" * 10_000]),
    "too long, at the end": Row(b"ok\n" + b"x" * 200_000, None, "line 2: longer than 10000 characters"),
    "too long, skipped": Row(
        b"ok\n" + b"x" * 200_000 + b"\nmid\n" + b"y" * 20_000 + b"\nend\n" + b"z" * 70_000, ["ok", "mid", "end"],
        options=("long_lines=skip",), counts={"long lines skipped": 3},
    ),
    "too long in JSON": Row(b'"' + b"x" * 99_000 + b'"\n', None, "line 1: longer than", name="corpus.jsonl"),
    "too long in a table": Row(b"text\n" + b"x" * 99_000 + b"\n", None, "line 2: longer than", name="corpus.csv"),
    "duplicates": Row(b"a\nb\na\na\n", ["a", "b", "a", "a"], counts={"duplicates": 2}),
    "one symbol": Row(b"aaa\naa\n", ["aaa", "aa"]),
    "one line": Row(b"anna\n", ["anna"]),
    "one character": Row(b"a\n", ["a"]),
    "lines of one character": Row(b"a\nb\nc\n", ["a", "b", "c"]),
    # packed
    "packed": Row(gzip.compress(b"a\nb\n"), ["a", "b"], name="corpus.gz"),
    "packed, cut short": Row(gzip.compress(random.Random(0).randbytes(999).hex().encode())[:-20], None, "damaged gzip"),
    "packed, spoiled": Row(gzip.compress(b"a\n")[:10] + b"\xff" * 9, None, "damaged gzip"),
}  # fmt: skip


@pytest.mark.full
@pytest.mark.promise("R16")
@pytest.mark.parametrize("name", one_in(5, TABLE))
def test_a_file_is_read_or_refused_as_said(name, cli, in_tmp):
    row = TABLE[name]
    (in_tmp / row.name).write_bytes(row.data)
    options = [part for option in row.options for part in ("-o", f"corpus.{option}")]
    trained = cli("train", "--corpus", row.name, *options, *TINY, "--out", "run")
    if row.texts is None:
        assert (trained.code, trained.out) == (3, ""), trained.err
        assert row.said in trained.err and trained.err.startswith("seqgen: ") and trained.err.count("\n") == 1
        assert "\x1b" not in trained.err and not (in_tmp / "run").exists()
        return
    assert trained.code == 0, trained.err
    run = seqgen.load("run")
    assert [record.text for record in run.corpus] == row.texts
    for text in row.texts:
        assert run.vocabulary.decode(run.vocabulary.encode(text)) == text
    assert len(run.sample(3)) == 3
    shown = cli("show", "corpus", row.name, *[option.replace("corpus.", "") for option in options], "--json")
    profile = json.loads(shown.out)
    counts = dict(row.counts)
    assert profile["control_characters"] == counts.pop("control", 0)
    assert profile["duplicates"] == counts.pop("duplicates", len(row.texts) - len(set(row.texts)))
    assert profile["skipped_or_changed"] == counts
    for n, what in counts.items():
        assert count_of(what, n) in trained.err
    assert trained.err.count("control characters (") == ("control" in row.counts)


@pytest.mark.promise("R16")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "klingon"}, "no encoding named 'klingon'"),
        ({"encoding": "utf-61"}, "did you mean 'utf-16'"),
        ({"encoding": "base64"}, "no encoding named"),
        ({"layout": "stream", "strip": True}, "no lines to strip"),
        ({"form": "csv", "long_lines": "skip"}, "cannot skip long lines"),
    ],
)
def test_what_cannot_be_asked_of_a_file(options, message, words):
    with pytest.raises(BadOption, match=message):
        load_file(path=str(words), **options)


# -- fuzzing: success, or one line of ours

MANY = pytest.mark.parametrize("n", [100, pytest.param(1000, marks=pytest.mark.slow)])
_ERRORS = st.sampled_from(["strict", "replace", "skip"])
_LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1)
_READERS = st.fixed_dictionaries(
    {
        "encoding": st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1", "utf-7", "shift_jis", "utf-32-le"]),
        "encoding_errors": _ERRORS,
        "long_lines": st.sampled_from(["refuse", "skip"]),
        "max_line_chars": st.integers(1, 60),
        "strip": st.booleans(),
        "normalize": st.sampled_from(["none", "NFC", "NFKD"]),
    }
)
_BYTES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"a", b"\xff", b"\r", b"\n", b"\r\n", b",", b'"', b"\t", b"\x00", b"\xef\xbb\xbf", b"{"]))
    .map(b"".join),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def one_line_of_ours(error: Exception, *kinds: type[Exception]) -> None:
    assert isinstance(error, kinds), repr(error)
    assert error.exit_code in (2, 3) and "\n" not in str(error) and "\r" not in str(error)


@pytest.mark.promise("R16")
@MANY
def test_any_bytes_are_read_or_refused(n, folder, record_property):
    record_property("cases", n)

    @settings(max_examples=n)
    @given(data=_BYTES, options=_READERS, packed=st.booleans(), block=st.sampled_from([1, 5, 1 << 16]))
    def check(data, options, packed, block):
        path = folder / "any.txt"
        path.write_bytes(gzip.compress(data) if packed else data)
        source = TextFile(path, **options)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("seqgen.corpus.readers._BLOCK_CHARS", block)
            try:
                texts = [record.text for record in source]
            except CorpusError as error:
                one_line_of_ours(error, CorpusError)
                return
            assert texts == [record.text for record in source], "the same records each time"
        counts = dict(source.counts)
        for text in texts:
            assert text and not text.isspace() and "\n" not in text and "\r" not in text
            text.encode("utf-8")
            assert not options["strip"] or text == text.strip()
            assert options["normalize"] != "none" or len(text) <= options["max_line_chars"]
        assert options["encoding_errors"] != "strict" or not {name for name in counts if "undecodable" in name}
        whole = [record.text for record in TextFile(path, **options)]
        assert whole == texts and source.counts == counts, "whatever the block"

    check()


@pytest.mark.promise("R16")
@MANY
def test_any_bytes_are_a_table_or_refused(n, folder, record_property):
    record_property("cases", n)

    @settings(max_examples=n)
    @given(data=_BYTES, form=st.sampled_from(["jsonl", "csv", "tsv"]), errors=_ERRORS)
    def check(data, form, errors):
        path = folder / "any.table"
        path.write_bytes(data)
        try:
            source = load_file(path=str(path), form=form, encoding_errors=errors, max_line_chars=60)
            texts = [record.text for record in source]
        except (CorpusError, UsageError) as error:
            one_line_of_ours(error, CorpusError, UsageError)
            return
        assert texts == [record.text for record in source] and all(text.strip() for text in texts)

    check()


@pytest.mark.promise("R16")
@MANY
def test_texts_come_back_from_every_form_of_file(n, folder, record_property):
    record_property("cases", n)

    @settings(max_examples=n)
    @given(lines=st.lists(_LINES, max_size=6))
    def check(lines):
        wanted = [line for line in lines if not line.isspace()]
        forms = {
            "lines.txt": "".join(line + "\n" for line in lines),
            "lines.jsonl": "".join(json.dumps(line) + "\n" for line in lines),
            "lines.tsv": "text\tn\n" + "".join('"' + line.replace('"', '""') + '"\t1\n' for line in lines),
        }
        for name, text in forms.items():
            path = folder / name
            path.write_bytes(b"\xef\xbb\xbf" + text.encode())
            found = [record.text for record in load_file(path=str(path))]
            assert found == [line for line in wanted if name == "lines.txt" or line.strip()]
        (folder / "lines.16").write_bytes(forms["lines.txt"].encode("utf-16"))
        found = [record.text for record in load_file(path=str(folder / "lines.16"), encoding="utf-16")]
        assert found == wanted

    check()


TOKENIZERS = registered("tokenizer")


@pytest.mark.promise("R16")
@pytest.mark.parametrize("entry", TOKENIZERS, ids=lambda entry: entry.spec.name)
def test_every_tokenizer_gives_texts_back_or_names_the_symbol(entry, record_property):
    """Of any texts at all, lone surrogates too; a thousand over all tokenizers."""
    examples = -(-1000 // len(TOKENIZERS))
    record_property("cases", examples)
    make = entry.load()

    @settings(max_examples=examples)
    @given(texts=st.lists(ANY_TEXT, min_size=1, max_size=5), other=ANY_TEXT)
    def gives_back(texts, other):
        try:
            tokenizer = make.fit(texts)
            again = make.from_json(json.loads(json.dumps(tokenizer.to_json())))
        except (UsageError, CorpusError):  # half of a surrogate pair is no character for some
            return
        for text in [*texts, other]:
            try:
                ids = list(tokenizer.encode(text))
            except UnknownSymbol as error:
                assert error.symbol == text[error.position : error.position + len(error.symbol)] and error.symbol
                assert len(error.near) <= 3
                continue
            assert all(0 <= index < tokenizer.n_symbols for index in ids)
            assert tokenizer.decode(ids) == text and list(again.encode(text)) == ids

    gives_back()


# -- a file that changes, or is gone


def stopped_at(step):
    class Stop(Exception):
        pass

    def listener(folder, event):
        if type(event).__name__ == "Saved" and event.step >= step:
            raise Stop

    return Stop, listener


@pytest.mark.full
@pytest.mark.promise("R16")
def test_a_changed_corpus_is_resumed_only_if_that_is_allowed(cli, words, in_tmp):
    stop, listener = stopped_at(2)
    with pytest.raises(stop):
        seqgen.train(words, cell="vanilla", hidden=4, steps=6, options={"eval_every": 2}, out="run", listener=listener)
    began_with = seqgen.load("run").settings.corpus
    words.write_text(words.read_text() + "anna\n")
    refused = cli("resume", "run")
    assert refused.code == 3 and "(40 records then, 41 now)" in refused.err and "--allow-corpus-change" in refused.err
    allowed = cli("resume", "run", "--allow-corpus-change")
    assert allowed.code == 0 and "41 now): the run continues with the corpus as it is now" in allowed.err
    run = seqgen.load("run", checkpoint="latest")
    assert run.state["ended"] == "steps" and run.settings.corpus.n_records == 41
    assert sum(run.settings.corpus.parts.values()) == 41 and run.settings.corpus.before == (began_with.digest,)
    assert cli("evaluate", "run", "-n", 5).code == 0  # and it is judged by what it went on with
    assert cli("checkpoint", "verify", "run").code == 0  # those from before, too
    noted = (in_tmp / "run" / "corpus.json").read_text()
    (in_tmp / "run" / "corpus.json").write_text("{}")
    damaged = cli("evaluate", "run", "-n", 5)
    assert damaged.code == 4 and "run/corpus.json is damaged: corpus.name" in damaged.err
    (in_tmp / "run" / "corpus.json").write_text(noted)
    words.write_text("Ä\n" * 40)
    stop, listener = stopped_at(1)
    words.unlink()
    assert cli("evaluate", "run").code == 2


@pytest.mark.promise("R16")
@pytest.mark.parametrize("change", ["grows", "vanishes"])
def test_a_training_goes_on_while_its_file_changes(change, words, in_tmp, cli):
    def meddle(folder, event):
        if type(event).__name__ == "Started":
            if change == "grows":
                words.write_text(words.read_text() + "Ünknown\n")
            else:
                words.unlink()

    run = seqgen.train(words, cell="vanilla", hidden=4, steps=4, options={"eval_every": 2}, out="run", listener=meddle)
    assert run.folder.load_latest(pytest.fail).state["ended"] == "steps" and len(run.sample(2)) == 2
    judged = cli("evaluate", "run")
    assert judged.code == (3 if change == "grows" else 2) and judged.err.splitlines()[-1].startswith("seqgen: ")


@pytest.mark.promise("R16")
@pytest.mark.parametrize("more", ["Ünknown\n", "anna\n"])
def test_a_file_that_grows_while_it_is_read_is_refused(more, words, cli, monkeypatch):
    from seqgen.corpus import readers

    read_again(monkeypatch)
    plain, calls = readers.TextFile.__iter__, []

    def growing(self):
        calls.append(None)
        if len(calls) == 2:  # counted, not yet encoded
            with words.open("a") as file:
                file.write(more)
        return plain(self)

    monkeypatch.setattr(readers.TextFile, "__iter__", growing)
    result = cli("train", "--corpus", words, *TINY)
    assert result.code == 3 and "changed while it was read" in result.err and result.err.count("\n") == 1


def test_a_file_that_grows_within_its_only_reading_is_refused(words, cli, monkeypatch):
    from seqgen.corpus import readers

    plain = readers.TextFile.__iter__

    def growing(self):
        yield from plain(self)
        with words.open("a") as file:
            file.write("anna\n")

    monkeypatch.setattr(readers.TextFile, "__iter__", growing)
    result = cli("train", "--corpus", words, *TINY)
    assert result.code == 3 and "changed while it was read" in result.err


@pytest.mark.parametrize(("most_records", "most_chars", "n_readings"), [(40, 10**6, 1), (39, 10**6, 2), (99, 30, 2)])
def test_a_corpus_of_few_records_is_read_once(most_records, most_chars, n_readings, words, monkeypatch):
    from seqgen.corpus import readers

    read_again(monkeypatch, most_records, most_chars)
    plain, calls = readers.TextFile.__iter__, []
    monkeypatch.setattr(readers.TextFile, "__iter__", lambda self: calls.append(None) or plain(self))
    entry, char = (default_plugins().registry.get(*part) for part in (("corpus", "seqgen:file"), ("tokenizer", "char")))
    data = CorpusReading(open_corpus(entry, entry.options({"path": str(words)})), "words").learn(
        char, {}, Splitter((1, 0, 0))
    )
    assert len(calls) == n_readings and data.survey.n_records == len(data.encoded["train"]) == 40


# -- the split


@pytest.mark.full
@pytest.mark.promise("R12")
def test_no_text_stands_on_both_sides(folder, record_property):
    """Half of the records are there twice; looked at where they are trained on, in the encoded parts."""
    record_property("cases", 100)

    @settings(max_examples=100)
    @given(
        texts=st.lists(_LINES.filter(str.strip), min_size=4),
        seed=st.integers(0, 2**32), share=st.integers(50, 95),
    )  # fmt: skip
    def check(texts, seed, share):
        path = folder / "split.txt"
        lines = [*texts, *texts]
        random.Random(seed).shuffle(lines)
        path.write_bytes("".join(line + "\n" for line in lines).encode())
        plugins = default_plugins()
        entry = plugins.registry.get("corpus", "seqgen:file")
        rest = (100 - share) / 100
        splitter = Splitter((share / 100, rest / 2, rest / 2), seed)
        char = plugins.registry.get("tokenizer", "char")
        try:
            corpus = open_corpus(entry, entry.options({"path": str(path)}))
            data = CorpusReading(corpus, "split").learn(char, {}, splitter)
        except CorpusError as error:
            assert "no record in its training part" in str(error)
            return
        sides = {}
        for part, encoded in data.encoded.items():
            spans = zip(encoded.starts_N.tolist(), encoded.lengths_N.tolist(), strict=True)
            sides[part] = [data.vocabulary.decode(encoded.flat[at + 1 : at + n - 1].tolist()) for at, n in spans]
        assert sorted(text for side in sides.values() for text in side) == sorted(
            record.text for record in TextFile(path)
        )
        assert not (set(sides["train"]) & set(sides["valid"]) or set(sides["train"]) & set(sides["test"]))
        assert not set(sides["valid"]) & set(sides["test"])
        assert data.survey.n_duplicates >= len(texts)

    check()


@pytest.mark.promise("R12")
@pytest.mark.parametrize("shares", [(0.9, 0.05, 0.05), (0.8, 0.1, 0.1)])
def test_shares_are_kept_within_a_point(shares, record_property):
    record_property("cases", 10_000)
    splitter = Splitter(shares)
    parts = splitter.parts([seqgen.Record(f"line {n}") for n in range(10_000)])
    for index, share in enumerate(shares):
        assert abs((parts == index).mean() - share) < 0.01


# -- much of it

_REFUSING = """
import sys, time, resource
import seqgen.cli
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.monotonic()
code = seqgen.cli.main(sys.argv[1:])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(code, time.monotonic() - started, (after - before) / 1024)
"""


@pytest.mark.promise("R16")
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units there")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("line.txt", ()),
        pytest.param("line.csv", (), marks=pytest.mark.slow),
        pytest.param("line.jsonl", (), marks=pytest.mark.slow),
        pytest.param("line.txt", ("-o", "long_lines=skip"), marks=pytest.mark.slow),
    ],
)
def test_a_line_of_a_gigabyte_is_refused_at_once_in_little_memory(name, options, tmp_path):
    """The line is a hole in a sparse file: a gigabyte of NUL; skipping has to read it all."""
    path = tmp_path / name
    path.write_bytes(b'"text"\n"ben"\n')
    with path.open("r+b") as file:
        file.truncate(1_000_000_000)
    command = [sys.executable, "-c", _REFUSING, "show", "corpus", str(path), "--json", *options]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=170)
    code, took_s, more_mb = result.stdout.splitlines()[-1].split()
    assert float(more_mb) < 100 and (float(took_s) < 10 or options)
    if options:
        assert code == "0" and '"long lines skipped": 1' in result.stdout
    else:
        assert (code == "3" and "longer than 10000 characters" in result.stderr) or name == "line.jsonl"
