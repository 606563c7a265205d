"""Constraints on rows: regexes, contained and avoided texts, ends, lengths."""

import itertools
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgen.config import SampleConfig
from seqgen.errors import BadOption, UnknownSymbol, UsageError
from seqgen.model import RecurrentModel
from seqgen.sampling import Sampler, automata, constraint
from seqgen.sampling.regexes import regex
from seqgen.tokenizers import EOS, Vocabulary
from seqgen.tokenizers.byte import ByteTokenizer
from seqgen.tokenizers.char import CharTokenizer
from seqgen_classic.gru import GRUCell
from seqgen_text.bpe import BPETokenizer

NAMES = ["Ada", "Béla", "Anna-Maria", "O'Neil", "Kimberly", "zoë", "Karla", "Kira"]
MOLECULES = ["CCO", "c1ccccc1", "C(=O)N", "[nH]1cccc1", "CC(C)(C)C#N", "ClCCBr"]
TITLES = ["On the Graph", "A Study of 3D: Graphs", "Graph Networks, again", "The end of the graph"] * 3


def make(tokenizer, seed=0, hidden=12):
    torch.manual_seed(seed)
    vocabulary = Vocabulary(tokenizer)
    return RecurrentModel(vocabulary.size, GRUCell, hidden=hidden, embedding=6).eval(), vocabulary


CORPORA = {
    "names": make(CharTokenizer.fit(NAMES)),
    "molecules": make(CharTokenizer.fit(MOLECULES)),
    "titles": make(BPETokenizer.fit(TITLES, vocab_size=60)),
    "bytes": make(ByteTokenizer()),
}


def sampler(of, max_length=40, **wanted):
    return Sampler(*of, SampleConfig(max_length=max_length, **wanted))


def rows(of, n=20, **wanted):
    return list(sampler(of, **wanted).take(n))


# -- regular expressions


def regexes(alphabet):
    """Patterns that Python and the library read alike."""
    literal = st.sampled_from(alphabet).map(re.escape)
    classes = st.lists(st.sampled_from(alphabet), min_size=1, max_size=4, unique=True).map(
        lambda some: "[" + "".join(map(re.escape, some)) + "]"
    )
    excluded = classes.map(lambda some: "[^" + some[1:])
    counts = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda pair: f"{{{pair[0]},{sum(pair)}}}")

    def extend(inner):
        group = inner.map(lambda pattern: f"(?:{pattern})")
        repeated = st.tuples(group, st.sampled_from(["*", "+", "?", "*?", "+?"]) | counts).map("".join)
        either = st.lists(inner, min_size=2, max_size=3).map(lambda some: "(" + "|".join(some) + ")")
        return repeated | either | st.lists(inner, min_size=2, max_size=4).map("".join)

    return st.recursive(literal | classes | excluded | st.just("."), extend, max_leaves=8)


def check_regex(name, pattern):
    of = CORPORA[name]
    try:
        sampled = rows(of, n=8, max_length=30, regex=pattern)
    except UsageError as error:  # nothing so short, or nothing of these symbols
        assert "impossible" in str(error), error
        return None
    assert len(sampled) == 8
    for row in sampled:
        assert re.fullmatch(pattern, row.text), (pattern, row.text)
        assert not row.cut
    return sampled


def alphabet_of(name):
    return sorted(set("".join({"names": NAMES, "molecules": MOLECULES, "titles": TITLES, "bytes": NAMES}[name])))


@pytest.mark.full
@pytest.mark.parametrize("name", CORPORA)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_every_row_matches_a_regex(name, data):
    check_regex(name, data.draw(regexes(alphabet_of(name))))


GOES_ON = [
    ("K[a-z]+a", "Katarina"),
    (".*a", "banana"),
    ("[A-Z][a-z]+( [A-Z][a-z]+)*", "Ann Lee"),
    (r"\d+(\.\d+)?", "12.5"),
    ("(ab)+", "abab"),
    ("Kim|Kimberly", "Kimberly"),
    ("a+?", "aa"),
    ("[^a]*", "é"),
    (r"\p{L}+", "日本語"),
    ("é?", "é"),
    ("(a|ab)(c|bcd)", "abcd"),
    ("(?x) a # one\n b? # or two", "ab"),
    ("a$", "a"),
    ("[a-z]*$", "abc"),
    ("(a|b)*$", "ab"),
    (r"[\^^]+a\z", "^^a"),
]


@pytest.mark.parametrize(("pattern", "text"), GOES_ON)
def test_a_regex_accepts_texts_that_go_on_after_a_match(pattern, text):
    assert regex(pattern).accepts(text.encode())


