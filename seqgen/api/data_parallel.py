"""Training by several processes: the run that is announced to them, and the part that each takes.

``seqgen.train(workers=4)`` starts three more processes, on this machine or wherever an executor runs them;
``torchrun -m seqgen train`` starts all of them. In both cases the first one reads the settings, owns the run folder and
announces the run; the others build the same model, read the same corpus, compare both with what was announced, and take
the steps and evaluate the batches that the first commands.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seqgen import __version__
from seqgen.api.encoded_corpus import EncodedCorpus, ignore, read_again
from seqgen.api.factories import build_vocabulary, corpus_of, draw_of, rebuild_model, rewriter_of
from seqgen.api.missing_plugin import changed_plugins
from seqgen.api.run_metadata import describe_tokenizer, environment
from seqgen.checkpoint import RunSettings
from seqgen.compute import computing
from seqgen.config import split_executor_options
from seqgen.errors import BadOption, SeqgenError, UsageError, WorkerLost, one_line
from seqgen.executors import LOCAL, Task, check_executor, reserve_workers
from seqgen.plugins import Plugins, PluginsArgument, choose_plugins
from seqgen.protocols import learns
from seqgen.signals import ignore_signals, signal_handlers

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary
    from seqgen.training.gang import Gang

_MUST_EQUAL = ("python", "torch", "numpy", "machine")  # versions on which the last bits depend


@dataclass(frozen=True)
class Workers:
    """The processes that share the batches of a run.

    Attributes:
        number: of processes, the first one included.
        on: the executor that runs the others.
        options: of the executor.
        readers: processes of this machine that read a large corpus; None: its CPU threads.
    """

    number: int = 1
    on: str = LOCAL
    options: Mapping[str, Any] = field(default_factory=dict)
    readers: int | None = None


def choose_workers(
    requested: int | None, on: str | None, options: Mapping[str, Any], pieces: int, plugins: Plugins
) -> Workers:
    """Return the processes that share the pieces of a batch.

    Args:
        requested: their number, as given by the user; None: those that torchrun has started, or this one alone.
        on: the executor that runs the others; None: "local".
        options: of the executor.
        pieces: of a batch.
        plugins: of the run.

    Raises:
        BadOption: the number is not a power of two that divides the pieces, or torchrun has started another one.
        UsageError: the executor cannot run them, or a plugin was passed as a Python object.
        MissingExtra: the executor needs a package that is not installed.
    """
    number = count_workers(requested, pieces)
    launched = launched_processes() > 1
    if on is not None or options:
        given = f"--on {on!r}" if on is not None else f"-o executor.{next(iter(options))}"
        if launched:
            raise BadOption(f"{given}, but torchrun has started the processes: leave it out")
        if number == 1:
            raise BadOption(f"{given} is for the other processes of --workers N: give N, at least 2")
    on = on or LOCAL
    workers = Workers(number, on, options, requested if on == LOCAL else None)
    if number > 1 and not launched:
        check_executor(number - 1, on=on, options=options, plugins=plugins)
        _follower(1, workers, LOCAL, 0).to_json(plugins)
    return workers


def only_executor_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the executor's options by name.

    Args:
        options: of a run that is continued, where settings are known already.

    Raises:
        BadOption: one is not the executor's.
    """
    executor, others = split_executor_options(options or {})
    if others:
        raise BadOption(f"-o {next(iter(others))}: a run keeps its settings; only -o executor.NAME=VALUE can be given")
    return executor


def count_workers(requested: int | None, pieces: int) -> int:
    """Return the number of processes that share the pieces of a batch.

    Args:
        requested: by the user; None: those that torchrun has started, or this one alone.
        pieces: of a batch.

    Raises:
        BadOption: it is not a power of two that divides the pieces, or torchrun has started another number.
    """
    launched = launched_processes()
    workers = launched if requested is None else requested
    if launched > 1 and workers != launched:
        raise BadOption(f"--workers {requested!r}, but torchrun has started {launched} processes: leave it out")
    if type(workers) is not int or workers < 1 or workers & (workers - 1) or pieces % workers:
        given = f"--workers {workers!r}" if requested is not None else f"torchrun has started {launched} processes"
        way = "leave it out" if requested is not None else "start it without torchrun"
        what = f"is one piece, as it was trained without --workers: {way}"
        if pieces > 1:
            fit = [str(2**k) for k in range(11) if pieces % 2**k == 0]
            what = f"has {pieces} pieces, which {' or '.join(fit)} can share; "
            what += "for another power of two give -o pieces=N in a new run"
        raise BadOption(f"{given}: a batch of this run {what}")
    return workers


