"""Finished runs side by side: what they are, what they learned, and in what they differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seqgen.api.encoded_corpus import EncodedCorpus, ignore, read_again
from seqgen.api.run import Run, load
from seqgen.api.speed import whole_tokens_per_s
from seqgen.checkpoint import RunSettings
from seqgen.checkpoint.settings_diff import find_differences
from seqgen.compute import computing
from seqgen.errors import BadOption, CorpusError, UsageError
from seqgen.plugins.selection import PluginsArgument, choose_plugins

if TYPE_CHECKING:
    from seqgen.evaluation.paired import Floats, Integers

PARTS = {"valid": "validation", "test": "test"}


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        part: the held-out part by which they are sorted.
        rows: a row a run, the lowest bits per character of that part first: run, corpus, cell, parameters, steps,
            trained_s, tokens_per_s (evaluations counted), validation_bits_per_char, test_bits_per_char; difference,
            difference_low and difference_high: bits per character more than the best run needs for the same records,
            with its 95% interval over records (other seeds of the same settings differ besides); samples, valid,
            unique and novel. None where there is no figure.
        settings: those that are not the same in all runs, by name, then by run.
        notes: why figures cannot be compared, or are missing; a line each.
    """

    part: str
    rows: list[dict[str, Any]]
    settings: dict[str, dict[str, Any]]
    notes: list[str] = field(default_factory=list)


@dataclass
class _Judged:
    """A run, and what is found out of it.

    Attributes:
        run: the run.
        name: how it is called.
        row: its figures.
        nats_N: what each record of the part costs it; None where there are no records.
        chars_N: their characters.
    """

    run: Run
    name: str
    row: dict[str, Any]
    nats_N: Floats | None = None
    chars_N: Integers | None = None

    @property
    def records(self) -> Hashable:
        """What is equal in two runs where each part of their corpora holds the same records in the same order."""
        return _records(self.run.settings)


def _records(settings: RunSettings) -> Hashable:
    return settings.corpus.digest, settings.corpus.layout, settings.train.split, settings.train.split_seed


def compare(
    runs: Sequence[str | Path],
    *,
    part: Literal["valid", "test"] = "test",
    n: int = 200,
    seed: int = 0,
    checkpoint: str | int = "best",
    plugins: PluginsArgument = None,
    warn: Callable[[str], None] = ignore,
) -> Comparison:
    """Put runs side by side.

    Args:
        runs: at least two, each a folder or a name under ``runs/``.
        part: the held-out part by which they are sorted, and over whose records they are compared in pairs.
        n: samples of each that are judged; 0: none.
        seed: of the samples.
        checkpoint: "best", "latest", or a step.
        plugins: left out: all that are installed; a list of files: these too.
        warn: is told of damaged checkpoints that are passed over.

    Raises:
        BadOption: fewer than two runs, or an unknown part.
        NoSuchRun, CheckpointError: as in ``seqgen.load``.
    """
    if part not in PARTS:
        raise BadOption(f"--part is valid or test, not {part!r}")
    chosen = choose_plugins(plugins)
    found = {
        run.path.resolve(): run for run in (load(run, checkpoint=checkpoint, plugins=chosen, warn=warn) for run in runs)
    }
    if len(found) < 2:
        raise BadOption(f"give at least two different runs to compare, not {len(found)}")
    loaded = list(found.values())
    names = [run.folder.name for run in loaded]
    judged = [
        _Judged(run, name if names.count(name) == 1 else str(run.path), {})
        for run, name in zip(loaded, names, strict=True)
    ]
    settings = {one.name: one.run.settings for one in judged}
    notes = _notes(settings)
    encoded: dict[str, EncodedCorpus] = {}
    for one in judged:
        one.row = _facts(one)
        if not (one.run.folder.latest_state() or {}).get("ended"):
            notes.append(f"{one.name} has not ended; it is judged as it is")
        try:
            data = _read(one.run, encoded)
        except (CorpusError, UsageError) as error:  # its corpus is gone or has changed
            notes.append(f"{one.name} cannot be judged: {error}")
            continue
        _judge(one, data, part, n, seed)
        if n and one.run.lacking:
            notes.append(f"{one.name}: {one.run.lacking}; without it texts are compared as they stand")
    _pair(judged, f"{PARTS[part]}_bits_per_char")
    judged.sort(key=lambda one: _order(one.row[f"{PARTS[part]}_bits_per_char"]))
    return Comparison(part, [one.row for one in judged], find_differences(settings), notes)


