"""Memorization is detected where it occurs, and only there."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from conftest import WORDS
from seqgen.api.evidence import Evidence, _of_few_records, _of_similar_records, memorization_metrics
from seqgen.evaluation import (
    copy_metrics,
    copying,
    count_different,
    memorization_verdict,
    nearest_candidates,
    similarity_metrics,
)
from seqgen.evaluation.common_substring import longest_common_substrings
from seqgen.evaluation.memorization import EVIDENCE, NO_CHANCE, NO_EVIDENCE, TOO_FEW, nearest_distances, shared_label_p
from seqgen.measure import read_corpus

PAIRS = [f"{one}{two}" for one in WORDS for two in WORDS]
SOME = st.lists(st.text("abc", max_size=12), min_size=1, max_size=6)


def slow_shared(text, training):
    spans = [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    return max((len(span) for span in spans if any(span in record for record in training)), default=0)


@pytest.mark.full
@given(SOME, SOME)
def test_longest_common_substrings_match_brute_force(texts, training):
    assert longest_common_substrings(texts, training).tolist() == [slow_shared(text, training) for text in texts]


def test_no_substring_spans_two_records():
    assert longest_common_substrings(["abcd", "cdab", "", "xyz"], ["ab", "cd"]).tolist() == [2, 2, 0, 0]
    assert longest_common_substrings(["a"], []).tolist() == [0] and len(longest_common_substrings([], ["a"])) == 0


@pytest.mark.full
def test_long_texts_and_three_million_characters():
    random = np.random.default_rng(0)
    large = "".join(map(chr, random.integers(97, 123, 3_000_000)))
    texts = [large[1000:1700], large[5:25] + "!" + large[40:50], "!" * 30]
    assert longest_common_substrings(texts, [large]).tolist() == [700, 20, 0]


def slow_distance(one, other):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


@given(SOME, SOME)
def test_nearest_records_match_brute_force(texts, training):
    pytest.importorskip("rapidfuzz", reason="needs the extra 'evaluate'")
    expected = [
        min(slow_distance(text, record) / max(len(text), len(record), 1) for record in training) for text in texts
    ]
    assert nearest_distances(texts, training) == pytest.approx(expected, abs=1e-6)


def test_a_long_search_uses_evenly_spaced_records():
    training = [str(number) for number in range(450_000)]
    assert nearest_candidates(["abc"], training) == training[::3]
    assert nearest_candidates(["abc"] * 500, training[:1000]) == training[:1000]
    long = ["x" * 20_000] * 4000
    assert len(nearest_candidates(["y" * 20_000] * 500, long)) < 100


def test_exact_copies_and_their_chance_level():
    where = {"a": "train", "b": "train", "c": "test", "d": "new"}
    figures = copy_metrics(where, ["a", "a", "b", "c", "d"], 90, 10)
    assert figures["copies"] == 0.6 and figures["copies_low"] < 0.6 < figures["copies_high"]
    assert figures["copies_chance"] == 1 and figures["copies_chance_low"] < 1  # one in five was held out, of ten in 100
    assert copy_metrics(where, ["a"] * 50 + ["c"], 90, 10)["copies_chance"] == pytest.approx(9 / 51)
    assert figures["copies_p"] == pytest.approx(3 * 0.9**2 * 0.1 + 0.9**3)  # at least two of three different ones
    assert "copies_p" not in copy_metrics(where, ["a"], 90, 0)


@pytest.mark.parametrize("further", [[], WORDS[:30], ["Zora"] * 50])
def test_chance_is_that_of_the_different_records_held_out(further, tmp_path):
    """Held-out records that are training records too, or are there more than once, are no further evidence."""
    train, valid = tmp_path / "train.txt", tmp_path / "valid.txt"
    held_out = [*WORDS[30:36], "Zora"]
    train.write_text("\n".join(WORDS[:30] * 2) + "\n")
    valid.write_text("\n".join([*held_out, *further]) + "\n")
    settings = {"cell": "vanilla", "hidden": 8, "steps": 3, "blend": "none"}
    figures = seqgen.train(train, valid=valid, out=tmp_path / "run", **settings).evaluate(300)
    assert count_different(encoded_parts(tmp_path / "run")) == (30, 7)
    seen = round(figures["copies_chance"] * 300 * 7 / 30)
    assert figures["copies_chance"] == pytest.approx(seen / 300 * 30 / 7) and figures["memorisation"] == TOO_FEW


def evaluated_parts(tmp_path, n, held_out, **given):
    """The figures of 50 samples of a run on 120 words, beside some held-out records."""
    train, valid = tmp_path / "train.txt", tmp_path / f"{n}.txt"
    train.write_text("\n".join(PAIRS[:120]) + "\n")
    valid.write_text("\n".join(held_out) + "\n")
    settings = {"cell": "vanilla", "hidden": 8, "steps": 3, "blend": "none", "valid": tmp_path / "few.txt", **given}
    (tmp_path / "few.txt").write_text("\n".join(PAIRS[200:210]) + "\n")
    return seqgen.train(train, test=valid, out=tmp_path / n, **settings).evaluate(50)


def test_a_held_out_record_that_is_there_often_counts_once_for_the_nearest_record_too(tmp_path):
    pytest.importorskip("rapidfuzz", reason="needs the extra 'evaluate'")
    once = evaluated_parts(tmp_path, "once", [*PAIRS[130:150], "Anna" * 9])
    often = evaluated_parts(tmp_path, "often", [*PAIRS[130:150], *["Anna" * 9] * 400])
    kept = {"nearest_difference", "nearest_difference_low", "shared_difference_chars", "memorisation"}
    assert kept <= once.keys() and {name: once[name] for name in kept} == {name: often[name] for name in kept}


@pytest.mark.full
def test_training_records_are_not_held_out_though_not_all_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "_MAX_RECORDS", 40)
    plain, held_out = copying.copy_ratio, list[int]()

    def spy(log_p_N, log_q_N, is_train_N, n_samples):
        held_out.append(int((~is_train_N).sum()))
        return plain(log_p_N, log_q_N, is_train_N, n_samples)

    monkeypatch.setattr(copying, "copy_ratio", spy)
    more = {"hidden": 48, "steps": 100, "lr": 0.01}
    evaluated_parts(tmp_path, "alone", PAIRS[130:150], **more)
    evaluated_parts(tmp_path, "both", [*PAIRS[130:150], *PAIRS[:20]], **more)
    assert held_out == [30, 30]  # ten of them of the validation part


@pytest.mark.parametrize("n_held_out", [9, 10])
def test_fewer_than_ten_held_out_records_say_nothing_of_copies(n_held_out, tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "_LEAST_SHARE", 0.0)
    (tmp_path / "four.txt").write_text("\n".join(PAIRS[200:204]) + "\n")
    held_out = PAIRS[130 : 126 + n_held_out]
    figures = evaluated_parts(tmp_path, str(n_held_out), held_out, valid=tmp_path / "four.txt")
    assert ("copies_ratio" in figures) == (n_held_out == 10)


def test_records_are_as_probable_as_without_their_conditions(tmp_path, monkeypatch):
    """Since samples have none."""
    table, seen = tmp_path / "table.csv", {}
    table.write_text("text,label\n" + "".join(f"{text},{'ab'[n % 2]}\n" for n, text in enumerate(PAIRS[:200])))
    run = seqgen.train(table, cell="vanilla", hidden=8, steps=20, condition="label", blend="none", out=tmp_path / "run")
    plain = copying._log_probs

    def spy(*given):
        found = plain(*given)
        seen.update(found)
        return found

    monkeypatch.setattr(copying, "_log_probs", spy)
    run.evaluate(50)
    nats = [score.nats for score in run.score(list(seen))]
    assert [-log for log in seen.values()] == pytest.approx(nats, rel=1e-4) and len(seen) == 200


def encoded_parts(path):
    return seqgen.measure.read_corpus(seqgen.load(path)).encoded


def test_without_further_records_held_out_there_is_no_chance_level(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("\n".join(WORDS) + "\n")
    run = seqgen.train(words, valid=words, cell="vanilla", hidden=8, steps=3, blend="none", out=tmp_path / "run")
    figures = run.evaluate(50)
    assert figures["memorisation"] == NO_CHANCE and "copies_p" not in figures
    assert "all held-out records are training records too: no chance levels" in figures["notes"]


def simulated(random, favour=1.0, copies=0.0, n=400):
    """Records of a known source, one in ten held out: log probabilities by a model and by the source, and labels.

    The model errs a little on every record. It favours training records by a factor, or writes one of them instead of a
    new text, each equally often, so that copies become more by a share.
    """
    letters_L = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
    logs = {}
    while len(logs) < n:
        text = random.choice(6, random.integers(3, 7), p=letters_L)
        logs[bytes(text)] = np.log(letters_L[text]).sum()
    q_N, is_train_N = np.exp(list(logs.values())), random.permutation(n) < 0.9 * n
    q_N *= 0.12 / q_N.sum()
    p_N = q_N * np.exp(random.normal(0, 0.4, n)) * np.where(is_train_N, favour, 1)
    p_N += is_train_N * copies * p_N[is_train_N].sum() / is_train_N.sum()
    return np.log(p_N), np.log(q_N), is_train_N


def rejected(n_runs, **kinds):
    """The shares of runs with a p-value of at most 0.05, and of at most 0.025."""
    random = np.random.default_rng(0)
    p_R = np.array([copying.copy_ratio(*simulated(random, **kinds), 400)[1] for _ in range(n_runs)])
    return (p_R <= 0.05).mean(), (p_R <= 0.025).mean()


@pytest.mark.full
def test_the_test_of_copying_holds_its_level(monkeypatch):
    """At the limit of what is tolerated; a model that treats all records alike is found hardly ever."""
    monkeypatch.setattr(copying, "_N_PERMUTATIONS", 199)
    at_5, at_2_5 = rejected(200, favour=copying.TOLERANCE)
    assert 0.02 < at_5 < 0.08 and at_2_5 < 0.05
    assert rejected(40)[0] < 0.05


@pytest.mark.full
@pytest.mark.parametrize("kinds", [{"favour": 1.8}, {"copies": 0.6}])
def test_the_test_of_copying_finds_a_planted_copier(kinds, monkeypatch):
    """Much more often than the binomial test of 2,000 samples does."""
    monkeypatch.setattr(copying, "_N_PERMUTATIONS", 199)
    share = rejected(60, **kinds)[1]
    assert share > 0.85
    random, found = np.random.default_rng(0), 0
    for _ in range(60):
        log_p_N, _, is_train_N = simulated(random, **kinds)
        counts = random.multinomial(2000, [*np.exp(log_p_N), 1 - np.exp(log_p_N).sum()])
        where = {str(at): "train" if known else "test" for at, known in enumerate(is_train_N)} | {"400": "new"}
        samples = [str(at) for at, times in enumerate(counts) for _ in range(times)]
        figures = copy_metrics(where, samples, int(is_train_N.sum()), int((~is_train_N).sum()))
        found += figures["copies_p"] <= 0.025
    assert found / 60 < share - 0.25


def test_the_ratio_of_copies():
    random = np.random.default_rng(1)
    log_p_N, log_q_N, is_train_N = simulated(random, n=1000, favour=3.0)
    ratio, p = copying.copy_ratio(log_p_N - 9, log_q_N - 9, is_train_N, 1000)  # so rare that none is sampled twice
    assert ratio == pytest.approx(3, rel=0.25) and p == 0.001
    assert copying.copy_ratio(log_q_N, log_q_N, is_train_N, 1000) == (1, 1)
    assert copying.copy_ratio(np.where(is_train_N, 0.0, -1e5), log_q_N, is_train_N, 1000)[1] == 0.001


def test_similarity_and_its_verdict():
    pytest.importorskip("rapidfuzz", reason="needs the extra 'evaluate'")
    random = np.random.default_rng(3)
    made = ["".join(random.choice(list("abcdefgh"), 12)) for _ in range(600)]
    training, held_out, fresh = made[:300], made[300:450], made[450:]
    near = [text[:-1] + "z" for text in training[:150]]
    healthy, copied = (similarity_metrics(texts, held_out, training, training) for texts in (fresh, near))
    assert memorization_verdict(healthy, 100, 100) == NO_EVIDENCE and memorization_verdict(healthy, 9, 100) == TOO_FEW
    assert (
        memorization_verdict(copied, 9, 100)
        == memorization_verdict(copied, 100, 100)
        == f"{EVIDENCE} (nearest record, shared substrings)"
    )
    assert memorization_verdict(healthy, 100, 5) == TOO_FEW and memorization_verdict(
        copied, 100, 5
    ) == memorization_verdict(copied, 100, 100)
    assert copied["nearest_mean"] == pytest.approx(1 / 12) and copied["shared_mean_chars"] >= 11
    assert copied["nearest_mean_chance"] == healthy["nearest_mean_chance"] > 0.3
    assert copied["nearest_difference_high"] < 0 < copied["shared_difference_chars_low"]
    assert copied["shared_p"] == 1 / 200 and "shared_p" not in healthy
    assert memorization_verdict(similarity_metrics(fresh, [], training, None), 100, 0) == NO_CHANCE
    for few in (
        similarity_metrics(near, held_out[:9], training, training),  # of two, 19% of healthy models would be accused
        similarity_metrics(near[:9], held_out, training, training),
        similarity_metrics(near, held_out[:1], training, training),
        similarity_metrics(near[:1], held_out, training, training),
    ):
        assert TOO_FEW == memorization_verdict(few, 100, 100) == memorization_verdict(few | {"copies_p": 1.0}, 100, 100)
        assert "nearest_difference" in few
        assert not any(name.endswith(("_low", "_high")) for name in few)


def test_training_records_with_an_error_are_near_copies():
    """No validator accepts them, which is no reason to leave them out: nothing else shows where they come from."""
    pytest.importorskip("rapidfuzz", reason="needs the extra 'evaluate'")
    random = np.random.default_rng(0)

    def some_sums(n):
        return [f"{a}+{b}={a + b}" for a, b in random.integers(100, 1000, (n, 2)).tolist()]

    def with_error(text):
        return f"{text[:-1]}{(int(text[-1]) + random.integers(1, 10)) % 10}"

    training, held_out = some_sums(800), some_sums(200)
    healthy = similarity_metrics(list(map(with_error, some_sums(200))), held_out, training, training)
    copying = similarity_metrics(list(map(with_error, [*training[::8], *some_sums(100)])), held_out, training, training)
    assert memorization_verdict(healthy, 200, 200) == NO_EVIDENCE
    assert memorization_verdict(copying, 200, 200) == f"{EVIDENCE} (nearest record, shared substrings)"


def near_sums(seed, copied):
    """Return sums with a wrong digit, of which a share are training records with one, held-out and training records."""
    random = np.random.default_rng(seed)

    def some(n):
        return [f"{a}+{b}={a + b}" for a, b in random.integers(100, size=(n, 2)).tolist()]

    records = list(dict.fromkeys(some(600)))[:400]
    held_out, training = records[:150], records[150:]
    texts = [training[random.integers(250)] if random.random() < copied else new for new in some(300)]
    wrong = [f"{text[:-1]}{(int(text[-1]) + random.integers(1, 10)) % 10}" for text in texts]
    return sorted({*wrong} - {*training}), held_out, training


@pytest.mark.full
def test_labels_of_records_tell_copies_from_records_that_are_much_alike():
    """Where the interval of shared substrings accuses one healthy model in five, this test keeps its level."""
    p_D = np.array([shared_label_p(*near_sums(seed, 0.0), seed) for seed in range(60)])
    assert (p_D <= 0.025).mean() < 0.1 and (p_D <= 0.5).mean() == pytest.approx(0.5, abs=0.2)
    p_D = np.array([shared_label_p(*near_sums(seed, 0.7), seed) for seed in range(10)])
    assert (p_D <= 0.025).mean() > 0.8


def test_the_probability_of_labels_is_that_of_all_deals():
    records, texts = ["abcd", "abc", "xy", "uvw"], ["abcf", "xyz!", "abxy"]
    shares = [np.mean([slow_shared(text, [record]) for text in texts]) for record in records]
    for own, record in zip(shares, records, strict=True):
        training = [other for other in records if other != record]
        wanted = np.mean([share <= own for share in shares])
        assert shared_label_p([*texts, record], [record], training) == pytest.approx(wanted, abs=0.1)
    assert shared_label_p(["abcd"], ["abcd"], ["abc"]) == 1.0  # a sample that is held out says nothing


def test_longer_samples_are_compared_with_held_out_records_as_long():
    random = np.random.default_rng(3)
    made = ["".join(random.choice(list("abcdefgh"), n)) for n in random.integers(3, 15, 900)]
    training, held_out, rest = made[:400], made[400:600], made[600:]
    found = similarity_metrics([text for text in rest if len(text) > 8], held_out, training, None)
    assert found["shared_mean_chars"] > found["shared_mean_chars_chance"] + 0.3
    assert found["shared_difference_chars_low"] < 0 < found["shared_difference_chars_high"]
    assert memorization_verdict(found, 100, 200) == NO_EVIDENCE


def test_the_longest_substring_by_chance_is_that_of_as_many():
    held_out, training = ["abc", "abcd", "x", "ab"], ["abcdefgh"]
    one, all_of_them = (similarity_metrics(["a"] * n, held_out, training, None) for n in (1, 9))
    assert one["shared_max_chars_chance"] == pytest.approx((3 + 4 + 0 + 2) / 4)
    assert all_of_them["shared_max_chars_chance"] == 4
    assert similarity_metrics(["a"] * 2, held_out, training, None)["shared_max_chars_chance"] == pytest.approx(
        (3 * 4 + 2 * 3 + 1 * 2) / 6
    )


def test_copies_of_few_records_are_noted(tiny_run):
    often = next(tiny_run.records("train")).text
    found = Evidence([often] * 60 + ["~"] * 40)
    found.where, found.different, found.looked_for = {often: "train", "~": "new"}, (500, 60), found.samples
    figures = copy_metrics(found.where, found.samples, 500, 60)
    assert _of_few_records(found, figures) == [
        "the copies exceed chance by their interval, but are of 1 training record: too few to tell copying from "
        "records that are frequent"
    ]
    assert _of_few_records(found, figures | {"copies_chance_high": 0.9}) == []


def test_substrings_that_similar_records_share_are_noted(tiny_run):
    pytest.importorskip("rapidfuzz", reason="needs the extra 'evaluate'")
    texts, held_out, training = next(
        drawn
        for drawn in (near_sums(seed, 0.0) for seed in range(30))
        if similarity_metrics(*drawn, None)["shared_difference_chars_low"] > 0
    )
    where = dict.fromkeys([*texts, *held_out], "new")
    found = Evidence(texts, texts, training, training, held_out, held_out, where=where, different=(250, 150))
    metrics = memorization_metrics(tiny_run, read_corpus(tiny_run), found)
    assert metrics["memorisation"] == f"{EVIDENCE} (shared substrings)" and metrics["shared_p"] > 0.025
    assert found.notes[-1] == (
        "samples share longer substrings with training records than held-out records do, but no longer ones than with "
        f"held-out records (p = {metrics['shared_p']:.2g}): among similar records that happens without copying"
    )
    assert _of_similar_records(metrics | {"shared_p": 0.02}) == []
    assert _of_similar_records(metrics | {"nearest_difference_high": -0.01}) == []


@pytest.mark.full
def test_an_overfitted_run_is_detected_and_a_healthy_one_is_not(tmp_path):
    """Sixty words trained until memorized, and the same model after a few steps."""
    words = sorted({a[:3] + b[-3:] for a in WORDS for b in WORDS})[::17][:60]
    assert len(words) == 60
    (tmp_path / "words.txt").write_text("\n".join(words) + "\n")
    wishes = {"cell": "gru", "hidden": 64, "batch_size": 32, "lr": 0.01, "options": {"eval_every": 400}}
    corpus, split = tmp_path / "words.txt", "80/10/10"
    overfitted = seqgen.train(corpus, **wishes, split=split, steps=400, out=tmp_path / "over")
    overfitted = seqgen.load(overfitted.path, checkpoint="latest").evaluate(300)
    assert overfitted["memorisation"].startswith(
        f"{EVIDENCE} (rate of training records {overfitted['copies_ratio']:.2f} times chance"
    )
    assert overfitted["copies"] > 0.5
    assert overfitted["copies_p"] < 0.01 and overfitted["copies_ratio_p"] < 0.01 and overfitted["copies_ratio"] > 2
    healthy = seqgen.train(corpus, **wishes, split=split, steps=20, out=tmp_path / "healthy").evaluate(300)
    assert healthy["memorisation"] == NO_EVIDENCE and healthy["copies"] < 0.1
    everything = seqgen.train(corpus, **wishes, split="none", steps=60, out=tmp_path / "none").evaluate(50)
    assert everything["memorisation"] == NO_CHANCE and "copies" in everything and "copies_chance" not in everything
    assert "nothing is held out: no baselines, distances or chance levels" in everything["notes"]


@pytest.mark.full
def test_without_rapidfuzz_the_nearest_record_is_left_out_with_a_line(tiny_run):
    call = [
        sys.executable, "-c",
        "import sys; sys.modules['rapidfuzz'] = None; import seqgen.cli; "
        f"sys.exit(seqgen.cli.main(['evaluate', {str(tiny_run.path)!r}, '-n', '20', '--json']))",
    ]  # fmt: skip
    result = subprocess.run(call, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "seqgen-lm[evaluate]" in result.stdout and "nearest_mean" not in result.stdout
    assert "shared_mean_chars" in result.stdout


@pytest.mark.full
def test_without_pyppmd_its_baseline_is_left_out_with_a_line(tiny_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    figures = tiny_run.evaluate(20)
    assert any("PPMd" in note and "seqgen-lm[evaluate]" in note for note in figures["notes"])
    assert "baseline_ppmd_order" not in figures and "baseline_kneser_ney_order" in figures


@pytest.mark.slow
def test_a_run_on_names_copies_no_more_often_than_by_chance(tmp_path):
    """One in ten of its names is a training record, as by chance."""
    pytest.importorskip("rapidfuzz", reason="needs the extra 'evaluate'")
    healthy = seqgen.train("names", cell="gru", hidden=64, steps=1200, out=tmp_path / "run").evaluate(500)
    assert healthy["copies"] > 0.05 and healthy["memorisation"] == NO_EVIDENCE
    assert healthy["nearest_difference_low"] > 0 > healthy["shared_difference_chars_high"]
