"""A domain for seqgen with a validator, a renderer and a metric, and a corpus of such texts."""

import seqgen

seqgen_api = "plugin-api"
_OWN = {"name": "plugin-name", "source": "the clock"}


@seqgen.hookimpl
def register_domains(register):
    """Register the domain, which refers to its parts by name."""
    register(
        seqgen.DomainSpec(
            **_OWN,
            summary="times of day",
            validator="plugin-name",
            renderer="plugin-name",
            metrics=("plugin-name",),
        )
    )


@seqgen.hookimpl
def register_corpora(register):
    """Register the corpus."""
    register(
        seqgen.CorpusSpec(
            **_OWN,
            summary="every minute of a day",
            licence="CC0-1.0",
            load="plugin_package.times:load",
            domain="plugin-name",
        )
    )


@seqgen.hookimpl
def register_validators(register):
    """Register the validator."""
    register(seqgen.ValidatorSpec(**_OWN, summary="hours and minutes", load="plugin_package.times:TimeValidator"))


@seqgen.hookimpl
def register_renderers(register):
    """Register the renderer."""
    register(seqgen.RendererSpec(**_OWN, summary="12-hour clock", load="plugin_package.shown:TimeRenderer"))


@seqgen.hookimpl
def register_metrics(register):
    """Register the metric."""
    register(seqgen.MetricSpec(**_OWN, summary="times of day", load="plugin_package.times:TimeMetric"))
