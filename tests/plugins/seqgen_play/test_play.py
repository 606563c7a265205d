"""``Run.next_symbols`` and ``seqgen play``: what a model makes of a prefix."""

from __future__ import annotations

import io
import math
import os
import pty
import subprocess
import sys
import time

import pytest
import torch
from rich.console import Console

import seqgen
from conftest import WORDS
from seqgen.api.score import NextSymbol
from seqgen.errors import BadOption, UnknownSymbol, UsageError
from seqgen.tokenizers import BOS, EOS
from seqgen_play.player import Completion, Look, Player
from seqgen_play.render import play_view
from test_render import shown


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A run that was told labels: words of a's and words of b's."""
    folder = tmp_path_factory.mktemp("labelled")
    path = folder / "two.csv"
    rows = [f"{letter * n},{letter}" for letter in "ab" for n in range(2, 6)] * 8
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return seqgen.train(
        path, cell="gru", hidden=16, steps=150, lr=0.02, split="none", condition="label", out=folder / "run",
        text_field="text", label_field="label",
    )  # fmt: skip


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """A run that learned one long text."""
    folder = tmp_path_factory.mktemp("stream")
    path = folder / "long.txt"
    path.write_text("\n".join(WORDS) * 30)
    return seqgen.train(path, cell="vanilla", hidden=16, steps=30, layout="stream", out=folder / "run")


# -- the next symbols


@pytest.mark.parametrize("prefix", ["", "an", "ruth"])
def test_the_next_symbols_are_those_of_the_model(tiny_run, prefix):
    found = tiny_run.next_symbols(prefix)
    vocabulary, model = tiny_run.vocabulary, tiny_run.model
    ids = torch.tensor([[BOS, *vocabulary.encode(prefix).tolist()]])
    with torch.no_grad():
        logits_V = model(ids, model.initial_state(1))[0][0, -1]
    logits_V[:EOS] = -torch.inf  # pad and begin never come
    share_V = torch.softmax(logits_V, 0)
    assert sum(one.probability for one in found) == pytest.approx(1)
    assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
    (end,) = [one for one in found if one.ends]
    assert end.text == "" and end.probability == pytest.approx(share_V[EOS].item(), rel=1e-4)
    assert {one.text for one in found if not one.ends} == set("".join(WORDS))
    for one in found:
        if not one.ends:
            assert one.probability == pytest.approx(share_V[vocabulary.encode(one.text)[0]].item(), rel=1e-4)
    assert tiny_run.next_symbols(prefix, 3) == found[:3] and tiny_run.next_symbols(prefix, 0) == []


def test_the_next_symbols_multiply_to_the_score(tiny_run):
    nats = 0.0
    for at, letter in enumerate("anna"):
        nats -= math.log(next(one.probability for one in tiny_run.next_symbols("anna"[:at]) if one.text == letter))
    nats -= math.log(next(one.probability for one in tiny_run.next_symbols("anna") if one.ends))
    assert nats == pytest.approx(tiny_run.score("anna")[0].nats, rel=1e-5)


def test_a_label_is_told(labelled):
    likeliest = {label: labelled.next_symbols(label=label)[0] for label in "ab"}
    assert {label: one.text for label, one in likeliest.items()} == {"a": "a", "b": "b"}
    assert likeliest["a"].probability > 0.9 and likeliest["b"].probability > 0.9
    for found in (labelled.next_symbols(given={"label": "b"}), labelled.next_symbols()):
        assert sum(one.probability for one in found) == pytest.approx(1) and len(found) == 3
    with pytest.raises(UsageError, match="no label 'c'"):
        labelled.next_symbols(label="c")


def test_a_long_text_has_no_end(stream):
    found = stream.next_symbols("an")
    assert not any(one.ends for one in found) and "\n" in {one.text for one in found}
    assert sum(one.probability for one in found) == pytest.approx(1)


def test_what_cannot_be_asked(tiny_run):
    with pytest.raises(UnknownSymbol):
        tiny_run.next_symbols("Ä")
    with pytest.raises(BadOption, match="at least 0, not -1"):
        tiny_run.next_symbols(n=-1)
    with pytest.raises(UsageError, match="not conditioned on labels"):
        tiny_run.next_symbols(label="x")


# -- looks


def test_a_look_is_what_the_run_says(tiny_run):
    player = Player(tiny_run, temperature=0.7, seed=5)
    seen = player.look("an")
    rows = tiny_run.sample(5, prefix="an", temperature=0.7, seed=5)
    assert [one.text for one in seen.completions] == [row.text for row in rows] and seen.seed == 5
    nats = tiny_run.score("an")[0].nats_per_symbol
    assert seen.bits_per_symbol == pytest.approx((nats[0] + nats[1]) / 2 / math.log(2))
    for one in seen.completions:
        (score,) = tiny_run.score(one.text)
        spent = score.nats - (score.nats_per_symbol[-1] if one.cut else 0)
        assert one.bits_per_char == pytest.approx(spent / math.log(2) / (len(one.text) + (not one.cut)))
    again = player.look("an")
    assert again.seed == 6 and again.completions != seen.completions
    assert player.look("").bits_per_symbol is None
    player.change(temperature=0)
    assert len(player.look("an").completions) == 1, "they would all be the same"


def test_a_completion_with_bytes_that_are_no_character_has_no_score(words, tmp_path):
    settings = {"cell": "vanilla", "hidden": 4, "steps": 2, "split": "none", "blend": "none", "tokenizer": "byte"}
    run = seqgen.train(words, out=tmp_path / "run", **settings)
    completions = [one for seed in range(4) for one in Player(run, temperature=20.0, seed=seed).look("an").completions]
    replaced = ["\N{REPLACEMENT CHARACTER}" in one.text for one in completions]
    assert any(replaced) and [one.bits_per_char is None for one in completions] == replaced


def test_a_setting_that_cannot_be_changes_nothing(labelled):
    player = Player(labelled, label="a")
    for wrong in ({"temperature": "hot"}, {"seed": -1}, {"label": "c"}):
        with pytest.raises(UsageError):
            player.change(**wrong)
    assert (player.label, player.temperature, player.seed) == ("a", 1.0, 0)
    assert player.look("").symbols[0].text == "a"
    player.change(label="b")
    assert player.look("").symbols[0].text == "b"


def test_a_completion_without_text_has_a_mark_on_a_terminal_only():
    completions = [Completion("", False, 1.0), Completion("x", False, 1.0)]
    view = play_view(Look("", None, [NextSymbol("a", 0.5, False)], completions, 3))
    console = Console(width=80, file=io.StringIO(), force_terminal=True, markup=False)
    console.print(view)
    assert console.file.getvalue().count("(empty)") == 1 and "empty" not in shown(view)


# -- the command


def played(run, typed, *options, cwd):
    return subprocess.run(
        [sys.executable, "-m", "seqgen", "play", str(run), *options],
        input=typed, capture_output=True, text=True, cwd=cwd, encoding="utf-8",
    )  # fmt: skip


@pytest.mark.full
def test_playing_by_lines(labelled, tmp_path):
    typed = "a\n\n:label b\n\nÄ\n:label c\n:what\n:t 0.5\n:seed 9\nbb\nhelp\n:q\naaa\n"
    result = played(labelled.path, typed, "--label", "a", cwd=tmp_path)
    assert result.returncode == 0
    looks = result.stdout.split("sampled with seed ")
    assert [look.split(":")[0] for look in looks[1:]] == ["0", "1", "2", "9"], "nothing is read after :q"
    assert "a  " in looks[0] and "bits/symbol so far" in looks[0] and "(end)" in looks[0] and "█" in looks[0]
    completions = looks[3].split("\n\n")[0]
    assert "bbb" in completions and "aa" not in completions and "bits/char" in completions
    problems = [line for line in result.stderr.splitlines() if line.startswith("seqgen: ")]
    assert len(problems) == 4 and "unknown symbol 'h'" in problems[3]
    assert "'help' was taken for a prefix; commands begin with a colon, and :q quits" in result.stderr
    assert "unknown symbol 'Ä'" in problems[0] and "no label 'c'" in problems[1] and "':what'" in problems[2]
    assert ":label X" in result.stderr.splitlines()[1]
    assert "\x1b" not in result.stdout


@pytest.mark.full
def test_what_is_drawn_can_be_drawn_again(tiny_run, tmp_path):
    result = played(tiny_run.path, "an\n", "-t", "0.7", "--seed", "5", cwd=tmp_path)
    for row in tiny_run.sample(5, prefix="an", temperature=0.7, seed=5):
        assert f"\n{row.text}" in result.stdout
    assert result.returncode == 0 and ":label" not in result.stderr


def test_values_of_conditions_are_set_by_lines(tmp_path, monkeypatch):
    from seqgen_play import command

    path = tmp_path / "elves.csv"
    rows = "".join(f"ela{n},{'Sea' if n % 2 else 'Deep'}\n" for n in range(40))
    path.write_text("name,language\n" + rows)
    small = {"text_field": "name", "hidden": 4, "steps": 1}
    conditioned = seqgen.train(path, condition="language", out=tmp_path / "run", **small)
    player = Player(conditioned)
    assert command._commands(player) == [":t 0.8", ":seed 3", ":given language=VALUE", ":q"]
    assert command._set(player, ":given language=Sea") and player.given == {"language": "Sea"}
    with pytest.raises(UsageError, match="no language 'Air'"):
        command._set(player, ":given language=Air")
    with pytest.raises(
        BadOption, match=r"no command ':gven'; there are :t 0\.8, :seed 3, :given language=VALUE and :q"
    ):
        command._set(player, ":gven language=Sea")
    assert player.given == {"language": "Sea"}
    assert command._set(player, ":given") and player.given == {}
    plain = seqgen.train(path, out=tmp_path / "plain", **small)
    assert command._commands(Player(plain)) == [":t 0.8", ":seed 3", ":q"]


@pytest.mark.full
def test_a_long_text_is_played_with(stream, tmp_path):
    result = played(stream.path, "an\n\n", cwd=tmp_path)
    assert result.returncode == 0 and result.stdout.count("sampled with seed") == 2
    assert "(end)" not in result.stdout and "…" in result.stdout and r"\n" in result.stdout


@pytest.mark.full
def test_control_characters_are_escaped(tmp_path):
    (tmp_path / "c.txt").write_text("a\x1b[31mb\n" * 20)
    run = seqgen.train(tmp_path / "c.txt", cell="gru", steps=60, lr=0.03, split="none", out=tmp_path / "run")
    result = played(run.path, "a\x1b\n\x00\n::\n", "-q", cwd=tmp_path)
    assert result.returncode == 0 and "\x1b" not in result.stdout + result.stderr
    assert r"a\x1b" in result.stdout and r"U+0000" in result.stderr and "U+003A" in result.stderr


@pytest.mark.full
def test_bytes_that_are_no_text_are_one_line(tiny_run, tmp_path):
    command = [sys.executable, "-m", "seqgen", "play", str(tiny_run.path), "-q"]
    result = subprocess.run(command, input=b"\xff\nan\n", capture_output=True, cwd=tmp_path)
    assert result.returncode == 0 and result.stderr.count(b"\n") == 1 and b"U+FFFD" in result.stderr
    assert b"bits/symbol so far" in result.stdout


@pytest.mark.full
def test_a_terminal_has_a_prompt(tiny_run, tmp_path):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgen", "play", str(tiny_run.path)],
        stdin=follower, stdout=follower, stderr=subprocess.DEVNULL, cwd=tmp_path,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    deadline = time.monotonic() + 60
    for awaited, typed in ((b"> ", b"an\n"), (b"bits/char", b":q\n")):
        while awaited not in shown and time.monotonic() < deadline:
            shown += os.read(leader, 4096)
        os.write(leader, typed)
    assert process.wait(30) == 0 and b"bits/symbol so far" in shown
    os.close(leader)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-t", "-1"), "temperature"),
        (("--label", "x"), "not conditioned on labels"),
        (("--given", "x"), "FIELD=VALUE"),
        (("--seed", "-3"), "seed"),
    ],
)
def test_a_mistake_ends_it_at_once(cli, tiny_run, options, expected):
    result = cli("play", tiny_run.path, *options)
    assert result.code == 2 and expected in result.err and result.err.count("\n") == 1 and result.out == ""
