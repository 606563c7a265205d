"""What run.json will say of a training."""

from __future__ import annotations

import datetime
import platform
from typing import Any

import seqgen
from seqgen.api.data import Data
from seqgen.api.environment import provenance
from seqgen.api.recipe import Recipe
from seqgen.checkpoint import CorpusSettings, EngineSettings, PartSettings, RunSettings
from seqgen.plugins import Plugins
from seqgen.specs import CorpusSpec

_STREAM_LENGTH = 500  # symbols of a sample of one long text, unless asked otherwise


def describe(recipe: Recipe, plugins: Plugins, data: Data) -> RunSettings:
    """What run.json will hold; the engine is filled in when the model is known."""

    def part(entry: Any, name: str) -> PartSettings:
        return PartSettings(name=entry.qualified, options=recipe.options.get(name, {}))

    spec = recipe.corpus.spec
    assert isinstance(spec, CorpusSpec)
    corpus = CorpusSettings(
        name=recipe.corpus.qualified,
        options=recipe.options["corpus"],
        valid=str(recipe.valid.resolve()) if recipe.valid else None,
        test=str(recipe.test.resolve()) if recipe.test else None,
        title=recipe.title,
        licence=spec.licence,
        layout=recipe.layout,
        multiline=spec.multiline or data.survey.multiline,
        domain=recipe.domain.qualified,
        **_counted(data),
    )
    return RunSettings(
        seqgen=seqgen.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds"),
        corpus=corpus,
        tokenizer=part(recipe.tokenizer, "tokenizer"),
        model=part(recipe.model, "model"),
        cell=part(recipe.cell, "cell") if recipe.cell is not None else None,
        train=recipe.train,
        n_symbols=data.vocabulary.size,
        conditions=recipe.conditions,
        augmentation=part(recipe.augmentation, "augmentation") if recipe.augmentation is not None else None,
        start=recipe.start.said if recipe.start is not None else None,
        max_length=_STREAM_LENGTH if recipe.layout == "stream" else 2 * max(1, data.longest_symbols),
        n_parameters=0,
        engine=EngineSettings(threads=1),
        plugins=provenance(plugins, recipe.entries),
        environment=environment(),
    )


def with_corpus(settings: RunSettings, data: Data) -> RunSettings:
    """The settings of a run that goes on with its corpus as it is now; they know that it was another."""
    known = settings.corpus
    now = _counted(data) | {"before": (*known.before, known.digest)}
    return settings.model_copy(update={"corpus": known.model_copy(update=now)})


def _counted(data: Data) -> dict[str, Any]:
    """What was counted of a corpus."""
    return {
        "digest": data.survey.digest,
        "n_records": data.survey.n_records,
        "n_chars": data.survey.n_chars,
        "longest": data.survey.longest,
        "parts": {name: len(encoded) for name, encoded in data.encoded.items()},
    }


def with_width(settings: RunSettings, width: int) -> RunSettings:
    """The settings with another number of units a layer."""
    model = settings.model.model_copy(update={"options": settings.model.options | {"hidden": width}})
    return settings.model_copy(update={"model": model})


def environment() -> dict[str, str]:
    """Versions and machine, as far as results may depend on them."""
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
