"""Tests of the augmentation."""

from random import Random

from plugin_package.augmentation import load


def test_the_share_that_is_changed():
    """Check shares of none, all, and about half."""
    assert load(share=0.0)("Ada", Random(1)) == "Ada" and load(share=1.0)("Ada", Random(1)) == "ada"
    random = Random(1)
    assert 400 < sum(load()("Ada", random) == "ada" for _ in range(1000)) < 600
