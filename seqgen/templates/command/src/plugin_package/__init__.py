"""A command for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_commands(app):
    """Add ``seqgen plugin-name``."""
    from plugin_package.command import show_lengths

    app.command("plugin-name")(show_lengths)
