"""A reader for seqgen."""

import seqgen

seqgen_api = "plugin-api"
EXAMPLE = b"== Ada\nkind: person\n\n== Vega\nkind: star\n"


def matches(name: str, start: bytes) -> bool:
    """Return whether a file is in the format, by its first bytes."""
    return start.startswith(b"== ")


@seqgen.hookimpl
def register_readers(register):
    """Register the reader."""
    register(
        seqgen.ReaderSpec(
            name="plugin-name",
            summary="cards: a title and its fields",
            source="made up",
            load="plugin_package.reader:CardReader",
            endings=(".card",),
            matches=matches,
            example=EXAMPLE,
        )
    )
