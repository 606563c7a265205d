"""The processor that computes: what compiled libraries depend on, and whether it has instructions for bfloat16."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

_CPU_INFO = Path("/proc/cpuinfo")
_WITH_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # flags, the last one of Arm's


def cpu_flags() -> str:
    """Return the line of Linux that lists the instructions of the CPU; elsewhere its name, or ""."""
    lines = _CPU_INFO.read_text(errors="replace").splitlines() if _CPU_INFO.exists() else [platform.processor()]
    return next((line for line in lines if line.startswith(("flags", "Features"))), lines[0] if lines else "")


def computes_in_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for products in bfloat16; others take several times as long for them.

    A GPU says so by its compute capability, a CPU by the flags that Linux lists; of others nothing is known.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and not _WITH_BFLOAT16.isdisjoint(cpu_flags().split())
