"""The automata of domains: what they accept, and valid rows with look-ahead by them."""

from __future__ import annotations

import importlib
import itertools
import random
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from seqgen.config import SampleConfig
from seqgen.errors import PluginError
from seqgen.plugins import Candidate, Plugins, entry_point_candidates
from seqgen.sampling import Grammar, Sampler, conditional, find_way, guided_rows, product
from seqgen.sampling.contexts import contexts_by_state
from seqgen.sampling.look_ahead import LookAhead
from seqgen.sampling.text_automata import MAX_STATES, TooManyStates, accepts, tabulate, tabulate_for
from seqgen.tokenizers import EOS
from seqgen.tokenizers.byte import ByteTokenizer
from seqgen.tokenizers.char import CharTokenizer
from seqgen_text.bpe import BPETokenizer
from test_constraints import enumerate_rows, make
from test_look_ahead import conditional_shares, noise, variation


class Brackets:
    """Texts in which "(" and ")" are balanced, at most ``depth`` deep; other characters may be anywhere."""

    start = 0

    def __init__(self, depth=3):
        self.depth = depth

    def advance(self, state, character):
        state += {"(": 1, ")": -1}.get(character, 0)
        return state if 0 <= state <= self.depth else None

    def accepts(self, state):
        return state == 0


def balanced(text):
    return accepts(Brackets(99), text)


GRAMMAR = Grammar(Brackets(), balanced, list, "the grammar of brackets")


@pytest.fixture(scope="module")
def brackets():
    """A model of brackets and a letter, and its rows of up to six symbols."""
    of = make(CharTokenizer("(a)"), seed=4, hidden=4)
    return of, enumerate_rows(of, "(a)", 6)


# -- tables


@given(st.text("(a)é日", max_size=8))
def test_a_table_accepts_what_the_automaton_does(text):
    table = tabulate(Brackets(), "(a)é日", "brackets")
    assert table.accepts(text.encode()) == balanced(text)
    assert not table.accepts((text + "b").encode())  # a character that no text has


@given(st.text("(a)é日\N{GRINNING FACE}", max_size=8))
def test_a_table_over_parts_of_characters_accepts_all_characters(text):
    table = tabulate(Brackets(), "(a)", "brackets", has_parts=True)
    assert table.accepts(text.encode()) == balanced(text)
    assert not table.accepts(text.encode() + b"\xe6\x97")  # a character without its end


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), BPETokenizer.fit(["(aé)", "((é)a)"] * 3, vocab_size=12)])
def test_symbols_of_several_characters_and_parts_of_them(tokenizer):
    _, vocabulary = make(tokenizer, seed=1, hidden=4)
    table = tabulate_for(Brackets(), vocabulary, "brackets")
    assert table.accepts("(aé)".encode()) and not table.accepts("(aé".encode())


def test_too_many_states_are_refused():
    with pytest.raises(TooManyStates):
        tabulate(Brackets(depth=MAX_STATES), "(", "brackets")
    with pytest.raises(TooManyStates):
        tabulate(Brackets(), "(", "brackets", most=2)


# -- contexts and look-ahead


def test_contexts_are_the_counts_of_symbols_in_each_state(brackets):
    (model, vocabulary), _ = brackets
    one = Sampler(model, vocabulary, SampleConfig(max_length=6))
    automaton = one.constrained([tabulate_for(Brackets(), vocabulary, "brackets")]).automaton
    rows = ["(a)", "a", "(("]
    ids = [vocabulary.encode(row) for row in rows]
    contexts = contexts_by_state(automaton, np.concatenate(ids), np.array([len(row) for row in ids]))
    opened = int(automaton.next(0, vocabulary.encode("(")[0]))
    probs_V = contexts.probs_DV[opened]
    assert probs_V[vocabulary.encode("a")[0]] > 0.3 and probs_V[vocabulary.encode("(")[0]] > 0.3
    assert probs_V[EOS] < 0.2 and np.allclose(contexts.probs_DV.sum(1), 1)


