"""User input is never misread, and output is data: byte-exact in a pipe, harmless on a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from conftest import WORDS, in_terminal, one_in
from seqgen.errors import BadOption, UnknownSymbol
from seqgen.render import visible

KNOWN = sorted(set("".join(WORDS)))
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
MIXED = st.lists(st.one_of(st.sampled_from(KNOWN), st.characters(exclude_categories=())), max_size=8).map("".join)

# -- unknown symbols


def first_unknown(text: str) -> int | None:
    return next((place for place, character in enumerate(text) if character not in KNOWN), None)


def check_named(error: UnknownSymbol, text: str) -> None:
    """The symbol, its place and its code point; at most three that resemble it, all of them known."""
    place = first_unknown(text)
    assert place is not None and (error.symbol, error.position) == (text[place], place)
    assert f"U+{ord(text[place]):04X}" in str(error) and f"position {place}" in str(error)
    assert len(error.near) <= 3 and set(error.near) <= set(KNOWN) and error.exit_code == 2


@pytest.mark.full
@pytest.mark.promise("R17")
def test_a_prefix_is_used_as_it_stands_or_its_symbol_is_named(tiny_run, record_property):
    record_property("cases", 300)

    @settings(max_examples=300)
    @given(prefix=st.one_of(ANY_TEXT, MIXED))
    def check(prefix):
        try:
            rows = tiny_run.sample(2, prefix=prefix, max_length=16)
        except UnknownSymbol as error:
            check_named(error, prefix)
        else:
            assert first_unknown(prefix) is None and all(row.text.startswith(prefix) for row in rows)

    check()


@pytest.mark.promise("R17")
def test_a_scored_text_is_the_text_or_its_symbol_is_named(tiny_run, record_property):
    record_property("cases", 300)

    @settings(max_examples=300)
    @given(text=st.one_of(ANY_TEXT, MIXED))
    def check(text):
        try:
            (score,) = tiny_run.score([text])
        except UnknownSymbol as error:
            check_named(error, text)
        else:
            assert first_unknown(text) is None and len(score.nats_per_symbol) == len(text) + 1
            assert tiny_run.vocabulary.decode(tiny_run.vocabulary.encode(text)) == text

    check()


@pytest.mark.full
@pytest.mark.promise("R17")
def test_what_rows_must_hold_is_held_or_refused(tiny_run, record_property):
    """A symbol that no row can have is named where it is asked for, and no matter where it is banned."""
    record_property("cases", 100)

    @settings(max_examples=100)
    @given(text=MIXED.filter(bool), kind=st.sampled_from(["contains", "ends", "avoid", "ban"]))
    def check(text, kind):
        asked = {kind: (text,) if kind in ("contains", "avoid") else text}
        try:
            rows = tiny_run.sample(1, max_length=20, **asked)
        except UnknownSymbol as error:
            assert kind in ("contains", "ends")
            check_named(error, text)
        except BadOption:  # nothing is left to draw
            assert kind == "ban" and set(KNOWN) <= set(text)
        else:
            (row,) = rows
            if kind == "contains":
                assert text in row.text
            elif kind == "ends":
                assert row.text.endswith(text)
            elif kind == "avoid":
                assert text not in row.text
            else:
                assert not set(text) & set(row.text)

    check()


@pytest.mark.promise("R17")
@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "{run}", "--prefix", "anÄ"),
        ("sample", "{run}", "--contains", "anÄ"),
        ("sample", "{run}", "--ends", "anÄ"),
        ("top", "{run}", "--prefix", "anÄ"),
        ("score", "anÄ", "--run", "{run}"),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[2]}",
)
def test_an_unknown_symbol_is_named_on_the_command_line(arguments, cli, tiny_run):
    result = cli(*(argument.format(run=tiny_run.path) for argument in arguments))
    line = result.err.splitlines()[-1]
    assert result.code == 2 and "'Ä' (U+00C4) at position 2; the nearest known ones are 'a', " in line
    assert line.startswith("seqgen: ") and result.out == ""


# -- what comes out

HOSTILE = [
    "c1cc[nH]c1", "[/x]", "[/red]", "[bold]x", "\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "a\x00b", "\a\b", "\x7f",
    "a\u202eb\u2066c", "\u200ex", ":smile:", "\u2028\u2029\u0085", "{\"text\": 1}", "\ufeffx", "👩‍🔬", "<eos>", "  x  ",
]  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run whose every symbol means something to a terminal, a parser or rich; its rows are nearly random."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in HOSTILE * 4))
    return seqgen.train(folder / "texts.jsonl", cell="vanilla", hidden=8, steps=3, split="none", out=folder / "run")


def piped(*arguments: object) -> bytes:
    command = [sys.executable, "-m", "seqgen", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout


@pytest.mark.full
@pytest.mark.promise("R18")
def test_what_is_sampled_is_read_back(hostile, cli, record_property):
    """In this process for many seeds; the bytes of a pipe below."""
    record_property("cases", 18)
    for seed in range(6):
        texts = [row.text for row in hostile.sample(30, seed=seed, temperature=1.5)]
        asked = ("sample", hostile.path, "-n", 30, "--seed", seed, "-t", 1.5)
        assert cli(*asked).out == "".join(text + "\n" for text in texts)
        assert cli(*asked, "-0").out.split("\0")[:-1] == texts or any("\0" in text for text in texts)
        rows = [json.loads(line) for line in cli(*asked, "--json").out.split("\n")[:-1]]
        assert [row["text"] for row in rows] == texts


@pytest.mark.full
@pytest.mark.promise("R18")
def test_a_pipe_gets_bytes_that_are_read_back_as_a_corpus(hostile, tmp_path):
    texts = [row.text for row in hostile.sample(500, temperature=1.5)]
    data = piped("sample", hostile.path, "-n", 500, "-t", 1.5)
    assert data == "".join(text + "\n" for text in texts).encode()
    assert sum(character < " " for text in texts for character in text) > 50, "the test must have something to test"
    (tmp_path / "again.txt").write_bytes(data)
    again = [record.text for record in seqgen.read_lines(tmp_path / "again.txt")]
    kept = [text for text in texts if text and not text.isspace()]
    assert again[1:] == kept[1:] and again[0] in (kept[0], kept[0].removeprefix("\ufeff"))


@pytest.mark.full
@pytest.mark.promise("R18")
@pytest.mark.parametrize("command", one_in(2, ["sample", "show"]))
def test_a_terminal_is_not_commanded(command, hostile):
    """Of control characters only rich's own colours and line ends are left."""
    if command == "sample":
        texts = [row.text for row in hostile.sample(60, temperature=1.5)]
        shown = in_terminal("sample", hostile.path, "-n", 60, "-t", 1.5, columns=200, messages=True)
    else:
        kept = [text for text in HOSTILE * 4 if text.strip()]
        texts = kept[:: -(-len(kept) // 8)]
        shown = in_terminal("show", "corpus", hostile.path.parent / "texts.jsonl", columns=200, messages=True)
    left = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    bad = {c for c in left if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - set("\r\n\u200d")
    assert not bad
    for text in texts:
        assert visible(text).strip()[:40] in left, text


@pytest.mark.full
@pytest.mark.promise("R18")
def test_messages_escape_what_they_repeat(hostile, cli):
    for arguments in (
        ("sample", hostile.path, "--prefix", "\x1b[2Jq"),
        ("sample", "no\x1b[31msuch\x07run\u202e"),
        ("train", "--corpus", "./no\x1b]0;x\x07.txt"),
        ("score", "\u202eQ", "--run", hostile.path),
    ):
        result = cli(*arguments)
        assert result.code == 2 and result.err.count("\n") <= 2
        assert not {c for c in result.err if unicodedata.category(c) in ("Cc", "Cf")} - {"\n"}, result.err


@pytest.mark.promise("R18")
def test_training_shows_hostile_samples_escaped(hostile, cli, in_tmp):
    result = cli("train", "--corpus", hostile.path.parent / "texts.jsonl", "--cell", "vanilla", "--steps", 2)
    assert result.code == 0 and result.out == ""
    assert not {c for c in result.err if unicodedata.category(c) in ("Cc", "Cf")} - set("\n\u200d")
