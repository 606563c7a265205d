"""Trial runs of a module that leave it and the random numbers unchanged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from seqgen.engine.torch_compat import list_tensors, own_buffers, set_buffer


@contextlib.contextmanager
def isolated(module: nn.Module) -> Iterator[None]:
    """Restore the buffers of a module and torch's random numbers after the block."""
    before = [
        (part, name, buffer, buffer.detach().clone())
        for part in module.modules()
        for name, buffer in own_buffers(part)
        if not buffer.is_inference()
    ]
    gpus = {tensor.device for tensor in list_tensors(module) if tensor.is_cuda}
    with torch.random.fork_rng(gpus):
        try:
            yield
        finally:
            for part, name, buffer, value in before:
                set_buffer(part, name, buffer)  # a step may have replaced it
                if not torch.equal(buffer, value):  # else its version stays, which graphs that saved it compare
                    with torch.no_grad():
                        buffer.copy_(value)