def test_a_symbol_that_is_rare_everywhere_is_expected_in_each_state(brackets):
    """The rows that were counted cannot tell where it occurs; one that is frequent elsewhere does not occur here."""
    of = make(CharTokenizer("(abc)"), seed=4, hidden=4)
    one = Sampler(*of, SampleConfig(max_length=6))
    automaton = one.constrained([tabulate_for(Brackets(), of[1], "brackets")]).automaton
    rows = ["(a)(a)(a)"] * 400 + ["a" * 9] * 400 + ["b"]
    ids = [of[1].encode(row) for row in rows]
    contexts = contexts_by_state(automaton, np.concatenate(ids), np.array([len(row) for row in ids]))
    a, b, c, close = (int(of[1].encode(letter)[0]) for letter in "abc)")
    opened = int(automaton.next(0, of[1].encode("(")[0]))
    outside_V, inside_V = contexts.probs_DV[0], contexts.probs_DV[opened]
    share = 1 / 9_000  # of a symbol that occurs once
    assert 0.3 * share < inside_V[b] < 3 * share and 0.3 * share < outside_V[b] < 3 * share
    assert 0.1 * share < inside_V[c] < 3 * share  # which never occurs
    assert outside_V[close] < share and inside_V[a] == pytest.approx(0.5, abs=0.01)


def test_a_few_visits_say_what_occurs_in_a_state(brackets):
    of = make(CharTokenizer("(abc)"), seed=4, hidden=4)
    one = Sampler(*of, SampleConfig(max_length=6))
    automaton = one.constrained([tabulate_for(Brackets(), of[1], "brackets")]).automaton
    ids = [of[1].encode(row) for row in [*["a" * 9] * 4000, *["(b)"] * 30]]
    contexts = contexts_by_state(automaton, np.concatenate(ids), np.array([len(row) for row in ids]))
    opened = int(automaton.next(0, of[1].encode("(")[0]))
    b, close = (int(of[1].encode(letter)[0]) for letter in "b)")
    assert contexts.probs_DV[opened, [b, close]] == pytest.approx([0.5, 0.5], abs=0.02)


def test_classes_of_symbols_give_the_same_look_ahead(brackets, monkeypatch):
    """Symbols that the automaton treats alike are one in the computation."""
    of = make(CharTokenizer("(abcd)"), seed=4, hidden=4)
    one = Sampler(*of, SampleConfig(max_length=6))
    automaton = one.constrained([tabulate_for(Brackets(), of[1], "brackets")]).automaton
    counted = one.sample_flat(0, 2000)[:2]
    contexts = contexts_by_state(automaton, *counted)
    grouped = LookAhead(automaton, contexts, [], 6)
    assert len(grouped._first_U) == 4  # the end, two brackets, the letters
    apart = lambda tables: (np.arange(tables[0].shape[1]), np.arange(tables[0].shape[1]))  # noqa: E731
    monkeypatch.setattr("seqgen.sampling.look_ahead.equal_columns", apart)
    alone = LookAhead(automaton, contexts, [], 6)
    assert alone.n_pairs == grouped.n_pairs and len(alone._first_U) == 7
    for one_P, other_P in zip(grouped._log_h, alone._log_h, strict=True):
        assert np.allclose(one_P, other_P, atol=1e-5)


# -- valid rows


def texts_of(way, n):
    return [row.text for row in itertools.islice(way.rows, n)]


@pytest.mark.full
@pytest.mark.parametrize("settings", [{}, {"prefix": "(a"}, {"contains": "a("}, {"temperature": 0.7}])
def test_valid_rows_follow_the_conditional_distribution(brackets, monkeypatch, settings):
    monkeypatch.setattr(conditional, "_ENOUGH_VALID", 1)
    monkeypatch.setattr(conditional, "_COST", 0)
    of, _ = brackets
    tempered = enumerate_rows(of, "(a)", 6, temperature=settings.get("temperature", 1.0))
    prefix, inside = settings.get("prefix", ""), settings.get("contains", "")
    shares, _ = conditional_shares(
        {text: share for text, share in tempered.items() if text.startswith(prefix)},
        lambda text: balanced(text) and inside in text,
    )
    sampler = Sampler(*of, SampleConfig(max_length=6, **settings))
    way = find_way(sampler, None, GRAMMAR)
    assert way.bound is not None and "the grammar of brackets" in way.name
    texts = texts_of(way, 4000)
    assert set(texts) <= set(shares)
    assert variation(texts, shares) <= noise(shares, 4000) + max(way.bound.above, 0.002)