@pytest.mark.parametrize("pattern", ["", "a*", "(a|)b?", "a??", r"\w*", "$", "a*$", "a|$"])
def test_a_regex_accepts_the_empty_text(pattern):
    assert regex(pattern).accepts(b"")


@given(data=st.data(), pattern=regexes("abé"), ignore_case=st.booleans())
def test_a_regex_accepts_what_it_matches_and_nothing_else(data, pattern, ignore_case):
    compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    automaton = regex(pattern, ignore_case=ignore_case)
    texts = st.from_regex(compiled, fullmatch=True, alphabet="abéÉx") | st.text("abéÉx", max_size=6)
    for text in data.draw(st.lists(texts, min_size=5, max_size=20)):
        assert automaton.accepts(text.encode()) == bool(compiled.fullmatch(text)), text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["names", "molecules", "titles"])
def test_every_row_matches_each_of_a_thousand_regexes(name, capsys):
    possible = []

    @given(pattern=regexes(alphabet_of(name)))
    @settings(max_examples=334, deadline=None, derandomize=True, database=None)
    def check(pattern):
        possible.append(check_regex(name, pattern) is not None)

    check()
    with capsys.disabled():
        print(f" {name}: {sum(possible)} of {len(possible)} regexes possible, all rows match")
    assert len(possible) >= 300
    assert sum(possible) > 0.8 * len(possible)


def test_impossible_constraints_are_refused_with_the_reason():
    of = CORPORA["names"]
    for wanted, words in (
        ({"contains": "ab", "avoid": "a"}, "--contains 'ab' and --avoid 'a' exclude each other"),
        ({"contains": "ab", "avoid": "a", "length": "3-"}, "--contains 'ab' and --avoid 'a' exclude each other"),
        ({"length": "1-2", "prefix": "Kim"}, "begin with 'Kim': the prefix violates --length 1-2"),
        ({"regex": "[0-9]+"}, "the symbols of this run cannot spell --regex"),
        ({"contains": "Karla", "max_length": 4}, "needs 5 more symbols, and a row may have 4; raise --max-length"),
        ({"ends": "#", "regex": "K.*a"}, "unknown symbol '#' (U+0023)"),
        ({"regex": "K[a-z]{3}", "length": "5"}, "exclude each other"),
        ({"contains": "ab", "avoid": "a", "max_length": 40_000}, "--contains 'ab' and --avoid 'a' exclude each other"),
        ({"regex": "[0-9]+", "max_length": 1_000_000}, "the symbols of this run cannot spell --regex"),
    ):
        with pytest.raises(UsageError, match=re.escape(words)):
            sampler(of, **wanted)
    for wanted, words in (
        ({"length": "8-5"}, "the minimum 8 is above the maximum 5"),
        ({"length": "five"}, "it has none of the forms"),
        ({"regex": "K[a"}, "--regex 'K[a': unterminated character set at position 1"),
        ({"regex": "(?=a)b"}, "look-around"),
        ({"regex": r"\bK"}, "word boundaries"),
        ({"regex": "^a"}, "leave out ^"),
        ({"regex": "(?x) ^ a"}, "leave out ^"),
        ({"regex": "a^b"}, "leave out ^"),
        ({"regex": r"\Aab"}, r"leave out ^, or \A"),
        ({"regex": "(?P<x>K))|(O"}, "unbalanced parenthesis"),
        ({"regex": "(?x)K)|(O"}, "unbalanced parenthesis"),
        ({"regex": r"a[^\s\S]"}, "there is no text that it matches"),
        ({"regex": "a$b"}, "there is no text that it matches"),
    ):
        with pytest.raises(BadOption, match=re.escape(words)):
            sampler(of, **wanted)
    with pytest.raises(UsageError, match="cannot apply --exact: there is no constraint"):
        sampler(of, exact=True)
    for wanted in ({}, {"length": "5"}, {"prefix": "K"}):
        with pytest.raises(UsageError, match="cannot apply --ignore-case: there is no text to compare; add one"):
            sampler(of, ignore_case=True, **wanted)


@pytest.mark.parametrize("name", ["x", "n", "ix"])
def test_the_name_of_a_group_is_no_flag(name):
    found = rows(CORPORA["names"], regex=f"(?<{name}>K)[n^][a-z]*", n=9)
    assert all(re.fullmatch("K[n^][a-z]*", row.text) for row in found)


