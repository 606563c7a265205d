"""Tests of the cell against its equations."""

import torch

from plugin_package.cell import LeakyCell


def test_one_step():
    """Check h' = (1 - a) h + a tanh(W x + b + U h)."""
    cell, x_BI, h_BH = LeakyCell(3, 4, leak=0.25), torch.randn(2, 3), torch.randn(2, 4)
    new_BH = torch.tanh(cell.input(x_BI) + cell.recurrent(h_BH))
    y_BH, state = cell.step(cell.project(x_BI[:, None])[:, 0], h_BH)
    torch.testing.assert_close(y_BH, 0.75 * h_BH + 0.25 * new_BH)
    assert y_BH is state