class Endless:
    """A state for each text."""

    start = ()

    def advance(self, state, character):
        return (*state, character)

    def accepts(self, state):
        return True


def test_a_grammar_is_left_alone_where_it_is_of_no_use(brackets, monkeypatch):
    of, shares = brackets
    sampler = Sampler(*of, SampleConfig(max_length=6))
    assert sum(share for text, share in shares.items() if balanced(text)) > 0.2
    assert find_way(sampler, None, GRAMMAR).rows is None  # often valid
    rare = Grammar(Brackets(), lambda text: text[:1] == "(" and ")" not in text, list, "the grammar of something else")
    refused = find_way(sampler, None, rare)  # its few valid rows
    assert refused.rows is None and re.fullmatch(r"(\d+) of \1 valid trial rows are beyond its bounds", refused.misfit)
    endless = Grammar(Endless(), lambda text: text == "(a)", lambda: ["(a)"] * 9, "the grammar of all")
    assert find_way(sampler, None, endless).misfit == "it has too many states to look ahead in"
    with monkeypatch.context() as changed:
        changed.setattr(product, "MAX_TRANSITIONS", 5)
        one = Grammar(Brackets(), lambda text: text == "(a)", lambda: ["(a)"] * 9, "the grammar of one")
        combined = find_way(Sampler(*of, SampleConfig(max_length=6, prefix="(")), None, one)
        assert combined.misfit == "it has too many states to look ahead in"
    poor = Grammar(Brackets(0), lambda text: text == "(a)", lambda: ["(a)"] * 9, "the grammar of no brackets")
    assert find_way(sampler, None, poor).misfit == "100.0% of the records are beyond its bounds"


def test_guided_rows_keep_to_the_grammar_and_the_constraint(brackets):
    of, _ = brackets
    sampler = Sampler(*of, SampleConfig(max_length=6, contains="a("))
    rows = [row.text for row in itertools.islice(guided_rows(sampler, GRAMMAR).rows, 200)]
    assert all(balanced(text) and "a(" in text for text in rows) and len(set(rows)) > 1
    impossible = Grammar(Brackets(0), balanced, list, "the grammar of no brackets")
    assert guided_rows(sampler, impossible).misfit.startswith("no row of this run can keep to it")


@pytest.mark.parametrize("asked", [{"temperature": 0}, {"top_k": 1}, {"top_p": 0.1}])
def test_guided_rows_obey_where_decoding_leaves_one_symbol(brackets, asked):
    """Steps of decoding see the mask; after them nothing might be left."""
    of, _ = brackets
    sampler = Sampler(*of, SampleConfig(max_length=6, contains="a(", **asked))
    rows = [row.text for row in itertools.islice(guided_rows(sampler, GRAMMAR).rows, 20)]
    assert all(balanced(text) and "a(" in text for text in rows)


# -- in a run


class Validator:
    def validate(self, text):
        return seqgen.Verdict(balanced(text) and "(" in text, "not balanced, or without a bracket")


class Nested(Brackets):
    """Balanced texts with brackets."""

    start = (0, False)

    def advance(self, state, character):
        depth = super().advance(state[0], character)
        return None if depth is None else (depth, state[1] or character == "(")

    def accepts(self, state):
        return state == (0, True)


class Pack:
    automaton = Nested

    @staticmethod
    @seqgen.hookimpl
    def register_validators(register):
        register(seqgen.ValidatorSpec(name="balanced", summary="s", load=Validator))

    @classmethod
    @seqgen.hookimpl
    def register_domains(cls, register):
        register(seqgen.DomainSpec(name="nested", summary="s", validator="balanced", automaton=cls.automaton))