def test_a_comment_may_end_a_verbose_regex():
    assert {row.text for row in rows(CORPORA["names"], regex="(?x) K i [mr] # three letters", n=9)} <= {"Kim", "Kir"}


@pytest.mark.parametrize("name", ["ends", "template", "length", "regex"])
def test_an_empty_constraint_is_refused(name, tiny_run, cli):
    """A variable of a shell that is not set must not mean that there is no constraint."""
    with pytest.raises(BadOption, match=f"option '{name}' of sample: give a text, or leave {name} out, not ''"):
        tiny_run.sample(1, **{name: ""})
    for command in ("sample", "top"):
        assert cli(command, tiny_run.path, f"--{name}", "").code == 2
    assert len(tiny_run.sample(1, **{name: None})) == 1


def test_a_length_that_is_no_range_is_refused_with_the_forms(tiny_run):
    forms = "'length' of sample: give a number, two, or a text such as '5-8', '5', '5-' or '-8'"
    with pytest.raises(BadOption, match=re.escape(forms)):
        tiny_run.sample(1, length=5.5)


# -- texts and lengths


@pytest.mark.parametrize("name", CORPORA)
def test_rows_satisfy_contains_ends_and_length(name):
    some = {"names": ("an", "a"), "molecules": ("cc", "C"), "titles": ("Gr", "h"), "bytes": ("ë", "é")}
    held, end = some[name]
    for row in rows(CORPORA[name], contains=(held, end), avoid=(end + end,), ends=end, length="6-12"):
        assert held in row.text and row.text.endswith(end) and end + end not in row.text
        assert 6 <= len(row.text) <= 12
        assert not row.cut


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize(("length", "least", "most"), [("3", 3, 3), ("-2", 0, 2), ("20-", 20, 99)])
def test_lengths_are_of_characters(name, length, least, most):
    assert all(least <= len(row.text) <= most for row in rows(CORPORA[name], length=length))


def test_overlapping_prefixes_of_a_text_are_found():
    of = CORPORA["names"]
    assert all("anan" in row.text for row in rows(of, contains="anan", prefix="anaana"[:3]))
    assert not any("aan" in row.text for row in rows(of, avoid="aan", prefix="aa", n=200))


def test_the_prefix_counts():
    of = CORPORA["names"]
    sampled = rows(of, prefix="Kar", regex="K[a-z]+(na|la)", n=50)
    assert all(row.text.startswith("Kar") and re.fullmatch("K[a-z]+(na|la)", row.text) for row in sampled)


def test_byte_symbols_form_whole_characters():
    sampled = rows(CORPORA["bytes"], n=100, length="3-6", max_length=24)
    assert not any("\N{REPLACEMENT CHARACTER}" in row.text for row in sampled)
    assert any(not row.text.isascii() for row in sampled)


def test_symbols_that_are_not_pieces_of_the_text_are_refused():
    class Backwards(CharTokenizer):
        def decode(self, ids):
            return super().decode(ids)[::-1]

    with pytest.raises(UsageError, match="Backwards"):
        sampler(make(Backwards.fit(NAMES)), contains="a")


def test_banned_characters_occur_in_the_prefix_only():
    sampled = rows(CORPORA["names"], n=200, ban="aeK", prefix="Ka")
    assert all(row.text.startswith("Ka") and not set(row.text[2:]) & set("aeK") for row in sampled)
    assert all("a" not in row.text[2:] for row in rows(CORPORA["names"], ban="a", contains="b", prefix="Ka"))
    with pytest.raises(UsageError, match="contains 'a'"):
        sampler(CORPORA["names"], ban="a", contains="a")
    with pytest.raises(BadOption, match="no symbol is left to sample"):
        sampler(CORPORA["names"], ban="".join(alphabet_of("names")))
    assert not any("a" in row.text for row in rows(CORPORA["bytes"], n=200, ban="a"))
    with pytest.raises(BadOption, match="symbols may be parts of characters; use --avoid instead"):
        sampler(CORPORA["bytes"], ban="aß")


# -- templates


def pieces_of(template):
    """The texts between the stars, read one character after another."""
    pieces, characters = [""], list(template)
    while characters:
        character = characters.pop(0)
        if character == "*":
            pieces.append("")
        elif character == "\\" and characters and characters[0] in "*\\":
            pieces[-1] += characters.pop(0)
        else:
            pieces[-1] += character
    return pieces


def as_pattern(template):
    return re.compile(".*".join(map(re.escape, pieces_of(template))), re.DOTALL)


