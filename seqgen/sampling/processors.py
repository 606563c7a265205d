"""The decoding steps of core: functions of (logits_BV, ids_BT) that return logits_BV, applied in order."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqgen.config import DecodeConfig
from seqgen.protocols import Processor

_MIN_TEMPERATURE = 1e-30


def temperature(value: float) -> Processor:
    """Divide the logits by ``value``; 0, or what is 0 in 32 bits, keeps only the most probable symbol."""
    if value < _MIN_TEMPERATURE:
        return top_k(1)
    return lambda logits_BV, ids_BT: (logits_BV - logits_BV.amax(-1, keepdim=True)) / value


def top_k(k: int) -> Processor:
    """Keep the k most probable symbols, and those that tie with the last of them."""

    def process(logits_BV: Tensor, ids_BT: Tensor) -> Tensor:
        kth_B1 = torch.topk(logits_BV, min(k, logits_BV.shape[-1]), -1).values[:, -1:]
        return logits_BV.masked_fill(logits_BV < kth_B1, -math.inf)

    return process


def top_p(share: float) -> Processor:
    """Keep the smallest set of most probable symbols whose probability reaches ``share`` (arXiv:1904.09751)."""

    def process(logits_BV: Tensor, ids_BT: Tensor) -> Tensor:
        sorted_BV, order_BV = torch.sort(logits_BV, dim=-1, descending=True, stable=True)
        probs_BV = torch.softmax(sorted_BV, -1)
        before_BV = probs_BV.cumsum(-1) - probs_BV
        # The most probable symbol is kept whatever rounding does.
        dropped_BV = before_BV >= share
        dropped_BV[:, 0] = False
        return logits_BV.masked_fill(torch.zeros_like(dropped_BV).scatter(-1, order_BV, dropped_BV), -math.inf)

    return process


def min_p(share: float) -> Processor:
    """Keep the symbols at least ``share`` times as probable as the most probable one (arXiv:2407.01082)."""

    def process(logits_BV: Tensor, ids_BT: Tensor) -> Tensor:
        least_B1 = logits_BV.amax(-1, keepdim=True) + (math.log(share) if share > 0 else -math.inf)
        return logits_BV.masked_fill(logits_BV < least_B1, -math.inf)

    return process


def repetition_penalty(penalty: float) -> Processor:
    """Divide the positive logits of repeated ids by ``penalty``, multiply the negative ones (arXiv:1909.05858)."""

    def process(logits_BV: Tensor, ids_BT: Tensor) -> Tensor:
        has_BV = torch.zeros_like(logits_BV, dtype=torch.bool).scatter_(1, ids_BT, True)
        return torch.where(has_BV, torch.where(logits_BV > 0, logits_BV / penalty, logits_BV * penalty), logits_BV)

    return process


def build_processors(settings: DecodeConfig) -> list[Processor]:
    """Return the decoding steps of the settings, in the order repetition penalty, temperature, top-k, top-p, min-p."""
    steps: list[Processor] = []
    if settings.repetition_penalty != 1:
        steps.append(repetition_penalty(settings.repetition_penalty))
    if settings.temperature != 1:
        steps.append(temperature(settings.temperature))
    if settings.top_k is not None:
        steps.append(top_k(settings.top_k))
    if settings.top_p is not None and settings.top_p < 1:
        steps.append(top_p(settings.top_p))
    if settings.min_p is not None:
        steps.append(min_p(settings.min_p))
    return steps
