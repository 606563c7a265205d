"""Running a module to see what it does, without a trace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from seqgen.engine.torch_compat import list_tensors, own_buffers, set_buffer


@contextlib.contextmanager
def aside(module: nn.Module) -> Iterator[None]:
    """Within it a module may be run; afterwards its buffers and torch's random numbers are as they were."""
    held = [
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
            for part, name, buffer, value in held:
                set_buffer(part, name, buffer)  # a step may have put another in its place
                if not torch.equal(buffer, value):  # else it is as graphs that hold it know it
                    with torch.no_grad():
                        buffer.copy_(value)
