"""Augmentation: records rewritten anew in each epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import seqgen
from conftest import WORDS
from seqgen import testing
from seqgen.batches import RecordFeed, Rewriter, encode
from seqgen.corpus import Record, Splitter
from seqgen.plugins import Candidate, Plugins, entry_point_candidates
from seqgen.tokenizers import CharTokenizer, Vocabulary

VOCABULARY = Vocabulary(CharTokenizer.fit(WORDS))
TRAIN = encode(map(Record, WORDS), VOCABULARY, Splitter((1.0, 0.0, 0.0)))["train"]


def shuffle(text, random):
    letters = list(text)
    random.shuffle(letters)
    return "".join(letters)


def texts(batch):
    rows = [[id_ for id_ in row if id_ >= VOCABULARY.symbol_offset] for row in batch.targets_BT.tolist()]
    return [VOCABULARY.decode(row) for row in rows]


def epoch_of(augment, seed, epoch):
    """The texts of an epoch in the order of the records."""
    feed = RecordFeed(TRAIN, 8, seed, rewriter=Rewriter(augment, VOCABULARY, seed))
    written = {}
    for step in range(epoch * feed.steps_per_epoch, (epoch + 1) * feed.steps_per_epoch):
        written |= zip(feed.batch_indices(step), texts(feed.batch(step)), strict=True)
    return [written[row] for row in range(len(TRAIN))]


def test_each_epoch_sees_other_texts_and_a_seed_the_same_ones():
    first = epoch_of(shuffle, 0, 0)
    assert first == epoch_of(shuffle, 0, 0)
    assert first != epoch_of(shuffle, 0, 1) and first != epoch_of(shuffle, 1, 0)
    assert list(map(sorted, first)) == list(map(sorted, WORDS)) and set(first) != set(WORDS)


def test_a_text_with_a_symbol_that_nobody_knows_stays_as_it_is():
    assert sorted(epoch_of(lambda text, random: "☃" + text, 0, 0)) == sorted(WORDS)


def mark(*, mark: str = "!", share: float = 0.5):
    return lambda text, random: text + mark * (random.random() < share)


class Shuffler:
    @staticmethod
    @seqgen.hookimpl
    def register_augmentations(register):
        register(seqgen.AugmentationSpec(name="mix", summary="letters in any order", load=lambda: shuffle))
        register(seqgen.AugmentationSpec(name="mark", summary="a mark behind", load=mark))
        register(seqgen.AugmentationSpec(name="alone", summary="s", load=lambda: lambda text: text))


@pytest.fixture
def shufflers():
    plugins = Plugins(pytest.fail)
    plugins.load([*entry_point_candidates(), Candidate("shuffler", "shuffler", "1", Shuffler)])
    return plugins


def test_an_augmentation_has_options(words, tmp_path, shufflers):
    wishes = {"hidden": 8, "steps": 1, "plugins": shufflers}
    words.write_text(words.read_text() + "\n".join("az!" for _ in range(9)))
    run = seqgen.train(
        words, augment="mark", options={"augmentation.share": 0.25, "mark": "z"}, out=tmp_path / "a", **wishes
    )
    assert run.settings.augmentation.options == {"mark": "z", "share": 0.25}
    (tmp_path / "c.toml").write_text('[augmentation]\nname = "mark"\nmark = "a"\n')
    run = seqgen.train(words, config=tmp_path / "c.toml", out=tmp_path / "b", **wishes)
    assert run.settings.augmentation.options == {"mark": "a", "share": 0.5}
    with pytest.raises(seqgen.BadOption, match="option 'share' of augmentation mark"):
        seqgen.train(words, augment="mark", options={"augmentation.share": "many"}, out=tmp_path / "d", **wishes)
    with pytest.raises(seqgen.BadOption, match="no part 'augmentation' in this run"):
        seqgen.train(words, options={"augmentation.share": 1}, out=tmp_path / "d", **wishes)
    with pytest.raises(seqgen.BadOption, match="no records to condition or to augment"):
        seqgen.train(words, config=tmp_path / "c.toml", layout="stream", out=tmp_path / "d", **wishes)


def test_what_is_written_with_symbols_of_its_own_is_told(words, tmp_path, shufflers):
    wishes = {"hidden": 8, "steps": 1, "plugins": shufflers, "augment": "mark"}
    told: list[str] = []
    seqgen.train(words, options={"share": 1.0}, warn=told.append, out=tmp_path / "a", **wishes)
    (line,) = told
    assert line.startswith("40 of the first 40 records are not augmented, since the augmentation mark writes")
    assert "unknown symbol '!'" in line
    seqgen.train(words, options={"mark": "a"}, warn=pytest.fail, out=tmp_path / "b", **wishes)


def test_an_augmentation_that_takes_other_arguments_is_named(words, tmp_path, shufflers):
    with pytest.raises(TypeError) as caught:
        seqgen.train(words, augment="alone", hidden=8, steps=1, plugins=shufflers, out=tmp_path / "a")
    assert "augmentation alone of shuffler" in caught.value.__notes__[0] and not (tmp_path / "a").exists()


@pytest.mark.full
def test_a_run_keeps_its_augmentation_when_it_is_resumed(words, tmp_path, shufflers):
    plugins = shufflers
    wishes = {"cell": "vanilla", "hidden": 8, "steps": 20, "batch_size": 8, "augment": "mix", "plugins": plugins}
    whole = seqgen.train(words, **wishes, options={"eval_every": 5}, out=tmp_path / "whole")
    assert whole.settings.augmentation.name == "shuffler:mix"
    assert "shuffler" in {plugin["package"] for plugin in whole.settings.plugins}

    def stop(folder, event):
        if type(event).__name__ == "Saved" and event.step == 10:
            raise KeyError

    with pytest.raises(KeyError):
        seqgen.train(words, **wishes, options={"eval_every": 5}, out=tmp_path / "cut", listener=stop)
    resumed = seqgen.resume(tmp_path / "cut", plugins=plugins)
    plain = seqgen.train(words, **{**wishes, "augment": None}, options={"eval_every": 5}, out=tmp_path / "plain")
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name])
    assert any(not torch.equal(a, b) for a, b in zip(whole.model.parameters(), plain.model.parameters(), strict=True))


def test_the_kit_refuses_what_is_no_augmentation():
    def spec(function):
        return seqgen.AugmentationSpec(name="a", summary="s", load=lambda: function)

    testing.check_augmentation(spec(shuffle))
    for function, message in [
        (lambda text, random: text + str(np.random.random()), "differs for the same random"),
        (lambda text, random: None, "becomes None"),
        (lambda text, random: "", "becomes ''"),
    ]:
        with pytest.raises(AssertionError, match=message):
            testing.check_augmentation(spec(function))
