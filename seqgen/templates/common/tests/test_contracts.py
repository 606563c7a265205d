"""All that the plugin promises, a test each; ``seqgen plugins check plugin_package`` shows the same as a table."""

import seqgen.testing


@seqgen.testing.parametrize_with_checks("plugin_package")
def test_contracts(check):
    """The promise is kept."""
    check()
