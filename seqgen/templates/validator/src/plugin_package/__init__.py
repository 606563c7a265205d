"""A validator for seqgen, and a domain that has it."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_validators(register):
    """Hand the validator in."""
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
    """Texts that are valid by it: ``--domain plugin-name``."""
    register(seqgen.DomainSpec(name="plugin-name", summary="words", source="spelling", validator="plugin-name"))
