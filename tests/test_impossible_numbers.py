"""Numbers and values that no run can have are refused in one line."""

from __future__ import annotations

import pytest

from conftest import one_in
from seqgen.config import TrainSettings, parse_count, parse_duration_s, parse_split
from seqgen.corpus import load_file
from seqgen.errors import BadOption, CorpusError
from seqgen.tokenizers import ByteTokenizer, CharTokenizer

DIGITS = "9" * 400


@pytest.mark.parametrize("split", ["1e308/1e308/1", "1e400/0/0", "nan/1/1", "1e-320/1e-320/1e300", (1e308, 1e308, 1)])
def test_shares_that_have_no_sum(split):
    with pytest.raises(BadOption, match="is not a split; write it like 90/5/5, or none") as caught:
        parse_split(split)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("split", ["80/20", "half", (0.8, 0.2), "90"])
def test_a_split_in_fewer_parts_is_told_which_there_are(split):
    with pytest.raises(BadOption, match=r"write it like 90/5/5 \(training, validation, test\), or none"):
        parse_split(split)


@pytest.mark.parametrize("text", [DIGITS, "1" + "0" * 30, DIGITS + "M", "0", "0.4", "1e9"])
def test_counts(text):
    with pytest.raises(BadOption, match="is not a count") as caught:
        parse_count(text)
    assert len(str(caught.value)) < 150
    assert (parse_count("1.5M"), parse_count("50k"), parse_count("1,000")) == (1_500_000, 50_000, 1000)


@pytest.mark.parametrize("text", [DIGITS, DIGITS + "h", "0", float("inf"), float("nan"), -1.0])
def test_durations(text):
    with pytest.raises(BadOption, match="is not a duration"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (parse_count, DIGITS, f"'{'9' * 57}…' is not a count: it is too large; write it like"),
        (parse_count, "0.4", "'0.4' is not a count: it must be at least 1; write it like"),
        (parse_count, "many", "'many' is not a count; write it like"),
        (parse_duration_s, "0", "'0' is not a duration: it must be above 0; write it like"),
        (parse_duration_s, -1.0, "-1.0 is not a duration: it must be above 0; write it like"),
        (parse_duration_s, DIGITS + "h", f"'{'9' * 57}…' is not a duration: it is too long; write it like"),
        (parse_duration_s, 10**400, "is not a duration: it is too long; write it like"),
        (parse_duration_s, -(10**400), "is not a duration: it must be above 0; write it like"),
        (parse_duration_s, float("nan"), "nan is not a duration; write it like"),
        (parse_duration_s, "5 parsecs", "'5 parsecs' is not a duration; write it like"),
    ],
)
def test_a_number_out_of_range_is_called_that(parse, text, reason):
    with pytest.raises(BadOption) as caught:
        parse(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize("seconds", [9.2e18, 2.5e-7, 90, 1.5])
def test_a_number_of_seconds_is_a_duration(seconds):
    """They come back from run.json so; those with an exponent were refused then."""
    assert parse_duration_s(seconds) == pytest.approx(seconds)
    assert TrainSettings(time_s=seconds).time_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    "options",
    one_in(
        4,
        [
            ("--params", DIGITS),
            ("--split", "1e308/1e308/1"),
            ("--time", DIGITS),
            ("--epochs", "1e308"),
            ("--steps", DIGITS),
        ]
        + [("-o", f"train.{name}={DIGITS}") for name in TrainSettings.model_fields],
    ),
    ids=lambda options: options[-1].partition("=")[0][:20] + options[0],
)
def test_no_setting_of_a_run_takes_any_number(options, cli, words):
    result = cli("train", "--corpus", words, *options)
    assert result.code == 2 and result.err.count("\n") == 1 and "unexpected" not in result.err, result.err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (f"[train]\nsteps = {DIGITS * 20}", "is not TOML"),
        (f"[train]\ntime_s = {DIGITS}", "is not a duration"),
        ("[train]\nsplit = [[1], 2, 3]", "is not a split"),
        ('[corpus]\nname = "file"\npath = 5', "should be a valid string"),
        ('[corpus]\nname = "file"\npath = "a\\u0000b"', "no such file"),
    ],
)
def test_no_table_of_a_configuration_takes_any_value(table, said, cli, in_tmp):
    (in_tmp / "run.toml").write_text(table)
    corpus = () if "file" in table else ("--corpus", "names")
    result = cli("train", *corpus, "--config", "run.toml")
    assert result.code == 2 and result.err.count("\n") == 1 and said in result.err, result.err


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_a_line_longer_than_any_is_refused(name, cli, in_tmp):
    (in_tmp / name).write_text("text,n\nanna,1\n")
    assert cli("show", "corpus", name, "-o", f"max_line_chars={10**9}").code == 0
    refused = cli("show", "corpus", name, "-o", f"max_line_chars={DIGITS}")
    assert refused.code == 2 and "max_line_chars' of corpus file: " in refused.err, refused.err


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
@pytest.mark.parametrize("limit", [10**9 + 1, 2**63 - 1])
def test_a_number_that_means_no_limit_is_taken(name, limit, cli, in_tmp):
    """Also of a run that has it recorded, since no option of an evaluation replaces it."""
    (in_tmp / name).write_text("text,n\nanna,1\nbob,2\n")
    tiny = ("--cell", "vanilla", "--hidden", 4, "--steps", 1, "--split", "none", "--out", "run")
    assert cli("train", "--corpus", name, *tiny, "-o", f"corpus.max_line_chars={limit}").code == 0
    assert cli("evaluate", "run", "-n", 2).code == 0


@pytest.mark.promise("R16")
@pytest.mark.parametrize("depth", [99, 150, 985, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"y":'])
def test_a_deeply_nested_value_is_refused_with_its_line(depth, opening, tmp_path):
    path = tmp_path / "deep.jsonl"
    inner = opening * depth + "1" + ("]" if opening == "[" else "}") * depth
    path.write_text('{"text":"ben","x":1}\n{"text":"anna","x":' + inner + "}\n")
    source = load_file(path=str(path), max_line_chars=10**9)
    if depth < 100:
        assert [record.text for record in source] == ["ben", "anna"]
        return
    too_deep = "not JSON: (maximum recursion|Stack overflow)"  # before Python 3.14, and from then on
    with pytest.raises(CorpusError, match=f"line 2: (a value is nested more than 100 levels deep|{too_deep})"):
        list(source)


@pytest.mark.promise("R16")
def test_more_characters_than_any_alphabet_has_are_refused_while_they_are_read():
    most = [chr(code) for code in range(0x100, 0x100 + 65_536 + 0x800) if not 0xD800 <= code < 0xE000]
    assert CharTokenizer.fit(most).n_symbols == 65_536
    texts = iter([*most, "\x41", *["never read"] * 1000])
    with pytest.raises(CorpusError, match=r"more than 65,536 different characters.* --tokenizer byte"):
        CharTokenizer.fit(texts)
    assert next(texts) == "never read"
    assert ByteTokenizer.fit([*most, "\x41"]).n_symbols == 256
