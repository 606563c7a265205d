"""Choice of device, CPU threads, precision and engine, made before a run starts."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from seqgen.checkpoint import EngineSettings
from seqgen.compute import computing
from seqgen.config import TrainSettings
from seqgen.errors import UsageError, is_out_of_memory
from seqgen.files import cache_folder
from seqgen.protocols import learns
from seqgen.training.schedule import Schedule

if TYPE_CHECKING:
    from torch import Tensor

    from seqgen.batches import Batch, Feed, Parts
    from seqgen.tokenizers import Vocabulary

_MIN_OPS_PER_THREAD = 12_800_000  # multiplications per step below which a further thread costs more than it saves
_SMALL = 300_000  # parameters below which a CPU is faster than a GPU, which waits for Python
_MIN_COMPILE_S = 600.0  # estimated seconds of training, so that compiling takes about a tenth of it at most
_OPERATION_S = 5e-6  # rough cost of an operation of a step
_MULTIPLICATION_S = 1e-10  # and of one of its multiplications
_WORTH_COMPILING = range(10, 61)  # operations of a step: with fewer, little is gained; with more, by some cells only
_COMPILE_S, _COMPILE_OPERATION_S = 45.0, 0.12  # processor time of compiling a kind of step, and of its operations

Report = Callable[[str], None]


def choose_threads(n_parameters: int, batch_size: int, requested: int | None, max_threads: int) -> int:
    """Return the number of CPU threads: as requested, else as many as the multiplications of a step keep busy.

    Only sizes count, never a measurement, which would make the bytes of a run depend on the load of the machine.

    Args:
        n_parameters: parameters of the model.
        batch_size: rows of a step.
        requested: the number that the user sets, or None.
        max_threads: the number that torch uses by default.
    """
    if requested is not None:
        return requested
    return min(max_threads, max(1, n_parameters * batch_size // _MIN_OPS_PER_THREAD))


def choose_device(requested: str, n_parameters: int) -> str:
    """Return an available device; "auto" prefers a GPU, but the CPU for small models.

    Raises:
        UsageError: the requested device is not available.
    """
    import torch

    if requested == "auto":
        return "cuda" if torch.cuda.is_available() and n_parameters >= _SMALL else "cpu"
    if not is_available(requested):
        raise UsageError(f"cannot use device {requested!r}: it is not available on this machine; use --device cpu")
    return requested


def is_available(device: str) -> bool:
    """Return whether a device is available: "cpu", "mps", "cuda" or "cuda:1"."""
    import torch

    kind, _, index = device.partition(":")
    if kind == "cuda":
        return int(index or 0) < torch.cuda.device_count()
    return kind == "cpu" or torch.backends.mps.is_available()


def decide_engine(
    model: Any, encoded: Parts, vocabulary: Vocabulary, train: TrainSettings, n_parameters: int, report: Report
) -> EngineSettings:
    """Choose how a run computes, by trying one batch; the model is restored afterwards.

    The engine follows from sizes and from what is installed, never from a measurement: the same seed gives the same
    bytes on a busy machine.

    Args:
        model: with initial weights; moved to its device, and set to the engine.
        encoded: the records to train on.
        vocabulary: their symbols.
        train: the training settings.
        n_parameters: parameters of the model.
        report: called with one line about anything slow or unavailable.

    Raises:
        UsageError: the requested device is not available.
    """
    import torch

    from seqgen.cells import describe_engine, untraced_steps, use_engine
    from seqgen.evaluation import penalty

    device = choose_device(train.device, n_parameters)
    threads = choose_threads(n_parameters, train.batch_size, train.threads, torch.get_num_threads())
    model.to(device)
    name = "fused" if train.engine == "auto" else train.engine
    batch, penalty_V = trial_batch(model, encoded, train), penalty(vocabulary, model)
    with computing(threads):
        use_engine(model, name)
        precision = _choose_precision(model, batch, penalty_V, train, report)
        for line in _try_step(model, batch, penalty_V, precision):
            report(line)
        per_epoch = _feed(encoded, train).steps_per_epoch
        if train.engine == "auto" and _compiles_by_size(model, batch, train, n_parameters, per_epoch):
            name = "compiled"
        if name == "compiled" and not _compile(model, report):
            name = "fused" if train.engine == "auto" else "scan"
        use_engine(model, name)
        for problem in untraced_steps(model):
            report(f"steps that cannot be traced run one by one under autograd, which is slower: {problem}")
    return EngineSettings(name=name, how=describe_engine(model), device=device, threads=threads, precision=precision)


def restore_engine(
    model: Any, encoded: Parts, vocabulary: Vocabulary, settings: EngineSettings, train: TrainSettings, report: Report
) -> None:
    """Set a model to the engine that was chosen when its run started."""
    from seqgen.cells import use_engine
    from seqgen.evaluation import penalty

    model.to(settings.device)
    use_engine(model, settings.name)
    if settings.name == "compiled":
        with computing(settings.threads):
            _try_step(model, trial_batch(model, encoded, train), penalty(vocabulary, model), settings.precision)
            if not _compile(model, report):
                report("engine: the run started with compiled steps; its result may differ in the last bits")


def _compiles_by_size(model: Any, batch: Batch, train: TrainSettings, n_parameters: int, steps_per_epoch: int) -> bool:
    """Return whether compiled steps pay: for a run that is long by its sizes, and steps neither tiny nor huge.

    A layer with a form of its own for whole sequences would lose it, so that a model with one is left as it is.

    Args:
        model: whose steps were traced on the batch.
        batch: of the usual size.
        train: the training settings.
        n_parameters: parameters of the model.
        steps_per_epoch: batches of an epoch.
    """
    from seqgen.cells import any_own_form, can_compile, count_operations

    counts = count_operations(model)
    is_worth = all(n_operations in _WORTH_COMPILING for n_operations in counts)
    if not is_worth or any_own_form(model) or not can_compile(model):
        return False
    n_rows, n_times = batch.ids_BT.shape
    products = 3 * n_parameters * n_rows * n_times  # one forward, two backward
    step_s = n_times * sum(counts) * _OPERATION_S + products * _MULTIPLICATION_S
    most = Schedule(train, steps_per_epoch).max_steps()
    limits_s = [train.time_s, None if most is None else most * step_s]
    return min(limit_s for limit_s in limits_s if limit_s is not None) > _MIN_COMPILE_S and has_compiler()


def trial_batch(model: Any, encoded: Parts, train: TrainSettings) -> Batch:
    """Return the first full batch of the run, on the device of the model."""
    from seqgen.model import device_of

    return _feed(encoded, train).probe_batch().to(device_of(model))


def _feed(encoded: Parts, train: TrainSettings) -> Feed:
    from seqgen.batches import make_feed

    return make_feed(encoded["train"], batch_size=train.batch_size, window=train.window, seed=train.seed)


def _numbers_of(model: Any) -> dict[tuple[Any, str], float]:
    """Return the numbers that parts of a model have as attributes, by part and attribute."""
    return {
        (module, name): value
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _try_step(model: Any, batch: Batch, penalty_V: Tensor, precision: str) -> list[str]:
    """Differentiate a batch, which traces the steps; the model is restored.

    Returns:
        A line for each number that a part of the model changed in itself meanwhile.
    """
    from seqgen.training.train_step import TrainStep

    if learns(model):
        return []
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    was_training = model.training
    model.train()
    train_step = TrainStep(model, penalty_V, weight_decay=0.0, clip_norm=0.0, precision=precision)
    changed = dict[tuple[Any, str], tuple[float, float]]()
    try:
        before = _numbers_of(model)
        train_step.differentiate(batch)
        if _changed(before, after := _numbers_of(model)):  # one that notes a size is the same after another step
            train_step.differentiate(batch)
            changed = _changed(after, _numbers_of(model))
    finally:
        model.train(was_training)
        model.zero_grad(set_to_none=True)
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
        for (module, name), (was, _) in changed.items():
            setattr(module, name, was)
    return [
        f"{type(module).__name__}.{name} changed from {was} to {now} in a step: losses, samples and a resumed run may "
        "differ; what a part remembers belongs in its state, or in a buffer"
        for (module, name), (was, now) in changed.items()
    ]


def _changed(
    before: Mapping[tuple[Any, str], float], after: Mapping[tuple[Any, str], float]
) -> dict[tuple[Any, str], tuple[float, float]]:
    """Return the numbers that are there both times and differ; NaN is equal to NaN."""
    return {key: (before[key], now) for key, now in after.items() if repr(before.get(key, now)) != repr(now)}


def _choose_precision(model: Any, batch: Batch, penalty_V: Tensor, train: TrainSettings, report: Report) -> Any:
    """Return bfloat16 only where it is requested, the device computes in it, and the model works in it.

    Never a measurement, which would make the bytes of a run depend on the load of the machine.
    """
    if train.precision == "float32" or learns(model):
        return "float32"
    from seqgen.engine.processor import computes_in_bfloat16

    if not computes_in_bfloat16(batch.ids_BT.device):
        needed = "a GPU of compute capability 8.0, or a CPU with AVX-512 BF16, AMX or Arm's BF16"
        report(f"precision: bfloat16 needs {needed}; training in float32")
        return "float32"
    _try_step(model, batch, penalty_V, "float32")  # traces the steps, which a failure in bfloat16 must not prevent
    try:
        _try_step(model, batch, penalty_V, "bfloat16")
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        problem = " ".join(str(error).split())[:80]
        report(f"precision: bfloat16 does not work on this machine ({problem}); training in float32")
        return "float32"
    return "bfloat16"


def has_compiler() -> bool:
    """Return whether a C++ compiler is installed, which torch's compiler needs on a CPU."""
    return any(shutil.which(program) for program in (os.environ.get("CXX", "c++"), "g++", "clang++"))


