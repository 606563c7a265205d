"""Contract tests, one per promise; ``seqgen plugins check plugin_package`` shows the same as a table."""

import seqgen.testing


@seqgen.testing.parametrize_with_checks("plugin_package")
def test_contracts(check):
    """Check one promise of the plugin."""
    check()