@pytest.mark.full
@given(
    st.text("aAb*\\\u212akKß", min_size=1, max_size=8),
    st.lists(st.text("aAbB*\\\u212akKßſs", max_size=10), max_size=30),
)
def test_templates_accept_what_their_pieces_describe(template, texts):
    automaton = automata.template(template)
    pattern = as_pattern(template)
    pieces = pieces_of(template)
    for text in [*texts, template, "".join(pieces), "ab".join(pieces), "k".join(pieces)]:
        assert automaton.accepts(text.encode()) == bool(pattern.fullmatch(text)), (template, text)


@given(st.text("ab*kſ", min_size=1, max_size=6), st.lists(st.text("aAbBkKsSſ\u212a", max_size=8), max_size=30))
def test_templates_without_case(template, texts):
    pattern = re.compile(as_pattern(template).pattern, re.DOTALL | re.IGNORECASE)
    automaton = automata.template(template, ignore_case=True)
    for text in [*texts, template.replace("*", ""), template.replace("*", "b").upper()]:
        assert automaton.accepts(text.encode()) == bool(pattern.fullmatch(text)), (template, text)


def test_templates_are_filled_in():
    for wanted in (
        {"template": "K*a"},
        {"template": "*ar*", "length": "5-7"},
        {"template": "Kira"},
        {"template": "An*"},
    ):
        found = rows(CORPORA["names"], n=30, **wanted)
        assert all(as_pattern(wanted["template"]).fullmatch(row.text) for row in found)
    with pytest.raises(UsageError, match="--ends 'o' and --template 'K\\*a' exclude each other"):
        sampler(CORPORA["names"], template="K*a", ends="o")
    with pytest.raises(UnknownSymbol, match="'x'"):
        sampler(CORPORA["names"], template="K*x")
    with pytest.raises(UnknownSymbol, match=r"'\*'"):
        sampler(CORPORA["names"], template=r"K\*a")
    assert automata.template_pieces(r"C\C=C/C*\*\\*") == [r"C\C=C/C", "*\\", ""]


# -- distributions


def enumerate_rows(of, alphabet, max_length, temperature=1.0):
    """The probability of every row up to a length, by the definition."""
    model, vocabulary = of
    shares = {}
    with torch.inference_mode():
        for length in range(max_length + 1):
            for letters in itertools.product(alphabet, repeat=length):
                text = "".join(letters)
                ids = [1, *vocabulary.encode(text).tolist()]
                logits_1TV, _ = model(torch.tensor([ids]), model.initial_state(1))
                allowed_V = torch.from_numpy(vocabulary.allowed_V())
                log_probs = torch.log_softmax(
                    logits_1TV[0].double().masked_fill(~allowed_V, -math.inf) / temperature, -1
                )
                targets = [*ids[1:], EOS]
                shares[text] = math.exp(sum(float(log_probs[at, target]) for at, target in enumerate(targets)))
    return shares


def total_variation(texts, shares):
    counts = {text: texts.count(text) / len(texts) for text in set(texts)}
    return sum(abs(counts.get(text, 0) - shares.get(text, 0)) for text in counts | shares) / 2


@pytest.fixture(scope="module")
def tiny():
    of = make(CharTokenizer("ab"), seed=5, hidden=4)
    return of, enumerate_rows(of, "ab", 4)


def exact_rows(of, n, **wanted):
    one = sampler(of, exact=True, max_length=4, **wanted)
    accepted = (row.text for row in one.rows() if not row.cut and one.constraint.accepts(row.text))
    return list(itertools.islice(accepted, n))


@pytest.mark.full
def test_exact_rows_follow_the_conditional_distribution(tiny):
    of, shares = tiny
    wanted = {text: share for text, share in shares.items() if "ba" in text}
    shares = {text: share / sum(wanted.values()) for text, share in wanted.items()}
    texts = exact_rows(of, 200_000, contains="ba")
    assert 5 <= len(shares) <= 50
    assert total_variation(texts, shares) < 0.02
    # Without it the rows are others, or the test could not fail.
    guided = [row.text for row in sampler(of, max_length=4, contains="ba").take(200_000)]
    assert set(guided) == set(shares)
    assert total_variation(guided, shares) > 0.02


@pytest.mark.full
def test_a_symbol_outside_the_constraint_counts_in_exact_rows():
    of = make(CharTokenizer("abc"), seed=3, hidden=4)
    shares = enumerate_rows(of, "abc", 4)
    wanted = {text: share for text, share in shares.items() if "c" not in text and 1 <= len(text) <= 2}
    shares = {text: share / sum(wanted.values()) for text, share in wanted.items()}
    assert total_variation(exact_rows(of, 40_000, avoid="c", length="1-2"), shares) < 0.02


