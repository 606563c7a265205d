from pathlib import Path

import seqgen.testing


@seqgen.testing.parametrize_with_checks(Path(__file__).with_name("mycell.py"))
def test_contracts(check):
    check()
