"""Constraints beyond a limit of states, symbols, time or memory are refused in one line that names it."""

import re
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgen.errors import BadOption, UsageError
from seqgen.sampling import product, regex_child, regexes
from seqgen.sampling.regexes import regex
from test_constraints import CORPORA, sampler
from test_constraints import regexes as patterns

SLOW = "[a-z]*[aeiou].{30}"


@pytest.mark.full
@pytest.mark.parametrize(
    ("wanted", "limit"),
    [
        (
            {"regex": "a{1,100000}"},
            "'a{1,100000}': with repetitions expanded it has more than 50,000 symbols, the limit",
        ),
        ({"regex": "a{99999999999}"}, "more than 50,000 symbols"),
        ({"regex": "(?:a{1000}){1000}"}, "more than 50,000 symbols"),
        ({"regex": "(" * 5000}, "nested more than 100 deep, the limit"),
        ({"regex": "(" * 4000 + "a" + ")" * 4000}, "nested more than 100 deep, the limit"),
        ({"regex": "a" * 20_000}, "it has 20,000 characters, more than 10,000"),
        ({"length": "1000000"}, "--length '1000000': the limit is 32,000"),
        ({"length": "5-" + "9" * 23}, "the limit is 32,000; give a smaller number, or no maximum"),
        ({"length": "9" * 5000}, "the limit is 32,000"),
        ({"contains": "a" * 200_000}, "it has 200,000 characters, more than the limit of 32,000"),
        (
            {"avoid": tuple(f"{n * 7**9 % 2**32:08x}" for n in range(150_000))},
            "more than 500,000 states, the limit; give",
        ),
        ({"contains": tuple("abcdefghijklmnopqrstuvwxyz" * 3)}, "states multiply to the limit of 2^62 or more"),
    ],
    ids=range(12),
)
def test_a_constraint_beyond_a_limit_is_refused_with_the_limit(wanted, limit):
    with pytest.raises(UsageError, match=re.escape(limit)) as caught:
        sampler(CORPORA["bytes"], **wanted)
    assert (
        re.search("; (simplify|give|drop) ", str(caught.value))
        and len(str(caught.value)) < 400
        and "\n" not in str(caught.value)
    )


def test_zeros_before_a_length_change_nothing():
    assert all(len(row.text) == 3 for row in sampler(CORPORA["names"], length="0" * 5000 + "3").take(20))


def test_a_product_beyond_a_limit_is_refused(monkeypatch):
    monkeypatch.setattr(product, "MAX_TRANSITIONS", 100)
    with pytest.raises(UsageError, match=r"length 5-30: the automaton has more than 100 transitions, the limit"):
        sampler(CORPORA["names"], contains="Ada", length="5-30")
    with pytest.raises(UsageError, match="the limit; drop --length 5-20, and the rest fits"):
        sampler(CORPORA["names"], contains=("Ad", "nna"), length="5-20")
    with pytest.raises(UsageError, match="the limit; drop a requirement, or shorten its texts"):
        sampler(CORPORA["names"], contains=("a" * 60, "b" * 60), max_length=300)
    monkeypatch.undo()
    monkeypatch.setattr(product, "_MAX_TABLE", 20)
    with pytest.raises(UsageError, match="its 31 states times 2 kinds of symbols exceed the limit of 20; drop"):
        sampler(CORPORA["names"], length="5-30")


# -- child processes


def test_a_regex_that_takes_too_long_is_stopped(monkeypatch):
    begun = []

    class Watched(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    monkeypatch.setattr(regexes, "MAX_SECONDS", 0.5)
    with pytest.raises(BadOption, match=re.escape("it takes more than 0.5 s, the limit; simplify it")):
        regex(SLOW)
    assert [child.poll() is not None for child in begun] == [True]


def test_a_regex_that_takes_too_much_memory_is_stopped(monkeypatch):
    pytest.importorskip("resource", reason="no limits of this kind here")
    monkeypatch.setattr(regexes, "_MAX_BYTES", 100_000_000)
    with pytest.raises(BadOption, match="it takes more than 100 MB of memory, the limit"):
        regex(SLOW)


def test_a_regex_of_too_many_states_is_refused(monkeypatch):
    for places in (0, 100):  # in a child process, in this one
        monkeypatch.setattr(regexes, "_INLINE_SYMBOLS", places)
        monkeypatch.setattr(regexes, "MAX_STATES", 50)
        with pytest.raises(BadOption, match="has more than 50 states, the limit"):
            regex("a{60}")


def test_only_large_regexes_are_built_in_a_child_process(monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(11, "no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert regex("K[a-z]+(na|la)").accepts(b"Karla")
    with pytest.raises(UsageError, match="cannot start a process to compile --regex: no more processes"):
        regex("[a-z]{12}")


@pytest.mark.parametrize("pattern", ["[a-z]{2,9}an", "(?i)anna", "[^a]*é+", "(ab|cd)*e?", ""])
def test_a_child_process_builds_the_same_automaton(pattern, monkeypatch):
    built = []
    for places in (0, 1000):
        monkeypatch.setattr(regexes, "_INLINE_SYMBOLS", places)
        built.append(regex(pattern))
    one, other = built
    assert np.array_equal(one.next_KC, other.next_KC) and np.array_equal(one.class_B, other.class_B)
    assert np.array_equal(one.accepts_K, other.accepts_K)


@pytest.mark.parametrize("pattern", ["K[a", "(?=a)b", r"\bK", "^a", "a{3", "[[]", "\ud800", "\\", ")("])
def test_an_invalid_regex_is_refused_in_both_processes(pattern, monkeypatch):
    said = set()
    for places in (-1, 1000):
        monkeypatch.setattr(regexes, "_INLINE_SYMBOLS", places)
        with pytest.raises(BadOption) as caught:
            regex(pattern)
        said.add(str(caught.value))
    assert len(said) == 1 and "DFA" not in said.pop()


# -- the measure


@pytest.mark.parametrize(
    ("pattern", "n_symbols"),
    [
        ("", 0), ("abc", 3), ("a{3}", 3), ("a{2,5}b", 6), ("a{4,}", 5), ("(ab){3}c", 7), ("((a{2}){3}b){2}", 14),
        (r"\w\d\.", 3), (r"\p{Greek}{4}", 4), ("[a-z]{3}", 3), ("[]a]{2}", 2), ("[^]a]{2}", 2), ("[a[b-d]&&[c]]x", 2),
        ("(?i)ab", 2), ("(?:a|b)*", 2), ("(?P<n>ab)+", 2), ("a*+?", 1), ("[(]{2}", 2), (r"\(a\)", 3), (r"[\]]{5}", 5),
    ],
)  # fmt: skip
def test_symbols_and_classes_are_counted_with_repetitions_expanded(pattern, n_symbols):
    assert regexes._count_symbols(pattern) == n_symbols


def test_a_pattern_with_comments_counts_as_large():
    assert regexes._count_symbols("(?x) # [\n a{3}") > regexes._INLINE_SYMBOLS
    assert regexes._count_symbols("(?ix: a )") > regexes._INLINE_SYMBOLS


@pytest.mark.full
@given(st.text("ab([{}])|*+?\\^$.,-:<>=!?PpwxiE019 \n", max_size=30) | patterns("ab("))
@settings(max_examples=300)
def test_any_pattern_is_an_automaton_or_refused(pattern):
    try:
        automaton = regex(pattern)
    except BadOption as error:
        assert "\n" not in str(error).replace("\\n", "")
    else:
        assert len(automaton.next_KC) == len(automaton.accepts_K) and len(automaton.class_B) == regex_child.N_BYTES