def test_guided_rows_follow_the_distribution_renormalised_at_each_step(tiny):
    of, _ = tiny
    model, vocabulary = of
    live = {"", "a", "ab", "aa", "aab", "aba", "abb"}  # beginnings of what length 2-3 and prefix a allow
    shares = {}
    for text in ("aa", "ab", "aaa", "aab", "aba", "abb"):
        share = 1.0
        for at in range(1, len(text) + 1):
            follow = {symbol for symbol in "ab" if len(text[:at]) < 3} | ({"end"} if at >= 2 else set())
            ids = [1, *vocabulary.encode(text[:at]).tolist()]
            with torch.inference_mode():
                logits_V = model(torch.tensor([ids]), model.initial_state(1))[0][0, -1].double()
            odds = {s: math.exp(float(logits_V[EOS if s == "end" else vocabulary.encode(s)[0]])) for s in follow}
            share *= odds["end" if at == len(text) else text[at]] / sum(odds.values())
        shares[text] = share
    assert math.isclose(sum(shares.values()), 1, abs_tol=1e-6), live
    texts = [row.text for row in sampler(of, max_length=4, prefix="a", length="2-3").take(50_000)]
    assert total_variation(texts, shares) < 0.01


# -- what a seed promises


@pytest.mark.parametrize("wanted", [{"regex": "K[a-z]+a"}, {"contains": "an", "length": "4-9"}, {"ban": "aoK"}])
def test_rows_do_not_depend_on_how_many_are_sampled_together(wanted):
    of = CORPORA["names"]
    expected = [row.text for row in rows(of, n=1000, seed=1, **wanted)]
    assert [row.text for row in rows(of, n=10, seed=1, **wanted)] == expected[:10]
    for size in (32, 96, 500):
        assert [row.text for row in rows(of, n=200, seed=1, batch_size=size, **wanted)] == expected[:200]
    assert expected[:200] != [row.text for row in rows(of, n=200, seed=2, **wanted)]


@pytest.mark.parametrize("wanted", [{"regex": "[A-Z][a-z]+"}, {"contains": ("a",), "length": "3-5"}])
def test_cached_and_computed_masks_are_equal(wanted, monkeypatch):
    kept = rows(CORPORA["names"], n=200, max_length=9, **wanted)
    monkeypatch.setattr(constraint, "_MAX_PENALTIES", 0)
    assert rows(CORPORA["names"], n=200, max_length=9, **wanted) == kept


def test_exact_rows_do_not_depend_on_the_batch_size():
    of = make(CharTokenizer("ab"), seed=5, hidden=4)
    for size in (32, 64, 1000):
        assert exact_rows(of, 300, contains="ba", batch_size=size) == exact_rows(of, 1000, contains="ba")[:300]


@pytest.mark.parametrize(
    ("wanted", "option"),
    [
        ({"prefix": "Żab"}, "--prefix"),
        ({"contains": "Żabka"}, "--contains"),
        ({"contains": ["a", "Żab"]}, "--contains"),
        ({"ends": "Ż"}, "--ends"),
        ({"template": "A*Żb"}, "--template"),
        ({"prefix": "K", "contains": "Żb"}, "--contains"),
    ],
)
def test_an_unknown_symbol_is_said_to_be_that_of_its_option(wanted, option):
    with pytest.raises(UnknownSymbol) as caught:
        sampler(CORPORA["names"], **wanted)
    line = str(caught.value)
    assert line.startswith(f"{option}: unknown symbol 'Ż' (U+017B) at position 0; the nearest known ones are 'z'")
    assert line.endswith("; the records of this run have no such symbol, so it cannot write one")


def test_typographic_quotes_are_to_be_typed_straight():
    names = CORPORA["names"]
    for quoted in ("“Kim”", "«Kim»", "‘Kim’", "„Kim“"):
        with pytest.raises(UnknownSymbol, match=r"; type straight quotes( around the text)?$"):
            sampler(names, contains=quoted)
    known = CharTokenizer.fit(["o'n", 'a "b"'])
    for text, straight in (("o’n", "'"), ("“b", '"')):
        with pytest.raises(UnknownSymbol) as caught:
            known.encode(text)
        assert caught.value.near[0] == straight and str(caught.value).endswith("; type straight quotes")
    with pytest.raises(UnknownSymbol, match="have no such symbol"):
        sampler(names, ends="“")
