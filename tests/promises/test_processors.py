"""Constraints and bans hold under any logits processor of a plugin."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgen.config import SampleConfig
from seqgen.errors import Diverged, UsageError
from seqgen.sampling import Sampler, beam_rows, top_rows
from seqgen.tokenizers import BOS, EOS, PAD, Vocabulary
from seqgen.tokenizers.char import CharTokenizer
from test_constraints import make

CHARACTERS = "abcde"
OF = make(CharTokenizer(CHARACTERS), seed=3)
_N_IDS = Vocabulary(CharTokenizer(CHARACTERS)).size

# -- decoding steps, each of which breaks its contract in another way


def smoothed(logits, ids, share=0.5):
    return ((1 - share) * logits.softmax(-1) + share / logits.shape[-1]).log()


def flat(logits, ids):
    return torch.zeros_like(logits)


def against(logits, ids):
    """The unlikeliest symbols become the likeliest, and what is forbidden most of all."""
    return -logits.clamp(min=-50)


def shuffled(logits, ids):
    return logits.flip(-1)


def only(index):
    def process(logits, ids):
        return torch.full_like(logits, -math.inf).index_fill(-1, torch.tensor([index]), 9.0)

    return process


def towards(index):
    def process(logits, ids):
        return logits.clamp(min=-60).index_fill(-1, torch.tensor([index]), 30.0)

    return process


def in_place(logits, ids):
    ids.fill_(BOS)
    return logits.fill_(1.0)


def nothing(logits, ids):
    return torch.full_like(logits, -math.inf)


def no_number(logits, ids):
    return torch.where(ids.sum(-1, keepdim=True) % 2 == 0, logits, torch.full_like(logits, math.nan))


def boundless(logits, ids):
    return logits.index_fill(-1, torch.tensor([PAD, BOS]), math.inf)


STEPS = st.one_of(
    st.sampled_from([flat, against, shuffled, smoothed, in_place, nothing, no_number, boundless]),
    st.integers(0, _N_IDS - 1).map(only),
    st.integers(0, _N_IDS - 1).map(towards),
)
WISHES = st.fixed_dictionaries(
    {},
    optional={
        "avoid": st.sampled_from(["a", "ab", "cd"]),
        "contains": st.sampled_from(["b", "ba"]),
        "ends": st.sampled_from(["b", "ab"]),
        "length": st.sampled_from(["2-5", "3", "1-"]),
        "ban": st.sampled_from(["a", "de", "c"]),
        "regex": st.sampled_from(["[a-c]*", "(ab|cb)+[a-e]?"]),
        "top_k": st.integers(1, 3),
        "temperature": st.sampled_from([0.0, 0.7]),
    },
)


def holds(text, wanted):
    automaton_free = {name: wanted[name] for name in ("avoid", "contains", "ends", "length", "regex") if name in wanted}
    if set(text) & set(wanted.get("ban", "")) or not set(text) <= set(CHARACTERS):
        return False
    if not automaton_free:
        return True
    constraint = Sampler(*OF, SampleConfig(max_length=12, **automaton_free)).constraint
    return constraint.accepts(text)


def drawn(way, processors, wanted):
    of = Sampler(*OF, SampleConfig(max_length=12, **wanted), processors=processors)
    if way == "top":
        return list(top_rows(of, 3, 200).texts)
    rows = of.take(40) if way == "draw" else beam_rows(of, 8, replace=way == "beam")
    return [row.text for row in rows]


@pytest.mark.full
@pytest.mark.promise("R33")
def test_constraints_and_bans_hold_under_any_decoding_steps(record_property):
    """Decoding steps that smooth, shuffle, force forbidden ids or write into their arguments, drawn and searched."""
    counted = {"rows": 0, "cases": 0, "named": 0}

    @given(st.sampled_from(["draw", "beam", "gumbel", "top"]), st.lists(STEPS, min_size=1, max_size=2), WISHES)
    @settings(max_examples=400)
    def check(way, processors, wanted):
        counted["cases"] += 1
        try:
            rows = drawn(way, processors, wanted)
        except UsageError as error:
            assert "cannot sample rows" in str(error)
            return
        except Diverged as error:
            assert "decoding step" in str(error), error
            assert ("leaves no symbol" in str(error)) != ("returns logits that are not a number" in str(error)), error
            counted["named"] += 1
            return
        counted["rows"] += len(rows)
        for text in rows:
            assert holds(text, wanted), (text, wanted)

    check()
    record_property("cases", counted["cases"])
    assert counted["rows"] > 2000 and counted["named"] > 20


SMOOTH = """
import seqgen

def load(*, share: float = 0.5):
    return lambda logits_BV, ids_BT: ((1 - share) * logits_BV.softmax(-1) + share / logits_BV.shape[-1]).log()

def silence():
    return lambda logits_BV, ids_BT: logits_BV - float("inf")

@seqgen.hookimpl
def register_processors(register):
    register(seqgen.ProcessorSpec(name="smooth", summary="s", load=load))
    register(seqgen.ProcessorSpec(name="silence", summary="s", load=silence))
"""


@pytest.mark.full
@pytest.mark.promise("R33")
def test_a_smoothing_step_of_a_plugin_breaks_nothing(cli, tiny_run, tmp_path, record_property):
    (tmp_path / "odd.py").write_text(SMOOTH)
    with_plugin = ("sample", tiny_run.path, "--plugin", tmp_path / "odd.py", "--processor")
    found = cli(*with_plugin, "smooth", "-n", 200, "--length", "5-8", "--avoid", "a", "--ban", "e")
    lines = found.out.splitlines()
    assert found.code == 0 and len(lines) == 200
    assert all(5 <= len(line) <= 8 and not set("ae") & set(line) for line in lines)
    silenced = cli(*with_plugin, "silence", "--length", "5-8")
    assert silenced.code == 6 and "processor silence of odd (odd.py " in silenced.err
    record_property("cases", 201)


def test_a_decoding_step_that_leaves_no_symbol_is_named():
    def fine(logits, ids):
        return logits / 2

    for way in ("draw", "beam", "gumbel", "top"):
        with pytest.raises(Diverged, match=r"cannot sample symbol 0 of a row: decoding step nothing leaves no symbol"):
            drawn(way, [fine, nothing, fine], {})
        with pytest.raises(Diverged, match=r"decoding step only.process leaves no symbol; drop it"):
            drawn(way, [fine, only(PAD)], {})


def test_top_k_counts_allowed_symbols_only():
    rows = drawn("draw", [towards(BOS), towards(PAD)], {"top_k": 1, "avoid": "a"})
    assert all(set(text) <= set("bcde") for text in rows)


@pytest.mark.parametrize("index", [PAD, BOS, EOS, _N_IDS, -1])
def test_ids_without_a_symbol_are_not_decoded(index):
    vocabulary = OF[1]
    with pytest.raises(ValueError, match="cannot decode the ids"):
        vocabulary.decode([vocabulary.symbol_offset, index])
    with pytest.raises(ValueError, match="cannot decode the ids"):
        vocabulary.decode_many(np.array([vocabulary.symbol_offset, index]), np.array([2]))
    assert vocabulary.decode([]) == "" and vocabulary.decode_many(np.array([], dtype=np.int32), np.array([0])) == [""]
