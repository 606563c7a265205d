"""A metric for seqgen, and a domain that has it."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_metrics(register):
    """Hand the metric in."""
    register(
        seqgen.MetricSpec(
            name="plugin-name",
            summary="how long samples are, beside held-out records",
            source="counting",
            load="plugin_package.metric:LengthMetric",
        )
    )


@seqgen.hookimpl
def register_domains(register):
    """Plain texts that are judged by it: ``--domain plugin-name``."""
    register(seqgen.DomainSpec(name="plugin-name", summary="texts", source="counting", metrics=("plugin-name",)))
