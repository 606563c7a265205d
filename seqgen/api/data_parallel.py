"""Training by several processes: starting them, the run that is announced to them, and the part that each takes.

``seqgen.train(workers=4)`` starts three more processes; ``torchrun -m seqgen train`` starts all of them. In both cases
the first one reads the settings, owns the run folder and announces the run; the others build the same model, read the
same corpus, compare both with what was announced, and take the steps and evaluate the batches that the first commands.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from seqgen import __version__
from seqgen.api.encoded_corpus import ignore
from seqgen.api.factories import augmentation_of, build_vocabulary, corpus_of, draw_of, read_again, rebuild_model
from seqgen.api.missing_plugin import changed_plugins, given_parts, plugin_files
from seqgen.api.run_metadata import describe_tokenizer, environment
from seqgen.checkpoint import RunSettings
from seqgen.compute import computing
from seqgen.errors import BadOption, SeqgenError, UsageError, WorkerLost, one_line
from seqgen.plugins import Plugins, PluginsArgument, choose_plugins
from seqgen.signals import ignore_signals

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary
    from seqgen.training.gang import Gang

_END_S = 10.0  # in which the other processes end by themselves
_MUST_EQUAL = ("python", "torch", "numpy", "machine")  # versions on which the last bits depend
_Processes = Sequence["subprocess.Popen[bytes]"]


def count_workers(requested: int | None, pieces: int) -> int:
    """Return the number of processes that share the pieces of a batch.

    Args:
        requested: by the user; None: those that torchrun has started, or this one alone.
        pieces: of a batch.

    Raises:
        BadOption: it is not a power of two that divides the pieces, or torchrun has started another number.
    """
    launched = _launched()[1]
    workers = launched if requested is None else requested
    if launched > 1 and workers != launched:
        raise BadOption(f"--workers {requested!r}, but torchrun has started {launched} processes: leave it out")
    if type(workers) is not int or workers < 1 or workers & (workers - 1) or pieces % workers:
        what = "is one piece, as it was trained without --workers: leave it out"
        if pieces > 1:
            fit = [str(2**k) for k in range(11) if pieces % 2**k == 0]
            what = f"has {pieces} pieces, which {' or '.join(fit)} can share; for others give -o pieces=N in a new run"
        raise BadOption(f"--workers {workers!r}: a batch of this run {what}")
    return workers


def check_devices(device: str, workers: int) -> None:
    """Refuse workers that would share a GPU: NCCL, which sums their gradients there, takes one process a GPU.

    Args:
        device: of the run.
        workers: number of processes; those that torchrun starts may be on several machines.

    Raises:
        UsageError: this machine has fewer GPUs than workers.
        BadOption: the device is a certain GPU.
    """
    if workers == 1 or not device.startswith("cuda"):
        return
    import torch

    here, n_gpus = int(os.environ.get("LOCAL_WORLD_SIZE", workers)), torch.cuda.device_count()
    if here > n_gpus:
        gpus = f"{n_gpus} GPU{'' if n_gpus == 1 else 's'}"
        raise UsageError(
            f"cannot train with {here} workers on {gpus}: each needs one of its own; leave --workers out, or give "
            "--device cpu"
        )
    if device not in ("cuda", "cuda:0"):
        raise BadOption(f"--device {device!r}: each of {workers} workers takes the GPU of its number; give cuda")


@contextlib.contextmanager
def gathered(settings: RunSettings, vocabulary: Vocabulary, workers: int) -> Iterator[Gang | None]:
    """Start the other processes of a run, and end them after it.

    Args:
        settings: of the run.
        vocabulary: its symbols.
        workers: number of processes, this one included.

    Yields:
        The connection to the others, which have compared corpus, plugins and versions with these; None if there are
        none.

    Raises:
        UsageError: a part of the run was passed as a Python object, which other processes cannot import; or there is
            no GPU for each worker.
        WorkerLost: a process has ended.
    """
    if workers == 1:
        if _launched()[1] > 1:
            _announce_nothing()
        yield None
        return
    check_devices(settings.engine.device, workers)
    if given := given_parts(settings):
        raise UsageError(
            f"{workers} workers need an importable plugin, and {given} exists in this process only: put it into a file "
            'and give that, plugins=["mine.py"]'
        )
    from seqgen.training.gang import Command, Gang, Order

    run = {
        "settings": settings.model_dump(mode="json"),
        "tokenizer": describe_tokenizer(settings, vocabulary),
        "versions": _versions(),
    }
    timeout_s, cuda = settings.train.timeout_s, settings.engine.device.startswith("cuda")
    with contextlib.ExitStack() as stack:
        if _launched()[1] > 1:
            gang = Gang(0, workers, _launched_store(), timeout_s=timeout_s, cuda=cuda)
        else:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seqgen-"))) / "store"
            stack.enter_context(_on_loopback())
            processes = stack.enter_context(_started(path, workers, plugin_files(settings)))
            store = _file_store(path, workers)
            gang = Gang(0, workers, store, timeout_s=timeout_s, cuda=cuda, alive=lambda: _ended(processes))
        gang.announce(run)
        stack.callback(gang.close)
        gang.connect()
        yield gang
        gang.command(Command(Order.END))


def _announce_nothing() -> None:
    """Let processes that torchrun has started end."""
    from seqgen.training.gang import Gang

    Gang(0, 1, _launched_store(), timeout_s=1.0).announce({})


def follow_if_launched(plugins: PluginsArgument) -> None:
    """Follow the first process and end this one with it, if torchrun has started it as another; else return.

    Args:
        plugins: as ``seqgen.train`` takes them.
    """
    rank, size = _launched()
    if rank:
        _follow(rank, size, _launched_store(), choose_plugins(plugins), int(os.environ.get("LOCAL_RANK", rank)))


# -- the other processes


def main(arguments: Sequence[str]) -> NoReturn:
    """Follow the first process, which has started this one and ends it by closing its standard input.

    Args:
        arguments: the rank, the number of processes, the file where they find each other, and plugin files.
    """
    rank, size, path, *files = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _follow(int(rank), int(size), _file_store(Path(path), int(size)), choose_plugins(files), int(rank))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _follow(rank: int, size: int, store: Any, plugins: Plugins, device: int) -> NoReturn:
    """Take the steps that the first process commands, then end this process at once: nothing here is to be saved."""
    from seqgen.training.gang import Gang

    ignore_signals(ignore=False)
    run = Gang.announced(store)
    if not run:
        os._exit(0)
    ignore_signals()  # from here on the first process handles them
    settings = RunSettings.read(run["settings"], "the run")
    engine = settings.engine
    if cuda := engine.device.startswith("cuda"):
        settings = settings.model_copy(update={"engine": engine.model_copy(update={"device": f"cuda:{device}"})})
    gang = Gang(rank, size, store, timeout_s=settings.train.timeout_s, cuda=cuda)
    code = 0
    try:
        _take_part(gang, settings, run, plugins)
        gang.close()
    except WorkerLost as error:  # said by the first process, if it is there
        code = error.exit_code
    except Exception as error:
        gang.report_failure(f"has failed: {error if isinstance(error, SeqgenError) else one_line(error)}")
        code = 1
    os._exit(code)


def _take_part(gang: Gang, settings: RunSettings, run: dict[str, Any], plugins: Plugins) -> None:
    """Build what the first process has built, and take its steps.

    Raises:
        UsageError: a version or a plugin is another one here.
        CorpusError: the corpus is another one here.
    """
    from seqgen.batches import Rewriter
    from seqgen.evaluation import penalty
    from seqgen.training.engine_choice import is_available, restore_engine
    from seqgen.training.shares import Shares
    from seqgen.training.steps import Steps, follow

    here = _versions()
    if differing := [
        f"{name} {here[name]}, not {said}" for name, said in run["versions"].items() if here[name] != said
    ]:
        raise UsageError(f"it has {', '.join(differing)}")
    if changed := changed_plugins(plugins, settings):
        raise UsageError(changed[0])
    if not is_available(settings.engine.device):
        raise UsageError(f"it has no device {settings.engine.device}: each worker of a machine needs a GPU of its own")
    vocabulary = build_vocabulary(run["tokenizer"], settings, plugins, "tokenizer")
    model = rebuild_model(plugins, settings, None)
    data = read_again(corpus_of(settings, plugins), settings, vocabulary)
    restore_engine(model, data.encoded, vocabulary, settings.engine, settings.train, ignore)
    augment = augmentation_of(settings, plugins)
    rewriter = None if augment is None else Rewriter(augment, vocabulary, settings.train.seed)
    gang.connect()
    with computing(settings.engine.threads):
        steps = Steps(model, data.encoded["train"], vocabulary, settings.train, settings.engine, rewriter, gang)
        draw, penalty_V = draw_of(settings, vocabulary), penalty(vocabulary, model)
        follow(gang, model, steps, Shares(model, penalty_V, data.encoded["valid"], settings.train, draw, gang))


def _versions() -> dict[str, str]:
    """Return the versions that all processes must have."""
    here = environment()
    return {"seqgen": __version__, **{name: here[name] for name in _MUST_EQUAL}}


# -- starting and finding them


def _launched() -> tuple[int, int]:
    """Return the rank of this process and the number of processes that torchrun has started; 0 and 1 without it."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def _launched_store() -> Any:
    """Return the store in which processes that torchrun has started find each other."""
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    rank, size = _launched()
    serves = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    store = TCPStore(
        os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), size, is_master=serves, wait_for_workers=False
    )
    return PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def _file_store(path: Path, size: int) -> Any:
    from torch.distributed import FileStore  # type: ignore[attr-defined]

    return FileStore(str(path), size)


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Let processes of this machine talk over its loopback interface, whatever its name resolves to."""
    name, loopback = "GLOO_SOCKET_IFNAME", [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if name in os.environ or not loopback:
        yield
        return
    os.environ[name] = loopback[0]
    try:
        yield
    finally:
        del os.environ[name]


@contextlib.contextmanager
def _started(path: Path, workers: int, files: Sequence[Path]) -> Iterator[_Processes]:
    """Start the other processes; they end when the context does, or this process."""
    program = "import sys; from seqgen.api.data_parallel import main; main(sys.argv[1:])"
    processes = list[subprocess.Popen[bytes]]()
    try:
        for rank in range(1, workers):
            command = [sys.executable, "-c", program, str(rank), str(workers), str(path), *map(str, files)]
            processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))  # noqa: S603  # our own interpreter
        yield processes
    finally:
        for process in processes:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
        for process in processes:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ended(processes: _Processes) -> str:
    """Return which process has ended, or "" if all are there."""
    for rank, process in enumerate(processes, 1):
        if (code := process.poll()) is not None:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has ended with exit code {code}"
            return f"worker {rank} on {socket.gethostname()} {how}"
    return ""