def check_devices(device: str, workers: int, on: str = LOCAL) -> None:
    """Refuse workers that would share a GPU: NCCL, which sums their gradients there, takes one process a GPU.

    Args:
        device: of the run.
        workers: number of processes; those that torchrun or an executor starts may be on several machines.
        on: the executor of all but the first.

    Raises:
        UsageError: this machine has fewer GPUs than workers.
        BadOption: the device is a certain GPU.
    """
    if workers == 1 or not device.startswith("cuda"):
        return
    import torch

    here = int(os.environ.get("LOCAL_WORLD_SIZE", workers if on == LOCAL else 1))
    n_gpus = torch.cuda.device_count()
    if here > n_gpus:
        gpus = f"{n_gpus} GPU{'' if n_gpus == 1 else 's'}"
        raise UsageError(
            f"cannot train with {here} workers on {gpus}: each needs one of its own; leave --workers out, or give "
            "--device cpu"
        )
    if device not in ("cuda", "cuda:0"):
        raise BadOption(f"--device {device!r}: each of {workers} workers takes the GPU of its number; give cuda")


def check_buffers(model: Any, data: EncodedCorpus, settings: RunSettings, workers: int) -> None:
    """Refuse workers where training changes a buffer of the model: gradients are summed over them, buffers are not.

    Args:
        model: on its device, set to its engine.
        data: the corpus.
        settings: of the run.
        workers: number of processes.

    Raises:
        UsageError: a buffer depends on the rows that a process sees.
    """
    if workers == 1 or learns(model) or next(model.buffers(), None) is None:
        return
    from seqgen.evaluation import penalty
    from seqgen.training.engine_choice import trial_batch
    from seqgen.training.model_checks import find_divided_buffers

    batch = trial_batch(model, data.encoded, settings.train)
    with computing(settings.engine.threads):
        found = find_divided_buffers(model, batch, penalty(data.vocabulary, model), settings.engine.precision)
    if found:
        way = "start it without torchrun" if launched_processes() > 1 else "give --workers 1"
        raise UsageError(
            f"cannot train {settings.architecture!r} with {workers} workers: training changes the buffer "
            f"{', '.join(dict.fromkeys(found))} by the rows of a batch, of which each worker sees others; {way}"
        )


@contextlib.contextmanager
def gathered(
    settings: RunSettings, vocabulary: Vocabulary, workers: Workers, plugins: Plugins
) -> Iterator[Gang | None]:
    """Start the other processes of a run, and end them after it.

    Args:
        settings: of the run.
        vocabulary: its symbols.
        workers: the processes.
        plugins: of the run.

    Yields:
        The connection to the others, which have compared corpus, plugins and versions with these; None if there are
        none.

    Raises:
        UsageError: a plugin was passed as a Python object, which other processes cannot import; or there is no GPU for
            each worker.
        WorkerLost: a process has ended, or did not start in time.
    """
    if workers.number == 1:
        if launched_processes() > 1:
            _announce_nothing()
        yield None
        return
    check_devices(settings.engine.device, workers.number, workers.on)
    from seqgen.training.gang import Command, Order

    run = {
        "settings": settings.model_dump(mode="json"),
        "tokenizer": describe_tokenizer(settings, vocabulary),
        "versions": _versions(),
    }
    with _connected(settings, workers, plugins) as gang:
        gang.announce(run)
        with contextlib.closing(gang):
            gang.connect()
            yield gang
            gang.command(Command(Order.END))


@contextlib.contextmanager
def _connected(settings: RunSettings, workers: Workers, plugins: Plugins) -> Iterator[Gang]:
    """Yield the connection to the processes that torchrun has started, or to those that are started here."""
    from seqgen.training.gang import Gang
    from seqgen.training.rendezvous import interface_to, launched_store, serve_store

    timeout_s, cuda = settings.train.timeout_s, settings.engine.device.startswith("cuda")
    if launched_processes() > 1:
        yield Gang(0, workers.number, launched_store(*_launched()), timeout_s=timeout_s, cuda=cuda)
        return
    n, on, options = workers.number - 1, workers.on, workers.options
    with (
        reserve_workers(n, on=on, options=options, timeout_s=timeout_s, plugins=plugins) as others,
        interface_to(others.host),
    ):
        store, port = serve_store(others.host, workers.number)
        others.start([_follower(rank, workers, others.host, port) for rank in range(1, workers.number)])
        yield Gang(0, workers.number, store, timeout_s=timeout_s, cuda=cuda, find_ended=others.find_ended)