def _order(bits: float | None) -> float:
    return float("inf") if bits is None else bits


def _notes(settings: Mapping[str, RunSettings]) -> list[str]:
    """Why the held-out figures of runs cannot be compared, in one line."""
    found = list(settings.values())
    titles = dict.fromkeys(one.corpus.title for one in found)
    if len(titles) > 1:
        return [f"the runs learned different corpora ({', '.join(titles)}): their figures cannot be compared"]
    if len({one.corpus.digest for one in found}) > 1:
        return [f"the corpus {next(iter(titles))!r} was not the same for all runs: their figures cannot be compared"]
    if len({_records(one) for one in found}) > 1:
        return ["the runs were split in different ways: their held-out figures are of different records"]
    return []


def _facts(one: _Judged) -> dict[str, Any]:
    """What its files say of a run; its figures are not known yet."""
    settings, state = one.run.settings, one.run.folder.latest_state() or {"step": 0, "elapsed_s": 0.0}
    row = dict.fromkeys(
        ("run", "corpus", "cell", "parameters", "steps", "trained_s", "tokens_per_s", "validation_bits_per_char",
         "test_bits_per_char", "difference", "difference_low", "difference_high", "samples", "valid", "unique", "novel")
    )  # fmt: skip
    return row | {
        "run": one.name,
        "corpus": settings.corpus.title,
        "cell": (settings.cell or settings.model).name.rpartition(":")[2],
        "parameters": settings.n_parameters,
        "steps": state["step"],
        "trained_s": state["elapsed_s"],
    }


def _judge(one: _Judged, data: EncodedCorpus, part: str, n: int, seed: int) -> None:
    """Add the held-out figures of a run, and what can be said of its samples."""
    from seqgen.batches import Encoded
    from seqgen.evaluation import bits_per_char, count_samples, held_out_loss, penalty, record_nats

    run, row = one.run, one.row
    row["tokens_per_s"] = whole_tokens_per_s(run.settings, data.encoded["train"], row["steps"], row["trained_s"])
    penalty_V = penalty(run.vocabulary, run.model)
    with computing(run.settings.engine.threads):
        for name, title in PARTS.items():
            held_out = data.encoded[name]
            if name == part and isinstance(held_out, Encoded) and len(held_out):
                one.nats_N, one.chars_N = record_nats(run.model, held_out, penalty_V), held_out.chars_N
                bits = bits_per_char(float(one.nats_N.sum()), int(held_out.chars_N.sum()), len(held_out))
                row[f"{title}_bits_per_char"] = bits
            elif len(held_out):
                loss = held_out_loss(run.model, held_out, penalty_V, most=10**9)
                row[f"{title}_bits_per_char"] = loss.bits_per_char
    if n and run.vocabulary.ends:
        texts = [sample.text for sample in run.sample(n, seed=seed)]
        shares = count_samples(texts, run.corpus, run.settings.splitter, run.validator_here, run.recorded_form)
        valid = None if run.validator_here is None else shares.valid
        row |= {"samples": n, "valid": valid, "unique": shares.unique, "novel": shares.novel}


def _read(run: Run, encoded: dict[str, EncodedCorpus]) -> EncodedCorpus:
    """The encoded corpus of a run, which others may share."""
    settings, vocabulary = run.settings, run.vocabulary
    # A run that began with another's weights has that one's symbols before its own.
    symbols = vocabulary.conditions, vocabulary.tokenizer.to_json()
    key = repr((settings.corpus, settings.tokenizer, symbols, _records(settings)))
    if key not in encoded:
        encoded[key] = read_again(run.corpus, settings, run.vocabulary, warn=run.warn)
    return encoded[key]


def _pair(judged: Sequence[_Judged], figure: str) -> None:
    """Add to each run how it differs from the best, where both were judged by the same records."""
    from seqgen.evaluation import paired_difference

    able = [one for one in judged if one.nats_N is not None]
    if not able:
        return
    best = min(able, key=lambda one: _order(one.row[figure]))
    for one in able:
        if one is best or one.records != best.records:
            continue
        assert one.nats_N is not None and best.nats_N is not None and one.chars_N is not None
        found = paired_difference(one.nats_N, best.nats_N, one.chars_N)
        one.row["difference"] = found.bits_per_char
        if math.isfinite(found.low):
            one.row |= {"difference_low": found.low, "difference_high": found.high}
