"""Finished runs side by side: their settings, their losses, and the settings that differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import RenderableType

import seqgen
from seqgen import commands, measure
from seqgen_bench.render import PARTS, compare_view
from seqgen_bench.same_records import PARTS_AND_ALL, describe_difference, digest_records
from seqgen_bench.seed_groups import seed_groups

_COLUMNS = (
    "run", "corpus", "cell", "parameters", "steps", "trained_s", "tokens_per_s", "blended", "network_bits_per_char",
    "validation_bits_per_char", "test_bits_per_char", "difference", "difference_low", "difference_high", "samples",
    "valid", "unique", "novel",
)  # fmt: skip

_ALL_PARTS: Mapping[str, str] = {"train": "training", "valid": PARTS["valid"], "test": PARTS["test"]}


@dataclass(frozen=True)
class Comparison(seqgen.Tabular):
    """Runs side by side.

    Attributes:
        part: the held-out part by which they are sorted.
        rows: a row a run, the lowest bits per character of that part first: run, corpus, cell, parameters, steps,
            trained_s, tokens_per_s (evaluations counted); blended, with counts or what records repeat or not;
            network_bits_per_char, of a blend its network alone on validation records, from the log;
            validation_bits_per_char, test_bits_per_char; difference, difference_low and difference_high: bits per
            character more than the best run needs for the same records, with its 95% interval over these texts or parts
            of one (other seeds differ besides); samples, valid, unique and novel. None where there is no value.
        settings: those that are not the same in all runs, by name, then by run.
        notes: reasons why values cannot be compared or are missing, a line each.
        seed_groups: rows of :func:`seqgen_bench.seed_groups.seed_groups`; [] where the records of the part differ.
    """

    part: Literal["valid", "test"]
    rows: list[dict[str, Any]]
    settings: dict[str, dict[str, Any]]
    notes: list[str] = field(default_factory=list)
    seed_groups: list[dict[str, Any]] = field(default_factory=list)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows."""
        return self.rows

    def view(self) -> RenderableType:
        """Return the tables that a terminal shows."""
        return compare_view(self.rows, self.settings, PARTS[self.part], self.seed_groups)


@dataclass
class _Compared:
    """A run and its measurements.

    Attributes:
        run: the run.
        name: its name, unique among the runs.
        row: its row.
        losses: the losses of the records of the part, or of the windows of a long text; None where there are none.
        digests: a value for each part, and one for "all" of them, which is equal for two runs with the same texts; {}
            where the run was not evaluated.
        keys_N: by which the records of the part are paired, where those of two runs may be in another order.
    """

    run: seqgen.Run
    name: str
    row: dict[str, Any]
    losses: Any = None
    digests: Mapping[str, Hashable] = field(default_factory=dict)
    keys_N: Any = None

    @property
    def windows(self) -> list[float] | None:
        """The characters of the windows of a long text, which depend on the tokenizer."""
        return None if self.losses is None or self.run.vocabulary.ends else self.losses.chars_N.tolist()

    def paired(self, values_N: Any) -> Any:
        """Return values of the records of the part in an order that runs with the same texts share."""
        return values_N if self.keys_N is None else values_N[self.keys_N.argsort(kind="stable")]


