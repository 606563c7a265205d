"""What version 1.3 of the hooks added: aliases, and the columns and trailing names of a domain. It is never changed."""

import seqgen

seqgen_api = "1.3"


@seqgen.hookimpl
def register_domains(register):
    register(
        seqgen.DomainSpec(
            name="street", summary="streets", aliases=("road",), columns=("street", "road"), trailing_names=True
        )
    )
