"""A validator for seqgen, and a domain that uses it."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_validators(register):
    """Register the validator."""
    register(
        seqgen.ValidatorSpec(
            name="plugin-name",
            summary="words of the letters a to z",
            source="spelling",
            load="plugin_package.validator:WordValidator",
        )
    )


@seqgen.hookimpl
def register_domains(register):
    """Register a domain of words validated by it: ``--domain plugin-name``."""
    register(seqgen.DomainSpec(name="plugin-name", summary="words", source="spelling", validator="plugin-name"))
