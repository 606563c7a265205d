"""One long text: split by position, read in lanes, with the state carried from window to window."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from conftest import one_in, registered
from resuming import digests
from seqgen.batches import Stream, StreamFeed, encode_stream, evaluation_windows
from seqgen.corpus import ConcatenatedRecords, Record, Splitter, TextFile
from seqgen.corpus.file import LongText
from seqgen.errors import UsageError
from seqgen.evaluation import carried_nats, held_out_loss, penalty, record_losses
from seqgen.model import RecurrentModel
from seqgen.states import list_leaves, map_state
from seqgen.tokenizers import BOS, EOS, ByteTokenizer, CharTokenizer, Vocabulary
from seqgen.training.manual_backward import loss_and_gradients

TEXT = "the cat sat on the mat.\n\nthe dog sat on the log.\n" * 40


def stream(text: str, shares=(1.0, 0.0, 0.0), pieces: int = 7):
    vocabulary = Vocabulary(CharTokenizer.fit([text]), ends=False)
    cuts = [text[start : start + pieces] for start in range(0, len(text), pieces)]
    return vocabulary, encode_stream(map(Record, cuts), len(text), vocabulary, Splitter(shares))


def read(vocabulary, part):
    return vocabulary.decode(part.flat_S.tolist())


@given(
    st.text("abc \n", min_size=1, max_size=300), st.integers(1, 50), st.sampled_from([(0.9, 0.05, 0.05), (0.5, 0.5, 0)])
)
def test_parts_follow_one_another_exactly(text, pieces, shares):
    vocabulary, parts = stream(text, shares, pieces)
    assert "".join(read(vocabulary, parts[part]) for part in ("train", "valid", "test")) == text
    assert parts["train"].n_chars == len(read(vocabulary, parts["train"])) == round(shares[0] * len(text))


@given(st.integers(1, 400), st.integers(1, 9), st.integers(1, 40), st.integers(0, 3), st.integers(0, 5))
def test_windows_go_on_where_they_ended_and_nothing_is_read_twice(n, batch_size, window, seed, epoch):
    text = Stream(np.arange(n) + 10, n)
    feed = StreamFeed(text, batch_size, window, seed)
    seen: list[int] = []
    last = None
    for step in range(epoch * feed.steps_per_epoch, (epoch + 1) * feed.steps_per_epoch):
        batch = feed.batch(step)
        assert torch.equal(batch.ids_BT[:, 1:], batch.targets_BT[:, :-1])
        if last is None:
            assert (batch.ids_BT[:, 0] == BOS).all() and not batch.continues
        else:
            assert torch.equal(batch.ids_BT[:, 0], last) and batch.continues
        last = batch.targets_BT[:, -1]
        seen += batch.targets_BT.flatten().tolist()
    assert len(seen) == len(set(seen)) and set(seen) <= set(range(10, n + 10))
    # All but an offset, and less than a window at the end of each lane.
    assert len(seen) > n - window - batch_size * (window + 1)


def test_each_epoch_cuts_elsewhere():
    feed = StreamFeed(Stream(np.arange(10_000), 10_000), 4, 50, 0)
    first = {int(feed.batch(epoch * feed.steps_per_epoch).targets_BT[0, 0]) for epoch in range(20)}
    assert len(first) > 10 and max(first) < 50


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 30))
def test_characters_of_windows_add_up(n, n_chars, window):
    """Symbols may be parts of characters, or of several: none may be lost to rounding."""
    text = Stream(np.arange(n), n_chars)
    n_windows = n // window
    batches = [text.window(np.array([at * window]), np.zeros(1), window, continues=False) for at in range(n_windows)]
    assert sum(batch.n_chars for batch in batches) == n_windows * window * n_chars // n


@given(st.integers(1, 500), st.integers(1, 8), st.integers(1, 30))
def test_evaluation_reads_a_text_once(n, n_lanes, window):
    batches = list(evaluation_windows(Stream(np.arange(n), n), n_lanes, window, 10**6))
    seen = np.concatenate([batch.targets_BT.flatten().numpy() for batch in batches])
    assert len(set(seen.tolist())) == len(seen) > n - n_lanes


@pytest.mark.full
def test_a_loss_in_windows_is_that_in_one(tiny_stream):
    run, text = tiny_stream
    vocabulary = run.vocabulary
    parts = encode_stream([Record(text)], len(text), vocabulary, Splitter((1.0, 0.0, 0.0)))
    held_out = held_out_loss(run.model, parts["train"], penalty(vocabulary), most=10**6)
    ids = torch.tensor([BOS, *parts["train"].flat_S.tolist()])
    n_lanes = min(32, max(1, len(text) // (8 * 256)))
    lane, nats = len(text) // n_lanes, 0.0
    with torch.inference_mode():
        for start in range(0, n_lanes * lane, lane):
            inputs = torch.cat((torch.tensor([BOS]), ids[start + 1 : start + lane]))
            logits, _ = run.model(inputs[None], run.model.initial_state(1))
            targets = ids[start + 1 : start + lane + 1]
            nats += torch.nn.functional.cross_entropy(logits[0] + penalty(vocabulary), targets, reduction="sum").item()
    assert held_out.loss_nats == pytest.approx(nats / (n_lanes * lane), rel=1e-4)


@pytest.fixture(scope="module")
def tiny_stream(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    path = folder / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    run = seqgen.train(
        path, layout="stream", cell="gru", blend="none", hidden=24, steps=160, lr=0.01, batch_size=4,
        options={"window": 16, "eval_every": 20}, out=folder / "run",
    )  # fmt: skip
    return run, TEXT


def test_a_sample_of_a_long_text_has_no_end_to_leave_out(tiny_stream):
    run, _ = tiny_stream
    (sample,) = run.sample(1, max_length=30)
    (score,) = run.score([sample.text])
    (row,) = run.describe([sample])
    assert row["bits_per_char"] == pytest.approx(score.bits_per_char) and "valid" not in row


def test_a_long_text_is_learned_and_read_on(tiny_stream):
    run, _ = tiny_stream
    losses = [row["valid_bits_per_char"] for row in run.metrics if "valid_bits_per_char" in row]
    assert losses[-1] < 0.6 * losses[0]
    rows = run.sample(3, prefix="the ", max_length=60)
    assert all(row.text.startswith("the ") and len(row.text) == 60 for row in rows)
    assert run.settings.corpus.multiline and not run.vocabulary.allowed_V()[EOS]
    judged = run.evaluate(5)
    assert "novel" not in judged and judged["test_bits_per_char"] < 4
    with pytest.raises(UsageError, match="one long text"):
        run.sample(3, novel=True)
    score = run.score("the cat")[0]
    assert len(score.nats_per_symbol) == 7 and score.bits_per_char == pytest.approx(score.nats / np.log(2) / 7)


@pytest.mark.parametrize("wanted", [{"avoid": ("qu", "om")}, {"contains": "he"}])
@pytest.mark.parametrize(
    "decoding",
    one_in(
        3, [{"temperature": 0.5}, {}, {"temperature": 0}, {"fast": True}, {"min_p": 0.1}, {"top_k": 9, "exact": True}]
    ),
)
def test_rows_of_a_long_text_obey_constraints(wanted, decoding, tiny_stream):
    """A row that violates one ends, though rows of a long text have no end; and none is left without a last symbol."""
    run, _ = tiny_stream
    warned = []
    rows = [row.text for row in run.iter_samples(20, max_length=30, warn=warned.append, **wanted, **decoding)]
    assert len(rows) == 20 and {len(row) for row in rows} == {30}
    for row in rows:
        assert wanted.get("contains", "") in row and not any(text in row for text in wanted.get("avoid", ()))
    assert not any("nearly reach the limit" in line for line in warned)


@pytest.mark.full
@pytest.mark.parametrize(
    ("cell", "engine"), one_in(3, map(pytest.param, ["gru", "lstm", "vanilla"], ["fused", "fused", "eager"]))
)
def test_a_resumed_run_continues_with_its_state(tmp_path, cell, engine):
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    check_that_a_resumed_run_continues(path, {}, cell=cell, engine=engine)


@pytest.mark.full
def test_a_resumed_run_with_masks_over_time_continues_with_its_state(tmp_path):
    """What is drawn while training is no part of the state."""
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    masks = {"model.recurrent_dropout": 0.3, "model.zoneout": 0.2, "model.attention": 3}
    check_that_a_resumed_run_continues(path, masks, cell="lstm", engine="scan")


@pytest.mark.full
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_resumed_run_with_attention_computes_as_before(seed, tmp_path):
    """Gradients of attention nearly cancel; whether they agree with those of a trace must not depend on the batch."""
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    further = {"model.attention": 5, "model.layers": 2, "train.seed": seed}
    check_that_a_resumed_run_continues(path, further, cell="gru", engine="fused")


def check_that_a_resumed_run_continues(path, further, *, cell, engine):
    tmp_path, options = path.parent, {"window": 16, "eval_every": 10, **further}
    wishes = {"layout": "stream", "cell": cell, "hidden": 8, "batch_size": 4, "engine": engine, "options": options}
    whole = seqgen.train(path, **wishes, steps=33, out=tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(folder, event):
        if getattr(event, "step", 0) == 20 and type(event).__name__ == "Saved":
            raise Stop

    with pytest.raises(Stop):
        seqgen.train(path, **wishes, steps=33, out=tmp_path / "stopped", listener=stop)
    resumed = seqgen.resume(tmp_path / "stopped")
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    logs = [(run.path / "metrics.jsonl").read_bytes() for run in (whole, resumed)]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("name", ["vanilla", "gru", "lstm", "lnlstm", "mingru", "sru", "transformer"])
@pytest.mark.parametrize("wishes", [{"layers": 2}, {"norm": "before", "skip": "residual"}])
def test_gradients_by_formula_are_those_of_autograd_over_windows(name, wishes):
    """Also for a cell that is not a step cell, in layers, and around it."""
    (entry,) = [entry for entry in registered("cell") if entry.spec.name == name]
    vocabulary, parts = stream(TEXT)
    torch.manual_seed(0)
    model = RecurrentModel(vocabulary.size, entry.load(), hidden=8, embedding=8, **wishes).double()
    feed, penalty_V, carried = StreamFeed(parts["train"], 3, 5, 0), penalty(vocabulary).double(), {}
    for step in range(3):
        batch = feed.batch(step)
        found = {}
        for way in ("formula", "autograd"):
            model.zero_grad()
            state = carried.get(way)
            if way == "formula":
                nats, end = loss_and_gradients(model, batch, penalty_V, state)
            else:
                nats, end = carried_nats(model, batch, penalty_V, state)
                (nats / batch.n_targets).backward()
            carried[way] = map_state(torch.Tensor.detach, end)
            leaves = list_leaves(carried[way])
            found[way] = [nats.detach(), *leaves, *(parameter.grad for parameter in model.parameters())]
        for one, other in zip(*found.values(), strict=True):
            assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)
    assert not list_leaves(carried["formula"])[0].is_inference()


@pytest.mark.full
def test_the_state_reaches_over_windows(tmp_path):
    """The next symbol depends on the symbol before the window."""
    path = tmp_path / "pairs.txt"
    path.write_text("abab" * 500 + "\n", encoding="utf-8")
    run = seqgen.train(
        path, layout="stream", cell="vanilla", blend="none", hidden=8, steps=120, batch_size=2, lr=0.02,
        options={"window": 1}, out=tmp_path / "run",
    )  # fmt: skip
    assert run.metrics[-1]["valid_bits_per_char"] < 0.4


def test_a_character_that_two_windows_share_is_counted_once():
    """A window of bytes ends within one, and both of its parts are shown as something."""
    vocabulary, text = Vocabulary(ByteTokenizer(), ends=False), "ä€𝄞" * 800
    part = encode_stream([Record(text)], len(text), vocabulary, Splitter((1.0, 0.0, 0.0)))["train"]
    (entry,) = [entry for entry in registered("cell") if entry.spec.name == "vanilla"]
    model = RecurrentModel(vocabulary.size, entry.load(), hidden=4, embedding=3)
    losses = record_losses(model, part, vocabulary, penalty(vocabulary))
    assert len(losses.chars_N) > 10 and losses.chars_N.sum() == pytest.approx(len(text))
    whole = held_out_loss(model, part, penalty(vocabulary))
    assert losses.bits_per_char == pytest.approx(whole.bits_per_char, rel=1e-5)


def test_records_of_different_parts_are_not_joined_into_one_piece():
    records = [Record("a", split="train"), Record("b", split="train"), Record("c", split="valid")]
    assert list(ConcatenatedRecords(records)) == [Record("a\nb\n", split="train"), Record("c\n", split="valid")]


def test_files_and_records_as_one_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\n\r\ntwo\rthree".encode())
    assert "".join(record.text for record in LongText(TextFile(path))) == "one\n\ntwo\nthree"
    assert "".join(record.text for record in ConcatenatedRecords([Record("a"), Record("b")])) == "a\nb\n"
    path.write_text("x" * 200_000 + "\n" + "y\n" * 50_000)
    pieces = [record.text for record in LongText(TextFile(path))]
    assert "".join(pieces) == path.read_text() and max(map(len, pieces)) < 200_000
    path.write_bytes(b"ok\n" + b"z" * 20_000 + b"\n\xff\n")
    with pytest.raises(seqgen.CorpusError, match="line 3: byte 1 of the line"):
        list(LongText(TextFile(path)))


def test_wishes_that_a_long_text_cannot_grant(words, tmp_path):
    for wishes, message in [
        ({"condition": "label"}, "no records to condition"),
        ({"layout": "pages"}, "lines or stream, not 'pages'"),
    ]:
        with pytest.raises(seqgen.BadOption, match=message):
            seqgen.train(words, **{"layout": "stream", **wishes}, steps=1, out=tmp_path / "x")
    run = seqgen.train(words, options={"layout": "stream", "window": 8}, steps=2, cell="vanilla", out=tmp_path / "o")
    assert run.settings.corpus.layout == "stream"


KEEPS = """
import torch, seqgen
class Keeps(seqgen.Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.linear, self.table = torch.nn.Linear(input_size, hidden_size), None
    def initial_state(self, batch_size): return self.linear.weight.new_zeros(batch_size, 1)
    def forward(self, x_BTI, state):
        if self.table is None:
            self.table = torch.linspace(0.5, 1.5, self.hidden_size)
        return torch.tanh(self.linear(x_BTI)) * self.table, state
@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="keeps", summary="s", source="none", load=Keeps))
"""


@pytest.mark.full
def test_a_cell_that_makes_a_table_at_its_first_step_resumes(in_tmp, cli):
    (in_tmp / "keeps.py").write_text(KEEPS)
    (in_tmp / "text.txt").write_text("the cat sat on the mat; the dog did not. " * 30)
    train = ("train", "--corpus", "text.txt", "--layout", "stream", "--cell", "keeps", "--plugin", "keeps.py")
    small = ("--hidden", 8, "--batch-size", 4, "-o", "window=8", "-o", "eval_every=4", "-o", "samples=0", "--steps", 12)
    assert cli(*train, *small, "--out", "run").code == 0
    before = digests(in_tmp / "run")
    shutil.rmtree(in_tmp / "run" / "checkpoints" / "step-00000012")
    result = cli("resume", "run", "--plugin", "keeps.py")
    assert result.code == 0 and digests(in_tmp / "run") == before, result.err