def compare(
    runs: Sequence[str | Path | seqgen.Run],
    *,
    part: Literal["valid", "test"] = "test",
    n: int = 200,
    seed: int = 0,
    checkpoint: str | int = "best",
    plugins: Any = None,
    warn: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Compare runs.

    Args:
        runs: at least two, each a folder, a name under ``runs/``, or an open run, which is taken as it is.
        part: the held-out part by which they are sorted, and over whose records they are compared in pairs.
        n: samples of each that are evaluated; 0: none.
        seed: of the samples.
        checkpoint: "best", "latest", or a step; of runs that are not open.
        plugins: as ``seqgen.load`` takes them; of runs that are not open.
        warn: called with one line for each damaged checkpoint that is skipped.

    Raises:
        BadOption: fewer than two runs, or an unknown part.
        NoSuchRun, CheckpointError: as in ``seqgen.load``.
    """
    if part not in PARTS:
        raise seqgen.BadOption(f"--part is valid or test, not {part!r}")
    plugins = seqgen.choose_plugins(plugins)
    opened = [
        run if isinstance(run, seqgen.Run) else seqgen.load(run, checkpoint=checkpoint, plugins=plugins, warn=warn)
        for run in runs
    ]
    found = list({run.path.resolve(): run for run in opened}.values())
    if len(found) < 2:
        raise seqgen.BadOption(f"give at least two different runs to compare, not {len(found)}")
    names = [run.path.name for run in found]
    unique = [name if names.count(name) == 1 else str(run.path) for run, name in zip(found, names, strict=True)]
    compared = [_Compared(run, name, {}) for run, name in zip(found, unique, strict=True)]
    differing = measure.settings_diff({one.name: one.run for one in compared})
    notes, cache, able = list[str](), dict[str, Any](), list[_Compared]()
    for one in compared:
        one.row = _facts(one)
        notes += [f"{one.name}: {note}" for note in measure.leakage_notes(one.run)]
        if not measure.training_state(one.run).ended:
            notes.append(f"{one.name} has not ended; it is evaluated as it is")
        try:
            corpus = measure.read_corpus(one.run, cache)
        except (seqgen.CorpusError, seqgen.UsageError) as error:  # its corpus is gone or has changed
            notes.append(f"{one.name} cannot be evaluated: {error}")
            continue
        _evaluate(one, corpus, part, n, seed)
        able.append(one)
        if n and one.run.lacking:
            notes.append(f"{one.name}: {one.run.lacking}; without it texts are compared as they stand")
    notes += _of_conditions(able)
    column = f"{PARTS[part]}_bits_per_char"
    _add_digests(able, part)
    notes += _pair(able, part, column)
    compared.sort(key=lambda one: _order(one.row[column]))
    same = len({one.digests[part] for one in able}) == 1
    groups = seed_groups([one.row for one in able], differing, column) if same else []
    return Comparison(part, [one.row for one in compared], differing, _notes(able, part) + notes, groups)


def _order(bits: float | None) -> float:
    return float("inf") if bits is None else bits


def _add_digests(able: Sequence[_Compared], part: str) -> None:
    """Add the digests of the texts to runs; corpora are read for it only where they are not known to be the same."""
    settings = [one.run.settings for one in able]
    known = [(one.corpus.digest, one.corpus.layout, one.train.split, one.train.split_seed) for one in settings]
    for one, key in zip(able, known, strict=True):
        if len(set(known)) == 1 or one.run.settings.corpus.layout == "stream":
            is_refit = one.run.settings.refit is not None
            one.digests = {"all": key[0], "test": key} | dict.fromkeys(("train", "valid"), (key, is_refit))
        else:
            one.digests, one.keys_N = digest_records(one.run, part)


def _notes(able: Sequence[_Compared], part: str) -> list[str]:
    """Return a line on held-out losses that cannot be compared, or on other parts whose records differ."""
    different = [name for name in PARTS_AND_ALL if len({one.digests[name] for one in able}) > 1]
    if part in different and "all" in different:
        return [describe_difference([(one.name, one.run, one.digests["all"]) for one in able], part)]
    if part in different:
        return ["the runs were split in different ways: their held-out losses are of different records"]
    there = [name for name in different if any(one.run.settings.corpus.parts.get(name) for one in able)]
    found = " and ".join(title for name, title in _ALL_PARTS.items() if name in there)
    refits = [one.name for one in able if one.run.settings.refit is not None]
    why = f" (refit on both: {', '.join(refits)})" if 0 < len(refits) < len(able) else ""
    return [f"the runs have the same {_ALL_PARTS[part]} records, but different {found} records{why}"] if found else []


def _of_conditions(able: Sequence[_Compared]) -> list[str]:
    """Return a line on each run whose losses are given conditions that others do not get."""
    slots = {one.name: ", ".join(one.run.vocabulary.slots) for one in able}
    if len(set(slots.values())) < 2:
        return []
    return [
        f"{name}: its losses are given each record's conditions ({names})" for name, names in slots.items() if names
    ]


def _facts(one: _Compared) -> dict[str, Any]:
    """Return the row of a run with what its files say; the measurements follow."""
    settings, state = one.run.settings, measure.training_state(one.run)
    return dict.fromkeys(_COLUMNS) | {
        "run": one.name,
        "corpus": settings.corpus.title,
        "cell": settings.architecture,
        "parameters": settings.n_parameters,
        "steps": state.step,
        "trained_s": state.elapsed_s,
    }


def _network_alone(run: seqgen.Run) -> dict[str, Any]:
    """Return whether a run is blended, and if the step in use was evaluated the bits per character without it."""
    step, gates = run.state["step"], [run.state.get(name) for name in ("gate", "repeats")]
    found = next((line.get("valid_network_bits_per_char") for line in run.metrics if line["step"] == step), None)
    return {"blended": found is not None or gates != [None, None], "network_bits_per_char": found}


def _evaluate(one: _Compared, corpus: Any, part: str, n: int, seed: int) -> None:
    """Add the held-out losses of a run, and the shares of its samples."""
    run, row = one.run, one.row
    row |= _network_alone(run)
    row["tokens_per_s"] = measure.tokens_per_s(run, corpus)
    for name, title in PARTS.items():
        loss = (measure.record_losses if name == part else measure.held_out_loss)(run, name, corpus)
        row[f"{title}_bits_per_char"] = None if loss is None else loss.bits_per_char
        one.losses = loss if name == part else one.losses
    if n and run.vocabulary.ends:
        counts = measure.count_samples(run, [sample.text for sample in run.sample(n, seed=seed)])
        valid = None if run.lacking or run.validator is None else counts.valid
        row |= {"samples": n, "valid": valid}
        if counts.n_valid:  # without a valid sample none of them could be unique or novel
            row |= {"unique": counts.unique, "novel": counts.novel}


def _pair(able: Sequence[_Compared], part: str, column: str) -> list[str]:
    """Add to each run its difference from the best of the same records; return a note if these are few."""
    paired = [one for one in able if one.losses is not None]
    best = min(paired, key=lambda one: _order(one.row[column]), default=None)
    for one in paired:
        if best is None or one is best or one.digests[part] != best.digests[part] or one.windows != best.windows:
            continue
        nats_N, chars_N, texts_N = map(one.paired, (one.losses.nats_N, one.losses.chars_N, one.losses.texts_N))
        found = measure.paired_difference(nats_N, best.paired(best.losses.nats_N), chars_N - 1, texts_N)
        one.row["difference"] = found.bits_per_char
        if math.isfinite(found.low):
            one.row |= {"difference_low": found.low, "difference_high": found.high}
    sizes = [len(one.losses.nats_N) for one in paired if one.row["difference"] is not None]
    fewest = min(sizes, default=measure.FEW_RECORDS)
    shown = commands.counted(fewest, f"{_ALL_PARTS[part]} {'window' if paired and paired[0].windows else 'record'}")
    return [f"{shown}: the difference and its interval say little"] if fewest < measure.FEW_RECORDS else []
