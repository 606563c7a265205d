"""Choice of device, CPU threads, precision and engine, made before a run starts."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from seqgen.checkpoint import EngineSettings
from seqgen.compute import computing
from seqgen.config import TrainSettings
from seqgen.errors import UsageError, is_out_of_memory
from seqgen.files import cache_folder

if TYPE_CHECKING:
    from seqgen.batches import Batch, Parts
    from seqgen.tokenizers import Vocabulary

_A_THREAD = 12_800_000  # multiplications of a symbol's step that a thread must have for itself, or it waits for others
_TINY = 300_000  # parameters below which a GPU waits for Python longer than a CPU computes
_WORTH_COMPILING_S = 600.0  # of training left, so that compiling, up to a minute, is at most a tenth of it
_FASTER = 0.95  # share of the time of uncompiled steps that compiled ones must stay below to be used

Say = Callable[[str], None]


def choose_threads(n_parameters: int, batch_size: int, wanted: int | None, most: int) -> int:
    """CPU threads: as wanted, else as many as have enough to compute at each symbol, a product for each weight and row.

    The sizes decide, never a measurement: it would make a run's bytes depend on what else the machine does.

    Args:
        n_parameters: of the model.
        batch_size: rows of a step.
        wanted: the user's own number, or None.
        most: how many threads torch would use by itself.
    """
    if wanted is not None:
        return wanted
    return min(most, max(1, n_parameters * batch_size // _A_THREAD))


def choose_device(wanted: str, n_parameters: int = _TINY) -> str:
    """A device that is there; "auto" takes a GPU if there is one, but the CPU for tiny models.

    Raises:
        UsageError: the wanted one is not there.
    """
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() and n_parameters >= _TINY else "cpu"
    if not is_there(wanted):
        raise UsageError(f"no device {wanted!r} here; use --device cpu")
    return wanted


def is_there(device: str) -> bool:
    """Whether there is such a device: "cpu", "mps", "cuda" or "cuda:1"."""
    import torch

    kind, _, index = device.partition(":")
    if kind == "cuda":
        return int(index or 0) < torch.cuda.device_count()
    return kind == "cpu" or torch.backends.mps.is_available()


def decide_engine(
    model: Any, encoded: Parts, vocabulary: Vocabulary, train: TrainSettings, n_parameters: int, say: Say
) -> EngineSettings:
    """Decide how a run computes, by letting the model learn from one batch and forget it.

    Args:
        model: with fresh weights; moved to its device, and set to the engine.
        encoded: the records to train on.
        vocabulary: their symbols.
        train: what is wanted.
        n_parameters: of the model.
        say: is told, in one line, what takes time or cannot be had.

    Raises:
        UsageError: the wanted device is not there.
    """
    import torch

    from seqgen.cells import describe_engine, untraced_steps, use_engine

    device = choose_device(train.device, n_parameters)
    threads = choose_threads(n_parameters, train.batch_size, train.threads, torch.get_num_threads())
    model.to(device)
    name = "fused" if train.engine == "auto" else train.engine
    batch = _trial_batch(encoded, train).to(model_device(model))
    with computing(threads):
        use_engine(model, name)
        precision = _choose_precision(model, batch, vocabulary, train, say)
        step_s = _step_s(model, batch, vocabulary, precision)
        if name == "compiled" and not _compile(model, say):
            name = "scan"
        if train.engine == "auto" and _left_s(train, len(encoded["train"]), step_s) > _WORTH_COMPILING_S:
            step_s = _step_s(model, batch, vocabulary, precision, rounds=3)  # the first time is not like the others
            worth = _left_s(train, len(encoded["train"]), step_s) > _WORTH_COMPILING_S
            if worth and _compiler() and _compile(model, say):
                name = "compiled"
                if _step_s(model, batch, vocabulary, precision, rounds=3) > _FASTER * step_s:
                    say("compiled steps are not faster here: going on uncompiled")
                    name = "scan"
        use_engine(model, name)
        for problem in untraced_steps(model):
            say(f"steps that cannot be recorded run one by one under autograd, which is slower: {problem}")
    return EngineSettings(name=name, how=describe_engine(model), device=device, threads=threads, precision=precision)


def ready_engine(
    model: Any, encoded: Parts, vocabulary: Vocabulary, settings: EngineSettings, train: TrainSettings, say: Say
) -> None:
    """Set a model to the engine that was decided when its run began."""
    from seqgen.cells import use_engine

    model.to(settings.device)
    use_engine(model, settings.name)
    if settings.name == "compiled":
        with computing(settings.threads):
            _step_s(model, _trial_batch(encoded, train).to(model_device(model)), vocabulary, settings.precision)
            if not _compile(model, say):
                say("the run began with compiled steps: its result may differ in the last bits")


def _left_s(train: TrainSettings, n_records: int, step_s: float) -> float:
    """Seconds of training, as far as they can be told."""
    steps = [train.steps, None if train.epochs is None else train.epochs * n_records / train.batch_size]
    limits_s = [train.time_s, *(None if limit is None else limit * step_s for limit in steps)]
    return min(limit_s for limit_s in limits_s if limit_s is not None)


def model_device(model: Any) -> Any:
    """Where a model computes."""
    from seqgen.model import device_of

    return device_of(model)


def _trial_batch(encoded: Parts, train: TrainSettings) -> Batch:
    """The first whole batch of the run."""
    from seqgen.batches import make_feed

    part = encoded["train"]
    return make_feed(part, batch_size=train.batch_size, window=train.window, seed=train.seed).probe_batch()


def _step_s(model: Any, batch: Batch, vocabulary: Vocabulary, precision: str, rounds: int = 1) -> float:
    """Seconds of learning from a batch, the best of some rounds; the model is left as it was."""
    import torch

    from seqgen.evaluation import penalty
    from seqgen.training.train_step import TrainStep

    if hasattr(model, "learn"):
        return 0.0
    penalty_V = penalty(vocabulary, model)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    was_training, times_s = model.training, []
    model.train()
    train_step = TrainStep(model, penalty_V, weight_decay=0.0, clip_norm=0.0, precision=precision)
    for _ in range(rounds):
        started = time.perf_counter()
        train_step.differentiate(batch)
        if penalty_V.device.type == "cuda":
            torch.cuda.synchronize(penalty_V.device)
        times_s.append(time.perf_counter() - started)
    model.train(was_training)
    model.zero_grad(set_to_none=True)
    for name, buffer in model.named_buffers():
        buffer.copy_(buffers[name])
    return min(times_s)


def _choose_precision(model: Any, batch: Batch, vocabulary: Vocabulary, train: TrainSettings, say: Say) -> Any:
    """Bfloat16 only where it is wanted, works and is faster."""
    if train.precision == "float32" or hasattr(model, "learn"):
        return "float32"
    plain_s = _step_s(model, batch, vocabulary, "float32", rounds=3)
    try:
        short_s = _step_s(model, batch, vocabulary, "bfloat16", rounds=3)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        say(f"bfloat16 does not work here ({' '.join(str(error).split())[:80]}): training in float32")
        return "float32"
    if short_s > plain_s:
        say(f"bfloat16 is slower here, {short_s / plain_s:.1f} times: training in float32")
        return "float32"
    return "bfloat16"


def _compiler() -> bool:
    return any(shutil.which(program) for program in (os.environ.get("CXX", "c++"), "g++", "clang++"))


def _compile(model: Any, say: Say) -> bool:
    """Compile the steps that were last seen; False, with a line, where that cannot be done."""
    from seqgen.cells import can_compile, compile_steps, use_engine

    if not can_compile(model):
        return False
    home = cache_folder("compiled")
    cache = os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(home))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    say(f"compiling the steps: up to a minute the first time, kept in {cache}")
    use_engine(model, "compiled")
    try:
        compile_steps(model)
    except Exception as error:
        say(f"cannot compile the steps: {_compiler_problem(error)}; they run uncompiled")
        return False
    return True


def _compiler_problem(error: Exception) -> str:
    """Return the line of an exception of torch's compiler that names the cause, whole.

    The exception of a failed C++ compilation quotes the command of a thousand characters before the compiler's errors.
    """
    if isinstance(error, ModuleNotFoundError) and error.name and "." not in error.name:
        return f"torch's compiler needs the package {error.name!r} (pip install {error.name})"
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error: " in line), lines[0] if lines else type(error).__name__)
