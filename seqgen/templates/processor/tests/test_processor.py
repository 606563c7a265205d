"""Tests of the logits processor."""

import torch

from plugin_package.processor import load


def test_the_last_symbol_is_less_likely():
    """Check that no other logit changes."""
    logits_BV = torch.zeros(1, 4)
    after_BV = load(penalty=2.0)(logits_BV, torch.tensor([[3, 1]]))
    assert after_BV.tolist() == [[0.0, -2.0, 0.0, 0.0]] and not logits_BV.any()
