from __future__ import annotations

from pathlib import Path

import pytest

import seqgen

pytest.importorskip("seqgen_chess")
from seqgen_chess import EXAMPLE
from seqgen_chess.games import PgnReader, is_pgn


def read(text, **options):
    reader = PgnReader(**options)
    return list(reader.read(text.split("\n"))), dict(reader.counts)


def test_games_become_moves_without_comments_and_variations():
    (first, second), counts = read(EXAMPLE.decode())
    assert first.text == "1. e4 e5 2. Nf3 Nc6 3. Bb5 1-0" and first.label == "1-0"
    assert first.fields == {"Event": "Hastings", "White": "Ada", "Result": "1-0"}
    assert second.text == "1. d4 *" and second.label is None and counts == {}
    assert read(EXAMPLE.decode(), numbers=False, result=False)[0][0].text == "e4 e5 Nf3 Nc6 Bb5"


@pytest.mark.parametrize(
    ("movetext", "text"),
    [
        ("1.e4 e5 2.O-O O-O-O+ 3.0-0 exd8=Q# 1/2-1/2", "1. e4 e5 2. O-O O-O-O+ 3. O-O exd8=Q# 1/2-1/2"),
        ("1. e4! e5?! 2. Nbd2 $14 R1a3 0-1", "1. e4 e5 2. Nbd2 R1a3 0-1"),
        ("1. e4 {a ( b ; c} 1... e5 ; } (\n(1... c5 (1... d5) {)}) 2. d4 *", "1. e4 e5 2. d4 *"),
        ("{over\ntwo lines} 1. e4\n% escaped ( {\n*", "1. e4 *"),
        ("1. e4 {White wins 60\n% of games} e5 2. Nf3 1-0", "1. e4 e5 2. Nf3 1-0"),
        ("1. e4 (1. d4 {a\n% }\n% escaped )\n) 1... e5 *", "1. e4 e5 *"),
        ("12... e5 13. e4 1-0", "12... e5 13. e4 1-0"),
        ("1. e4", "1. e4 *"),
        ("1. e4 1. ... e5 1-0", "1. e4 e5 1-0"),
        ("12. ... e5 13 ... d5 *", "12... e5 13. d5 *"),
        ("12 . ...e5 *", "12... e5 *"),
        ("1 . e4 e5 2 .Nf3 *", "1. e4 e5 2. Nf3 *"),
        ("1. exd6e.p. exd3 e.p. 2. exd6e.p.+! 1-0", "1. exd6 exd3 2. exd6+ 1-0"),
        ("1. e4 e5 1-0 {White\nwins on time}", "1. e4 e5 1-0"),
        ('1. e4 {[Event "} ( [Event "b"] ) e5 1-0 ; [Event "b"]', "1. e4 e5 1-0"),
    ],
)
def test_movetext_is_read_by_the_standard(movetext, text):
    (game,), _ = read(f'[Event "?"]\n\n{movetext}\n')
    assert game.text == text and game.fields == {}


def test_games_are_kept_apart():
    games, counts = read(
        '[White "A \\"x\\""]\n\n1. e4\n\n[White "B"]\n[Result "0-1"]\n\n0-1\n\n1. d4 d5 *\n[White "C"]\n1. c4 *'
    )
    assert [game.text for game in games] == ["1. e4 *", "1. d4 d5 *", "1. c4 *"]
    assert games[0].fields == {"White": 'A "x"'} and counts == {"games without moves skipped": 1}


def test_games_and_tags_may_share_a_line():
    games, counts = read('[Event "x"]\n\n1. e4 e5 1-0 1. d4 d5 0-1\n\n[Event "y"]\n\n1. c4 *\n')
    assert [(game.text, game.fields) for game in games] == [
        ("1. e4 e5 1-0", {"Event": "x"}),
        ("1. d4 d5 0-1", {}),
        ("1. c4 *", {"Event": "y"}),
    ]
    line = '1. e4 1-0 [Event "c"] [Result "*"] 1. d4 * {x}[Event "d"]'
    games, _ = read(f'[Event "a"] [Site "b"]\n{line}\n\n1. c4 [Site "e"] 1. b4')
    assert [(game.text, game.fields) for game in games] == [
        ("1. e4 1-0", {"Event": "a", "Site": "b"}),
        ("1. d4 *", {"Event": "c", "Result": "*"}),
        ("1. c4 *", {"Event": "d"}),
        ("1. b4 *", {"Site": "e"}),
    ]
    assert counts == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1. e4 hello", "'hello' is no move"),
        ("² e4", "'²' is no move"),
        ("9" * 5000 + ". e4", "is no move"),
        ("1. e4 {never closed", "the file ends within a comment or variation"),
        ("1. e4 (1. d4", "the file ends within a comment or variation"),
        ("1. e4 1-0 {never closed", "the file ends within a comment or variation"),
        ("1. e4 1-0 hello", "'hello' is no move"),
        ('1. e4 {never closed\n\n[White "B"]\n\n1. d4 {closed} d5 *', r"White .* stands within a comment or variation"),
        ('1. e4 (1. d4\n\n[White "B"]\n\n1. d4 (1. c4)) d5 *', r"White .* stands within a comment or variation"),
        ("1. e4 )", "a variation is closed that is not open"),
    ],
)
def test_what_is_no_game_is_refused(text, said):
    with pytest.raises(seqgen.CorpusError, match=said):
        read(text)


def test_a_file_is_recognized_and_refused_with_its_line(cli, in_tmp):
    assert is_pgn("x", EXAMPLE) and not is_pgn("x", b"[1] Smith\n[2] Doe\n")
    assert is_pgn("x", b'[Event "a"] [Site "b"]\n\n1. e4 *\n') and not is_pgn("x", b'[See "a"] and "b"\n1\n')
    Path("games.txt").write_bytes(EXAMPLE)
    tiny = ("--cell", "vanilla", "--hidden", 4, "--steps", 1, "--split", "none", "-o", "samples=1")
    trained = cli("train", "--corpus", "games.txt", "--condition", "White", *tiny)
    assert trained.code == 0 and "2 training records" in trained.err, trained.err
    Path("bad.pgn").write_bytes(EXAMPLE + b'\n[White "C"]\n\n1. e4 oops\n')
    refused = cli("train", "--corpus", "bad.pgn", *tiny)
    assert refused.code == 3 and "bad.pgn', line 15: 'oops' is no move" in refused.err


def test_tags_of_a_game_without_moves_do_not_reach_the_next():
    (record,), counts = read('[White "A"]\n[Black "X"]\n\n[White "B"]\n\n1. e4 *\n')
    assert record.fields == {"White": "B"} and sum(counts.values()) == 1


def test_a_tag_given_twice_in_a_header_starts_no_game():
    (record,), counts = read('[Event "X"]\n[White "A"] {a\n\nb}\n[Event "Y"]\n\n1. e4 e5 1-0')
    assert record.fields == {"Event": "X", "White": "A"} and counts == {}
    assert record.text == "1. e4 e5 1-0"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('[Event "A "B" C"]', 'A "B" C'),
        ('  [ Event  "A "B"] C" ] ', 'A "B"] C'),
        ('[Event ""A""]', '"A"'),
        ('[Event "A\\"]', "A\\"),
    ],
)
def test_a_tag_may_have_quotes_that_are_not_escaped(line, value):
    (first, second), counts = read(f'{line}\n[White "W"]\n\n1. e4 *\n\n[Event "Y"]\n\n1. d4 *\n')
    assert first.fields == {"Event": value, "White": "W"} and second.fields == {"Event": "Y"} and counts == {}
