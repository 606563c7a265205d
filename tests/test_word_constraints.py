"""Automata for many words, and the graphs behind constraints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgen.errors import BadOption
from seqgen.sampling import aho_corasick, automata
from seqgen.sampling.state_graph import UNREACHABLE, Edges, IntSet
from test_constraints import CORPORA, rows

# Characters of one, two, three and four bytes, which share bytes, case classes, or neither.
LETTERS = "abAéÉèßẞſsSkKиИ日本👩"
TEXTS = st.text(LETTERS, max_size=12)
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1, max_size=6)


def folded(text):
    return "".join(map(aho_corasick._case_class, text))


@pytest.mark.full
@given(WORDS, TEXTS, st.booleans())
def test_every_position_where_a_word_ends_is_found(some, text, ignore_case):
    next_KC, class_B, ends_K = aho_corasick.build_matcher(some, ignore_case=ignore_case)
    fold = folded if ignore_case else str
    state = 0
    for at, character in enumerate(text, 1):
        for byte in character.encode():
            state = next_KC[state, class_B[byte]]
        assert bool(ends_K[state]) == any(fold(text[:at]).endswith(fold(word)) for word in some)


@given(WORDS, TEXTS, st.booleans())
def test_contains_avoids_and_ends(some, text, ignore_case):
    fold = folded if ignore_case else str
    held = any(fold(word) in fold(text) for word in some)
    assert automata.contains(some, ignore_case=ignore_case).accepts(text.encode()) == held
    assert automata.avoids(some, ignore_case=ignore_case).accepts(text.encode()) != held
    ends = automata.ends(some[0], ignore_case=ignore_case)
    assert ends.accepts(text.encode()) == fold(text).endswith(fold(some[0]))


def test_ignore_case_treats_case_variants_as_equal():
    for one, other in (("é", "É"), ("ß", "ẞ"), ("k", "\N{KELVIN SIGN}"), ("s", "ſ"), ("И", "и"), ("a", "A")):
        assert automata.contains([one], ignore_case=True).accepts(f"x{other}y".encode())
        assert not automata.contains([one]).accepts(f"x{other}y".encode())
    assert not automata.contains(["["], ignore_case=True).accepts(b"{")


def test_a_list_of_words_is_one_automaton():
    some = [f"{first}{second}{third}" for first in "abcdefghij" for second in "klmnopqrst" for third in "uvwxyzabcd"]
    drawn = rows(CORPORA["names"], n=50, avoid=tuple(some), length="4-9")
    assert not any(word in row.text for row in drawn for word in some)
    assert automata.avoids(some).name == "--avoid 'aku', 'akv', 'akw' and 997 more"
    assert automata.contains(["an"]).name == "--contains 'an'"
    assert automata.contains(["an", "on"]).name == "--contains 'an' or 'on'"


def test_too_many_states_are_refused(monkeypatch):
    monkeypatch.setattr(aho_corasick, "MAX_STATES", 10)
    assert len(aho_corasick.build_matcher(["abcdefghi"]).ends_K) == 10
    with pytest.raises(BadOption, match="more than 10 states, the limit; give fewer"):
        aho_corasick.build_matcher(["abcde", "bcdef"])
    monkeypatch.setattr(aho_corasick, "MAX_ENTRIES", 40)
    with pytest.raises(BadOption, match="more than 4 states, the limit; give fewer"):
        aho_corasick.build_matcher(["abcdefghi"])


GRAPHS = st.integers(1, 7).flatmap(
    lambda n: st.lists(st.lists(st.integers(-1, n - 1), min_size=2, max_size=2), min_size=n, max_size=n)
)


@given(GRAPHS, st.data())
def test_distances_and_endless_walks_match_their_definition(graph, data):
    next_SC = np.array(graph, dtype=np.int32)
    accepts_S = np.array(data.draw(st.lists(st.booleans(), min_size=len(graph), max_size=len(graph))))
    after = [{there for there in row if there >= 0} for row in graph]
    distance = [0 if accepts else UNREACHABLE for accepts in accepts_S]
    live = [True] * len(graph)
    for _ in graph:  # no shortest way is longer
        distance = [min([own, *(distance[there] + 1 for there in after[at])]) for at, own in enumerate(distance)]
        live = [any(live[there] for there in after[at]) for at in range(len(graph))]
    edges = Edges(next_SC)
    assert edges.distances(accepts_S).tolist() == distance
    assert edges.endless().tolist() == live


@given(st.lists(st.lists(st.integers(-3, 60), max_size=20), max_size=12))
def test_a_set_of_integers_returns_new_members_once(steps):
    seen, known = {5}, IntSet(np.array([5]))
    for step in steps:
        new = known.add(np.array(step, dtype=np.int64)).tolist()
        assert new == sorted({code for code in step if code >= 0} - seen)
        seen |= set(new)
        assert known.size == len(seen)
