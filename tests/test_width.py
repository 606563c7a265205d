"""``--params``: the largest width whose model has at most so many parameters, for every cell, or one line."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import seqgen
from conftest import cells_in_tiers, one_in, registered
from seqgen import BadOption
from seqgen.api.factories import build_model
from seqgen.api.run_metadata import solve_width, with_width
from seqgen.config import parse_count
from seqgen.model import count_parameters


def divisible_by(divisor, count):
    """A model that refuses other widths."""

    def refusing(width):
        if width % divisor:
            raise BadOption(f"{divisor} heads")
        return count(width)

    return refusing


@example(1, 100, 400)
@example(1, 100, 450)
@example(3, 100, 1200)
@given(st.sampled_from([1, 2, 3, 7, 64]), st.integers(1, 500), st.integers(1, 50_000))
def test_the_width_is_the_largest_that_fits(divisor, per_unit, budget):
    count = divisible_by(divisor, lambda width: per_unit * width + width * width // 4 + 5)
    fitting = [width for width in range(divisor, 700, divisor) if count(width) <= budget]
    if not fitting:
        with pytest.raises(BadOption, match="too small"):
            solve_width(count, budget)
    else:
        assert solve_width(count, budget) == fitting[-1]


def test_a_model_that_refuses_every_width_is_not_asked_for_ever():
    with pytest.raises(BadOption, match="never"):
        solve_width(lambda width: (_ for _ in ()).throw(BadOption("never")), 100)


@pytest.mark.parametrize(("text", "count"), [("50k", 50_000), ("1.5M", 1_500_000), ("2_000", 2000), (300, 300)])
def test_counts(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "k", "-5", "0", "0.1", "5kk", "50 k", "many", "1e5", "inf"])
def test_what_is_no_count(text):
    with pytest.raises(BadOption, match="write it like 50000, 50k"):
        parse_count(text)


def test_a_budget_that_no_memory_holds_is_refused_before_a_model_is_built(cli, words):
    result = cli("train", "--corpus", words, "--params", "900_000_000_000M")
    assert result.code == 2 and result.err.count("\n") == 1 and "their weights take" in result.err


CELLS = [pytest.param(entry.qualified, {}, id=entry.qualified) for entry in registered("cell")]
CELLS += [
    pytest.param("gru", {"model.layers": 3, "model.skip": "highway", "model.norm": "after"}, id="gru, three layers"),
    pytest.param("lstm", {"model.tie": True, "cell.projection": 20}, id="lstm, projected and tied"),
    pytest.param("transformer", {"cell.heads": 6}, id="transformer, six heads"),
]


@pytest.mark.full
@pytest.mark.parametrize("budget", one_in(2, ["50k", 20_000]))
@pytest.mark.parametrize(("cell", "options"), cells_in_tiers(CELLS))
def test_every_cell_comes_as_near_to_a_budget_as_it_can(words, tmp_path, plugins, cell, options, budget):
    run = seqgen.train(
        words, cell=cell, steps=1, params=budget, options={"samples": 0, **options}, out=tmp_path / "run"
    )
    width, budget = run.settings.model.options["hidden"], parse_count(budget)

    def count(width):
        return count_parameters(build_model(plugins, with_width(run.settings, width)))

    def next_larger(width):
        for larger in range(width + 1, width + 65):
            try:
                return count(larger)
            except BadOption:
                continue
        raise AssertionError("no larger width")

    assert run.settings.n_parameters == count(width) == count_parameters(run.model) <= budget < next_larger(width)
    assert run.settings.n_parameters > 0.9 * budget


@pytest.mark.full
def test_the_command_line_takes_a_budget(cli, words, in_tmp):
    result = cli("train", "--corpus", words, "--cell", "vanilla", "--params", "5k", "--steps", 1)
    assert result.code == 0
    run = seqgen.load()
    assert 4_500 < run.settings.n_parameters <= 5_000
    assert f"{run.settings.n_parameters:,} parameters" in result.err
    assert cli("resume").code == 0 and cli("sample", "-n", 3).out.count("\n") == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--params", 10), "a budget of 10 parameters is too small: the model has"),
        (("--params", "lots"), "'lots' is not a count; write it like 50000, 50k or 1.5M"),
        (("--params", "5k", "--hidden", 8), "give --params or --hidden, not both"),
        (("--params", "5k", "-o", "model.hidden=8"), "give --params or --hidden, not both"),
        (("--params", "5k", "-o", "hidden=8"), "give --params or --hidden, not both"),
        (("--params", "5k", "--config", "c.toml"), "give --params or --hidden, not both (hidden is in 'c.toml')"),
        (("--params", "5k", "--model", "ngram"), "this model has no width"),
    ],
)
def test_what_cannot_be_solved_is_one_line(cli, words, in_tmp, arguments, expected):
    (in_tmp / "c.toml").write_text("[model]\nhidden = 8\n")
    result = cli("train", "--corpus", words, "--steps", 1, *arguments)
    assert result.code == 2 and result.err.count("\n") == 1 and expected in result.err
    assert not (in_tmp / "runs").exists()