def _compile(model: Any, report: Report) -> bool:
    """Compile the steps traced last; report and return False where that fails."""
    from seqgen.cells import can_compile, compile_steps, count_operations, use_engine

    if not can_compile(model):
        return False
    home = cache_folder("compiled")
    cache = os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(home))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    kinds = dict.fromkeys(count_operations(model))  # layers with equal steps share a library
    takes_s = sum(_COMPILE_S + _COMPILE_OPERATION_S * n_operations for n_operations in kinds)
    takes = "a minute" if takes_s <= 60 else f"{math.ceil(takes_s / 60)} minutes"
    report(f"compiling the steps: up to {takes} of a core the first time, longer on a busy machine, kept in {cache}")
    use_engine(model, "compiled")
    try:
        compile_steps(model)
    except Exception as error:
        report(f"cannot compile the steps: {_compiler_problem(error)}; they run uncompiled")
        return False
    return True


def compile_for(model: Any, n_rows: int, n_symbols: int, precision: str) -> None:
    """Compile the steps of a model on the CPU, and keep them on disk.

    Args:
        model: to train.
        n_rows: rows of its batches.
        n_symbols: V.
        precision: "float32" or "bfloat16".

    Raises:
        Exception: any error of the compiler.
    """
    import torch

    from seqgen.batches import Batch
    from seqgen.cells import compile_steps, use_engine
    from seqgen.tokenizers import EOS

    ids_BT = torch.full((n_rows, 2), EOS)
    use_engine(model, "compiled")
    _try_step(model, Batch(ids_BT, ids_BT, None, ids_BT.numel(), 0, n_rows), torch.zeros(n_symbols), precision)
    compile_steps(model)


def _compiler_problem(error: Exception) -> str:
    """Return the line of an exception of torch's compiler that names the cause.

    The exception of a failed C++ compilation quotes the command of a thousand characters before the compiler's errors.
    """
    if isinstance(error, ModuleNotFoundError) and error.name and "." not in error.name:
        return f"torch's compiler needs the package {error.name!r} (pip install {error.name})"
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error: " in line), lines[0] if lines else type(error).__name__)
