"""Run metadata: the content of run.json, with the versions and the machine."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import seqgen
from seqgen.api.config import ResolvedConfig
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.checkpoint import CorpusSettings, EngineSettings, PartSettings, RunSettings
from seqgen.plugins import Plugins, origin_of
from seqgen.registry import Entry
from seqgen.specs import CorpusSpec

_STREAM_LENGTH = 500  # symbols of a sample of one long text, unless asked otherwise


def run_settings(resolved: ResolvedConfig, plugins: Plugins, data: EncodedCorpus) -> RunSettings:
    """Return what run.json will hold; ``n_parameters`` and ``engine`` are filled in when the model is built."""

    def part(entry: Any, name: str) -> PartSettings:
        return PartSettings(name=entry.qualified, options=resolved.options.get(name, {}))

    spec, config = resolved.corpus.spec, resolved.config
    assert isinstance(spec, CorpusSpec)
    corpus = CorpusSettings(
        name=resolved.corpus.qualified,
        options=resolved.options["corpus"],
        valid=str(Path(config.valid).resolve()) if config.valid else None,
        test=str(Path(config.test).resolve()) if config.test else None,
        title=resolved.title,
        licence=spec.licence,
        layout=resolved.layout,
        multiline=spec.multiline or data.survey.multiline,
        domain=resolved.parts["domain"].qualified,
        **_counted(data),
    )
    return RunSettings(
        seqgen=seqgen.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds"),
        corpus=corpus,
        tokenizer=part(resolved.tokenizer, "tokenizer"),
        model=part(resolved.model, "model"),
        cell=part(resolved.cell, "cell") if resolved.cell is not None else None,
        train=resolved.train,
        n_symbols=data.vocabulary.size,
        conditions=resolved.conditions,
        augmentation=part(resolved.augmentation, "augmentation") if resolved.augmentation is not None else None,
        start=resolved.start.recorded if resolved.start is not None else None,
        max_length=_STREAM_LENGTH if resolved.layout == "stream" else 2 * max(1, data.longest_symbols),
        n_parameters=0,
        engine=EngineSettings(threads=1),
        plugins=provenance(plugins, resolved.parts.values()),
        environment=environment(),
    )


def with_corpus(settings: RunSettings, data: EncodedCorpus) -> RunSettings:
    """Return the settings of a run that continues with a changed corpus, with the digests of the former ones."""
    known = settings.corpus
    now = _counted(data) | {"before": (*known.before, known.digest)}
    return settings.model_copy(update={"corpus": known.model_copy(update=now)})


def _counted(data: EncodedCorpus) -> dict[str, Any]:
    """Return the counts of a corpus."""
    return {
        "digest": data.survey.digest,
        "n_records": data.survey.n_records,
        "n_chars": data.survey.n_chars,
        "longest": data.survey.longest,
        "parts": {name: len(encoded) for name, encoded in data.encoded.items()},
    }


def with_width(settings: RunSettings, width: int) -> RunSettings:
    """Return the settings with another number of units of each layer."""
    model = settings.model.model_copy(update={"options": settings.model.options | {"hidden": width}})
    return settings.model_copy(update={"model": model})


def environment() -> dict[str, str]:
    """Return the versions and the machine on which results may depend."""
    import numpy
    import torch

    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        **gpu,
    }


def provenance(plugins: Plugins, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return package, distribution and version behind some parts, and the origin of what no index has."""
    rows, program = [], plugins.plugins["seqgen"].provenance.distribution
    for package in sorted({entry.package for entry in entries}):
        known = plugins.plugins[package].provenance
        own = known.sha256 is None and known.distribution != program  # the program's plugins come with the program
        origin = origin_of(known.distribution) if own else None
        said = {name: value for name, value in vars(known).items() if name != "given" or value}
        rows.append(said | ({"origin": origin} if origin else {}))
    return rows