def trained(folder, pack=Pack, depth=3):
    rng = random.Random(0)
    words = {
        "".join("(" * n + "ab"[rng.random() < 0.5] * rng.randrange(1, 9) + ")" * n)
        for n in range(depth + 1)
        for _ in range(40)
    }
    (folder / "words.txt").write_text("\n".join(sorted(words)) + "\n")
    plugins = Plugins(pytest.fail)
    plugins.load([*entry_point_candidates(), Candidate("pack", "pack", "1", pack)])
    return seqgen.train(
        folder / "words.txt", domain="nested", cell="vanilla", hidden=4, steps=3, plugins=plugins, blend="none",
        out=folder / "run",
    )  # fmt: skip


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """A run that has learned next to nothing."""
    return trained(tmp_path_factory.mktemp("nested"))


def test_few_valid_rows_are_sampled_with_look_ahead(nested):
    said = []
    rows = nested.sample(60, valid=True, warn=said.append)
    assert all(balanced(row.text) for row in rows)
    assert said[0].startswith("the grammar of nested: ") and "look-ahead" in said[0]
    again = list(itertools.islice(nested.iter_samples(7, valid=True), 7))
    assert [row.text for row in again] == [row.text for row in rows[:7]]
    fast = nested.sample(60, valid=True, fast=True, warn=said.append)
    assert all(balanced(row.text) for row in fast)
    assert said[-1].startswith("the grammar of nested: rows are guided by look-ahead")


def test_exact_valid_rows_are_sampled_freely(nested, monkeypatch):
    rows = nested.sample(20, valid=True, exact=True)
    monkeypatch.setitem(vars(nested), "automaton", None)
    assert rows == nested.sample(20, valid=True)
    with pytest.raises(seqgen.UsageError, match="cannot apply --fast: it contradicts --exact"):
        nested.sample(2, valid=True, exact=True, fast=True)


@pytest.mark.full
def test_a_changed_automaton_is_tried_anew(tmp_path, monkeypatch):
    """A trial is remembered for the code that it was made with."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = (
        "import test_grammars\n\n\nclass Automaton(test_grammars.Nested):\n"
        "    def __init__(self):\n        super().__init__(DEPTH)\n\n\n"
        "class Pack(test_grammars.Pack):\n    automaton = Automaton\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # files of one second look the same
    said = []
    for number, depth in enumerate((3, 1, 3)):
        (tmp_path / "changing.py").write_text(source.replace("DEPTH", f"{depth} + 0 * {number}"))
        sys.modules.pop("changing", None)
        importlib.invalidate_caches()
        pack = importlib.import_module("changing").Pack
        (tmp_path / str(number)).mkdir()
        trained(tmp_path / str(number), pack).sample(5, valid=True, warn=said.append)
    sys.modules.pop("changing", None)
    assert len(said) == 3 and said[0] == said[2]
    assert said[1].startswith("the grammar of nested is not used: ")


def test_records_beyond_the_bounds_are_told(tmp_path):
    """A run whose records are mostly beyond them does without the automaton."""

    class Shallow(Pack):
        automaton = staticmethod(lambda: Nested(depth=1))

    run = trained(tmp_path, Shallow)
    said = []
    run.sample(2, valid=True, warn=said.append)
    assert said[0].startswith("the grammar of nested is not used: ")
    run.sample(2, valid=True, fast=True, warn=said.append)
    assert said[-1] == said[0] and said[0].endswith("of the records are beyond its bounds")


def test_a_failing_automaton_is_named(tmp_path):
    class Failing(Nested):
        def advance(self, state, character):
            raise KeyError(character)

    class Broken(Pack):
        automaton = Failing

    class List(Nested):
        start = [0]

    class Unhashable(Pack):
        automaton = List

    (tmp_path / "other").mkdir()
    with pytest.raises(PluginError, match=r"start=\[0\] cannot be hashed: unhashable type"):
        trained(tmp_path / "other", Unhashable).sample(2, valid=True)
    with pytest.raises(
        PluginError, match=r"the automaton of domain nested of pack .*advance\(\(0, .* fails with KeyError"
    ):
        trained(tmp_path, Broken).sample(2, valid=True)
