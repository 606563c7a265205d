"""A renderer for seqgen, and a domain that uses it."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_renderers(register):
    """Register the renderer."""
    register(
        seqgen.RendererSpec(
            name="plugin-name",
            summary="vowels in colour",
            source="spelling",
            load="plugin_package.renderer:VowelRenderer",
        )
    )


@seqgen.hookimpl
def register_domains(register):
    """Register a domain of words shown by it: ``--domain plugin-name``."""
    register(seqgen.DomainSpec(name="plugin-name", summary="words", source="spelling", renderer="plugin-name"))
