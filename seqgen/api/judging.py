"""Judging a run: what ``Run.evaluate`` and ``seqgen evaluate`` give."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqgen.api.data import Data, count, encode_with
from seqgen.api.parts import domain_of
from seqgen.api.prepare import check_unchanged, splitter_of
from seqgen.api.setup import computing, open_corpus, option_fields, sort_out_corpus
from seqgen.config import assign, split_names
from seqgen.corpus import Corpus, Record
from seqgen.registry import Entry

if TYPE_CHECKING:
    from seqgen.api.run import Run

_MOST_HELD_OUT = 10_000  # held-out records that metrics compare with, where no reference is named


def evaluate(run: Run, n: int, seed: int, reference: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Held-out losses of a run, and figures of ``n`` samples drawn with ``seed``."""
    corpus, metrics = _parts(run, reference, options)
    settings = run.settings
    counted = count(run.corpus, settings.corpus.title)
    check_unchanged(counted, settings)
    data = encode_with(run.corpus, settings.corpus.title, run.vocabulary, splitter_of(settings), counted)
    result: dict[str, Any] = {"run": run.folder.name, "step": run.state["step"], "trained_s": run.state["elapsed_s"]}
    with computing(settings.engine.threads):
        result |= _losses(run, data)
    texts = [sample.text for sample in run.sample(n, seed=seed)]
    result |= {"samples": len(texts)} | _shares(run, texts)
    if not metrics:
        return result
    held_out = itertools.islice(_Texts(run, training=False), _MOST_HELD_OUT)
    compared = list(held_out) if corpus is None else [record.text for record in corpus]
    for name, metric in metrics.items():
        figures = _measure(metric, texts, compared, _Texts(run, training=True))
        result |= {f"{name}.{figure}": value for figure, value in figures.items()}
    published = {name: dict(found) for name, metric in metrics.items() if (found := getattr(metric, "published", None))}
    return result | ({"published": published} if published and reference is not None else {})


def _parts(run: Run, reference: str | None, options: Mapping[str, Any]) -> tuple[Corpus | None, dict[str, Any]]:
    """The reference corpus, and the metrics of the run's domain by name, with their options."""
    registry = run.plugins.registry
    entries = {name: registry.get("metric", name) for name in domain_of(run.settings, run.plugins).metrics}
    fields = {name: option_fields(entry) for name, entry in entries.items()}
    found: tuple[Entry, dict[str, Any]] | None = None
    if reference is not None:
        found = sort_out_corpus(reference, run.plugins)
        fields["corpus"] = option_fields(found[0])
    given = assign(_everywhere(split_names(options), fields), fields)
    metrics = {name: entry.build(given.get(name, {})) for name, entry in entries.items()}
    if found is None:
        return None, metrics
    entry, implied = found
    return open_corpus(entry, entry.options(implied | given.get("corpus", {}))), metrics


def _everywhere(
    assignments: Sequence[tuple[str | None, str, Any]], fields: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str | None, str, Any]]:
    """A bare name goes to every part that has it: the wheel that holds a reference often holds a metric's lists."""
    for part, name, value in assignments:
        owners: list[str | None] = [owner for owner, names in fields.items() if part is None and name in names]
        yield from ((owner, name, value) for owner in owners or [part])


@dataclass(frozen=True)
class _Texts:
    """The texts of a run's training records, or of those held out; can be iterated again and again."""

    run: Run
    training: bool

    def __iter__(self) -> Iterator[str]:
        splitter = splitter_of(self.run.settings)

        def wanted(record: Record) -> bool:
            return (splitter.part(record) == "train") is self.training

        return (record.text for record in self.run.corpus if wanted(record))


def _measure(
    metric: Callable[..., Mapping[str, float]], texts: list[str], reference: list[str], training: _Texts
) -> Any:
    """What a metric gives; one that has a parameter for them also gets the training records."""
    if "training" in inspect.signature(metric).parameters:
        return metric(texts, reference, training=training)
    return metric(texts, reference)


def _losses(run: Run, data: Data) -> dict[str, float]:
    from seqgen.evaluation import held_out_loss, penalty

    losses: dict[str, float] = {}
    penalty_V = penalty(run.vocabulary)
    for part, name in (("valid", "validation"), ("test", "test")):
        if len(data.encoded[part]):
            held_out = held_out_loss(run.model, data.encoded[part], penalty_V, most=10**9)
            losses[f"{name}_loss_nats"] = held_out.loss_nats
            losses[f"{name}_bits_per_char"] = held_out.bits_per_char
    return losses


def _shares(run: Run, texts: list[str]) -> dict[str, float]:
    from seqgen.evaluation import judge

    if not run.vocabulary.ends:  # one long text has no records to be new beside
        return {}
    judged = judge(texts, run.corpus, splitter_of(run.settings), run.validator, run.recorded_form)
    shares = {"unique": judged.unique, "novel": judged.novel}
    return shares if run.validator is None else {"valid": judged.valid} | shares
