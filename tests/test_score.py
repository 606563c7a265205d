"""``seqgen score``: costs of texts, and their percentiles among held-out records."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys

import pytest

import seqgen
from conftest import WORDS
from seqgen.api.score import iter_scores, symbols
from seqgen.corpus import Record, Splitter
from seqgen.render import heat_map
from test_render import shown


def feed(monkeypatch, data: bytes):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def held_out(run, part="test"):
    splitter = Splitter(run.settings.train.split)
    return [word for word in WORDS if splitter.part(Record(word)) == part]


def test_a_percentile_is_the_share_of_less_probable_records(tiny_run):
    scale = tiny_run.reference_scores()
    records = [score.bits_per_char for score in tiny_run.score(held_out(tiny_run))]
    assert scale.part == "test" and scale.bits_N == pytest.approx(sorted(records), rel=1e-5)
    for score in tiny_run.score(["anna", "otto", "xxx", "karlanna", ""]):
        direct = 100 * sum(bits > score.bits_per_char for bits in records) / len(records)
        assert scale.percentile(score.bits_per_char) == pytest.approx(direct)
    assert scale.percentile(0.0) == 100 and scale.percentile(99.0) == 0


def test_without_a_test_part_percentiles_use_validation_records(words, tmp_path):
    run = seqgen.train(words, cell="vanilla", hidden=4, steps=2, split="80/20/0", out=tmp_path / "a")
    assert run.reference_scores().part == "validation" and len(run.reference_scores().bits_N) == len(
        held_out(run, "valid")
    )
    run = seqgen.train(words, cell="vanilla", hidden=4, steps=2, split="none", out=tmp_path / "b")
    assert run.reference_scores() is None


def test_more_symbols_than_there_are_cannot_be_asked_for(tiny_run):
    (score,) = tiny_run.score("an", top=10_000)
    known = {tiny_run.vocabulary.decode([index]) for index in range(3, tiny_run.vocabulary.size)} | {""}
    for candidates in score.top:
        assert {one.text for one in candidates} == known and len(candidates) == len(known)
        assert sum(math.exp(-one.nats) for one in candidates) == pytest.approx(1)


def test_lines_for_programs(cli, tiny_run):
    result = cli("score", "anna", "otto", "--run", tiny_run.path)
    assert result.code == 0 and "percentiles among" in result.err and "test records" in result.err
    rows = [line.split("\t") for line in result.out.splitlines()]
    scores = tiny_run.score(["anna", "otto"])
    for (bits, nats, percentile, costs, text), score in zip(rows, scores, strict=True):
        assert (bits, nats, text) == (f"{score.bits_per_char:.3f}", f"{score.nats:.3f}", score.text)
        assert float(percentile) == pytest.approx(tiny_run.reference_scores().percentile(score.bits_per_char), abs=0.05)
        named = [part.rpartition(":") for part in costs.split(" ")]
        assert "".join(name for name, _, _ in named) == score.text + "∎"
        assert [float(cost) for _, _, cost in named] == pytest.approx(score.nats_per_symbol, abs=0.006)
    assert cli("score", "-q", "anna", "--run", tiny_run.path).err == ""


def test_a_percentile_names_the_number_of_records(words, tmp_path, cli):
    one = tmp_path / "one.txt"
    one.write_text("anno\n")
    run = seqgen.train(words, test=one, cell="vanilla", hidden=4, steps=2, out=tmp_path / "run")
    told = cli("score", "anna", "--run", run.path).err
    assert (
        told == "percentiles among 1 test record; percentile 100: likelier than all of them; fewer than 20 say little\n"
    )
    assert "% of 1 held-out record\n" in shown(heat_map(["a"], [0.1, 1.0], 1.1, 0.8, 100.0, 1)).replace(" \n", "\n")
    one.write_text("".join(f"ann{a}{b}\n" for a in "abnot" for b in "abnt"))
    run = seqgen.train(words, test=one, cell="vanilla", hidden=4, steps=2, out=tmp_path / "more")
    assert (
        cli("score", "anna", "--run", run.path).err
        == "percentiles among 20 test records; percentile 100: likelier than all of them\n"
    )


def test_json_has_an_object_a_line(cli, tiny_run, monkeypatch):
    feed(monkeypatch, b"anna\r\notto\n\nben")
    result = cli("score", "--json", "--run", tiny_run.path)
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["text"] for row in rows] == ["anna", "otto", "", "ben"]
    for row, score in zip(rows, tiny_run.score(["anna", "otto", "", "ben"]), strict=True):
        assert set(row) == {"text", "nats", "bits_per_char", "percentile", "symbols"}
        assert row["nats"] == pytest.approx(score.nats, rel=1e-5)
        assert [cost["symbol"] for cost in row["symbols"]] == [*score.text, None]
        assert sum(cost["nats"] for cost in row["symbols"]) == pytest.approx(row["nats"], rel=1e-5)


def test_stdin_is_read_in_chunks_and_ends_of_texts_can_be_nul(cli, tiny_run, monkeypatch):
    many = [WORDS[number % len(WORDS)] for number in range(700)]
    feed(monkeypatch, "\n".join(many).encode() + b"\n")
    result = cli("score", "-", "--run", tiny_run.path)
    assert [line.rpartition("\t")[2] for line in result.out.splitlines()] == many
    feed(monkeypatch, b"anna\0ben\0")
    assert len(cli("score", "-0", "--run", tiny_run.path).out.splitlines()) == 2
    feed(monkeypatch, b"")
    assert cli("score", "--run", tiny_run.path).out == ""


@pytest.mark.full
def test_scores_come_before_all_texts_have_been_read(tiny_run):
    asked = []

    def endless():
        while True:
            asked.append(None)
            yield "anna"

    first = next(iter_scores(tiny_run, endless()))
    assert first.text == "anna" and len(asked) < 1000
    long = ["anna", "ben" * 20_000, "otto", "carla" * 9000, "ida"]  # each by itself, or memory would be the product
    scores = list(iter_scores(tiny_run, long))
    assert [score.text for score in scores] == long
    assert scores[2].nats == pytest.approx(tiny_run.score("otto")[0].nats, rel=1e-5)


def test_an_unknown_symbol_is_one_line_after_the_texts_before_it(cli, tiny_run, monkeypatch):
    result = cli("score", "anna", "b\x1b3", "otto", "--run", tiny_run.path)
    assert result.code == 2 and result.out.count("\n") == 1
    (line,) = [line for line in result.err.splitlines() if "unknown" in line]
    assert "text 2 (b\\x1b3): unknown symbol '\\x1b' (U+001B) at position 1" in line
    assert line.endswith("; --skip-unknown leaves such texts out")
    assert "--skip-unknown" not in cli("score", "b\x1b3", "--run", tiny_run.path).err
    feed(monkeypatch, ("anna\n" * 300 + "an9a\nben\n").encode())
    result = cli("score", "--run", tiny_run.path)
    assert result.code == 2 and result.out.count("\n") == 300 and "line 301 (an9a)" in result.err
    assert "position 2" in result.err
    feed(monkeypatch, b"anna\n\xff\n")
    result = cli("score", "--run", tiny_run.path)
    assert result.code == 2 and "line 2 of stdin: byte 1 is no UTF-8" in result.err and result.out.count("\n") == 1


def test_a_mark_of_the_byte_order_is_no_symbol(cli, tiny_run, monkeypatch):
    plain = cli("score", "anna", "ben", "--run", tiny_run.path).out
    for content in (b"\xef\xbb\xbfanna\nben\n", b"\xef\xbb\xbfanna\r\nben"):
        feed(monkeypatch, content)
        assert cli("score", "--run", tiny_run.path).out == plain
    feed(monkeypatch, "anna\n".encode("utf-16"))
    refused = cli("score", "--run", tiny_run.path)
    assert refused.code == 2 and "stdin is UTF-16, not UTF-8: convert it" in refused.err


def test_a_file_is_no_text(cli, tiny_run, in_tmp):
    (in_tmp / "my list.smi").write_text("anna\n")
    refused = cli("score", "my list.smi", "--run", tiny_run.path)
    assert refused.code == 2 and "is a file: seqgen score < 'my list.smi' scores its lines" in refused.err
    (in_tmp / "anna").write_text("otto\n")
    assert cli("score", "anna", "--run", tiny_run.path).code == 0
    assert "unknown symbol '.'" in cli("score", "anna" * 9999 + ".b", "--run", tiny_run.path).err


def test_texts_with_unknown_symbols_are_skipped_on_request(cli, tiny_run, monkeypatch):
    plain = cli("score", "anna", "otto", "--run", tiny_run.path).out
    result = cli("score", "an9a", "anna", "b\x1b3", "otto", "--run", tiny_run.path, "--skip-unknown")
    assert (result.code, result.out) == (0, plain)
    assert "left out 2 texts, the first: text 1 (an9a): unknown symbol '9'" in result.err.splitlines()[-1]
    feed(monkeypatch, ("anna\n" * 300 + "an9a\n" * 300).encode())
    result = cli("score", "--run", tiny_run.path, "--skip-unknown")
    assert result.code == 0 and result.out.count("\n") == 300
    assert "left out 300 texts, the first: line 301 (an9a)" in result.err
    assert "left out" not in cli("score", "anna", "--run", tiny_run.path, "--skip-unknown").err


@pytest.mark.full
def test_conditions(cli, tmp_path):
    rows = "".join(f"{word}\t{'long' if len(word) > 4 else 'short'}\n" for word in WORDS * 3)
    (tmp_path / "words.tsv").write_text("text\tlabel\n" + rows)
    run = seqgen.train(
        tmp_path / "words.tsv", label_field="label", condition="label", cell="gru", hidden=24, steps=150, lr=0.01,
        split="70/0/30", options={"eval_every": 150}, out=tmp_path / "run",
    )  # fmt: skip
    told, untold = (
        json.loads(cli("score", "anna", "--json", *more, "--run", run.path).out) for more in (["--label", "short"], [])
    )
    assert told["nats"] == pytest.approx(run.score("anna", given={"label": "short"})[0].nats, rel=1e-5)
    assert told["nats"] != untold["nats"] and told["nats"] < run.score("anna", given={"label": "long"})[0].nats
    # The scale is told what the texts are told: here nothing.
    part = [record for record in run.corpus if Splitter(run.settings.train.split).part(record) == "test"]
    direct = sorted(score.bits_per_char for score in run.score([record.text for record in part]))
    assert run.reference_scores().bits_N == pytest.approx(direct, rel=1e-4)
    direct = sorted(run.score(record.text, given={"label": record.label})[0].bits_per_char for record in part)
    assert run.reference_scores(given={"label": "short"}).bits_N == pytest.approx(direct, rel=1e-4)
    among = {"--label short": "records, each under its own label;", "": "records, without conditions;"}
    for more, said in among.items():
        assert said in cli("score", "anna", *more.split(), "--run", run.path).err
    assert cli("score", "anna", "--label", "none", "--run", run.path).code == 2
    assert "FIELD=VALUE" in cli("score", "anna", "--given", "label", "--run", run.path).err


def test_a_changed_corpus_only_disables_percentiles(cli, words, tmp_path):
    run = seqgen.train(words, cell="vanilla", hidden=4, steps=2, out=tmp_path / "run")
    words.write_text(words.read_text() + "new\n")
    result = cli("score", "anna", "--json", "--run", run.path)
    assert result.code == 0 and "no percentiles: the corpus" in result.err
    assert json.loads(result.out)["percentile"] is None
    words.rename(tmp_path / "moved.txt")
    moved = cli("score", "anna", "--run", run.path)
    assert moved.code == 0 and "trained; put it back there, or a link to it" in moved.err


def test_a_heat_map_reads_without_colour():
    text = shown(heat_map(["a", " ", "日"], [0.1, 3.0, 9.0, 1.0], 13.1, 4.7, 12.5, 40))
    assert "4.700 bits/char" in text and "more probable than 12.5% of 40 held-out records" in text
    upper, lower = text.splitlines()[1:3]
    assert upper.rstrip() == "a␠日∎" and lower.rstrip() == "▁▅███"[:2] + "██" + "▂"
    wide = shown(heat_map(["x"] * 200, [1.0] * 200, 200.0, 1.4, None, 0), width=80)
    assert wide.count("x") == 200 and max(map(len, wide.splitlines())) <= 80 and "held-out" not in wide


def test_symbols_of_a_text_as_its_tokenizer_cuts_it(words, tmp_path):
    run = seqgen.train(words, tokenizer="byte", cell="vanilla", hidden=4, steps=2, out=tmp_path / "run")
    assert symbols(run, "aé") == ["a", "\\xc3", "\\xa9"]
    (score,) = run.score("aé", top=258)
    assert len(score.nats_per_symbol) == 4
    for found in (*score.top, run.next_symbols("a\xc3")):
        assert len({symbol.text for symbol in found}) == len(found) > 250
        assert {"a", "\\xc3", "\\xff", ""} <= {symbol.text for symbol in found}


@pytest.mark.full
def test_an_empty_input_is_reported(tiny_run):
    """A terminal on stdin; the heat map on a terminal."""
    script = (
        "import os, pty, sys\n"
        "def read(fd):\n    return os.read(fd, 4096)\n"
        "arguments = ['-m', 'seqgen', 'score', *sys.argv[1:]]\n"
        f"code = pty.spawn([sys.executable, *arguments, '--run', {str(tiny_run.path)!r}], read)\n"
        "sys.exit(os.waitstatus_to_exitcode(code))\n"
    )
    pytest.importorskip("pty", reason="no terminals here")
    none = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert none.returncode == 2 and "nothing to score" in none.stdout
    some = subprocess.run(
        [sys.executable, "-c", script, "anna"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert some.returncode == 0 and "\x1b[" in some.stdout and "bits/char" in some.stdout and "▅" in some.stdout
    assert "a bar is as high as what its symbol costs" in some.stdout


def test_a_sample_that_was_cut_is_not_charged_an_end(tiny_run):
    rows = tiny_run.sample(20, max_length=2, seed=4)
    described = tiny_run.describe(rows)
    assert {row.cut for row in rows} == {True, False}
    for row, score, of in zip(rows, tiny_run.score([row.text for row in rows]), described, strict=True):
        whole = score.nats_per_symbol
        bits = sum(whole[:-1] if row.cut else whole) / math.log(2) / max(len(row.text) + (not row.cut), 1)
        assert of["bits_per_char"] == pytest.approx(bits)