def _follower(rank: int, workers: Workers, host: str, port: int) -> Task:
    """Return the task that is one of the other processes."""
    where = {"rank": rank, "size": workers.number, "host": host, "port": port}
    return Task("seqgen.api.data_parallel:follow", where, f"worker {rank}")


def _announce_nothing() -> None:
    """Let processes that torchrun has started end."""
    from seqgen.training.gang import Gang
    from seqgen.training.rendezvous import launched_store

    Gang(0, 1, launched_store(*_launched()), timeout_s=1.0).announce({})


def follow_if_launched(plugins: PluginsArgument) -> None:
    """Follow the first process and end this one with it, if torchrun has started it as another; else return.

    Args:
        plugins: as ``seqgen.train`` takes them.
    """
    rank, size = _launched()
    if rank:
        from seqgen.training.rendezvous import launched_store

        ignore_signals(ignore=False)  # until there is a run, a signal ends this process
        code = _follow(rank, size, launched_store(rank, size), choose_plugins(plugins))
        os._exit(code)  # at once: nothing here is to be saved


# -- the other processes


def follow(*, rank: int, size: int, host: str, port: int) -> int:
    """Follow the first process, in a worker that it has started; return an exit code.

    Args:
        rank: of this process.
        size: number of processes.
        host: the address of the first process.
        port: where its store is.
    """
    from seqgen.training.rendezvous import connect_store, interface_to

    with signal_handlers(_pass), interface_to(host):
        return _follow(rank, size, connect_store(host, port, size), choose_plugins())


def _pass(number: int, frame: Any) -> None:
    """Leave a signal to the first process."""


def _follow(rank: int, size: int, store: Any, plugins: Plugins) -> int:
    """Take the steps that the first process commands; return an exit code."""
    from seqgen.training.gang import Gang

    run = Gang.announced(store)
    if not run:
        return 0
    if _launched()[0]:
        ignore_signals()  # from here on the first process handles them
    settings = RunSettings.read(run["settings"], "the run")
    if cuda := settings.engine.device.startswith("cuda"):
        settings = settings.with_values("engine", {"device": f"cuda:{os.environ.get('LOCAL_RANK', rank)}"})
    with contextlib.closing(Gang(rank, size, store, timeout_s=settings.train.timeout_s, cuda=cuda)) as gang:
        try:
            _take_part(gang, settings, run, plugins)
        except WorkerLost as error:  # said by the first process, if it is there
            return error.exit_code
        except Exception as error:
            gang.report_failure(f"has failed: {error if isinstance(error, SeqgenError) else one_line(error)}")
            return 1
    return 0


def _take_part(gang: Gang, settings: RunSettings, run: dict[str, Any], plugins: Plugins) -> None:
    """Build what the first process has built, and take its steps.

    Raises:
        UsageError: a version or a plugin is another one here.
        CorpusError: the corpus is another one here.
    """
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
    rewriter = rewriter_of(settings, vocabulary, plugins)
    gang.connect()
    with computing(settings.engine.threads):
        steps = Steps(model, data.encoded["train"], vocabulary, settings.train, settings.engine, rewriter, gang)
        draw, penalty_V = draw_of(settings, vocabulary), penalty(vocabulary, model)
        follow(gang, model, steps, Shares(model, penalty_V, data.encoded["valid"], settings.train, draw, gang))


def _versions() -> dict[str, str]:
    """Return the versions that all processes must have."""
    here = environment()
    return {"seqgen": __version__, **{name: here[name] for name in _MUST_EQUAL}}


def launched_processes() -> int:
    """Return the number of processes that torchrun has started; 1 without it."""
    return _launched()[1]


def _launched() -> tuple[int, int]:
    """Return the rank of this process and the number of processes that torchrun has started; 0 and 1 without it."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
