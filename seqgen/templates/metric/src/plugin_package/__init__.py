"""A metric for seqgen, and a domain that uses it."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_metrics(register):
    """Register the metric."""
    register(
        seqgen.MetricSpec(
            name="plugin-name",
            summary="mean length of samples and of held-out records",
            source="counting",
            load="plugin_package.metric:LengthMetric",
        )
    )


@seqgen.hookimpl
def register_domains(register):
    """Register a domain of plain text evaluated by it: ``--domain plugin-name``."""
    register(seqgen.DomainSpec(name="plugin-name", summary="texts", source="counting", metrics=("plugin-name",)))
