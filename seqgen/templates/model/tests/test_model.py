"""Tests of the model."""

import torch

from plugin_package.model import WindowModel


def test_it_sees_no_further_than_its_window():
    """Check that symbols before the window have no influence."""
    model, ids_BT = WindowModel(7, window=2), torch.tensor([[1, 2, 3, 4]])
    other_BT = torch.tensor([[5, 6, 3, 4]])
    logits_BTV, _ = model(ids_BT, model.initial_state(1))
    others_BTV, _ = model(other_BT, model.initial_state(1))
    assert torch.equal(logits_BTV[:, 3], others_BTV[:, 3]) and not torch.equal(logits_BTV[:, 2], others_BTV[:, 2])
