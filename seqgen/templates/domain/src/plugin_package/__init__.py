"""A domain for seqgen: what makes a text valid, how it is shown, what is counted; and a corpus of such texts."""

import seqgen

seqgen_api = "plugin-api"
_OWN = {"name": "plugin-name", "source": "the clock"}


@seqgen.hookimpl
def register_domains(register):
    """The domain, whose parts are named."""
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
    """Every minute of a day."""
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
    """Which texts are times."""
    register(seqgen.ValidatorSpec(**_OWN, summary="hours and minutes", load="plugin_package.times:TimeValidator"))


@seqgen.hookimpl
def register_renderers(register):
    """How a time is shown."""
    register(seqgen.RendererSpec(**_OWN, summary="as it is said", load="plugin_package.shown:TimeRenderer"))


@seqgen.hookimpl
def register_metrics(register):
    """What is counted."""
    register(seqgen.MetricSpec(**_OWN, summary="times of day", load="plugin_package.times:TimeMetric"))
