"""The metrics of an evaluation while training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from seqgen.batches import Encoded, Parts
from seqgen.config import TrainSettings
from seqgen.evaluation import expected_copies, held_out_loss


@dataclass(frozen=True)
class Evaluation:
    """What the weights of a step are worth.

    Attributes:
        loss_nats: held-out loss, nats per symbol; None where nothing is held out.
        copies: the share of samples that would repeat a training record; None where the best step is found by loss.
        metrics: both, as lines of metrics.jsonl have them.
    """

    loss_nats: float | None = None
    copies: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)


def evaluated(
    model: nn.Module, encoded: Parts, penalty_V: Tensor, settings: TrainSettings, check: Callable[[], None]
) -> Evaluation:
    """Evaluate a model on held-out records and, where the settings ask for it, on how often it would copy.

    Args:
        model: put in evaluation mode meanwhile.
        encoded: the records of "train" and "valid".
        penalty_V: what ``penalty`` gives, on the model's device.
        settings: of the run.
        check: called before each batch; may raise to stop.
    """
    valid, train, metrics, loss_nats, copies = encoded["valid"], encoded["train"], dict[str, float](), None, None
    if len(valid):
        held_out = held_out_loss(model, valid, penalty_V, most=settings.eval_records, check=check)
        loss_nats = held_out.loss_nats
        metrics |= {"valid_loss_nats": loss_nats, "valid_bits_per_char": held_out.bits_per_char}
    if settings.best_by == "copies" and isinstance(train, Encoded):
        check()
        copies = metrics["expected_copies"] = expected_copies(model, train, penalty_V)
    return Evaluation(loss_nats, copies, metrics)
