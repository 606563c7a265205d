"""Judging a run: what ``Run.evaluate`` and ``seqgen evaluate`` give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqgen.api.parts import domain_of
from seqgen.api.prepare import check_unchanged, encode_with, splitter_of
from seqgen.api.setup import computing

if TYPE_CHECKING:
    from seqgen.api.run import Run

_MOST_REFERENCE = 10_000


def evaluate(run: Run, n: int, seed: int) -> dict[str, Any]:
    """Held-out losses of a run, and figures of ``n`` samples drawn with ``seed``."""
    from seqgen.evaluation import held_out_loss, judge, penalty

    settings = run.settings
    splitter = splitter_of(settings)
    data = encode_with(run.corpus, settings.corpus.title, run.vocabulary, splitter)
    check_unchanged(data, settings)
    result: dict[str, Any] = {"run": run.folder.name, "step": run.state["step"]}
    penalty_V = penalty(run.vocabulary)
    with computing(settings.engine.threads):
        for part, name in (("valid", "validation"), ("test", "test")):
            if len(data.encoded[part]):
                held_out = held_out_loss(run.model, data.encoded[part], penalty_V, most=10**9)
                result[f"{name}_loss_nats"] = held_out.loss_nats
                result[f"{name}_bits_per_char"] = held_out.bits_per_char
    texts = [sample.text for sample in run.sample(n, seed=seed)]
    judged = judge(texts, run.corpus, splitter, run.validator)
    result |= {"samples": judged.n, "valid": judged.valid, "unique": judged.unique, "novel": judged.novel}
    domain = domain_of(settings, run.plugins)
    if domain.metrics:
        reference = [record.text for record in run.corpus if splitter.part(record) != "train"][:_MOST_REFERENCE]
        for name in domain.metrics:
            figures = run.plugins.registry.get("metric", name).build({})(texts, reference)
            result |= {f"{name}.{figure}": value for figure, value in figures.items()}
    return result
